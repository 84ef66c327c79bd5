//! Evaluation, with an error for each row that fails.
//!
//! The value of a row is defined by the row alone: operands from left to
//! right, of AND, OR, CASE and COALESCE only what the row needs. Evaluating
//! many rows at once is the same, because a part is evaluated for exactly the
//! rows that need it, and an operation that fails on some of them is halved
//! down to the rows at fault.

use std::cell::RefCell;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatchOptions, StructArray, make_array,
    new_null_array,
};
use arrow::buffer::NullBuffer;
use arrow::compute::{and_kleene, concat, interleave, is_not_null, or_kleene, take};
use arrow::datatypes::{Field as ArrowField, Schema};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use unskew_definition::{DataType, Field};
use unskew_host::{CallError, CallMetrics, Outcome, RowError, TransformKernel};

use crate::canonical::canonical_nans;
use crate::representation::{internal_type, represent, without_zones};
use crate::rows::{Evaluated, Failure, Rows, among, both, scatter, sound, without_failed};
use crate::tree::{Call, Expression, Node};

/// Rows that are evaluated at once.
const ROWS_AT_ONCE: usize = 8192;

/// Evaluates `root` for all rows of `batch`.
#[expect(
    clippy::too_many_arguments,
    reason = "the parts of an analyzed expression, taken apart once"
)]
pub(crate) fn evaluate(
    text: &str,
    inputs: &[Field],
    root: &Expression,
    data_type: &DataType,
    calls: &[Call],
    kernels: &[Arc<dyn TransformKernel>],
    batch: &RecordBatch,
    max_errors: Option<u64>,
) -> Result<Outcome, CallError> {
    let function = || format!("SQL {text:?}");
    check_columns(inputs, root, batch)
        .map_err(|reason| CallError::WrongInput { function: function(), reason })?;
    let limit = max_errors.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let mut columns: Vec<ArrayRef> = Vec::new();
    let mut errors: Vec<RowError> = Vec::new();
    let mut metrics = CallMetrics::default();
    let mut start = 0;
    while start < batch.num_rows() || columns.is_empty() {
        let part = batch.slice(start, ROWS_AT_ONCE.min(batch.num_rows() - start));
        let left = limit.map(|limit| limit.saturating_sub(errors.len()) as u64);
        let mut evaluation =
            Evaluation { calls, kernels, limit: left, metrics: RefCell::default() };
        let mut done = evaluation.part(root, &part);
        if let Err(Stop::TooMany { last }) = done {
            // Too many have failed up to this row. Which are the first of all
            // is found among the rows before it, however they fail.
            evaluation.limit = None;
            done = evaluation.part(root, &part.slice(0, last as usize + 1));
        }
        metrics += evaluation.metrics.into_inner();
        let Evaluated { values, failures } = done.map_err(|stop| match stop {
            Stop::Call(error) => error,
            Stop::Arrow(error) => {
                CallError::Host { function: function(), reason: error.to_string() }
            }
            Stop::TooMany { .. } => unreachable!("there was no limit"),
        })?;
        errors.extend(failures.into_iter().map(|Failure { row, status, message }| RowError {
            row: start + row as usize,
            status,
            message,
        }));
        if let Some(limit) = limit
            && errors.len() > limit
        {
            errors.truncate(limit + 1);
            return Err(CallError::TooManyErrors {
                function: function(),
                limit: limit as u64,
                errors,
            });
        }
        columns.push(values);
        start += ROWS_AT_ONCE;
    }
    let host = |error: ArrowError| CallError::Host {
        function: function(),
        reason: format!("the results of a batch cannot be put together: {error}"),
    };
    let column = match columns.as_slice() {
        [one] => Arc::clone(one),
        several => concat(&several.iter().map(AsRef::as_ref).collect::<Vec<_>>()).map_err(host)?,
    };
    let column = represent(&column, &data_type.to_arrow()).map_err(host)?;
    Ok(Outcome { columns: vec![column], errors, metrics })
}

fn check_columns(inputs: &[Field], root: &Expression, batch: &RecordBatch) -> Result<(), String> {
    if batch.num_columns() != inputs.len() {
        return Err(format!(
            "it was analyzed over {} columns, and is given {}",
            inputs.len(),
            batch.num_columns()
        ));
    }
    for &at in &root.columns {
        let (wanted, given) = (inputs[at].data_type.to_arrow(), batch.column(at).data_type());
        if wanted != *given {
            return Err(format!("column {} is {given}, not {wanted}", inputs[at].name));
        }
    }
    Ok(())
}

