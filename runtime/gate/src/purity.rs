use arrow::array::{Array, ArrayRef, UInt32Array, make_comparator};
use arrow::compute::{SortOptions, take_record_batch};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use unskew_definition::{DataType, TransformSignature};
use unskew_host::{
    CallError, CallShape, CompiledModule, Isolation, NanPolicy, Outcome, RowError, RowStatus,
};

use crate::rows::{RowGenerator, Taste};

/// Checks transforms for purity.
#[derive(Clone, Copy, Debug)]
pub struct PurityGate {
    /// Rows generated for each transform.
    pub rows: usize,
    /// Of these, how many are also evaluated alone in a fresh instance each.
    pub alone: usize,
    /// What the rows and permutations are made from.
    pub seed: u64,
}

/// How many ways of evaluation were compared, over how many rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Ways {
    /// ways to batch and order the rows
    pub ways: usize,
    /// rows generated
    pub rows: usize,
}

/// Why a transform is not pure, shown on a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Impurity {
    /// The row yields one thing in one way and another thing in another.
    Differs(Counterexample),
    /// The module says itself that the row asked for something ambient.
    Ambient {
        /// The transform.
        transform: String,
        /// The row: each argument and its value as text.
        arguments: Vec<(String, String)>,
        /// What the module said.
        message: String,
    },
}

/// How the message of a row's error begins when the row asked for a clock,
/// randomness, the identity of an object or the like: see `wit/README.md`.
const AMBIENT: &str = "AmbientError: ";

/// A row that yields one thing in one way and another thing in another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Counterexample {
    /// The transform.
    pub transform: String,
    /// The row: each argument and its value as text.
    pub arguments: Vec<(String, String)>,
    /// How it was evaluated first.
    pub one_way: String,
    /// What it gave then.
    pub one_result: String,
    /// How it was evaluated next.
    pub other_way: String,
    /// What it gave then.
    pub other_result: String,
}

/// Why a transform could not be checked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GateError {
    /// The host could not evaluate it.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Columns could not be compared.
    #[error("the results cannot be compared: {0}")]
    Compare(#[from] ArrowError),
}

impl std::fmt::Display for Impurity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (transform, arguments) = match self {
            Self::Differs(Counterexample { transform, arguments, .. })
            | Self::Ambient { transform, arguments, .. } => (transform, arguments),
        };
        write!(f, "transform {transform} is not pure: for")?;
        for (i, (name, value)) in arguments.iter().enumerate() {
            write!(f, "{} {name} = {value}", if i == 0 { "" } else { "," })?;
        }
        match self {
            Self::Differs(Counterexample {
                one_way, one_result, other_way, other_result, ..
            }) => {
                write!(f, "\n  {one_way}: {one_result}\n  {other_way}: {other_result}")
            }
            Self::Ambient { message, .. } => write!(f, "\n  {message}"),
        }
    }
}

impl Default for PurityGate {
    fn default() -> Self {
        Self { rows: 4096, alone: 64, seed: 0x5eed }
    }
}

/// Rows that are also evaluated one a call in a used instance.
const ONE_BY_ONE: usize = 1024;

/// What rows gave in one way, in the order in which they were generated.
struct Results {
    columns: Vec<ArrayRef>,
    failures: Vec<Option<RowStatus>>,
    /// The first row that asked for something ambient, and what it said.
    ambient: Option<(usize, String)>,
    way: String,
}

