//! Columns to the bytes of a request. The layout is that of `wit/README.md`;
//! [`crate::arguments`] has brought the columns into the form that this file
//! relies on.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::{
    Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, ToByteSlice, UInt8Type, UInt16Type, UInt32Type,
    UInt64Type,
};
use unskew_definition::{DataType, Field};

/// First bytes of every body.
pub(crate) const MAGIC: [u8; 4] = *b"USB1";
/// Bytes before the table.
pub(crate) const HEAD: usize = 16;
/// Buffers begin at multiples of it.
pub(crate) const ALIGNMENT: usize = 16;
/// Bytes of a node entry, and of a buffer entry.
pub(crate) const ENTRY: usize = 8;

/// Rows `rows` of `columns`, to be written into a module's memory.
pub(crate) struct Request<'a> {
    fields: &'a [Field],
    columns: &'a [ArrayRef],
    rows: Range<usize>,
    groups: Option<Groups<'a>>,
    /// Bytes up to the end of the table, and of the whole body.
    table: usize,
    length: usize,
    clock: Option<&'a WriteClock>,
}

/// Tells how long it took until a request stood in the module's memory.
pub(crate) struct WriteClock {
    start: Instant,
    written: AtomicU64,
}

impl WriteClock {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), written: AtomicU64::new(0) }
    }

    /// When the request was written; when the clock started, if it never was.
    pub(crate) fn written(&self) -> Instant {
        self.start + Duration::from_nanos(self.written.load(Ordering::Relaxed))
    }

    pub(crate) fn started(&self) -> Instant {
        self.start
    }
}

/// The group of each row of a request to `partial`.
#[derive(Clone, Copy)]
pub(crate) struct Groups<'a> {
    pub(crate) of_rows: &'a [u32],
    pub(crate) count: u32,
}

impl<'a> Request<'a> {
    /// `columns` are as [`crate::arguments::Arguments`] gives them.
    pub(crate) fn new(
        fields: &'a [Field],
        columns: &'a [ArrayRef],
        rows: Range<usize>,
        groups: Option<Groups<'a>>,
    ) -> Self {
        debug_assert_eq!(fields.len(), columns.len());
        let mut request = Self { fields, columns, rows, groups, table: 0, length: 0, clock: None };
        let mut sizes = Sizes { table: HEAD, buffers: 0 };
        request.walk(&mut sizes);
        request.table = sizes.table;
        request.length = aligned(sizes.table) + sizes.buffers;
        request
    }

    /// The same request, which tells `clock` when it was written.
    pub(crate) fn timed(self, clock: &'a WriteClock) -> Self {
        Self { clock: Some(clock), ..self }
    }

    pub(crate) fn note_written(&self) {
        if let Some(WriteClock { start, written }) = self.clock {
            let nanos = u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX);
            written.store(nanos, Ordering::Relaxed);
        }
    }

    /// Bytes of the body.
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    /// Writes the body into `out`, which has its length.
    pub(crate) fn write(&self, out: &mut [u8]) {
        let data = aligned(self.table);
        out[..4].copy_from_slice(&MAGIC);
        put(out, 4, self.rows.len());
        put(out, 8, self.groups.map_or(0, |g| g.count as usize));
        put(out, 12, self.length);
        out[self.table..data].fill(0);
        self.walk(&mut Writer { out, table: HEAD, at: data });
    }

    fn walk(&self, sink: &mut impl Sink) {
        for (field, column) in self.fields.iter().zip(self.columns) {
            walk_column(sink, &field.data_type, field.nullable, column, self.rows.clone());
        }
        if let Some(Groups { of_rows, .. }) = self.groups {
            sink.node(of_rows.len(), 0);
            sink.buffer(0, |_| {});
            sink.buffer(of_rows.len() * 4, |out| out.copy_from_slice(of_rows.to_byte_slice()));
        }
    }
}

fn aligned(length: usize) -> usize {
    length.next_multiple_of(ALIGNMENT)
}

fn put(out: &mut [u8], at: usize, value: usize) {
    let value = u32::try_from(value).expect("a request is bounded far below 4 GiB");
    out[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// Takes the entries and buffers of a body in their order.
trait Sink {
    fn node(&mut self, length: usize, null_count: usize);
    fn buffer(&mut self, length: usize, fill: impl FnOnce(&mut [u8]));
}

struct Sizes {
    table: usize,
    buffers: usize,
}

impl Sink for Sizes {
    fn node(&mut self, _: usize, _: usize) {
        self.table += ENTRY;
    }

    fn buffer(&mut self, length: usize, _: impl FnOnce(&mut [u8])) {
        self.table += ENTRY;
        self.buffers += aligned(length);
    }
}

struct Writer<'a> {
    out: &'a mut [u8],
    table: usize,
    at: usize,
}

impl Sink for Writer<'_> {
    fn node(&mut self, length: usize, null_count: usize) {
        put(self.out, self.table, length);
        put(self.out, self.table + 4, null_count);
        self.table += ENTRY;
    }

    fn buffer(&mut self, length: usize, fill: impl FnOnce(&mut [u8])) {
        put(self.out, self.table, self.at);
        put(self.out, self.table + 4, length);
        self.table += ENTRY;
        let end = self.at + length;
        fill(&mut self.out[self.at..end]);
        self.at += aligned(length);
        // What the module's memory held before is none of this call's business.
        self.out[end..self.at].fill(0);
    }
}

