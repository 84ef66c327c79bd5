//! Rows for a signature: edge values, values that repeat in part, and random
//! ones, from a seed.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, Date32Array, Decimal128Array, FixedSizeListArray,
    Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, ListArray,
    StringArray, StructArray, TimestampMicrosecondArray, UInt8Array, UInt16Array, UInt32Array,
    UInt64Array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType as ArrowType, Field as ArrowField, Schema};
use arrow::record_batch::{RecordBatch, RecordBatchOptions};
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use unskew_definition::{DataType, Field};

/// What the rows are to be rich in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taste {
    /// Edge values of every kind beside plain ones.
    Edges,
    /// NaNs, infinities and zeros: what makes NaNs inside a module.
    NaNs,
}

/// Generates columns for a signature's inputs.
pub struct RowGenerator {
    random: ChaCha8Rng,
    taste: Taste,
}

/// Embeddings and lists are kept to about this many items in all.
const ITEMS_IN_ALL: usize = 32 << 20;

impl RowGenerator {
    /// The same seed gives the same rows.
    pub fn new(seed: u64, taste: Taste) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed), taste }
    }

    /// `rows` rows with a column for each of `fields`; fewer where embeddings
    /// would take too much memory.
    pub fn batch(&mut self, fields: &[Field], rows: usize) -> RecordBatch {
        let widest = fields.iter().map(|field| items(&field.data_type)).sum::<usize>().max(1);
        let rows = rows.min(ITEMS_IN_ALL / widest).max(1);
        let columns: Vec<ArrayRef> = fields
            .iter()
            .map(|field| self.column(&field.data_type, field.nullable, rows))
            .collect();
        let schema: Vec<ArrowField> = fields
            .iter()
            .zip(&columns)
            .map(|(field, column)| {
                ArrowField::new(field.name.as_str(), column.data_type().clone(), field.nullable)
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(schema)), columns, &options)
            .expect("the generated columns are of the schema made from them")
    }

    fn column(&mut self, data_type: &DataType, nullable: bool, rows: usize) -> ArrayRef {
        macro_rules! integers {
            ($array:ty, $native:ty) => {{
                let values: Vec<_> = (0..rows)
                    .map(|_| {
                        let wide = self.integer(<$native>::MIN as i128, <$native>::MAX as i128);
                        (!self.is_null(nullable)).then_some(wide as $native)
                    })
                    .collect();
                Arc::new(<$array>::from(values))
            }};
        }
        match data_type {
            DataType::Bool => Arc::new(BooleanArray::from(
                self.values(nullable, rows, |random| random.random_bool(0.5)),
            )),
            DataType::Int8 => integers!(Int8Array, i8),
            DataType::Int16 => integers!(Int16Array, i16),
            DataType::Int32 => integers!(Int32Array, i32),
            DataType::Int64 => integers!(Int64Array, i64),
            DataType::UInt8 => integers!(UInt8Array, u8),
            DataType::UInt16 => integers!(UInt16Array, u16),
            DataType::UInt32 => integers!(UInt32Array, u32),
            DataType::UInt64 => integers!(UInt64Array, u64),
            DataType::Float32 => {
                let taste = self.taste;
                let values = self.values(nullable, rows, |random| float(random, taste) as f32);
                Arc::new(Float32Array::from(values))
            }
            DataType::Float64 => {
                let taste = self.taste;
                Arc::new(Float64Array::from(
                    self.values(nullable, rows, |random| float(random, taste)),
                ))
            }
            DataType::Utf8 => Arc::new(StringArray::from(self.values(nullable, rows, text))),
            DataType::Binary => {
                let values = self.values(nullable, rows, bytes);
                Arc::new(BinaryArray::from_iter(values))
            }
            DataType::Date32 => {
                let values =
                    self.values(nullable, rows, |random| match random.random_range(0..20) {
                        0 => *DATES.choose(random).expect("there are dates"),
                        _ => random.random_range(-30_000..50_000),
                    });
                Arc::new(Date32Array::from(values))
            }
            DataType::Timestamp => {
                let values =
                    self.values(nullable, rows, |random| match random.random_range(0..20) {
                        0 => *INSTANTS.choose(random).expect("there are instants"),
                        1..6 => random.random_range(0..100) * 3_600_000_000,
                        _ => random.random_range(-2_000_000_000_000_000..4_000_000_000_000_000),
                    });
                Arc::new(TimestampMicrosecondArray::from(values).with_timezone("UTC"))
            }
            DataType::Decimal128 { precision, scale } => {
                let most = 10i128.pow(u32::from(*precision)) - 1;
                let values: Vec<_> = (0..rows)
                    .map(|_| {
                        let value = self.integer(-most, most);
                        (!self.is_null(nullable)).then_some(value)
                    })
                    .collect();
                let array = Decimal128Array::from(values)
                    .with_precision_and_scale(*precision, *scale as i8);
                Arc::new(array.expect("the type's precision and scale are valid"))
            }
            DataType::List { item, nullable: items_nullable } => {
                let lengths: Vec<usize> = (0..rows)
                    .map(|_| *[0, 1, 2, 3, 17].choose(&mut self.random).expect("not empty"))
                    .collect();
                let items = self.column(item, *items_nullable, lengths.iter().sum());
                let ArrowType::List(field) = data_type.to_arrow() else {
                    unreachable!("a list's Arrow type is a list")
                };
                let offsets = OffsetBuffer::from_lengths(lengths);
                let nulls = self.nulls(nullable, rows);
                Arc::new(ListArray::new(field, offsets, items, nulls))
            }
            DataType::FixedSizeList { length } => {
                let items = rows * *length as usize;
                let items = self.column(&DataType::Float32, false, items);
                let ArrowType::FixedSizeList(field, length) = data_type.to_arrow() else {
                    unreachable!("an embedding's Arrow type is a fixed-size list")
                };
                let nulls = self.nulls(nullable, rows);
                Arc::new(FixedSizeListArray::new(field, length, items, nulls))
            }
            DataType::Struct(fields) => {
                let columns: Vec<ArrayRef> = fields
                    .iter()
                    .map(|field| self.column(&field.data_type, field.nullable, rows))
                    .collect();
                let ArrowType::Struct(fields) = data_type.to_arrow() else {
                    unreachable!("a struct's Arrow type is a struct")
                };
                let nulls = self.nulls(nullable, rows);
                Arc::new(StructArray::new(fields, columns, nulls))
            }
        }
    }

    fn values<T>(
        &mut self,
        nullable: bool,
        rows: usize,
        mut value: impl FnMut(&mut ChaCha8Rng) -> T,
    ) -> Vec<Option<T>> {
        (0..rows)
            .map(|_| {
                let value = value(&mut self.random);
                (!self.is_null(nullable)).then_some(value)
            })
            .collect()
    }

    fn is_null(&mut self, nullable: bool) -> bool {
        nullable && self.random.random_bool(0.1)
    }

    fn nulls(&mut self, nullable: bool, rows: usize) -> Option<NullBuffer> {
        let valid: Vec<bool> = (0..rows).map(|_| !self.is_null(nullable)).collect();
        nullable.then(|| NullBuffer::from(valid))
    }

    /// Small ones, which repeat, most often; the edges of the type; any.
    fn integer(&mut self, least: i128, most: i128) -> i128 {
        let random = &mut self.random;
        let near = |value: i128| value.clamp(least, most);
        match random.random_range(0..20) {
            0 => *[least, most, near(least + 1), near(most - 1)].choose(random).expect("four"),
            1 => near(random.random_range(-1_000_000..1_000_000)),
            2..10 => near(random.random_range(-3..12)),
            _ => near(random.random_range(0..1000)),
        }
    }
}