struct Evaluation<'a> {
    calls: &'a [Call],
    kernels: &'a [Arc<dyn TransformKernel>],
    limit: Option<u64>,
    metrics: RefCell<CallMetrics>,
}

/// Why there is no value.
enum Stop {
    Call(CallError),
    /// A transform failed for more rows than are borne, the last of them this.
    TooMany {
        last: u32,
    },
    Arrow(ArrowError),
}

impl From<ArrowError> for Stop {
    fn from(error: ArrowError) -> Self {
        Self::Arrow(error)
    }
}

impl Stop {
    /// The same of rows that were evaluated apart.
    fn among(self, rows: &[u32]) -> Self {
        match self {
            Self::TooMany { last } => Self::TooMany { last: rows[last as usize] },
            other => other,
        }
    }
}

impl Evaluation<'_> {
    fn part(&self, root: &Expression, batch: &RecordBatch) -> Result<Evaluated, Stop> {
        let mut columns = vec![None; batch.num_columns()];
        for &at in &root.columns {
            let column = batch.column(at);
            let internal = without_zones(column)?;
            columns[at] = Some(canonical_nans(&internal));
        }
        let rows = Rows { columns, count: batch.num_rows() };
        let Evaluated { values, failures } = self.expression(root, &rows)?;
        // Those that failed are null, whatever was worked out for them.
        let values = with_nulls(&values, &failures, rows.count)?;
        Ok(Evaluated { values, failures })
    }

    fn expression(&self, expression: &Expression, rows: &Rows) -> Result<Evaluated, Stop> {
        let Expression { node, data_type, .. } = expression;
        match node {
            Node::Column(at) => {
                let values = rows.columns[*at].as_ref().expect("a column that is read is there");
                Ok(Evaluated { values: Arc::clone(values), failures: Vec::new() })
            }
            Node::Literal(value) => {
                let values = value.to_array_of_size(rows.count).map_err(|error| {
                    ArrowError::ComputeError(format!("a literal has no column: {error}"))
                })?;
                Ok(Evaluated { values, failures: Vec::new() })
            }
            Node::Field { of, at } => {
                let Evaluated { values, failures } = self.expression(of, rows)?;
                Ok(Evaluated { values: field(&values, *at)?, failures })
            }
            Node::Operation { operation, operands } => {
                let operands = operands.iter().filter(|operand| operand.as_literal().is_none());
                self.of_sound_rows(operands, rows, |columns, count| {
                    let (values, failures) = operation.evaluate(columns, count)?;
                    Ok(Evaluated { values, failures })
                })
            }
            Node::And(left, right) => self.logic(left, right, rows, Logic::And),
            Node::Or(left, right) => self.logic(left, right, rows, Logic::Or),
            Node::Case { branches, otherwise } => {
                let mut pieces = Pieces::new(rows);
                for (condition, value) in branches {
                    let Some(open) = pieces.open() else { break };
                    let Evaluated { values, failures } = self.some(condition, rows, open)?;
                    let met = without_failed(values.as_boolean(), &failures);
                    let chosen = pieces.settle(&met, failures);
                    if !chosen.is_empty() {
                        pieces.add(self.some(value, rows, &chosen)?, &chosen);
                    }
                }
                if let (Some(value), Some(open)) = (otherwise, pieces.open()) {
                    let open = open.to_vec();
                    pieces.add(self.some(value, rows, &open)?, &open);
                }
                pieces.join(data_type)
            }
            Node::Coalesce(arguments) => {
                let mut pieces = Pieces::new(rows);
                for argument in arguments {
                    let Some(open) = pieces.open() else { break };
                    let open = open.to_vec();
                    let Evaluated { values, failures } = self.some(argument, rows, &open)?;
                    let there = without_failed(&is_not_null(&values)?, &failures);
                    pieces.settle(&there, failures);
                    pieces.add_where(values, &open, &there);
                }
                pieces.join(data_type)
            }
            Node::Call { at, arguments } => {
                self.of_sound_rows(arguments.iter(), rows, |columns, count| {
                    self.call(*at, columns, count)
                })
            }
        }
    }

    /// Evaluates an expression for some of the rows.
    fn some(&self, expression: &Expression, rows: &Rows, some: &[u32]) -> Result<Evaluated, Stop> {
        if some.len() == rows.count {
            return self.expression(expression, rows);
        }
        let taken = rows.take(&expression.columns, some)?;
        self.expression(expression, &taken).map_err(|stop| stop.among(some))
    }

    /// What `compute` makes of the operands, for rows for which none failed.
    fn of_sound_rows<'e>(
        &self,
        operands: impl Iterator<Item = &'e Expression>,
        rows: &Rows,
        compute: impl FnOnce(&[ArrayRef], usize) -> Result<Evaluated, Stop>,
    ) -> Result<Evaluated, Stop> {
        let mut columns = Vec::new();
        let mut failures = Vec::new();
        for operand in operands {
            let evaluated = self.expression(operand, rows)?;
            columns.push(evaluated.values);
            failures = both(failures, evaluated.failures);
        }
        if failures.is_empty() {
            return compute(&columns, rows.count);
        }
        let rest = sound(&failures, rows.count);
        let indices = arrow::array::UInt32Array::from(rest.clone());
        for column in &mut columns {
            *column = take(column, &indices, None)?;
        }
        let evaluated = compute(&columns, rest.len()).map_err(|stop| stop.among(&rest))?;
        Ok(Evaluated {
            values: scatter(&evaluated.values, &rest, rows.count)?,
            failures: both(failures, among(evaluated.failures, &rest)),
        })
    }

    fn logic(
        &self,
        left: &Expression,
        right: &Expression,
        rows: &Rows,
        logic: Logic,
    ) -> Result<Evaluated, Stop> {
        let Evaluated { values: first, failures } = self.expression(left, rows)?;
        let first = first.as_boolean();
        if !right.fallible {
            // For rows that the left side decides the right side changes nothing.
            let second = self.expression(right, rows)?.values;
            return Ok(Evaluated { values: logic.join(first, second.as_boolean())?, failures });
        }
        let decides = |row: usize| first.is_valid(row) && first.value(row) == logic.decided();
        let open: Vec<u32> = sound(&failures, rows.count)
            .into_iter()
            .filter(|&row| !decides(row as usize))
            .collect();
        if open.is_empty() {
            return Ok(Evaluated { values: Arc::new(first.clone()), failures });
        }
        let second = self.some(right, rows, &open)?;
        if open.len() == rows.count {
            let values = logic.join(first, second.values.as_boolean())?;
            return Ok(Evaluated { values, failures: second.failures });
        }
        let scattered = scatter(&second.values, &open, rows.count)?;
        // A row that was left out is decided, and so is what comes of it.
        let values = logic.join(first, scattered.as_boolean())?;
        Ok(Evaluated { values, failures: both(failures, among(second.failures, &open)) })
    }

    /// Calls a transform, whose errors are errors of their rows.
    fn call(&self, at: usize, columns: &[ArrayRef], count: usize) -> Result<Evaluated, Stop> {
        let Call { inputs, outputs, .. } = &self.calls[at];
        let mut fields = Vec::with_capacity(inputs.len());
        let mut arguments = Vec::with_capacity(inputs.len());
        for (input, column) in inputs.iter().zip(columns) {
            let data_type = input.data_type.to_arrow();
            arguments.push(represent(column, &data_type)?);
            fields.push(ArrowField::new(input.name.as_str(), data_type, true));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let schema = Arc::new(Schema::new(fields));
        let batch = RecordBatch::try_new_with_options(schema, arguments, &options)?;
        let Outcome { columns, errors, metrics } =
            match self.kernels[at].transform(&batch, self.limit) {
                Ok(outcome) => outcome,
                Err(CallError::TooManyErrors { errors, .. }) if !errors.is_empty() => {
                    let last = errors.iter().map(|error| error.row).max().unwrap_or_default();
                    return Err(Stop::TooMany { last: last.min(count.saturating_sub(1)) as u32 });
                }
                Err(error) => return Err(Stop::Call(error)),
            };
        *self.metrics.borrow_mut() += metrics;
        let mut values = Vec::with_capacity(outputs.len());
        for (output, column) in outputs.iter().zip(&columns) {
            values.push(represent(column, &internal_type(&output.data_type))?);
        }
        let values = match values.as_slice() {
            [one] => Arc::clone(one),
            _ => {
                let fields = outputs
                    .iter()
                    .map(|o| ArrowField::new(o.name.as_str(), internal_type(&o.data_type), true))
                    .collect();
                Arc::new(StructArray::try_new_with_length(fields, values, None, count)?) as ArrayRef
            }
        };
        let failures = errors
            .into_iter()
            .map(|RowError { row, status, message }| Failure { row: row as u32, status, message })
            .collect();
        Ok(Evaluated { values, failures })
    }
}

