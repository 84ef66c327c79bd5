//! Definitions become plans, or all their mistakes are said in one go.

mod shared;

use shared::{check_golden, plan, plan_of_file, tests_folder};

#[test]
fn a_whole_project_prints_with_every_default() {
    let plan = plan_of_file("golden/shop.yaml").unwrap_or_else(|mistakes| panic!("{mistakes}"));
    check_golden("golden/shop.plan.txt", &plan.to_string());
    check_golden("golden/shop.plan.json", &format!("{:#}\n", plan.to_json()));
    check_golden("golden/shop.lineage.txt", &plan.lineage.to_string());
}

#[test]
fn a_part_has_what_it_needs_and_no_more() {
    let plan = plan_of_file("golden/shop.yaml").unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let part = plan.only("price_check").unwrap();
    let views: Vec<String> = part.views.iter().map(|view| view.id.to_string()).collect();
    assert_eq!(views, ["user_orders@v1"]);
    assert_eq!(part.on_demand_views.len(), 1);
    assert_eq!(part.request_sources.len(), 1);
    assert!(part.services.is_empty());
    let service = plan.only("fraud").unwrap();
    assert_eq!(service.views.len(), 2);
    assert_eq!(service.on_demand_views.len(), 2);
    assert!(plan.only("nothing").is_none());
}

/// Each `mistakes/NAME.yaml` has its messages in `mistakes/NAME.txt`.
#[test]
fn mistakes_are_told_all_at_once() {
    let mut names: Vec<String> = std::fs::read_dir(tests_folder().join("mistakes"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".yaml").map(ToOwned::to_owned))
        .collect();
    names.sort();
    assert!(names.len() >= 5, "{names:?}");
    for name in names {
        let mistakes = plan_of_file(&format!("mistakes/{name}.yaml"))
            .map(|plan| plan.to_string())
            .expect_err(&name);
        check_golden(&format!("mistakes/{name}.txt"), &format!("{mistakes}\n"));
    }
}

#[test]
fn ten_mistakes_are_ten_messages() {
    let mistakes = plan_of_file("mistakes/ten.yaml").unwrap_err();
    assert_eq!(mistakes.len(), 10, "{mistakes}");
    for mistake in &mistakes {
        assert_eq!(mistake.place.file(), "mistakes/ten.yaml", "{mistake}");
        assert!(mistake.place.line() > 0, "{mistake}");
    }
}

const SOURCE: &str = "
entities: [{name: user, join_keys: [{name: user_id, type: utf8}]}]
sources:
  - name: orders
    fields: [{name: user_id, type: utf8}, {name: amount, type: int32, nullable: true}, {name: ts, type: timestamp}]
    event_timestamp: ts
";

fn message(rest: &str) -> String {
    plan(&format!("{SOURCE}{rest}")).map(|plan| plan.to_string()).expect_err(rest).to_string()
}

#[test]
fn a_project_s_ttl_is_that_of_views_without_one() {
    let text = format!(
        "{SOURCE}
feature_views:
  - {{name: a, entities: [user], source: orders, features: [{{name: amount}}]}}
  - {{name: b, entities: [user], source: orders, features: [{{name: amount}}], ttl: 1h}}
"
    );
    let mut reader = unskew_definition::DefinitionReader::new();
    reader.read_document("a.yaml", text.as_bytes());
    let plan = unskew_plan::FeaturePlan::new(&reader.finish(Some(7))).unwrap();
    assert_eq!(plan.views[0].ttl_us, Some(7));
    assert_eq!(plan.views[1].ttl_us, Some(3_600_000_000));
}

#[test]
fn documents_become_one() {
    let view = "
feature_views:
  - {name: a, entities: [user], source: orders, features: [{name: amount}]}
";
    let mut reader = unskew_definition::DefinitionReader::new();
    reader.read_document("views.yaml", view.as_bytes());
    reader.read_document("sources.yaml", SOURCE.as_bytes());
    let plan = unskew_plan::FeaturePlan::new(&reader.finish(None)).unwrap();
    assert_eq!(plan.views.len(), 1);

    let mut reader = unskew_definition::DefinitionReader::new();
    reader.read_document("a.yaml", format!("{SOURCE}{view}").as_bytes());
    reader.read_document("b.yaml", view.as_bytes());
    let mistakes = unskew_plan::FeaturePlan::new(&reader.finish(None)).unwrap_err().to_string();
    assert!(mistakes.starts_with("b.yaml:3: feature view a"), "{mistakes}");
    assert!(mistakes.contains("first at a.yaml:9"), "{mistakes}");
}

/// What an unread part makes seem missing is not told of.
#[test]
fn a_mistake_is_told_once() {
    let told = message(
        "
feature_views:
  - name: a
    entities: [user]
    source: orders
    transforms: [{sql: {x: \"amout * 2\"}}, {sql: {y: \"x + 1\"}}]
    aggregates: [{name: s, function: sum, column: y, over: {size: 1h}}]
    post_transforms: [{sql: {z: \"s + 1\"}}]
    features: [{name: z, type: int64, default: 1}]
feature_services:
  - {name: f, features: [\"a:z\"]}
",
    );
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("amout"), "{told}");
}

#[test]
fn circles_are_printed_as_their_path() {
    let told = message(
        "
on_demand_feature_views:
  - {name: c, inputs: {x: \"b:y\"}, transforms: [{sql: {z: \"x\"}}]}
  - {name: a, inputs: {x: \"c:z\"}, transforms: [{sql: {w: \"x\"}}]}
  - {name: b, transforms: [{sql: {y: \"{{a.w}}\"}}]}
  - {name: d, inputs: {x: \"a:w\"}, transforms: [{sql: {v: \"x\"}}]}
",
    );
    assert_eq!(told.lines().count(), 1, "{told}");
    assert!(told.contains("a -> c -> b -> a"), "{told}");
}

#[test]
fn depends_on_is_held_to_what_was_derived() {
    let view = |depends_on: &str| {
        format!(
            "{SOURCE}
feature_views:
  - name: a
    entities: [user]
    source: orders
    filter: \"amount > 0\"
    aggregates: [{{name: n, function: count, over: {{size: 1h}}}}]
    depends_on: {depends_on}
"
        )
    };
    assert!(plan(&view("[orders.amount]")).is_ok());
    assert!(plan(&view("[\"orders:amount\", orders.user_id, orders.ts]")).is_ok());
    let told = plan(&view("[orders.user_id]")).unwrap_err().to_string();
    assert!(told.contains("it depends on orders.amount"), "{told}");
    let told = plan(&view("[orders.amount, orders.nothing]")).unwrap_err().to_string();
    assert!(told.contains("orders.nothing"), "{told}");
}