fn walk_column(
    sink: &mut impl Sink,
    data_type: &DataType,
    nullable: bool,
    array: &dyn Array,
    rows: Range<usize>,
) {
    let length = rows.len();
    let nulls = array
        .nulls()
        .map(|nulls| nulls.slice(rows.start, length))
        .filter(|nulls| nulls.null_count() > 0);
    let shown = nulls.as_ref().filter(|_| nullable);
    sink.node(length, shown.map_or(0, NullBuffer::null_count));
    match shown {
        Some(nulls) => sink.buffer(length.div_ceil(8), |out| copy_bits(nulls.inner(), out)),
        None => sink.buffer(0, |_| {}),
    }
    let nulls = nulls.as_ref();
    match data_type {
        DataType::Bool => {
            let values = array.as_boolean().values().slice(rows.start, length);
            let values = match nulls {
                Some(nulls) => &values & nulls.inner(),
                None => values,
            };
            sink.buffer(length.div_ceil(8), |out| copy_bits(&values, out));
        }
        DataType::Int8 => walk_values::<Int8Type>(sink, array, rows, nulls),
        DataType::Int16 => walk_values::<Int16Type>(sink, array, rows, nulls),
        DataType::Int32 => walk_values::<Int32Type>(sink, array, rows, nulls),
        DataType::Int64 => walk_values::<Int64Type>(sink, array, rows, nulls),
        DataType::UInt8 => walk_values::<UInt8Type>(sink, array, rows, nulls),
        DataType::UInt16 => walk_values::<UInt16Type>(sink, array, rows, nulls),
        DataType::UInt32 => walk_values::<UInt32Type>(sink, array, rows, nulls),
        DataType::UInt64 => walk_values::<UInt64Type>(sink, array, rows, nulls),
        DataType::Float32 => {
            let values = &array.as_primitive::<Float32Type>().values()[rows];
            sink.buffer(length * 4, |out| {
                copy_f32(values, out);
                zero_nulls::<4>(out, nulls);
            });
        }
        DataType::Float64 => {
            let values = &array.as_primitive::<Float64Type>().values()[rows];
            sink.buffer(length * 8, |out| {
                copy_f64(values, out);
                zero_nulls::<8>(out, nulls);
            });
        }
        DataType::Date32 => walk_values::<Date32Type>(sink, array, rows, nulls),
        DataType::Timestamp => walk_values::<TimestampMicrosecondType>(sink, array, rows, nulls),
        DataType::Decimal128 { .. } => walk_values::<Decimal128Type>(sink, array, rows, nulls),
        DataType::Utf8 => {
            let text = array.as_string::<i32>();
            walk_bytes(sink, text.value_offsets(), text.value_data(), rows);
        }
        DataType::Binary => {
            let bytes = array.as_binary::<i32>();
            walk_bytes(sink, bytes.value_offsets(), bytes.value_data(), rows);
        }
        DataType::List { item, nullable } => {
            let list = array.as_list::<i32>();
            let offsets = &list.value_offsets()[rows.start..=rows.end];
            walk_offsets(sink, offsets);
            let items = offsets[0] as usize..offsets[length] as usize;
            walk_column(sink, item, *nullable, list.values(), items);
        }
        DataType::FixedSizeList { length: items } => {
            let items = *items as usize;
            let list = array.as_fixed_size_list();
            let all = list.values().as_primitive::<Float32Type>().values();
            let values = &all[rows.start * items..rows.end * items];
            sink.node(values.len(), 0);
            sink.buffer(0, |_| {});
            sink.buffer(values.len() * 4, |out| {
                copy_f32(values, out);
                for row in null_rows(nulls) {
                    out[row * items * 4..(row + 1) * items * 4].fill(0);
                }
            });
        }
        DataType::Struct(fields) => {
            let array = array.as_struct();
            for (field, column) in fields.iter().zip(array.columns()) {
                walk_column(sink, &field.data_type, field.nullable, column, rows.clone());
            }
        }
    }
}

