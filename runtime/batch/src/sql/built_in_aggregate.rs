//! The built-in aggregates as SQL calls them.

use datafusion::common::{Result, ScalarValue, plan_datafusion_err};
use unskew_aggregate::{AggregateFunction, ListSize, MAX_LIST_ITEMS, Quantile};

/// A built-in aggregate: `name(value)`, `name(value, parameter)` or
/// `name(value ORDER BY ...)`.
#[derive(Debug)]
pub(crate) struct BuiltIn {
    pub(crate) name: &'static str,
    /// What DataFusion and others call it.
    pub(crate) aliases: &'static [&'static str],
    pub(crate) parameter: Parameter,
    pub(crate) function: fn(&Given) -> AggregateFunction,
}

/// What stands behind the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parameter {
    None,
    Quantile,
    ListSize,
}

/// A parameter that was given.
pub(crate) enum Given {
    None,
    Quantile(Quantile),
    ListSize(ListSize),
}

macro_rules! plain {
    ($name:literal, $variant:ident $(, $alias:literal)*) => {
        BuiltIn {
            name: $name,
            aliases: &[$($alias),*],
            parameter: Parameter::None,
            function: |_| AggregateFunction::$variant,
        }
    };
}

macro_rules! list {
    ($name:literal, $variant:ident, $size:ident) => {
        BuiltIn {
            name: $name,
            aliases: &[],
            parameter: Parameter::ListSize,
            function: |given| match given {
                Given::ListSize(size) => AggregateFunction::$variant { $size: *size },
                _ => unreachable!("the parameter was read as a size"),
            },
        }
    };
}

/// All but `count`, which DataFusion counts as exactly.
pub(crate) const BUILT_IN: &[BuiltIn] = &[
    plain!("sum", Sum),
    plain!("avg", Avg, "mean"),
    plain!("min", Min),
    plain!("max", Max),
    plain!("variance", Variance, "var", "var_samp", "var_sample"),
    plain!("variance_pop", VariancePop, "var_pop", "var_population"),
    plain!("stddev", Stddev, "stddev_samp"),
    plain!("stddev_pop", StddevPop),
    plain!("approx_distinct", ApproxDistinct),
    plain!("count_distinct", CountDistinct),
    plain!("first", First),
    plain!("last", Last),
    BuiltIn {
        name: "percentile",
        aliases: &[],
        parameter: Parameter::Quantile,
        function: |given| match given {
            Given::Quantile(q) => AggregateFunction::Percentile { q: *q },
            _ => unreachable!("the parameter was read as a quantile"),
        },
    },
    list!("last_n", LastN, n),
    list!("top_k", TopK, k),
    list!("most_frequent", MostFrequent, k),
];

impl BuiltIn {
    /// How it is called.
    pub(crate) fn form(&self) -> String {
        let needs_order = (self.function)(&self.any_parameter()).needs_order();
        let order = if needs_order { " ORDER BY time" } else { "" };
        match self.parameter {
            Parameter::None => format!("{}(value{order})", self.name),
            Parameter::Quantile => format!("{}(value, 0.95{order})", self.name),
            Parameter::ListSize => format!("{}(value, 10{order})", self.name),
        }
    }

    /// For what does not hang on the parameter: the type of the result.
    pub(crate) fn any_parameter(&self) -> Given {
        match self.parameter {
            Parameter::None => Given::None,
            Parameter::Quantile => Given::Quantile("0.5".parse().expect("a half is a quantile")),
            Parameter::ListSize => Given::ListSize(ListSize::new(1).expect("one is a size")),
        }
    }

    /// Reads the constant behind the value.
    pub(crate) fn parameter_of(&self, constant: Option<&ScalarValue>) -> Result<Given> {
        let found = || constant.map_or("no constant".to_owned(), ToString::to_string);
        match self.parameter {
            Parameter::None => Ok(Given::None),
            Parameter::Quantile => {
                let text = match constant {
                    Some(ScalarValue::Float64(Some(q))) => q.to_string(),
                    Some(ScalarValue::Float32(Some(q))) => q.to_string(),
                    Some(ScalarValue::Int64(Some(q))) => q.to_string(),
                    Some(decimal @ ScalarValue::Decimal128(Some(_), _, _)) => decimal.to_string(),
                    _ => String::new(),
                };
                text.parse().map(Given::Quantile).map_err(|_| {
                    plan_datafusion_err!(
                        "{}: the quantile is a number from 0 to 1 written out, and {} is given",
                        self.form(),
                        found()
                    )
                })
            }
            Parameter::ListSize => {
                let size = match constant {
                    Some(ScalarValue::Int64(Some(size))) => u64::try_from(*size).ok(),
                    _ => None,
                };
                size.and_then(ListSize::new).map(Given::ListSize).ok_or_else(|| {
                    plan_datafusion_err!(
                        "{}: how many is a whole number from 1 to {MAX_LIST_ITEMS} written out, and {} is given",
                        self.form(),
                        found()
                    )
                })
            }
        }
    }
}
