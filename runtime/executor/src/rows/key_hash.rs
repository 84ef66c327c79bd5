use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType as ArrowType, Date32Type, Int8Type, Int16Type, Int32Type,
    Int64Type, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use crate::rows::canonical::CanonicalBytes;

const FIRST: u64 = 0x243f_6a88_85a3_08d3;
const SECOND: u64 = 0x1319_8a2e_0370_7344;
const NULL: u64 = 0xa409_3822_299f_31d0;

/// A hash of the join keys of each row. Keys with equal canonical bytes have
/// equal hashes; it is kept nowhere, and decides no value.
pub fn key_hashes(columns: &[ArrayRef], rows: usize) -> Vec<u64> {
    let mut hashes = vec![FIRST; rows];
    for column in columns {
        add_column(column, &mut hashes);
    }
    hashes
}

/// The two halves of a product folded into one (as wyhash does,
/// <https://github.com/wangyi-fudan/wyhash>).
fn folded(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

fn mixed(hash: u64, value: u64) -> u64 {
    folded(hash ^ value, SECOND ^ hash.rotate_left(32) | 1)
}

fn add_column(column: &ArrayRef, hashes: &mut [u64]) {
    match column.data_type() {
        ArrowType::Int64 => add_numbers::<Int64Type>(column, hashes, |x| x as u64),
        ArrowType::Int32 => add_numbers::<Int32Type>(column, hashes, |x| x as u64),
        ArrowType::Int16 => add_numbers::<Int16Type>(column, hashes, |x| x as u64),
        ArrowType::Int8 => add_numbers::<Int8Type>(column, hashes, |x| x as u64),
        ArrowType::UInt64 => add_numbers::<UInt64Type>(column, hashes, |x| x),
        ArrowType::UInt32 => add_numbers::<UInt32Type>(column, hashes, u64::from),
        ArrowType::UInt16 => add_numbers::<UInt16Type>(column, hashes, u64::from),
        ArrowType::UInt8 => add_numbers::<UInt8Type>(column, hashes, u64::from),
        ArrowType::Date32 => add_numbers::<Date32Type>(column, hashes, |x| x as u64),
        ArrowType::Timestamp(_, _) => {
            add_numbers::<TimestampMicrosecondType>(column, hashes, |x| x as u64);
        }
        ArrowType::Utf8 => {
            let texts = column.as_string::<i32>();
            add_bytes(column, hashes, |row| texts.value(row).as_bytes());
        }
        ArrowType::Binary => {
            let texts = column.as_binary::<i32>();
            add_bytes(column, hashes, |row| texts.value(row));
        }
        ArrowType::Boolean => {
            let numbers = cast(column, &ArrowType::UInt8);
            match numbers {
                Ok(numbers) => add_numbers::<UInt8Type>(&numbers, hashes, u64::from),
                Err(_) => add_canonical(column, hashes),
            }
        }
        _ => add_canonical(column, hashes),
    }
}

fn add_numbers<T: ArrowPrimitiveType>(
    column: &ArrayRef,
    hashes: &mut [u64],
    bits: impl Fn(T::Native) -> u64,
) {
    let numbers = column.as_primitive::<T>();
    match numbers.nulls().filter(|nulls| nulls.null_count() > 0) {
        None => {
            for (hash, number) in hashes.iter_mut().zip(numbers.values()) {
                *hash = mixed(*hash, bits(*number));
            }
        }
        Some(nulls) => {
            for (row, (hash, number)) in hashes.iter_mut().zip(numbers.values()).enumerate() {
                *hash = mixed(*hash, if nulls.is_valid(row) { bits(*number) } else { NULL });
            }
        }
    }
}

fn add_bytes<'a>(column: &ArrayRef, hashes: &mut [u64], value: impl Fn(usize) -> &'a [u8]) {
    let has_nulls = column.null_count() > 0;
    for (row, hash) in hashes.iter_mut().enumerate() {
        *hash = match has_nulls && column.is_null(row) {
            true => mixed(*hash, NULL),
            false => bytes_hash(*hash, value(row)),
        };
    }
}

/// The hash of bytes, begun with `hash`.
pub(crate) fn bytes_hash(mut hash: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = mixed(hash, u64::from_le_bytes(*word));
    }
    let mut last = [0_u8; 8];
    last[..rest.len()].copy_from_slice(rest);
    mixed(mixed(hash, u64::from_le_bytes(last)), bytes.len() as u64)
}

fn add_canonical(column: &ArrayRef, hashes: &mut [u64]) {
    let canonical = CanonicalBytes::new(vec![ArrayRef::clone(column)]);
    let mut bytes = Vec::new();
    for (row, hash) in hashes.iter_mut().enumerate() {
        bytes.clear();
        canonical.append(row, &mut bytes);
        *hash = bytes_hash(*hash, &bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Float64Array, Int64Array, StringArray};

    use super::*;

    #[test]
    fn equal_keys_have_equal_hashes_and_others_rarely_do() {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..10_000));
        let mut hashes = key_hashes(&[Arc::clone(&numbers)], 10_000);
        // Neighbours go to different buckets.
        let mut buckets = [0_u32; 64];
        hashes.iter().for_each(|hash| buckets[(hash >> 58) as usize] += 1);
        assert!(buckets.iter().all(|rows| (90..230).contains(rows)), "{buckets:?}");
        assert_eq!(hashes[77], key_hashes(&[numbers.slice(77, 1)], 1)[0]);
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), 10_000);

        let texts: ArrayRef = Arc::new(StringArray::from(vec![
            Some("a"),
            Some("a\0"),
            None,
            Some(""),
            Some("a"),
            Some("eight by"),
            Some("eight by\0"),
        ]));
        let hashes = key_hashes(&[texts], 7);
        assert_eq!(hashes[0], hashes[4]);
        let mut distinct = hashes.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), 6);
        let floats: ArrayRef = Arc::new(Float64Array::from(vec![0.0, -0.0, f64::NAN, f64::NAN]));
        let hashes = key_hashes(&[floats], 4);
        assert!(hashes[0] != hashes[1] && hashes[2] == hashes[3]);
    }
}
