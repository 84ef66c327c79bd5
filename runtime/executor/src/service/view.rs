use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{take, take_record_batch};
use unskew_definition::OnError;
use unskew_expression::BoundExpression;
use unskew_host::{Outcome, RowError};
use unskew_plan::{AggregateFunctionPlan, AggregatePlan, ViewPlan, WindowPlan};

use crate::aggregate_kernel::{AggregateKernel, KernelError};
use crate::built_in::BuiltInAggregate;
use crate::evaluation_error::EvaluationError;
use crate::point_in_time::EventIndex;
use crate::row_order::{RowOrder, RowTie};
use crate::rows::{
    AcceptedRows, CanonicalBytes, ColumnReader, DeadLetter, DeadLetterReason, Entities, LogRecord,
};
use crate::service::on_demand::refuse_failures;
use crate::service::row_warning::RowWarning;
use crate::service::view_rows::{Contents, Instants, SeenRows, ViewRows};
use crate::steps::{
    Kernels, ModuleCatalog, StepFailures, SteppedRows, StepsOperator, batch_of, schema_of,
};
use crate::stored::StoredLayout;
use crate::trailing_window::TrailingWindow;
use crate::watermark::WatermarkSettings;
use crate::window::{
    AggregateRows, EmittedWindows, EmittingWindow, LogOrder, LogRecords, NO_ENTITY, WindowOperator,
    WindowSettings,
};

/// Evaluates one feature view: rows of its source in, answers out.
pub struct ViewOperator {
    view: Arc<ViewPlan>,
    filter: Option<BoundExpression>,
    steps: StepsOperator,
    wheres: Vec<Option<BoundExpression>>,
    /// The columns that feed each aggregate, and how.
    inputs: Vec<Vec<(usize, ColumnReader)>>,
    pub(crate) kernels: Vec<Arc<dyn AggregateKernel>>,
    /// Of trailing views, one for each aggregate.
    pub(crate) trailing_windows: Vec<TrailingWindow>,
    pub(crate) post_steps: StepsOperator,
    /// What a store keeps of its rows.
    pub(crate) stored: StoredLayout,
}

impl std::fmt::Debug for ViewOperator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ViewOperator").field("view", &self.view.id).finish_non_exhaustive()
    }
}

impl ViewOperator {
    /// Binds the view's steps and aggregates to the modules that compute them.
    pub fn new(view: Arc<ViewPlan>, modules: &dyn ModuleCatalog) -> Result<Self, EvaluationError> {
        let bind = |expression: &Option<unskew_expression::SqlExpression>| {
            expression.as_ref().map(|e| e.bind(&Kernels(modules))).transpose()
        };
        let filter = bind(&view.filter)?;
        let wheres = view.aggregates.iter().map(|aggregate| bind(&aggregate.filter));
        let wheres = wheres.collect::<Result<_, _>>()?;
        let source_columns = &view.columns[..view.source.fields.len()];
        let steps = StepsOperator::new(&view.steps, source_columns, modules)?;
        let given: usize = view.post_steps.iter().map(|step| step.outputs().len()).sum();
        let post_inputs = &view.post_columns[..view.post_columns.len() - given];
        let post_steps = StepsOperator::new(&view.post_steps, post_inputs, modules)?;
        let mut kernels = Vec::new();
        let mut inputs = Vec::new();
        for aggregate in &view.aggregates {
            let kernel = kernel_of(&view, aggregate, modules)?;
            inputs.push(inputs_of(&view, aggregate, &*kernel)?);
            kernels.push(kernel);
        }
        let windows = view.aggregates.iter().filter_map(|aggregate| aggregate.over);
        let trailing_windows: Vec<TrailingWindow> = windows
            .map(|over| TrailingWindow { size_us: over.size_us, hop_us: over.hop_us })
            .collect();
        let stored = StoredLayout::new(&view, &kernels, &trailing_windows);
        Ok(Self {
            view,
            filter,
            steps,
            wheres,
            inputs,
            kernels,
            trailing_windows,
            post_steps,
            stored,
        })
    }

    /// The view.
    pub fn view(&self) -> &Arc<ViewPlan> {
        &self.view
    }

