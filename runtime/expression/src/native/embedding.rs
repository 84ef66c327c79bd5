//! How near two embeddings are to each other.
//!
//! Products and squares of float32 are exact in float64, and are added in
//! float64 from the first place to the last: the same bits on every machine.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array};
use arrow::datatypes::{DataType as ArrowType, Float32Type};
use arrow::error::ArrowError;

use super::{Native, Values};
use crate::representation::shown_type;

pub(super) static FUNCTIONS: &[Native] = &[
    Native {
        name: "cosine_similarity",
        resolve: |types, _| resolve(types, "cosine_similarity(embedding, embedding)"),
        compute: |values| by_row(values, cosine_similarity),
        makes_nulls: false,
        fallible: false,
    },
    Native {
        name: "dot",
        resolve: |types, _| resolve(types, "dot(embedding, embedding)"),
        compute: |values| by_row(values, dot),
        makes_nulls: false,
        fallible: false,
    },
    Native {
        name: "l2_distance",
        resolve: |types, _| resolve(types, "l2_distance(embedding, embedding)"),
        compute: |values| by_row(values, l2_distance),
        makes_nulls: false,
        fallible: false,
    },
];

fn resolve(types: &[ArrowType], form: &str) -> Result<(Vec<ArrowType>, ArrowType), String> {
    let [a, b] = types else {
        return Err(format!("write {form}; it is given {} arguments", types.len()));
    };
    let mut lengths = Vec::new();
    for (given, at) in [(a, 1), (b, 2)] {
        match given {
            ArrowType::FixedSizeList(item, length) if *item.data_type() == ArrowType::Float32 => {
                lengths.push(*length);
            }
            ArrowType::Null => {}
            other => {
                return Err(format!(
                    "write {form}; argument {at} is {}, and embeddings are fixed_size_list<float32, n>",
                    shown_type(other)
                ));
            }
        }
    }
    match lengths.as_slice() {
        [] => Err(format!("write {form}; both arguments are null")),
        [first, second] if first != second => Err(format!(
            "the embeddings have {first} and {second} numbers; only those of one length have a distance"
        )),
        _ => {
            let embedding = if *a == ArrowType::Null { b } else { a };
            Ok((vec![embedding.clone(); 2], ArrowType::Float64))
        }
    }
}

fn by_row(values: &Values<'_>, of: impl Fn(&[f32], &[f32]) -> f64) -> Result<ArrayRef, ArrowError> {
    let (a, b) = (values.array(0)?, values.array(1)?);
    let (a, b) = (a.as_fixed_size_list(), b.as_fixed_size_list());
    let length = a.value_length() as usize;
    let left = a.values().as_primitive::<Float32Type>().values();
    let right = b.values().as_primitive::<Float32Type>().values();
    let value = |row: usize| {
        let (i, j) = (a.value_offset(row) as usize, b.value_offset(row) as usize);
        let is_there = a.is_valid(row) && b.is_valid(row);
        is_there.then(|| of(&left[i..i + length], &right[j..j + length]))
    };
    Ok(Arc::new((0..a.len()).map(value).collect::<Float64Array>()))
}

fn pairs<'a>(a: &'a [f32], b: &'a [f32]) -> impl Iterator<Item = (f64, f64)> + 'a {
    a.iter().zip(b).map(|(x, y)| (f64::from(*x), f64::from(*y)))
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    // From +0, so that no sum is -0.
    pairs(a, b).fold(0.0, |sum, (x, y)| sum + x * y)
}

/// NaN where one of them has no length; rounding never leads out of [-1, 1].
fn cosine_similarity(a: &[f32], b: &[f32]) -> f64 {
    (dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()).clamp(-1.0, 1.0)
}

fn l2_distance(a: &[f32], b: &[f32]) -> f64 {
    pairs(a, b).fold(0.0, |sum, (x, y)| sum + (x - y) * (x - y)).sqrt()
}