impl PurityGate {
    /// Evaluates the transform at `index` in all ways. `Err` of the inner
    /// result is the first row found that shows it impure.
    ///
    /// # Panics
    ///
    /// When the manifest has no transform at `index`.
    pub fn check(
        &self,
        module: &CompiledModule,
        index: usize,
    ) -> Result<Result<Ways, Impurity>, GateError> {
        let signature = &module.manifest().transforms[index];
        let batch = RowGenerator::new(self.seed, Taste::Edges).batch(&signature.inputs, self.rows);
        let rows = batch.num_rows();
        let evaluation = Evaluation { module, index, batch: &batch };

        let fresh = Isolation::Fresh;
        let reuse = Isolation::Reuse;
        let in_order: Vec<u32> = (0..rows as u32).collect();
        let reversed: Vec<u32> = in_order.iter().rev().copied().collect();
        let shuffled = |salt: u64| {
            let mut order = in_order.clone();
            order.shuffle(&mut ChaCha8Rng::seed_from_u64(self.seed ^ salt));
            order
        };
        // A half of the rows twice costs as much as all of them once.
        let doubled: Vec<u32> = in_order[..rows.div_ceil(2)].iter().flat_map(|&r| [r, r]).collect();

        let whole = evaluation.run(&in_order, rows, fresh, "all rows in one call")?;
        if let Some((row, message)) = &whole.ambient {
            return Ok(Err(Impurity::Ambient {
                transform: signature.name.to_string(),
                arguments: evaluation.arguments(*row)?,
                message: message.clone(),
            }));
        }
        let alone = &in_order[..rows.min(self.alone)];
        let one_by_one = shuffled(1);
        let one_by_one = &one_by_one[..rows.min(ONE_BY_ONE)];
        let ways: [(&[u32], usize, Isolation, &str); 6] = [
            (alone, 1, fresh, "alone in a fresh instance"),
            (&in_order, 1000, reuse, "in calls of 1,000 rows"),
            (&reversed, 97, reuse, "in reverse, in calls of 97 rows"),
            (&shuffled(2), rows, reuse, "permuted, in one call, in a used instance"),
            (one_by_one, 1, reuse, "permuted, one row a call, in a used instance"),
            (&doubled, 1500, reuse, "each row twice, in calls of 1,500 rows"),
        ];
        for (order, rows_per_call, isolation, way) in ways {
            let results = evaluation.run(order, rows_per_call, isolation, way)?;
            if let Some(row) = first_difference(order, &whole, &results)? {
                let shown = evaluation.counterexample(order, row, &whole, &results)?;
                return Ok(Err(Impurity::Differs(shown)));
            }
        }
        Ok(Ok(Ways { ways: ways.len() + 1, rows }))
    }

    /// Which NaN policy the module needs: strict if any transform's results on
    /// rows rich in NaNs differ between its two compiled forms.
    pub fn nan_policy(
        &self,
        boundary: &CompiledModule,
        strict: &CompiledModule,
    ) -> Result<NanPolicy, GateError> {
        for (index, signature) in boundary.manifest().transforms.iter().enumerate() {
            // Without floats going in, whether NaNs are made hangs on little.
            let takes_floats = signature.inputs.iter().any(|input| has_floats(&input.data_type));
            let rows = if takes_floats { self.rows / 2 } else { self.rows / 8 };
            for taste in [Taste::NaNs, Taste::Edges] {
                let batch = RowGenerator::new(self.seed, taste).batch(&signature.inputs, rows);
                let order: Vec<u32> = (0..batch.num_rows() as u32).collect();
                let rows = order.len();
                let run = |module| {
                    Evaluation { module, index, batch: &batch }.run(
                        &order,
                        rows,
                        Isolation::Fresh,
                        "",
                    )
                };
                if first_difference(&order, &run(boundary)?, &run(strict)?)?.is_some() {
                    return Ok(NanPolicy::Strict);
                }
            }
        }
        Ok(NanPolicy::Boundary)
    }
}

struct Evaluation<'a> {
    module: &'a CompiledModule,
    index: usize,
    batch: &'a RecordBatch,
}

