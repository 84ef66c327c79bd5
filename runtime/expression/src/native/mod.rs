//! Functions of our own, under the names that people know: those whose value
//! DataFusion would take from the machine's math library, wrap on overflow or
//! work out in nanoseconds, and those that need a bound.
//!
//! Each is a [`ScalarUDF`], so that it stands among DataFusion's.

mod conditional;
mod embedding;
mod logarithm;
mod rounding;
mod text;
mod time;

use std::hash::{Hash, Hasher};

use arrow::array::ArrayRef;
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, FieldRef};
use arrow::error::ArrowError;
use datafusion_common::{DataFusionError, ScalarValue};
use datafusion_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
    Volatility,
};

pub(crate) use conditional::{NULL_IF, ONE_ZERO};

/// The types that a function takes for the given ones, and the type it yields;
/// or what is wrong with them.
pub(crate) type Resolve =
    fn(&[ArrowType], &[Option<&ScalarValue>]) -> Result<(Vec<ArrowType>, ArrowType), String>;

/// Arguments of the resolved types in, a column of as many rows out.
type Compute = fn(&Values<'_>) -> Result<ArrayRef, ArrowError>;

/// A function of our own.
pub(crate) struct Native {
    pub(crate) name: &'static str,
    pub(crate) resolve: Resolve,
    compute: Compute,
    /// Whether it yields null where no argument is.
    pub(crate) makes_nulls: bool,
    /// Whether a row can fail.
    pub(crate) fallible: bool,
}

/// The arguments of one evaluation.
pub(crate) struct Values<'a> {
    values: &'a [ColumnarValue],
    rows: usize,
    yields: &'a ArrowType,
}

impl Values<'_> {
    /// An argument as a column.
    fn array(&self, at: usize) -> Result<ArrayRef, ArrowError> {
        self.values[at].to_array(self.rows).map_err(|e| ArrowError::ComputeError(e.to_string()))
    }

    fn len(&self) -> usize {
        self.values.len()
    }

    /// A text that the resolver has found to be a literal, in small letters.
    fn word(&self, at: usize) -> Result<String, ArrowError> {
        match &self.values[at] {
            ColumnarValue::Scalar(ScalarValue::Utf8(Some(text))) => Ok(text.to_lowercase()),
            _ => Err(ArrowError::ComputeError(format!("argument {} must be a constant", at + 1))),
        }
    }
}

fn all() -> impl Iterator<Item = &'static Native> {
    logarithm::FUNCTIONS
        .iter()
        .chain(rounding::FUNCTIONS)
        .chain(text::FUNCTIONS)
        .chain(time::FUNCTIONS)
        .chain(conditional::FUNCTIONS)
        .chain(embedding::FUNCTIONS)
}

/// The function called `name`.
pub(crate) fn find(name: &str) -> Option<&'static Native> {
    all().find(|native| native.name == name)
}

/// The names that a text may call.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    all().map(|native| native.name).filter(|name| *name != "negate")
}

impl Native {
    /// The function for one type of results.
    pub(crate) fn udf(&'static self, yields: &ArrowType) -> ScalarUDF {
        ScalarUDF::new_from_impl(NativeUdf {
            native: self,
            signature: Signature::variadic_any(Volatility::Immutable),
            yields: yields.clone(),
        })
    }
}

struct NativeUdf {
    native: &'static Native,
    signature: Signature,
    yields: ArrowType,
}

impl std::fmt::Debug for NativeUdf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.native.name)
    }
}

impl PartialEq for NativeUdf {
    fn eq(&self, other: &Self) -> bool {
        self.native.name == other.native.name && self.yields == other.yields
    }
}

impl Eq for NativeUdf {}

impl Hash for NativeUdf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.native.name.hash(state);
        self.yields.hash(state);
    }
}

impl ScalarUDFImpl for NativeUdf {
    fn name(&self) -> &str {
        self.native.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[ArrowType]) -> Result<ArrowType, DataFusionError> {
        Ok(self.yields.clone())
    }

    fn return_field_from_args(
        &self,
        _args: ReturnFieldArgs<'_>,
    ) -> Result<FieldRef, DataFusionError> {
        Ok(ArrowField::new(self.native.name, self.yields.clone(), true).into())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue, DataFusionError> {
        let values = Values { values: &args.args, rows: args.number_rows, yields: &self.yields };
        Ok(ColumnarValue::Array((self.native.compute)(&values)?))
    }
}

/// The one type given, or what is wrong with how many.
fn one(types: &[ArrowType]) -> Result<&ArrowType, String> {
    match types {
        [one] => Ok(one),
        other => Err(format!("it takes one argument, and is given {}", other.len())),
    }
}

/// Refuses what is no number; null counts as one.
fn number(data_type: &ArrowType) -> Result<(), String> {
    match data_type.is_numeric() || *data_type == ArrowType::Null {
        true => Ok(()),
        false => Err(format!(
            "it takes a number, and is given {}",
            crate::representation::shown_type(data_type)
        )),
    }
}

/// Refuses what is no integer; null counts as one.
fn integer(data_type: &ArrowType) -> Result<(), String> {
    match data_type.is_integer() || *data_type == ArrowType::Null {
        true => Ok(()),
        false => Err(format!(
            "it takes an integer, and is given {}",
            crate::representation::shown_type(data_type)
        )),
    }
}
