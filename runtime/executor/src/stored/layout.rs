use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::datatypes::{DataType as ArrowType, Field, Schema, SchemaRef, TimeUnit};
use unskew_column::row::RowCodec;
use unskew_definition::DataType;
use unskew_plan::{StepPlan, ViewPlan, WindowPlan};

use crate::aggregate_kernel::AggregateKernel;
use crate::tiles::TileResolutions;
use crate::trailing_window::TrailingWindow;

/// What is stored of a view's rows: which columns, in which order.
pub(crate) struct StoredLayout {
    pub(crate) contents: StoredContents,
    /// The columns of values, behind those that every table has.
    pub(crate) values: Vec<(String, DataType)>,
    /// Their bytes in records.
    pub(crate) codec: RowCodec,
    /// The table's columns.
    pub(crate) schema: SchemaRef,
    /// How many columns are join keys, which come first.
    pub(crate) keys: usize,
    /// Whether rows have created times of their own.
    pub(crate) has_created: bool,
}

/// Where the stored values come from.
pub(crate) enum StoredContents {
    /// These columns of the view.
    Latest { columns: Vec<usize> },
    /// What aggregates see, each once.
    Trailing(Box<TrailingLayout>),
    /// The columns of all aggregates.
    Emitted,
}

/// What aggregates of a trailing view share.
pub(crate) struct TrailingLayout {
    /// Distinct columns, by the aggregate and the argument that they are of.
    pub(crate) inputs: Vec<(usize, usize)>,
    /// Distinct `where`s, by an aggregate that has it; stored behind `inputs`.
    pub(crate) filters: Vec<usize>,
    /// Where each aggregate finds its columns, its `where` and its states.
    pub(crate) aggregates: Vec<StoredAggregate>,
    /// Distinct folds, by an aggregate that is one: those that differ in their
    /// window alone share tiles.
    pub(crate) kernels: Vec<usize>,
    pub(crate) resolutions: TileResolutions,
    /// So long after the end of its finest tile a row may become visible and
    /// still be in it, in microseconds.
    pub(crate) grace_us: i64,
}

pub(crate) struct StoredAggregate {
    /// Indices of `TrailingLayout::inputs`.
    pub(crate) inputs: Vec<usize>,
    /// Index of `TrailingLayout::filters`.
    pub(crate) filter: Option<usize>,
    /// Index of `TrailingLayout::kernels`.
    pub(crate) kernel: usize,
}

impl StoredLayout {
    pub(crate) fn new(
        view: &ViewPlan,
        kernels: &[Arc<dyn AggregateKernel>],
        windows: &[TrailingWindow],
    ) -> Self {
        let has_created =
            view.source.created_timestamp.is_some() || view.source.broker_timestamp.is_some();
        let (contents, values): (StoredContents, Vec<(String, DataType)>) = match view.window {
            WindowPlan::Latest => {
                let columns = needed_columns(view);
                let value = |at: &usize| {
                    (view.columns[*at].name.to_string(), view.columns[*at].data_type.clone())
                };
                let values = columns.iter().map(value).collect();
                (StoredContents::Latest { columns }, values)
            }
            WindowPlan::Trailing => {
                let (trailing, values) = TrailingLayout::new(view, kernels, windows, has_created);
                (StoredContents::Trailing(Box::new(trailing)), values)
            }
            WindowPlan::Tumbling { .. }
            | WindowPlan::Sliding { .. }
            | WindowPlan::Session { .. } => {
                let value = |kernel: &Arc<dyn AggregateKernel>| kernel.output().data_type.clone();
                let names = view.aggregates.iter().map(|a| a.output.name.to_string());
                (StoredContents::Emitted, names.zip(kernels.iter().map(value)).collect())
            }
        };
        let mut taken = BTreeSet::new();
        let keys = view.join_keys.iter().map(|key| {
            taken.insert(key.name.to_string());
            Field::new(key.name.as_str(), key.data_type.to_arrow(), false)
        });
        let mut fields: Vec<Field> = keys.collect();
        let keys = fields.len();
        let time = ArrowType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
        let mut system = vec![
            ("event_timestamp", time.clone(), false),
            ("created_timestamp", time.clone(), true),
        ];
        match contents {
            StoredContents::Latest { .. } => system.extend([
                ("order_key", ArrowType::Binary, true),
                ("errors", ArrowType::Utf8, true),
            ]),
            StoredContents::Trailing(_) => system.push(("order_key", ArrowType::Binary, true)),
            StoredContents::Emitted => system.extend([
                ("window_start", time, false),
                ("revision", ArrowType::UInt64, false),
                ("sequence", ArrowType::UInt32, false),
                ("tombstone", ArrowType::Boolean, false),
                ("errors", ArrowType::Utf8, true),
            ]),
        }
        let mut add = |name: &str, data_type: ArrowType, nullable: bool| {
            // A name that is taken gets underscores, so that no two are equal.
            let mut name = name.to_owned();
            while !taken.insert(name.clone()) {
                name.push('_');
            }
            fields.push(Field::new(name, data_type, nullable));
        };
        system.into_iter().for_each(|(name, data_type, nullable)| add(name, data_type, nullable));
        values.iter().for_each(|(name, data_type)| add(name, data_type.to_arrow(), true));
        let codec = RowCodec::new(values.iter().map(|(_, data_type)| data_type.clone()).collect());
        Self { contents, values, codec, schema: Arc::new(Schema::new(fields)), keys, has_created }
    }