fn items(data_type: &DataType) -> usize {
    match data_type {
        DataType::FixedSizeList { length } => *length as usize,
        DataType::List { .. } => 8,
        _ => 1,
    }
}

const DATES: [i32; 6] = [i32::MIN, i32::MAX, 0, -1, 19_782, -719_162];
const INSTANTS: [i64; 8] = [
    i64::MIN,
    i64::MAX,
    0,
    -1,
    1,
    -62_135_596_800_000_000,
    253_402_300_799_999_999,
    1_709_164_800_000_000,
];
const FLOATS: [f64; 18] = [
    0.0,
    -0.0,
    1.0,
    -1.0,
    0.1,
    1e-9,
    1e308,
    -1e308,
    f64::MAX,
    f64::MIN_POSITIVE,
    5e-324,
    f64::EPSILON,
    9_007_199_254_740_993.0,
    4_294_967_296.5,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    std::f64::consts::PI,
];

fn float(random: &mut ChaCha8Rng, taste: Taste) -> f64 {
    if taste == Taste::NaNs && random.random_bool(0.6) {
        let special = [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, -1.0];
        return *special.choose(random).expect("six");
    }
    match random.random_range(0..20) {
        0..3 => *FLOATS.choose(random).expect("there are edges"),
        3..10 => f64::from(random.random_range(-8..40)) / 4.0,
        10..15 => random.random_range(-180.0..180.0),
        15..18 => random.random_range(0.0..1.0),
        _ => random.random_range(-1e6..1e6),
    }
}