impl Evaluation<'_> {
    fn run(
        &self,
        order: &[u32],
        rows_per_call: usize,
        isolation: Isolation,
        way: &str,
    ) -> Result<Results, GateError> {
        let batch = match self.batch.num_columns() {
            0 => self.batch.slice(0, order.len().min(self.batch.num_rows())),
            _ => take_record_batch(self.batch, &UInt32Array::from(order.to_vec()))?,
        };
        let shape = CallShape { rows_per_call, isolation };
        let Outcome { columns, errors, .. } =
            self.module.transform_in_shape(self.index, &batch, None, shape)?;
        let mut failures = vec![None; batch.num_rows()];
        for error in &errors {
            failures[error.row] = Some(error.status);
        }
        let is_ambient = |error: &RowError| {
            error.status == RowStatus::Failed && error.message.starts_with(AMBIENT)
        };
        let ambient = errors.into_iter().find(is_ambient).map(|error| (error.row, error.message));
        Ok(Results { columns, failures, ambient, way: way.to_owned() })
    }

    fn signature(&self) -> &TransformSignature {
        &self.module.manifest().transforms[self.index]
    }

    /// A row's arguments as text.
    fn arguments(&self, row: usize) -> Result<Vec<(String, String)>, GateError> {
        let arguments = self.signature().inputs.iter().zip(self.batch.columns());
        arguments.map(|(input, column)| Ok((input.name.to_string(), text(column, row)?))).collect()
    }

    fn counterexample(
        &self,
        order: &[u32],
        at: usize,
        whole: &Results,
        other: &Results,
    ) -> Result<Counterexample, GateError> {
        let row = order[at] as usize;
        let TransformSignature { name, outputs, .. } = self.signature();
        let result = |results: &Results, row: usize| -> Result<String, GateError> {
            if let Some(status) = results.failures[row] {
                return Ok(format!("an error ({status})"));
            }
            let values = outputs.iter().zip(&results.columns);
            let values: Vec<String> = values
                .map(|(output, column)| Ok(format!("{} = {}", output.name, text(column, row)?)))
                .collect::<Result<_, GateError>>()?;
            Ok(values.join(", "))
        };
        let (mut one_result, mut other_result) = (result(whole, row)?, result(other, at)?);
        if one_result == other_result {
            one_result.push_str(" (it prints alike, its bits differ)");
            other_result.push_str(" (it prints alike, its bits differ)");
        }
        Ok(Counterexample {
            transform: name.to_string(),
            arguments: self.arguments(row)?,
            one_way: whole.way.clone(),
            one_result,
            other_way: other.way.clone(),
            other_result,
        })
    }
}

/// The first place in `order` at which the results differ.
fn first_difference(
    order: &[u32],
    whole: &Results,
    other: &Results,
) -> Result<Option<usize>, GateError> {
    let compared = order.len().min(other.failures.len());
    let mut first =
        (0..compared).find(|&at| whole.failures[order[at] as usize] != other.failures[at]);
    for (one, two) in whole.columns.iter().zip(&other.columns) {
        let compare = make_comparator(one, two, SortOptions::default())?;
        let end = first.unwrap_or(compared);
        let differs = |at: &usize| compare(order[*at] as usize, *at).is_ne();
        first = (0..end).find(differs).or(first);
    }
    Ok(first)
}

fn has_floats(data_type: &DataType) -> bool {
    match data_type {
        DataType::List { item, .. } => has_floats(item),
        DataType::FixedSizeList { .. } => true,
        DataType::Struct(fields) => fields.iter().any(|field| has_floats(&field.data_type)),
        scalar => scalar.is_float(),
    }
}

pub(crate) fn text(column: &ArrayRef, row: usize) -> Result<String, GateError> {
    const SHOWN: usize = 200;
    if column.is_null(row) {
        return Ok("null".to_owned());
    }
    let options = FormatOptions::default().with_null("null");
    let formatter = ArrayFormatter::try_new(column, &options)?;
    let text = formatter.value(row).to_string();
    let text = match column.data_type() {
        arrow::datatypes::DataType::Utf8 => format!("{text:?}"),
        _ => text,
    };
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => Ok(format!("{}...", &text[..end])),
        None => Ok(text),
    }
}
