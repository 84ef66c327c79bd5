//! Lineage against edges that were written by hand, and what can be asked of
//! it.

mod shared;

use std::collections::BTreeSet;

use shared::{plan_of_file, tests_folder};
use unskew_definition::Name;
use unskew_plan::{LineageNode, ViewId};

/// Each `lineage/NAME.yaml` has its edges, one a line and in any order, in
/// `lineage/NAME.edges.txt`. They are written by hand: nothing writes them anew.
#[test]
fn edges_are_those_written_by_hand() {
    let mut count = 0;
    for entry in std::fs::read_dir(tests_folder().join("lineage")).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let Some(name) = file.strip_suffix(".yaml") else { continue };
        count += 1;
        let plan = plan_of_file(&format!("lineage/{file}")).unwrap_or_else(|m| panic!("{m}"));
        let found: BTreeSet<String> =
            plan.lineage.edges().iter().map(ToString::to_string).collect();
        let path = tests_folder().join(format!("lineage/{name}.edges.txt"));
        let written = std::fs::read_to_string(path).unwrap();
        let written: BTreeSet<String> = written.lines().map(ToOwned::to_owned).collect();
        let missing: Vec<_> = written.difference(&found).collect();
        let surplus: Vec<_> = found.difference(&written).collect();
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "{name}: not derived: {missing:#?}, derived and not written: {surplus:#?}"
        );
    }
    assert!(count >= 10, "{count} definitions");
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn feature(view: &str, version: u32, feature: &str) -> LineageNode {
    LineageNode::Feature { view: ViewId { name: name(view), version }, feature: name(feature) }
}

fn shown(nodes: Vec<LineageNode>) -> Vec<String> {
    nodes.iter().map(ToString::to_string).collect()
}

#[test]
fn what_a_feature_depends_on_is_found_through_views() {
    let plan = plan_of_file("lineage/on_demand_views_and_services.yaml").unwrap();
    assert_eq!(
        shown(plan.lineage.upstream(&feature("second", 1, "risky"))),
        [
            "checkout.price",
            "orders.amount",
            "orders.ts",
            "orders.user_id",
            "first@v1.ratio",
            "second@v1.risky",
            "v@v1.total",
            "first:ratio@v1",
            "v:total@v1",
            "v:total@v2",
        ]
    );
    let price = LineageNode::SourceField { source: name("checkout"), field: "price".to_owned() };
    assert_eq!(
        shown(plan.lineage.downstream(&price)),
        ["first@v1.ratio", "second@v1.risky", "first:ratio@v1", "second:risky@v1", "service fraud"]
    );
    let unused = LineageNode::SourceField { source: name("checkout"), field: "unused".to_owned() };
    assert!(plan.lineage.downstream(&unused).is_empty());
}

#[test]
fn a_struct_stands_for_its_fields() {
    let plan = plan_of_file("lineage/struct_fields.yaml").unwrap();
    let field =
        |field: &str| LineageNode::SourceField { source: name("orders"), field: field.to_owned() };
    let of_place = shown(plan.lineage.downstream(&field("place")));
    assert_eq!(of_place, ["v@v1.city", "v@v1.whole", "v@v1.zip", "v:city@v1", "v:zip@v1"]);
    assert_eq!(shown(plan.lineage.downstream(&field("place.city"))), ["v@v1.city", "v:city@v1"]);
    // The zip was taken from a column that holds the struct.
    let upstream = shown(plan.lineage.upstream(&feature("v", 1, "zip")));
    assert!(upstream.contains(&"orders.place".to_owned()), "{upstream:?}");
}