    /// Numbers entities, filters, transforms, and lets windows emit.
    pub fn prepare<'a>(&'a self, source: &AcceptedRows) -> Result<ViewRows<'a>, EvaluationError> {
        let view = &self.view;
        let mut warnings = Vec::new();
        let keys = view.join_keys.iter().map(|key| Arc::clone(source.batch.column(key.field)));
        let keys = CanonicalBytes::new(keys.collect());
        let mut entities = Entities::default();
        let numbers = entities.number(&keys, source.batch.num_rows());
        let dead_letters = self.null_keys(source, &numbers);
        let rows: Vec<u32> =
            (0..numbers.len() as u32).filter(|row| numbers[*row as usize].is_some()).collect();
        let (rows, batch) = self.filtered(source, rows, &mut warnings)?;
        let SteppedRows { columns, failures } =
            self.steps.evaluate(batch.columns().to_vec(), batch.num_rows())?;
        let place = |row: usize| source.place_of(rows[row]);
        if view.on_error == OnError::Fail {
            refuse_failures(&view.id, &failures, place)?;
        }
        for StepFailures { name, errors, .. } in &failures {
            warnings.extend(self.failure_warning(name, errors, source, &rows));
        }
        let numbers: Vec<u32> =
            rows.iter().map(|row| numbers[*row as usize].unwrap_or(NO_ENTITY)).collect();
        let instants = match source.created_timestamps {
            Some(_) => Instants::Known,
            None if view.window.emits() => {
                let times = rows.iter().map(|row| source.event_timestamps[*row as usize]);
                Instants::OfRows(numbers.iter().copied().zip(times).collect())
            }
            None => Instants::Indexed,
        };
        let contents = match view.window {
            WindowPlan::Latest => Contents::Latest {
                index: EventIndex::new(&numbers, &order_of(source, &rows), entities.len()),
                event_timestamps: rows
                    .iter()
                    .map(|r| source.event_timestamps[*r as usize])
                    .collect(),
                columns,
                failures,
            },
            WindowPlan::Trailing => Contents::Trailing {
                index: EventIndex::new(&numbers, &order_of(source, &rows), entities.len()),
                aggregates: self.seen_rows(&columns, source, &rows, &mut warnings)?,
            },
            WindowPlan::Tumbling { .. }
            | WindowPlan::Sliding { .. }
            | WindowPlan::Session { .. } => {
                let seen = self.seen_rows(&columns, source, &rows, &mut warnings)?;
                Contents::Emitted(self.emit(source, &rows, &numbers, seen)?)
            }
        };
        let firsts = UInt32Array::from(entities.first_rows().to_vec());
        let keys = view.join_keys.iter();
        let keys = keys.map(|key| take(source.batch.column(key.field), &firsts, None));
        let keys = keys.collect::<Result<_, _>>()?;
        Ok(ViewRows {
            operator: self,
            entities,
            keys,
            contents,
            dead_letters,
            warnings,
            instants,
            rows,
            read: None,
        })
    }

    fn null_keys(&self, source: &AcceptedRows, numbers: &[Option<u32>]) -> Vec<DeadLetter> {
        let view = &self.view;
        let without = numbers.iter().enumerate().filter(|(_, number)| number.is_none());
        let letter = |(row, _): (usize, &Option<u32>)| {
            let null =
                view.join_keys.iter().find(|key| source.batch.column(key.field).is_null(row));
            let name = null.map_or("a join key", |key| key.name.as_str());
            let (place, origin) = source.origin_of(row as u32);
            DeadLetter {
                place,
                row: origin.unwrap_or(row as u64),
                reason: DeadLetterReason::JoinKey(view.id.name.clone()),
                detail: format!("the join key {name} is null"),
                position: None,
            }
        };
        let mut letters: Vec<DeadLetter> = without.map(letter).collect();
        letters.sort_by(|a, b| (&a.place, a.row).cmp(&(&b.place, b.row)));
        letters
    }

    /// Of `rows` those that exist for the view, and their columns.
    fn filtered(
        &self,
        source: &AcceptedRows,
        rows: Vec<u32>,
        warnings: &mut Vec<RowWarning>,
    ) -> Result<(Vec<u32>, RecordBatch), EvaluationError> {
        let of = |rows: &[u32]| take_record_batch(&source.batch, &UInt32Array::from(rows.to_vec()));
        let batch =
            if rows.len() == source.batch.num_rows() { source.batch.clone() } else { of(&rows)? };
        let Some(filter) = &self.filter else { return Ok((rows, batch)) };
        let Outcome { columns, errors, .. } = filter.evaluate(&batch, None)?;
        let name = filter.expression().text();
        self.refuse_or_warn(name, &errors, source, &rows, warnings)?;
        let keep = columns[0].as_boolean();
        let kept = rows.iter().enumerate().filter(|(at, _)| keep.is_valid(*at) && keep.value(*at));
        let kept: Vec<u32> = kept.map(|(_, row)| *row).collect();
        if kept.len() == rows.len() {
            return Ok((rows, batch));
        }
        let batch = of(&kept)?;
        Ok((kept, batch))
    }

    fn refuse_or_warn(
        &self,
        name: &str,
        errors: &[RowError],
        source: &AcceptedRows,
        rows: &[u32],
        warnings: &mut Vec<RowWarning>,
    ) -> Result<(), EvaluationError> {
        if self.view.on_error == OnError::Fail {
            let failures =
                StepFailures { columns: 0..0, name: name.to_owned(), errors: errors.to_vec() };
            refuse_failures(&self.view.id, &[failures], |row| source.place_of(rows[row]))?;
        }
        warnings.extend(self.failure_warning(name, errors, source, rows));
        Ok(())
    }

    fn failure_warning(
        &self,
        name: &str,
        errors: &[RowError],
        source: &AcceptedRows,
        rows: &[u32],
    ) -> Option<RowWarning> {
        // Of the files' first row, whatever order they were evaluated in.
        let first = errors.iter().min_by_key(|error| source.origin_of(rows[error.row]))?;
        Some(RowWarning {
            view: self.view.id.clone(),
            what: name.to_owned(),
            rows: errors.len() as u64,
            first: source.origin_of(rows[first.row]),
            status: first.status,
            message: first.message.clone(),
        })
    }

    /// What each aggregate sees; those of one column or one `where` share it.
    fn seen_rows(
        &self,
        columns: &[ArrayRef],
        source: &AcceptedRows,
        rows: &[u32],
        warnings: &mut Vec<RowWarning>,
    ) -> Result<Vec<SeenRows>, EvaluationError> {
        let schema = schema_of(&self.view.columns);
        let mut filters: HashMap<&str, BooleanArray> = HashMap::new();
        let mut seen = Vec::with_capacity(self.kernels.len());
        for (filter, inputs) in self.wheres.iter().zip(&self.inputs) {
            let filter = match filter {
                None => None,
                Some(filter) => {
                    let text = filter.expression().text();
                    if !filters.contains_key(text) {
                        let batch = batch_of(&schema, columns.to_vec(), rows.len())?;
                        let Outcome { columns, errors, .. } = filter.evaluate(&batch, None)?;
                        self.refuse_or_warn(text, &errors, source, rows, warnings)?;
                        filters.insert(text, columns[0].as_boolean().clone());
                    }
                    Some(filters[text].clone())
                }
            };
            let inputs = inputs.iter().map(|(at, reader)| Ok(reader.read(&columns[*at])?.0));
            let inputs = inputs.collect::<Result<_, EvaluationError>>()?;
            seen.push(SeenRows { inputs, filter });
        }
        Ok(seen)
    }

    /// What the view's windows emit of the rows.
    fn emit(
        &self,
        source: &AcceptedRows,
        rows: &[u32],
        entities: &[u32],
        seen: Vec<SeenRows>,
    ) -> Result<EmittedWindows, EvaluationError> {
        let (log, partitions, records) = match &source.log {
            Some(log) => {
                let order = match source.source.broker_timestamp {
                    Some(_) => LogOrder::Broker,
                    None => LogOrder::Offsets,
                };
                let mut partitions: Vec<u32> = log.iter().map(|record| record.partition).collect();
                partitions.dedup();
                (order, partitions, log_records(source, log, rows, entities, seen)?)
            }
            None => {
                let at = |times: &Vec<i64>| {
                    rows.iter().map(|row| times[*row as usize]).collect::<Vec<_>>()
                };
                let records = LogRecords {
                    order: order_of(source, rows),
                    broker_timestamps: source.broker_timestamps.as_ref().map(|b| at(b).into()),
                    partitions: None,
                    entities: entities.to_vec().into(),
                    aggregates: seen.into_iter().map(aggregate_rows).collect(),
                };
                (LogOrder::None, vec![0], records)
            }
        };
        let settings = WindowSettings {
            window: emitting(self.view.window),
            watermark: WatermarkSettings {
                out_of_orderness_us: source.source.out_of_orderness_us,
                max_future_skew_us: source.source.max_future_skew_us,
                allowed_lateness_us: source.source.allowed_lateness_us,
            },
            log,
        };
        let mut operator = WindowOperator::new(settings, &partitions, self.kernels.clone())?;
        let emitted = vec![operator.push(records)?, operator.finish()?];
        let some = EmittedWindows::concatenated(emitted)?;
        Ok(some.unwrap_or_else(|| EmittedWindows::empty(self.kernels.iter().map(|k| &**k))))
    }
}

