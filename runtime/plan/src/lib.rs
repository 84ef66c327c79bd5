//! A definition with everything resolved: names to indices, types worked out,
//! defaults filled in, dependencies derived. The plan is the same for every
//! driver, and none of them resolves anything again.
//!
//! This room does no I/O and computes no value. What is wrong with a
//! definition is said here or in `unskew-definition`, before any row is read.

mod aggregate_types;
mod json;
mod lineage;
mod on_demand_view_plan;
mod print;
mod resolve;
mod selection;
mod source_plan;
mod step_plan;
mod view_plan;

pub use aggregate_types::{data_type, output_type, value_kind};
pub use lineage::{EdgeKind, Lineage, LineageEdge, LineageNode};
pub use on_demand_view_plan::{
    OnDemandInputPlan, OnDemandOrigin, OnDemandViewPlan, REQUEST_TIMESTAMP, ServiceFeature,
    ServicePlan, ViewReference,
};
pub use source_plan::{RequestSourcePlan, SourceField, SourcePlan};
pub use step_plan::{ColumnPlan, StepPlan, ViewId};
pub use view_plan::{
    AggregateFunctionPlan, AggregatePlan, FeatureField, JoinKeyPlan, TrailingWindow, ViewPlan,
    WindowPlan,
};

use std::sync::Arc;

/// All that a project defines, resolved.
#[derive(Clone, Debug, Default)]
pub struct FeaturePlan {
    /// The sources of events, by name.
    pub sources: Vec<Arc<SourcePlan>>,
    /// The request sources, by name.
    pub request_sources: Vec<Arc<RequestSourcePlan>>,
    /// The feature views, by name and version.
    pub views: Vec<Arc<ViewPlan>>,
    /// The on-demand views, each behind those that it reads.
    pub on_demand_views: Vec<Arc<OnDemandViewPlan>>,
    /// The services, by name.
    pub services: Vec<Arc<ServicePlan>>,
    /// What depends on what.
    pub lineage: Lineage,
}
