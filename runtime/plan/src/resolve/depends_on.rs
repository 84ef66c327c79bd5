//! What people say that a view depends on, against what was derived.

use std::collections::BTreeSet;

use unskew_definition::{Definition, Mistake, Mistakes, Place};

use crate::FeaturePlan;
use crate::lineage::{EdgeKind, LineageNode};
use crate::on_demand_view_plan::OnDemandOrigin;
use crate::view_plan::ViewPlan;

pub(super) fn check(definition: &Definition, plan: &FeaturePlan) -> Mistakes {
    let mut mistakes = Mistakes::new();
    for view in &definition.sections.feature_views {
        let Some(said) = &view.depends_on else { continue };
        let resolved =
            plan.views.iter().find(|v| v.id.name == view.name && v.id.version == view.version);
        let Some(resolved) = resolved else { continue };
        let (all, values) = fields_of(plan, resolved);
        // Both ways to write a field are taken.
        let said = said.iter().map(|text| (text.value.replace(':', "."), text.place.clone()));
        let subject = format!("feature view {}", view.name);
        compare(said.collect(), &all, &values, &view.place, &subject, &mut mistakes);
    }
    for view in &definition.sections.on_demand_feature_views {
        let Some(said) = &view.depends_on else { continue };
        let resolved = plan
            .on_demand_views
            .iter()
            .find(|v| v.id.name == view.name && v.id.version == view.version);
        let Some(resolved) = resolved else { continue };
        let mut derived = BTreeSet::new();
        let mut versioned = BTreeSet::new();
        for input in &resolved.inputs {
            match &input.from {
                OnDemandOrigin::Feature { view, feature } => {
                    let feature = &view.features()[*feature].name;
                    let id = view.id();
                    derived.insert(format!("{}:{feature}", id.name));
                    versioned.insert(format!("{}:{feature}@v{}", id.name, id.version));
                }
                OnDemandOrigin::Request { source, field } => {
                    derived.insert(format!("{}:{}", source.name, source.fields[*field].name));
                }
                OnDemandOrigin::RequestTimestamp => {}
            }
        }
        let subject = format!("on-demand feature view {}", view.name);
        let said = said.iter().map(|reference| {
            // With a version it must be that one.
            let text = reference.to_string();
            let bare = format!("{}:{}", reference.view, reference.feature);
            let text = if versioned.contains(&text) { bare } else { text };
            (text, reference.place.clone())
        });
        compare(said.collect(), &derived, &derived, &view.place, &subject, &mut mistakes);
    }
    mistakes
}

fn compare(
    said: Vec<(String, Place)>,
    allowed: &BTreeSet<String>,
    needed: &BTreeSet<String>,
    place: &Place,
    subject: &str,
    mistakes: &mut Mistakes,
) {
    let mistake = |place: &Place, what, fix: &str| {
        let (place, subject, fix) = (place.clone(), subject.to_owned(), fix.to_owned());
        Mistake { place, subject, what, fix }
    };
    for (text, place) in &said {
        if !allowed.contains(text) {
            let shown: String = text.chars().take(200).collect();
            let what = format!("\"depends_on\" names {shown}, which it does not depend on");
            mistakes.push(mistake(place, what, "remove it, or use it"));
        }
    }
    for derived in needed {
        if said.iter().all(|(text, _)| text != derived) {
            let what = format!("it depends on {derived}, which \"depends_on\" does not name");
            mistakes.push(mistake(
                place,
                what,
                "add it, or leave \"depends_on\" out: it is derived",
            ));
        }
    }
}

/// The fields of its source that a view uses in any way; and those whose
/// values its features are made of or filtered by.
fn fields_of(plan: &FeaturePlan, view: &ViewPlan) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut all, mut values) = (BTreeSet::new(), BTreeSet::new());
    // A field inside of a struct is a use of the struct's field.
    let whole = |field: &str| field.split('.').next().unwrap_or_default().to_owned();
    for feature in &view.features {
        let node = LineageNode::Feature { view: view.id.clone(), feature: feature.name.clone() };
        for edge in plan.lineage.upstream_edges(&node) {
            if let LineageNode::SourceField { source, field } = &edge.from {
                let name = format!("{source}.{}", whole(field));
                if matches!(edge.kind, EdgeKind::Value | EdgeKind::Filter) {
                    values.insert(name.clone());
                }
                all.insert(name);
            }
        }
    }
    (all, values)
}