fn aggregate_rows(seen: SeenRows) -> AggregateRows {
    AggregateRows { inputs: seen.inputs, filter: seen.filter }
}

fn emitting(window: WindowPlan) -> EmittingWindow {
    match window {
        WindowPlan::Tumbling { size_us, offset_us } => {
            EmittingWindow::Tumbling { size_us, offset_us }
        }
        WindowPlan::Sliding { size_us, hop_us, offset_us } => {
            EmittingWindow::Sliding { size_us, hop_us, offset_us }
        }
        WindowPlan::Session { gap_us } => EmittingWindow::Session { gap_us },
        WindowPlan::Latest | WindowPlan::Trailing => {
            unreachable!("only windows that emit are asked for")
        }
    }
}

/// The order keys of accepted rows, which are in their order already.
fn order_of(source: &AcceptedRows, rows: &[u32]) -> RowOrder {
    let at = |times: &[i64]| rows.iter().map(|row| times[*row as usize]).collect::<Vec<_>>().into();
    RowOrder::new(
        at(&source.event_timestamps),
        source.created_timestamps.as_deref().map(at),
        RowTie::Position { positions: rows.to_vec().into() },
    )
}

/// The whole log as the view sees it: records that are no rows of it move the
/// watermark alone.
fn log_records(
    source: &AcceptedRows,
    log: &[LogRecord],
    rows: &[u32],
    entities: &[u32],
    seen: Vec<SeenRows>,
) -> Result<LogRecords, EvaluationError> {
    // Of accepted rows, their place among those of the view.
    let mut place = vec![None; source.batch.num_rows()];
    rows.iter().enumerate().for_each(|(at, row)| place[*row as usize] = Some(at as u32));
    let places: Vec<Option<u32>> =
        log.iter().map(|record| record.row.and_then(|row| place[row as usize])).collect();
    let created = source.created_timestamps.as_ref().map(|created| {
        let of =
            |record: &LogRecord| record.row.map_or(record.event_timestamp, |r| created[r as usize]);
        log.iter().map(of).collect::<Vec<_>>().into()
    });
    let order = RowOrder::new(
        log.iter().map(|record| record.event_timestamp).collect::<Vec<_>>().into(),
        created,
        RowTie::Position {
            positions: log.iter().map(|r| r.row.unwrap_or(0)).collect::<Vec<_>>().into(),
        },
    );
    let indices = UInt32Array::from(places.clone());
    let aggregate = |SeenRows { inputs, filter }: SeenRows| -> Result<_, EvaluationError> {
        let inputs = inputs.iter().map(|input| take(input, &indices, None));
        let filter = match filter {
            None => None,
            Some(filter) => Some(take(&filter, &indices, None)?.as_boolean().clone()),
        };
        Ok(AggregateRows { inputs: inputs.collect::<Result<_, _>>()?, filter })
    };
    Ok(LogRecords {
        order,
        broker_timestamps: source
            .broker_timestamps
            .as_ref()
            .map(|_| log.iter().map(|record| record.broker_timestamp).collect::<Vec<_>>().into()),
        partitions: Some(log.iter().map(|record| record.partition).collect::<Vec<_>>().into()),
        entities: places
            .iter()
            .map(|place| place.map_or(NO_ENTITY, |at| entities[at as usize]))
            .collect::<Vec<_>>()
            .into(),
        aggregates: seen.into_iter().map(aggregate).collect::<Result<_, _>>()?,
    })
}