#[derive(Clone, Copy)]
enum Logic {
    And,
    Or,
}

impl Logic {
    /// The left side's value that decides alone.
    fn decided(self) -> bool {
        matches!(self, Self::Or)
    }

    fn join(self, left: &BooleanArray, right: &BooleanArray) -> Result<ArrayRef, ArrowError> {
        Ok(Arc::new(match self {
            Self::And => and_kleene(left, right)?,
            Self::Or => or_kleene(left, right)?,
        }))
    }
}

/// Values that were worked out for different rows.
struct Pieces {
    count: usize,
    /// Rows that have no value yet, ascending.
    open: Vec<u32>,
    arrays: Vec<ArrayRef>,
    /// For each row its array, from 1, and its place there.
    places: Vec<(usize, usize)>,
    failures: Vec<Failure>,
}

impl Pieces {
    fn new(rows: &Rows) -> Self {
        Self {
            count: rows.count,
            open: (0..rows.count as u32).collect(),
            arrays: Vec::new(),
            places: vec![(0, 0); rows.count],
            failures: Vec::new(),
        }
    }

    fn open(&self) -> Option<&[u32]> {
        (!self.open.is_empty()).then_some(self.open.as_slice())
    }

    /// Of the open rows, takes out those for which `met` is true, and gives
    /// them; and those that failed.
    fn settle(&mut self, met: &BooleanArray, failures: Vec<Failure>) -> Vec<u32> {
        let mut failed = failures.iter().map(|failure| failure.row).peekable();
        let (mut chosen, mut open) = (Vec::new(), Vec::new());
        for (at, &row) in self.open.iter().enumerate() {
            if failed.next_if_eq(&(at as u32)).is_some() {
                continue;
            }
            let met = met.is_valid(at) && met.value(at);
            if met { chosen.push(row) } else { open.push(row) }
        }
        let failures = among(failures, &self.open);
        self.failures = both(std::mem::take(&mut self.failures), failures);
        self.open = open;
        chosen
    }

