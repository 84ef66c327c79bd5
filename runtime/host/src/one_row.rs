//! The short way of a call of one row whose columns all are numbers without
//! nulls, as an online service makes them. The long way ([`crate::split`])
//! yields the same; what is unusual is left to it.
//!
//! **Invariant**: nothing is checked less. The request is the one that
//! [`crate::encode`] writes. A reply takes the short way only where it equals,
//! byte by byte but for its values, one that [`crate::decode`] has found good,
//! and the values of a number are any bytes of its width.

use std::sync::OnceLock;
use std::sync::atomic::Ordering;
use std::time::Instant;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray};
use arrow::buffer::{Buffer, MutableBuffer};
use arrow::datatypes::{
    Date32Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use unskew_definition::{DataType, Field, TransformSignature};

use crate::boundary::UntimedReply;
use crate::config::Isolation;
use crate::decode::{Failing, Reply, decode, values_array};
use crate::encode::{ALIGNMENT, CANONICAL_F32, CANONICAL_F64, ENTRY, HEAD, MAGIC};
use crate::instance::{Answer, Export};
use crate::metrics::CallMetrics;
use crate::module::{Inner, Outcome};
use crate::split::{counts, failed_rows};
use crate::table::{Form, Span, Table};

/// Requests of more columns take the long way: this many fit the stack.
const MOST_COLUMNS: usize = 24;
/// Node, validity and values.
const ENTRIES_OF_A_COLUMN: usize = 3;
/// A buffer of one number always fills one unit of alignment.
const STEP: usize = ALIGNMENT;
const MOST_BYTES: usize = HEAD + MOST_COLUMNS * (ENTRIES_OF_A_COLUMN * ENTRY + STEP) + ALIGNMENT;

/// One call of this many is timed, and counts for all of them: looking at the
/// clock takes longer than much of what it would measure.
const TIMED_CALLS: u32 = 16;

/// What is known of such a call before it is made.
pub(crate) struct OneRow {
    /// Head and table of the request, which are always the same.
    head: Vec<u8>,
    /// Where the first value begins.
    values_at: usize,
    request_bytes: usize,
    /// A reply that was found good.
    reply: OnceLock<GoodReply>,
}

struct GoodReply {
    bytes: Vec<u8>,
    /// Where the values of each output lie.
    values: Vec<Span>,
}

/// What became of a try.
pub(crate) enum Tried {
    Done(Outcome),
    /// Nothing was done.
    Unusual,
    /// The call failed, or took more fuel than may count: the verdict is to be
    /// had in a fresh instance.
    Failed(CallMetrics),
}

impl OneRow {
    /// The short way of a transform, if it has one.
    pub(crate) fn of(signature: &TransformSignature) -> Option<Self> {
        let TransformSignature { inputs, outputs, .. } = signature;
        if inputs.len() > MOST_COLUMNS {
            return None;
        }
        if outputs.iter().any(|output| width(&output.data_type).is_none()) {
            return None;
        }
        let table = HEAD + inputs.len() * ENTRIES_OF_A_COLUMN * ENTRY;
        let values_at = table.next_multiple_of(ALIGNMENT);
        let request_bytes = values_at + inputs.len() * STEP;
        let mut head = MAGIC.to_vec();
        let mut words = |words: &[usize]| {
            words.iter().for_each(|word| head.extend((*word as u32).to_le_bytes()));
        };
        words(&[1, 0, request_bytes]);
        for (column, input) in inputs.iter().enumerate() {
            let at = values_at + column * STEP;
            words(&[1, 0, at, 0, at, width(&input.data_type)?]);
        }
        Some(Self { head, values_at, request_bytes, reply: OnceLock::new() })
    }

    /// Evaluates one row, where everything about it is usual.
    pub(crate) fn evaluate(&self, module: &Inner, index: usize, columns: &[ArrayRef]) -> Tried {
        let TransformSignature { inputs, outputs, .. } = &module.manifest.transforms[index];
        let mut request = [0; MOST_BYTES];
        let request = &mut request[..self.request_bytes];
        if !self.write(request, inputs, columns) {
            return Tried::Unusual;
        }
        let Some(mut instance) = module.idle.take() else { return Tried::Unusual };
        if instance.calls() == 0 {
            module.maker.pools.keep(&module.idle, instance);
            return Tried::Unusual;
        }
        let start = instance.calls().is_multiple_of(TIMED_CALLS).then(Instant::now);
        let answer = instance.call::<_, UntimedReply>(Export::Transform, index as u32, &*request);
        let ran = start.map(|start| start.elapsed() * TIMED_CALLS);
        let mut metrics = CallMetrics {
            calls: 1,
            rows: 1,
            bytes_in: self.request_bytes as u64,
            run: ran.unwrap_or_default(),
            pool_hits: 1,
            ..CallMetrics::default()
        };
        let failed = |instance, mut metrics: CallMetrics| {
            metrics.faults += 1;
            module.maker.pools.discard(instance);
            Tried::Failed(metrics)
        };
        let Ok(Answer { reply: UntimedReply(bytes), fuel }) = answer else {
            return failed(instance, metrics);
        };
        metrics.fuel = fuel;
        metrics.bytes_out = bytes.len() as u64;
        module.fuel_guess(Export::Transform, index).store(fuel, Ordering::Relaxed);
        let too_large = bytes.len() > module.limits.outcome_bytes;
        if too_large || !counts(fuel, &module.limits) {
            module.release(instance, Isolation::Reuse, (Export::Transform, index as u32, inputs));
            return Tried::Failed(metrics);
        }
        let message_bytes = module.limits.message_bytes;
        let Ok(Reply { columns, errors }) = self.read(bytes, outputs, message_bytes) else {
            return failed(instance, metrics);
        };
        module.release(instance, Isolation::Reuse, (Export::Transform, index as u32, inputs));
        if let (Some(start), Some(ran)) = (start, ran) {
            metrics.read = (start.elapsed() * TIMED_CALLS).saturating_sub(ran);
        }
        Tried::Done(Outcome { columns, errors: failed_rows(0, errors).collect(), metrics })
    }

    /// Writes the request; whether all columns hold one number.
    fn write(&self, out: &mut [u8], inputs: &[Field], columns: &[ArrayRef]) -> bool {
        if columns.len() != inputs.len() {
            return false;
        }
        out[..self.head.len()].copy_from_slice(&self.head);
        let values = out[self.values_at..].chunks_exact_mut(STEP);
        values.zip(inputs).zip(columns).all(|((out, input), column)| {
            write_value(&input.data_type, column.as_ref(), out).is_some()
        })
    }

    fn read(
        &self,
        mut bytes: MutableBuffer,
        outputs: &[Field],
        message_bytes: usize,
    ) -> Result<Reply, String> {
        if let Some(good) = self.reply.get()
            && good.is_like(&bytes)
        {
            for (output, span) in outputs.iter().zip(&good.values) {
                canonicalise_nan(&output.data_type, span.of_mut(&mut bytes));
            }
            let bytes = Buffer::from(bytes);
            let columns = outputs.iter().zip(&good.values);
            let columns =
                columns.map(|(f, span)| values_array(&bytes, &f.data_type, *span, 1, None));
            return Ok(Reply { columns: columns.collect::<Result<_, _>>()?, errors: Vec::new() });
        }
        let copy = self.reply.get().is_none().then(|| bytes.to_vec());
        let reply = decode(bytes, outputs, 1, Failing::Rows, message_bytes)?;
        if let Some(copy) = copy
            && reply.errors.is_empty()
            && reply.columns.iter().all(|column| column.null_count() == 0)
            && let Ok(values) = places_of_values(&copy, outputs)
        {
            // Another thread may have been faster; its reply is as good.
            let _ = self.reply.set(GoodReply { bytes: copy, values });
        }
        Ok(reply)
    }
}

impl GoodReply {
    /// Whether nothing but the values differs.
    fn is_like(&self, reply: &[u8]) -> bool {
        if reply.len() != self.bytes.len() {
            return false;
        }
        let mut from = 0;
        let mut same = true;
        for Span { at, length } in &self.values {
            // A table may name its buffers in any order.
            same &= from <= *at && reply[from..*at] == self.bytes[from..*at];
            from = at + length;
        }
        same && reply[from..] == self.bytes[from..]
    }
}

/// Where the values of each output lie in a reply that `decode` accepts.
fn places_of_values(reply: &[u8], outputs: &[Field]) -> Result<Vec<Span>, String> {
    let mut table = Table::of_reply(reply, 1, outputs.iter().map(|f| &f.data_type))?;
    let mut spans = Vec::with_capacity(outputs.len());
    for Field { data_type, nullable, .. } in outputs {
        match table.column(data_type, *nullable, 1)?.form {
            Form::Values { values, .. } => spans.push(values),
            _ => return Err(format!("{data_type} is no number")),
        }
    }
    if spans.is_sorted_by_key(|span| span.at) { Ok(spans) } else { Err("out of order".to_owned()) }
}

/// Bytes of one value, for the types that take the short way.
fn width(data_type: &DataType) -> Option<usize> {
    Some(match data_type {
        DataType::Int8 | DataType::UInt8 => 1,
        DataType::Int16 | DataType::UInt16 => 2,
        DataType::Int32 | DataType::UInt32 | DataType::Float32 | DataType::Date32 => 4,
        DataType::Int64 | DataType::UInt64 | DataType::Float64 | DataType::Timestamp => 8,
        _ => return None,
    })
}

/// Writes the only value of a column, unless it is null or of another type.
fn write_value(data_type: &DataType, column: &dyn Array, out: &mut [u8]) -> Option<()> {
    match data_type {
        DataType::Int8 => out[..1].copy_from_slice(&only::<Int8Type>(column)?.to_le_bytes()),
        DataType::Int16 => out[..2].copy_from_slice(&only::<Int16Type>(column)?.to_le_bytes()),
        DataType::Int32 => out[..4].copy_from_slice(&only::<Int32Type>(column)?.to_le_bytes()),
        DataType::Int64 => out[..8].copy_from_slice(&only::<Int64Type>(column)?.to_le_bytes()),
        DataType::UInt8 => out[..1].copy_from_slice(&only::<UInt8Type>(column)?.to_le_bytes()),
        DataType::UInt16 => out[..2].copy_from_slice(&only::<UInt16Type>(column)?.to_le_bytes()),
        DataType::UInt32 => out[..4].copy_from_slice(&only::<UInt32Type>(column)?.to_le_bytes()),
        DataType::UInt64 => out[..8].copy_from_slice(&only::<UInt64Type>(column)?.to_le_bytes()),
        DataType::Date32 => out[..4].copy_from_slice(&only::<Date32Type>(column)?.to_le_bytes()),
        DataType::Timestamp => {
            let value = only::<TimestampMicrosecondType>(column)?;
            out[..8].copy_from_slice(&value.to_le_bytes());
        }
        DataType::Float32 => {
            out[..4].copy_from_slice(&only::<Float32Type>(column)?.to_le_bytes());
            canonicalise_nan(data_type, &mut out[..4]);
        }
        DataType::Float64 => {
            out[..8].copy_from_slice(&only::<Float64Type>(column)?.to_le_bytes());
            canonicalise_nan(data_type, &mut out[..8]);
        }
        _ => return None,
    }
    Some(())
}

fn only<T: ArrowPrimitiveType>(column: &dyn Array) -> Option<T::Native> {
    let column = column.as_any().downcast_ref::<PrimitiveArray<T>>()?;
    match (column.values().as_ref(), column.nulls()) {
        ([value], None) => Some(*value),
        ([value], Some(nulls)) if nulls.null_count() == 0 => Some(*value),
        _ => None,
    }
}

fn canonicalise_nan(data_type: &DataType, value: &mut [u8]) {
    match (data_type, &mut *value) {
        (DataType::Float64, [a, b, c, d, e, f, g, h])
            if f64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]).is_nan() =>
        {
            value.copy_from_slice(&CANONICAL_F64.to_le_bytes());
        }
        (DataType::Float32, [a, b, c, d]) if f32::from_le_bytes([*a, *b, *c, *d]).is_nan() => {
            value.copy_from_slice(&CANONICAL_F32.to_le_bytes());
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::Request;
    use arrow::array::{
        Date32Array, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array,
        StringArray, TimestampMicrosecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
    };
    use std::sync::Arc;
    use unskew_definition::Name;

    fn all_types(nullable: bool) -> Vec<Field> {
        let types = [
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
            "date32",
            "timestamp",
        ];
        let field = |data_type: &str| Field {
            name: Name::new(format!("of_{data_type}")).unwrap(),
            data_type: data_type.parse().unwrap(),
            nullable,
        };
        types.into_iter().map(field).collect()
    }

    fn signature() -> TransformSignature {
        let name = Name::new("f").unwrap();
        let (inputs, outputs) = (all_types(true), all_types(true));
        TransformSignature { name, description: String::new(), inputs, outputs }
    }

    /// One value of each type, made of these bits.
    fn columns(bits: u64) -> Vec<ArrayRef> {
        vec![
            Arc::new(Int8Array::from(vec![bits as i8])),
            Arc::new(Int16Array::from(vec![bits as i16])),
            Arc::new(Int32Array::from(vec![bits as i32])),
            Arc::new(Int64Array::from(vec![bits as i64])),
            Arc::new(UInt8Array::from(vec![bits as u8])),
            Arc::new(UInt16Array::from(vec![bits as u16])),
            Arc::new(UInt32Array::from(vec![bits as u32])),
            Arc::new(UInt64Array::from(vec![bits])),
            Arc::new(Float32Array::from(vec![f32::from_bits(bits as u32)])),
            Arc::new(Float64Array::from(vec![f64::from_bits(bits)])),
            Arc::new(Date32Array::from(vec![bits as i32])),
            Arc::new(TimestampMicrosecondArray::from(vec![bits as i64]).with_timezone("UTC")),
        ]
    }

    const BITS: [u64; 9] = [
        0,
        1,
        u64::MAX,
        1 << 63,
        0x7ff8_0000_0000_0000,
        0xfff8_dead_beef_0001,
        0x7ff0_0000_0000_0000,
        0x0123_4567_ffc0_0001,
        0x4009_21fb_5444_2d18,
    ];

    #[test]
    fn the_request_is_that_of_the_long_way() {
        let signature = signature();
        let one_row = OneRow::of(&signature).unwrap();
        for bits in BITS {
            let columns = columns(bits);
            let long = Request::new(&signature.inputs, &columns, 0..1, None);
            let mut expected = vec![0xAA; long.len()];
            long.write(&mut expected);
            let mut found = [0; MOST_BYTES];
            let found = &mut found[..one_row.request_bytes];
            assert!(one_row.write(found, &signature.inputs, &columns));
            assert_eq!(found, expected, "{bits:x}");
        }
    }

    #[test]
    fn nulls_other_types_and_other_lengths_take_the_long_way() {
        let name = Name::new("x").unwrap();
        let input = Field { name, data_type: DataType::Int64, nullable: true };
        let (inputs, outputs) = (vec![input.clone()], vec![input]);
        let signature = TransformSignature {
            name: Name::new("f").unwrap(),
            description: String::new(),
            inputs,
            outputs,
        };
        let one_row = OneRow::of(&signature).unwrap();
        let takes = |column: ArrayRef| one_row.write(&mut [0; 64], &signature.inputs, &[column]);
        assert!(takes(Arc::new(Int64Array::from(vec![Some(1)]))));
        assert!(takes(Arc::new(Int64Array::from(vec![None, Some(1)]).slice(1, 1))));
        assert!(!takes(Arc::new(Int64Array::from(vec![None::<i64>]))));
        assert!(!takes(Arc::new(Int64Array::from(vec![1, 2]))));
        assert!(!takes(Arc::new(UInt64Array::from(vec![1]))));
        assert!(!takes(Arc::new(StringArray::from(vec!["1"]))));
        assert!(!one_row.write(&mut [0; 64], &signature.inputs, &[]));
        let text = Field { data_type: DataType::Utf8, ..signature.outputs[0].clone() };
        assert!(OneRow::of(&TransformSignature { outputs: vec![text], ..signature }).is_none());
    }

    /// A reply, as an SDK lays it out.
    fn reply(bits: u64) -> Vec<u8> {
        let fields = all_types(true);
        let columns = columns(bits);
        let request = Request::new(&fields, &columns, 0..1, None);
        let mut body = vec![0; request.len()];
        request.write(&mut body);
        // As a request, but for the entries of the error section.
        let table = HEAD + fields.len() * ENTRIES_OF_A_COLUMN * ENTRY;
        let (head, buffers) = body.split_at(table);
        let mut reply = head.to_vec();
        let behind = table.next_multiple_of(ALIGNMENT);
        let more = (table + 3 * ENTRY).next_multiple_of(ALIGNMENT) - behind;
        let end = body.len() + more;
        for word in [end, 0, end, 4, end + 16, 0] {
            reply.extend((word as u32).to_le_bytes());
        }
        reply.resize(behind + more, 0);
        reply.extend(&buffers[behind - table..]);
        reply.resize(end + 16, 0);
        reply[12..16].copy_from_slice(&(end as u32 + 16).to_le_bytes());
        for column in 0..fields.len() {
            for entry in [1, 2] {
                let at = HEAD + (column * ENTRIES_OF_A_COLUMN + entry) * ENTRY;
                let word = u32::from_le_bytes(reply[at..at + 4].try_into().unwrap());
                reply[at..at + 4].copy_from_slice(&(word + more as u32).to_le_bytes());
            }
        }
        // What a module gives is not canonical.
        let values_at = behind + more;
        for (column, width) in [(8, 4), (9, 8)] {
            let at = values_at + column * STEP;
            reply[at..at + width].copy_from_slice(&bits.to_le_bytes()[..width]);
        }
        reply
    }

    fn buffer(bytes: &[u8]) -> MutableBuffer {
        let mut buffer = MutableBuffer::new(bytes.len());
        buffer.extend_from_slice(bytes);
        buffer
    }

    #[test]
    fn a_reply_is_read_as_the_long_way_reads_it_whatever_byte_is_wrong() {
        let signature = signature();
        let outputs = &signature.outputs;
        let one_row = OneRow::of(&signature).unwrap();
        let read = |bytes: &[u8]| {
            one_row.read(buffer(bytes), outputs, 100).map(|Reply { columns, errors }| {
                (columns.iter().map(|c| c.to_data()).collect::<Vec<_>>(), errors)
            })
        };
        let oracle = |bytes: &[u8]| {
            let reply = decode(buffer(bytes), outputs, 1, Failing::Rows, 100);
            reply.map(|Reply { columns, errors }| {
                (columns.iter().map(|c| c.to_data()).collect::<Vec<_>>(), errors)
            })
        };
        for bits in BITS {
            let bytes = reply(bits);
            let expected = oracle(&bytes);
            assert!(expected.is_ok(), "{expected:?}");
            assert_eq!(read(&bytes), expected, "{bits:x}");
        }
        let good = one_row.reply.get().expect("a good reply was seen");
        assert!(good.is_like(&reply(7)));
        let bytes = reply(BITS[5]);
        for at in 0..bytes.len() {
            for change in [1, 4, 0x80] {
                let mut bytes = bytes.clone();
                bytes[at] ^= change;
                assert_eq!(read(&bytes), oracle(&bytes), "byte {at} changed by {change}");
            }
        }
        for length in 0..bytes.len() {
            assert_eq!(read(&bytes[..length]), oracle(&bytes[..length]), "cut at {length}");
        }
    }
}