fn kernel_of(
    view: &ViewPlan,
    aggregate: &AggregatePlan,
    modules: &dyn ModuleCatalog,
) -> Result<Arc<dyn AggregateKernel>, EvaluationError> {
    match &aggregate.function {
        AggregateFunctionPlan::BuiltIn(function) => {
            let input = aggregate.inputs.first().map(|at| &view.columns[*at].data_type);
            let built_in = BuiltInAggregate::new(*function, input, aggregate.output.name.clone());
            let built_in = built_in.map_err(|error| KernelError::WrongInput {
                aggregate: aggregate.name.to_string(),
                reason: error.to_string(),
            })?;
            Ok(Arc::new(built_in))
        }
        AggregateFunctionPlan::Module { module, aggregate, signature: _ } => {
            modules.aggregate(module, aggregate)
        }
    }
}

fn inputs_of(
    view: &ViewPlan,
    aggregate: &AggregatePlan,
    kernel: &dyn AggregateKernel,
) -> Result<Vec<(usize, ColumnReader)>, EvaluationError> {
    let reader = |(at, wanted): (&usize, &unskew_definition::Field)| {
        let found = view.columns[*at].data_type.to_arrow();
        let reader = ColumnReader::new(&found, &wanted.data_type);
        let reader = reader.ok_or_else(|| KernelError::WrongInput {
            aggregate: aggregate.name.to_string(),
            reason: format!(
                "{} is {found}, its argument {}",
                view.columns[*at].name, wanted.data_type
            ),
        })?;
        Ok((*at, reader))
    };
    aggregate.inputs.iter().zip(kernel.inputs()).map(reader).collect()
}