    fn add(&mut self, evaluated: Evaluated, rows: &[u32]) {
        self.arrays.push(evaluated.values);
        for (at, &row) in rows.iter().enumerate() {
            self.places[row as usize] = (self.arrays.len(), at);
        }
        let failures = among(evaluated.failures, rows);
        self.failures = both(std::mem::take(&mut self.failures), failures);
    }

    fn add_where(&mut self, values: ArrayRef, rows: &[u32], mask: &BooleanArray) {
        self.arrays.push(values);
        for (at, &row) in rows.iter().enumerate() {
            if mask.is_valid(at) && mask.value(at) {
                self.places[row as usize] = (self.arrays.len(), at);
            }
        }
    }

    fn join(self, data_type: &arrow::datatypes::DataType) -> Result<Evaluated, Stop> {
        let Self { count, arrays, places, failures, .. } = self;
        if count == 0 {
            return Ok(Evaluated { values: new_null_array(data_type, 0), failures });
        }
        let nothing = new_null_array(data_type, 1);
        let mut of = vec![nothing.as_ref()];
        of.extend(arrays.iter().map(AsRef::as_ref));
        Ok(Evaluated { values: interleave(&of, &places)?, failures })
    }
}

/// A field of a struct, null where the struct is.
fn field(values: &ArrayRef, at: usize) -> Result<ArrayRef, ArrowError> {
    let values = values.as_struct();
    let column = values.column(at);
    match values.nulls() {
        None => Ok(Arc::clone(column)),
        Some(nulls) => nulled(column, nulls),
    }
}

fn with_nulls(
    values: &ArrayRef,
    failures: &[Failure],
    count: usize,
) -> Result<ArrayRef, ArrowError> {
    if failures.is_empty() {
        return Ok(Arc::clone(values));
    }
    let mut valid = vec![true; count];
    for failure in failures {
        valid[failure.row as usize] = false;
    }
    nulled(values, &NullBuffer::from(valid))
}

fn nulled(values: &ArrayRef, nulls: &NullBuffer) -> Result<ArrayRef, ArrowError> {
    let nulls = NullBuffer::union(values.nulls(), Some(nulls));
    let data = values.to_data().into_builder().nulls(nulls).build()?;
    Ok(make_array(data))
}