const TEXTS: [&str; 24] = [
    "",
    " ",
    "a",
    "A",
    "b",
    "ab",
    "ba",
    "abc",
    "abd",
    "  padded ",
    "\0",
    "\n",
    "null",
    "NaN",
    "0",
    "1e3",
    "ß",
    "İ",
    "é",
    "e\u{301}",
    "日本",
    "🦀",
    "a,b\"c'd",
    "the quick brown fox",
];

fn text(random: &mut ChaCha8Rng) -> String {
    match random.random_range(0..10) {
        0..4 => (*TEXTS.choose(random).expect("there are texts")).to_owned(),
        4 => "x".repeat(random.random_range(0..300)),
        _ => {
            let length = random.random_range(1..8);
            (0..length)
                .map(|_| *['a', 'b', 'c', 'X', ' ', '7'].choose(random).expect("six"))
                .collect()
        }
    }
}

fn bytes(random: &mut ChaCha8Rng) -> Vec<u8> {
    let length = *[0, 1, 2, 3, 16, 100].choose(random).expect("six");
    (0..length).map(|_| random.random()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::Array;

    fn fields(types: &[&str]) -> Vec<Field> {
        let field = |(i, text): (usize, &&str)| Field {
            name: unskew_definition::Name::new(format!("x{i}")).unwrap(),
            data_type: text.parse().unwrap(),
            nullable: i % 2 == 1,
        };
        types.iter().enumerate().map(field).collect()
    }

    #[test]
    fn every_type_has_rows_and_nulls_only_where_allowed() {
        let fields = fields(&[
            "bool",
            "int8",
            "int16",
            "int32",
            "int64",
            "uint8",
            "uint16",
            "uint32",
            "uint64",
            "float32",
            "float64",
            "utf8",
            "binary",
            "date32",
            "timestamp",
            "decimal128(38,4)",
            "list<utf8?>",
            "list<int64>",
            "fixed_size_list<float32,3>",
            "struct<a:int8,b:utf8?>",
        ]);
        let batch = RowGenerator::new(1, Taste::Edges).batch(&fields, 4096);
        assert_eq!(batch.num_rows(), 4096);
        for (field, column) in fields.iter().zip(batch.columns()) {
            assert_eq!(column.data_type(), &field.data_type.to_arrow());
            assert_eq!(column.null_count() > 0, field.nullable, "{}", field.data_type);
        }
        let again = RowGenerator::new(1, Taste::Edges).batch(&fields, 4096);
        assert!(batch == again, "the same seed gives the same rows");
    }

    #[test]
    fn wide_embeddings_stay_within_memory() {
        let fields = fields(&["fixed_size_list<float32,65536>"]);
        let batch = RowGenerator::new(1, Taste::NaNs).batch(&fields, 4096);
        assert_eq!(batch.num_rows(), ITEMS_IN_ALL / 65_536);
    }
}
