use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray};
use arrow::datatypes::{
    DataType as ArrowType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use serde::Serialize;

/// What one output of the transform turned out to hold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutputStatistics {
    /// The name of its column.
    pub name: String,
    /// Its type, as in the manifest.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Rows without a value, those that failed among them.
    pub nulls: u64,
    /// Rows with a value that is not a number (floats only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nans: Option<u64>,
    /// The smallest value, of numbers only, NaN left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<Number>,
    /// The greatest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Number>,
    /// The mean; for orientation only, since it is summed in floats.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<Number>,
}

/// A number that keeps its kind, so that whole numbers stay exact.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Number {
    /// A whole number.
    Whole(i128),
    /// A float.
    Float(#[serde(serialize_with = "float")] f64),
}

/// JSON has no infinities; they are strings there.
fn float<S: serde::Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() { serializer.serialize_f64(*value) } else { serializer.collect_str(value) }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(value) => write!(f, "{value}"),
            Self::Float(value) if value.fract() == 0.0 && value.abs() < 1e15 => {
                write!(f, "{value:.1}")
            }
            Self::Float(value) => write!(f, "{value}"),
        }
    }
}

/// The statistics of one column over some rows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ColumnStatistics {
    nulls: u64,
    nans: Option<u64>,
    extremes: Option<(Number, Number)>,
    sum: f64,
    count: u64,
}

impl ColumnStatistics {
    pub(crate) fn of(column: &ArrayRef) -> Self {
        let mut statistics = Self { nulls: column.logical_null_count() as u64, ..Self::default() };
        match column.data_type() {
            ArrowType::Int8 => statistics.whole::<Int8Type>(column),
            ArrowType::Int16 => statistics.whole::<Int16Type>(column),
            ArrowType::Int32 => statistics.whole::<Int32Type>(column),
            ArrowType::Int64 => statistics.whole::<Int64Type>(column),
            ArrowType::UInt8 => statistics.whole::<UInt8Type>(column),
            ArrowType::UInt16 => statistics.whole::<UInt16Type>(column),
            ArrowType::UInt32 => statistics.whole::<UInt32Type>(column),
            ArrowType::UInt64 => statistics.whole::<UInt64Type>(column),
            ArrowType::Float32 => statistics.floats::<Float32Type>(column),
            ArrowType::Float64 => statistics.floats::<Float64Type>(column),
            _ => {}
        }
        statistics
    }

    fn whole<T: ArrowPrimitiveType>(&mut self, column: &ArrayRef)
    where
        T::Native: Into<i128> + Ord,
    {
        let mut sum = 0_i128;
        let mut extremes: Option<(T::Native, T::Native)> = None;
        for value in column.as_primitive::<T>().iter().flatten() {
            let (min, max) = extremes.unwrap_or((value, value));
            extremes = Some((min.min(value), max.max(value)));
            sum += value.into();
            self.count += 1;
        }
        self.sum = sum as f64;
        self.extremes =
            extremes.map(|(min, max)| (Number::Whole(min.into()), Number::Whole(max.into())));
    }

    fn floats<T: ArrowPrimitiveType>(&mut self, column: &ArrayRef)
    where
        T::Native: Into<f64>,
    {
        let mut nans = 0;
        let mut extremes: Option<(f64, f64)> = None;
        for value in column.as_primitive::<T>().iter().flatten() {
            let value: f64 = value.into();
            if value.is_nan() {
                nans += 1;
                continue;
            }
            let (min, max) = extremes.unwrap_or((value, value));
            extremes = Some((min.min(value), max.max(value)));
            self.sum += value;
            self.count += 1;
        }
        self.nans = Some(nans);
        self.extremes = extremes.map(|(min, max)| (Number::Float(min), Number::Float(max)));
    }

    /// Adds those of rows that come later.
    pub(crate) fn add(&mut self, later: Self) {
        let Self { nulls, nans, extremes, sum, count } = later;
        self.nulls += nulls;
        self.nans = self.nans.map_or(nans, |known| Some(known + nans.unwrap_or(0)));
        self.extremes = match (self.extremes, extremes) {
            (Some((min, max)), Some((later_min, later_max))) => Some((
                if less(later_min, min) { later_min } else { min },
                if less(max, later_max) { later_max } else { max },
            )),
            (known, later) => known.or(later),
        };
        self.sum += sum;
        self.count += count;
    }

    pub(crate) fn named(&self, name: &str, data_type: String) -> OutputStatistics {
        let mean = (self.count > 0).then(|| Number::Float(self.sum / self.count as f64));
        OutputStatistics {
            name: name.to_owned(),
            data_type,
            nulls: self.nulls,
            nans: self.nans,
            min: self.extremes.map(|(min, _)| min),
            max: self.extremes.map(|(_, max)| max),
            mean: self.extremes.and(mean),
        }
    }
}

fn less(a: Number, b: Number) -> bool {
    match (a, b) {
        (Number::Whole(a), Number::Whole(b)) => a < b,
        (Number::Float(a), Number::Float(b)) => a < b,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, StringArray, UInt64Array};

    use super::*;

    fn json(columns: &[ArrayRef]) -> String {
        let mut all = ColumnStatistics::default();
        columns.iter().for_each(|column| all.add(ColumnStatistics::of(column)));
        serde_json::to_string(&all.named("y", "t".to_owned())).unwrap()
    }

    #[test]
    fn statistics_are_those_of_all_rows() {
        let floats = |values: &[Option<f64>]| -> ArrayRef {
            Arc::new(values.iter().copied().collect::<Float64Array>())
        };
        let parts =
            [floats(&[Some(1.5), None]), floats(&[]), floats(&[Some(f64::NAN), Some(-0.5)])];
        assert_eq!(
            json(&parts),
            r#"{"name":"y","type":"t","nulls":1,"nans":1,"min":-0.5,"max":1.5,"mean":0.5}"#
        );
        let whole: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX, 1]));
        assert!(json(&[whole]).contains(r#""min":1,"max":18446744073709551615"#));
        assert!(json(&[floats(&[Some(f64::INFINITY)])]).contains(r#""max":"inf""#));
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
        assert_eq!(json(&[texts]), r#"{"name":"y","type":"t","nulls":1}"#);
    }
}
