use std::sync::Arc;

use unskew_definition::{About, DataType, Name, OnError};
use unskew_expression::FunctionRef;

use crate::source_plan::RequestSourcePlan;
use crate::step_plan::{ColumnPlan, StepPlan, ViewId};
use crate::view_plan::{FeatureField, ViewPlan};

/// Features computed when they are asked for.
#[derive(Clone, Debug)]
pub struct OnDemandViewPlan {
    /// Its name and version.
    pub id: ViewId,
    /// Its first columns: features of other views and fields of the request;
    /// always the last of them is `request_timestamp`.
    pub inputs: Vec<OnDemandInputPlan>,
    /// Row-wise steps.
    pub steps: Vec<StepPlan>,
    /// The columns of `inputs`, then the outputs of `steps`.
    pub columns: Vec<ColumnPlan>,
    /// What is served; columns are counted in `columns`.
    pub features: Vec<FeatureField>,
    /// The transforms that its SQL expressions call, each once.
    pub functions: Vec<FunctionRef>,
    /// What becomes of rows that failed.
    pub on_error: OnError,
    /// For people.
    pub about: About,
}

/// The column that holds the moment of asking (online) or the label's time (in
/// a training set), in every on-demand view.
pub const REQUEST_TIMESTAMP: &str = "request_timestamp";

/// A column of an on-demand view.
#[derive(Clone, Debug)]
pub struct OnDemandInputPlan {
    /// Its name and type.
    pub column: ColumnPlan,
    /// What it holds.
    pub from: OnDemandOrigin,
}

/// What a column of an on-demand view holds.
#[derive(Clone, Debug)]
pub enum OnDemandOrigin {
    /// A feature of another view, after defaults.
    Feature {
        /// the view
        view: ViewReference,
        /// the index of its feature
        feature: usize,
    },
    /// A field of the request.
    Request {
        /// the request source
        source: Arc<RequestSourcePlan>,
        /// the index of its field
        field: usize,
    },
    /// The moment of asking.
    RequestTimestamp,
}

/// A view of either kind.
#[derive(Clone, Debug)]
pub enum ViewReference {
    /// A feature view.
    View(Arc<ViewPlan>),
    /// An on-demand view.
    OnDemand(Arc<OnDemandViewPlan>),
}

impl ViewReference {
    /// Its name and version.
    pub fn id(&self) -> &ViewId {
        match self {
            Self::View(view) => &view.id,
            Self::OnDemand(view) => &view.id,
        }
    }

    /// What it serves.
    pub fn features(&self) -> &[FeatureField] {
        match self {
            Self::View(view) => &view.features,
            Self::OnDemand(view) => &view.features,
        }
    }

    /// What becomes of its rows that failed.
    pub fn on_error(&self) -> OnError {
        match self {
            Self::View(view) => view.on_error,
            Self::OnDemand(view) => view.on_error,
        }
    }

    /// The type of one of its features.
    pub fn data_type(&self, feature: usize) -> &DataType {
        &self.features()[feature].data_type
    }
}

/// The features that one model reads.
#[derive(Clone, Debug)]
pub struct ServicePlan {
    /// Its name.
    pub name: Name,
    /// Its features, in the order in which they are served.
    pub features: Vec<ServiceFeature>,
    /// For people.
    pub about: About,
}

/// One feature of a service.
#[derive(Clone, Debug)]
pub struct ServiceFeature {
    /// The view.
    pub view: ViewReference,
    /// The index of the view's feature.
    pub feature: usize,
}

impl ServiceFeature {
    /// What it is.
    pub fn field(&self) -> &FeatureField {
        &self.view.features()[self.feature]
    }
}