fn walk_values<T: ArrowPrimitiveType>(
    sink: &mut impl Sink,
    array: &dyn Array,
    rows: Range<usize>,
    nulls: Option<&NullBuffer>,
) {
    let array: &PrimitiveArray<T> = array.as_primitive();
    let values = array.values()[rows].to_byte_slice();
    sink.buffer(values.len(), |out| {
        out.copy_from_slice(values);
        let width = size_of::<T::Native>();
        for row in null_rows(nulls) {
            out[row * width..(row + 1) * width].fill(0);
        }
    });
}

fn walk_bytes(sink: &mut impl Sink, offsets: &[i32], bytes: &[u8], rows: Range<usize>) {
    let offsets = &offsets[rows.start..=rows.end];
    walk_offsets(sink, offsets);
    let bytes = &bytes[offsets[0] as usize..offsets[rows.len()] as usize];
    sink.buffer(bytes.len(), |out| out.copy_from_slice(bytes));
}

fn walk_offsets(sink: &mut impl Sink, offsets: &[i32]) {
    sink.buffer(size_of_val(offsets), |out| {
        let first = offsets[0];
        if first == 0 {
            out.copy_from_slice(offsets.to_byte_slice());
        } else {
            for (out, offset) in out.chunks_exact_mut(4).zip(offsets) {
                out.copy_from_slice(&(offset - first).to_le_bytes());
            }
        }
    });
}

fn null_rows(nulls: Option<&NullBuffer>) -> impl Iterator<Item = usize> {
    nulls.into_iter().flat_map(|nulls| (0..nulls.len()).filter(|&row| nulls.is_null(row)))
}

fn zero_nulls<const WIDTH: usize>(out: &mut [u8], nulls: Option<&NullBuffer>) {
    for row in null_rows(nulls) {
        out[row * WIDTH..(row + 1) * WIDTH].fill(0);
    }
}

fn copy_f64(values: &[f64], out: &mut [u8]) {
    for (out, value) in out.chunks_exact_mut(8).zip(values) {
        let canonical = if value.is_nan() { CANONICAL_F64 } else { value.to_bits() };
        out.copy_from_slice(&canonical.to_le_bytes());
    }
}

fn copy_f32(values: &[f32], out: &mut [u8]) {
    for (out, value) in out.chunks_exact_mut(4).zip(values) {
        let canonical = if value.is_nan() { CANONICAL_F32 } else { value.to_bits() };
        out.copy_from_slice(&canonical.to_le_bytes());
    }
}

/// The one NaN of each width that crosses the boundary.
pub(crate) const CANONICAL_F64: u64 = 0x7ff8_0000_0000_0000;
pub(crate) const CANONICAL_F32: u32 = 0x7fc0_0000;

fn copy_bits(bits: &BooleanBuffer, out: &mut [u8]) {
    let chunks = bits.bit_chunks();
    for (out, chunk) in out.chunks_mut(8).zip(chunks.iter_padded()) {
        out.copy_from_slice(&chunk.to_le_bytes()[..out.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int32Array, StringArray};
    use std::sync::Arc;

    fn field(name: &str, data_type: &str, nullable: bool) -> Field {
        Field {
            name: unskew_definition::Name::new(name).unwrap(),
            data_type: data_type.parse().unwrap(),
            nullable,
        }
    }

    #[test]
    fn the_layout_is_the_documented_one() {
        let fields = [field("x", "int32", true), field("s", "utf8", false)];
        let columns: [ArrayRef; 2] = [
            Arc::new(Int32Array::from(vec![Some(7), None, Some(9)])),
            Arc::new(StringArray::from(vec!["zz", "ab", "c"])),
        ];
        let request = Request::new(&fields, &columns, 1..3, None);
        let mut out = vec![0xAA; request.len()];
        request.write(&mut out);
        let mut expected = b"USB1".to_vec();
        let words: [u32; 17] = [
            2, 0, 176, // rows, groups, length
            2, 1, 80, 1, 96, 8, // x: node, validity, values
            2, 0, 112, 0, 112, 12, 128, 3, // s: node, validity, offsets, bytes
        ];
        for word in words {
            expected.extend(word.to_le_bytes());
        }
        expected.resize(80, 0);
        for (at, bytes) in [
            (80, &[0b10][..]),
            (96, &[0, 0, 0, 0, 9, 0, 0, 0]),
            (112, &[0, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0]),
            (128, b"abc"),
        ] {
            expected.resize(at, 0);
            expected.extend(bytes);
        }
        expected.resize(144, 0);
        let length = expected.len();
        expected[12..16].copy_from_slice(&(length as u32).to_le_bytes());
        assert_eq!(out, expected);
    }
}