    /// What aggregates of a trailing view share.
    pub(crate) fn trailing(&self) -> Option<&TrailingLayout> {
        match &self.contents {
            StoredContents::Trailing(trailing) => Some(trailing),
            StoredContents::Latest { .. } | StoredContents::Emitted => None,
        }
    }

    /// The index of the first column of values in the table.
    pub(crate) fn first_value(&self) -> usize {
        self.schema.fields().len() - self.values.len()
    }
}

impl TrailingLayout {
    fn new(
        view: &ViewPlan,
        kernels: &[Arc<dyn AggregateKernel>],
        windows: &[TrailingWindow],
        has_created: bool,
    ) -> (Self, Vec<(String, DataType)>) {
        let (mut inputs, mut filters, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
        let mut columns: Vec<(usize, DataType)> = Vec::new();
        let mut texts: Vec<&str> = Vec::new();
        let mut aggregates: Vec<StoredAggregate> = Vec::new();
        for (at, (aggregate, kernel)) in view.aggregates.iter().zip(kernels).enumerate() {
            let wanted = kernel.inputs().iter().map(|input| input.data_type.clone());
            let places = aggregate.inputs.iter().copied().zip(wanted).enumerate();
            let places = places.map(|(argument, column)| {
                columns.iter().position(|known| *known == column).unwrap_or_else(|| {
                    columns.push(column);
                    inputs.push((at, argument));
                    columns.len() - 1
                })
            });
            let places: Vec<usize> = places.collect();
            let filter = aggregate.filter.as_ref().map(|filter| {
                texts.iter().position(|known| *known == filter.text()).unwrap_or_else(|| {
                    texts.push(filter.text());
                    filters.push(at);
                    texts.len() - 1
                })
            });
            let is_same = |other: &usize| {
                let known: &StoredAggregate = &aggregates[*other];
                view.aggregates[*other].function == aggregate.function
                    && known.inputs == places
                    && known.filter == filter
            };
            let kernel = kinds.iter().position(is_same).unwrap_or_else(|| {
                kinds.push(at);
                kinds.len() - 1
            });
            aggregates.push(StoredAggregate { inputs: places, filter, kernel });
        }
        let column =
            |(at, data_type): (usize, DataType)| (view.columns[at].name.to_string(), data_type);
        let mut values: Vec<(String, DataType)> = columns.into_iter().map(column).collect();
        values.extend((1..=filters.len()).map(|at| (format!("where_{at}"), DataType::Bool)));
        let grace_us = if has_created { view.source.allowed_lateness_us } else { 0 };
        let resolutions = TileResolutions::of(windows);
        (Self { inputs, filters, aggregates, kernels: kinds, resolutions, grace_us }, values)
    }

    /// Before this time rows on time are in tiles, where files are covered
    /// until `covered_until`; both in microseconds.
    pub(crate) fn tiled_until(&self, covered_until: i64) -> i64 {
        self.resolutions.start(0, covered_until.saturating_sub(self.grace_us))
    }

    /// Whether a row that becomes visible at `visible` is one for a tile.
    pub(crate) fn is_on_time(&self, event: i64, visible: i64) -> bool {
        let end = self.slice_end(self.resolutions.start(0, event));
        visible <= end.saturating_add(self.grace_us)
    }

    /// Where the finest tile ends that begins at `start`.
    pub(crate) fn slice_end(&self, start: i64) -> i64 {
        start.saturating_add(self.resolutions.lengths_us()[0])
    }
}

/// The columns of a latest view that its features and post-transforms read.
fn needed_columns(view: &ViewPlan) -> Vec<usize> {
    let mut needed: BTreeSet<usize> = view.features.iter().map(|feature| feature.column).collect();
    for step in &view.post_steps {
        match step {
            StepPlan::Sql { outputs } => {
                needed.extend(outputs.iter().flat_map(|(_, e)| e.columns().iter().copied()));
            }
            StepPlan::Module { inputs, .. } => needed.extend(inputs.iter().copied()),
        }
    }
    needed.into_iter().filter(|column| *column < view.columns.len()).collect()
}
