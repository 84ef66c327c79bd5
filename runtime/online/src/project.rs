use std::collections::BTreeMap;
use std::sync::Arc;

use unskew_definition::Name;
use unskew_executor::ModuleCatalog;
use unskew_plan::FeaturePlan;

/// What is served: a plan, and what computes it.
pub struct OnlineProject {
    /// All that the project defines.
    pub plan: FeaturePlan,
    /// Its modules, ready to be called.
    pub modules: Arc<dyn ModuleCatalog + Send + Sync>,
    /// The digests of its modules, by their names in the project.
    pub digests: BTreeMap<Name, String>,
    /// What decides values beside the modules: see DESIGN, section 3.
    pub evaluator: String,
}

impl std::fmt::Debug for OnlineProject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OnlineProject").field("digests", &self.digests).finish_non_exhaustive()
    }
}
