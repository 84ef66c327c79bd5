//! Definitions become plans, or all their mistakes are said in one go.

use unskew_definition::{DefinitionReader, Name};
use unskew_plan::FeaturePlan;

#[test]
fn nothing_is_a_plan() {
    let definition = DefinitionReader::new().finish(None);
    let plan = FeaturePlan::new(&definition).unwrap();
    assert!(plan.views.is_empty());
    assert_eq!(Name::new("a").unwrap().as_str(), "a");
}
