//! The peers: the same functions over the same Arrow columns, called directly.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{
    Array, ArrayRef, Float64Array, Int64Builder, PrimitiveArray, StringBuilder, UInt64Array,
};
use arrow::datatypes::{ArrowPrimitiveType, Float64Type, UInt64Type};
use arrow::record_batch::RecordBatch;

use crate::kernels;

pub(crate) fn values<T: ArrowPrimitiveType>(batch: &RecordBatch, at: usize) -> &[T::Native] {
    let column: &PrimitiveArray<T> = batch.column(at).as_primitive();
    column.values()
}

pub(crate) fn haversine(batch: &RecordBatch) -> Vec<ArrayRef> {
    let column = |at| values::<Float64Type>(batch, at).iter();
    let rows = column(0).zip(column(1)).zip(column(2)).zip(column(3));
    let km = rows.map(|(((a, b), c), d)| kernels::haversine(*a, *b, *c, *d));
    vec![Arc::new(Float64Array::from_iter_values(km))]
}

pub(crate) fn logistic(batch: &RecordBatch) -> Vec<ArrayRef> {
    let x = values::<Float64Type>(batch, 0).iter();
    vec![Arc::new(Float64Array::from_iter_values(x.map(|x| kernels::logistic(*x))))]
}

pub(crate) fn mix(batch: &RecordBatch) -> Vec<ArrayRef> {
    let x = values::<UInt64Type>(batch, 0).iter();
    vec![Arc::new(UInt64Array::from_iter_values(x.map(|x| kernels::mix(*x))))]
}

pub(crate) fn tidy(batch: &RecordBatch) -> Vec<ArrayRef> {
    let texts = batch.column(0).as_string::<i32>();
    let mut tidy = StringBuilder::with_capacity(texts.len(), texts.value_data().len());
    let mut lengths = Int64Builder::with_capacity(texts.len());
    for text in texts {
        match text {
            Some(text) => {
                let (text, length) = kernels::tidy(text);
                tidy.append_value(text);
                lengths.append_value(length);
            }
            None => {
                tidy.append_null();
                lengths.append_null();
            }
        }
    }
    vec![Arc::new(tidy.finish()), Arc::new(lengths.finish())]
}

/// Memory of a sandbox that is none: what `x * y + 1` costs if columns are
/// copied in and the result is copied out.
pub(crate) struct Copied {
    x: Vec<f64>,
    y: Vec<f64>,
    out: Vec<f64>,
}

impl Copied {
    pub(crate) fn new(rows: usize) -> Self {
        Self { x: vec![0.0; rows], y: vec![0.0; rows], out: vec![0.0; rows] }
    }

    pub(crate) fn light(&mut self, batch: &RecordBatch) -> Vec<ArrayRef> {
        self.x.copy_from_slice(values::<Float64Type>(batch, 0));
        self.y.copy_from_slice(values::<Float64Type>(batch, 1));
        // The copies are the point: they must not be optimised away.
        let (x, y) = std::hint::black_box((self.x.as_slice(), self.y.as_slice()));
        for ((out, x), y) in self.out.iter_mut().zip(x).zip(y) {
            *out = kernels::light(*x, *y);
        }
        let out = std::hint::black_box(self.out.as_slice());
        vec![Arc::new(Float64Array::from(out.to_vec()))]
    }
}
