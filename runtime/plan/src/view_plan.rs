use std::sync::Arc;

use arrow::array::ArrayRef;
use serde::Serialize;
use unskew_aggregate::AggregateFunction;
use unskew_definition::{About, AggregateSignature, DataType, Name, OnError};
use unskew_expression::{FunctionRef, SqlExpression};

use crate::source_plan::SourcePlan;
use crate::step_plan::{ColumnPlan, StepPlan, ViewId};

/// A feature view: features from the events of one source.
#[derive(Clone, Debug)]
pub struct ViewPlan {
    /// Its name and version.
    pub id: ViewId,
    /// The names of its entities.
    pub entities: Vec<Name>,
    /// Where its events come from.
    pub source: Arc<SourcePlan>,
    /// Its join keys: those of its entities, one after the other.
    pub join_keys: Vec<JoinKeyPlan>,
    /// Which rows exist for it; over the source's fields.
    pub filter: Option<SqlExpression>,
    /// Row-wise steps over events.
    pub steps: Vec<StepPlan>,
    /// The source's fields, then the outputs of `steps`: what column indices
    /// of the filter, the steps and the aggregates count.
    pub columns: Vec<ColumnPlan>,
    /// When it has values.
    pub window: WindowPlan,
    /// Folds over events; none in a latest view.
    pub aggregates: Vec<AggregatePlan>,
    /// Row-wise steps over `post_columns`, per evaluated row.
    pub post_steps: Vec<StepPlan>,
    /// Join keys, then aggregates' outputs (in a latest view instead of both:
    /// `columns`), then the outputs of `post_steps`.
    pub post_columns: Vec<ColumnPlan>,
    /// What is served.
    pub features: Vec<FeatureField>,
    /// The transforms that its SQL expressions call, each once.
    pub functions: Vec<FunctionRef>,
    /// How old a value may be, in microseconds.
    pub ttl_us: Option<i64>,
    /// What becomes of rows that failed.
    pub on_error: OnError,
    /// For people.
    pub about: About,
}

/// A join key of a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinKeyPlan {
    /// Its name.
    pub name: Name,
    /// Its type, that of the source's field.
    pub data_type: DataType,
    /// The source's field that holds it.
    pub field: usize,
}

/// When a view has values; all lengths in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WindowPlan {
    /// The newest row's.
    Latest,
    /// Each aggregate has a window of its own, which ends when one asks.
    Trailing,
    /// Windows one after the other.
    Tumbling {
        /// their length
        size_us: i64,
        /// the begin of one of them, after the epoch; 0 <= offset < size
        offset_us: i64,
    },
    /// Overlapping windows.
    Sliding {
        /// their length
        size_us: i64,
        /// from the begin of one to that of the next
        hop_us: i64,
        /// the begin of one of them, after the epoch; 0 <= offset < hop
        offset_us: i64,
    },
    /// Windows as long as events follow each other.
    Session {
        /// the pause that ends one
        gap_us: i64,
    },
}

impl WindowPlan {
    /// Whether it emits rows when it closes.
    pub fn emits(self) -> bool {
        !matches!(self, Self::Latest | Self::Trailing)
    }
}

/// One aggregate of a view.
#[derive(Clone, Debug)]
pub struct AggregatePlan {
    /// Its name.
    pub name: Name,
    /// What is computed.
    pub function: AggregateFunctionPlan,
    /// The column of each argument, in `ViewPlan::columns`; none for `count()`.
    pub inputs: Vec<usize>,
    /// Which rows it sees (`where`).
    pub filter: Option<SqlExpression>,
    /// Its window, exactly in trailing views.
    pub over: Option<TrailingWindow>,
    /// Its column.
    pub output: ColumnPlan,
}

/// Which aggregate.
#[derive(Clone, Debug, PartialEq)]
pub enum AggregateFunctionPlan {
    /// One of DESIGN, section 6.
    BuiltIn(AggregateFunction),
    /// One of a module's.
    Module {
        /// the module's name in the project
        module: Name,
        /// the aggregate's name
        aggregate: Name,
        /// what it takes and gives
        signature: AggregateSignature,
    },
}

/// The last `size_us` before the moment of asking, with a tail aligned to
/// `hop_us`: `floor(t - size, hop) <= ts <= t`. 0 < hop <= size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct TrailingWindow {
    /// How far it reaches back.
    pub size_us: i64,
    /// What its tail is aligned to.
    pub hop_us: i64,
}

/// What a view serves.
#[derive(Clone, Debug)]
pub struct FeatureField {
    /// The feature's name.
    pub name: Name,
    /// Its column: in `ViewPlan::post_columns`, or in
    /// `OnDemandViewPlan::columns`.
    pub column: usize,
    /// Its type.
    pub data_type: DataType,
    /// Whether it may be null where it is present.
    pub nullable: bool,
    /// What it is where it has no value: an array of one row.
    pub default: Option<ArrayRef>,
    /// For people.
    pub about: About,
}

impl ViewPlan {
    /// The index of the feature called `name`.
    pub fn feature(&self, name: &str) -> Option<usize> {
        self.features.iter().position(|feature| feature.name == *name)
    }
}
