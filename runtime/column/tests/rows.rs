//! Rows come back from their bytes to the bit, equal rows have equal bytes,
//! and no bytes at all make a reader panic.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef};
use proptest::prelude::*;
use serde_json::value::RawValue;
use unskew_column::row::RowCodec;
use unskew_column::text::ColumnBuilder;
use unskew_definition::DataType;

const TYPES: &[&str] = &[
    "bool",
    "int8",
    "uint16",
    "int32",
    "uint64",
    "float32",
    "float64",
    "utf8",
    "binary",
    "date32",
    "timestamp",
    "decimal128(38,4)",
    "list<int64?>",
    "list<utf8>",
    "fixed_size_list<float32,3>",
    "struct<a:int8,b:utf8?,c:bool?>",
];

fn data_type(text: &str) -> DataType {
    text.parse().unwrap()
}

/// A value of a type as JSON, from some bits.
fn value(text: &str, bits: u64) -> Option<String> {
    if bits.is_multiple_of(5) {
        return None;
    }
    let small = (bits >> 8) as i8;
    let word: String = (0..bits % 7).map(|at| char::from(b'a' + (bits >> at) as u8 % 26)).collect();
    Some(match text {
        "bool" => (bits & 1 == 1).to_string(),
        "int8" | "int32" => small.to_string(),
        "uint16" => (bits as u16).to_string(),
        "uint64" => format!("\"{bits}\""),
        "float32" | "float64" => match bits % 4 {
            0 => "\"NaN\"".to_owned(),
            1 => "-0.0".to_owned(),
            _ => format!("{}.5", small),
        },
        "utf8" => format!("\"{word}\u{e9}\""),
        "binary" => "\"AAEC/w==\"".to_owned(),
        "date32" => format!("\"2026-01-{:02}\"", bits % 28 + 1),
        "timestamp" => format!("\"2026-01-{:02}T00:00:00.{:06}Z\"", bits % 28 + 1, bits % 999_999),
        "decimal128(38,4)" => format!("\"{small}.1234\""),
        "list<int64?>" => match bits % 3 {
            0 => "[]".to_owned(),
            _ => format!("[{small}, null, 7]"),
        },
        "list<utf8>" => format!("[\"{word}\", \"\"]"),
        "fixed_size_list<float32,3>" => format!("[{small}.25, 0, -1]"),
        _ => match bits % 2 {
            0 => format!("{{\"a\": {small}, \"b\": null, \"c\": true}}"),
            _ => format!("{{\"a\": {small}, \"b\": \"{word}\", \"c\": null}}"),
        },
    })
}

fn column(text: &str, bits: &[u64]) -> ArrayRef {
    let mut column = ColumnBuilder::new(&data_type(text), bits.len());
    for bits in bits {
        match value(text, *bits) {
            None => column.push_null(),
            Some(json) => {
                column.push_json(&RawValue::from_string(json).unwrap()).unwrap();
            }
        }
    }
    column.finish()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn rows_come_back(bits in prop::collection::vec(any::<u64>(), 1..20), cut in 0_usize..5) {
        let columns: Vec<ArrayRef> = TYPES
            .iter()
            .enumerate()
            .map(|(at, text)| {
                let bits: Vec<u64> = bits.iter().map(|bits| bits.rotate_left(at as u32)).collect();
                column(text, &bits)
            })
            .collect();
        let codec = RowCodec::new(TYPES.iter().map(|text| data_type(text)).collect());
        // Slices have offsets of their own.
        let cut = cut.min(bits.len() - 1);
        let columns: Vec<ArrayRef> =
            columns.iter().map(|column| column.slice(cut, bits.len() - cut)).collect();
        let encoder = codec.encoder(&columns).unwrap();
        let mut decoder = codec.decoder();
        let mut written = Vec::new();
        for row in 0..bits.len() - cut {
            let mut bytes = Vec::new();
            encoder.append(row, &mut bytes);
            decoder.push(&bytes).unwrap();
            written.push(bytes);
        }
        let read = decoder.finish().unwrap();
        for (at, (column, read)) in columns.iter().zip(&read).enumerate() {
            prop_assert_eq!(column.data_type(), read.data_type());
            prop_assert_eq!(column.to_data(), read.to_data(), "{}", TYPES[at]);
        }
        let again = codec.encoder(&read).unwrap();
        for (row, bytes) in written.iter().enumerate() {
            let mut more = Vec::new();
            again.append(row, &mut more);
            prop_assert_eq!(&more, bytes);
            // A row that is cut is no row.
            for end in 0..bytes.len() {
                prop_assert!(codec.decoder().push(&bytes[..end]).is_err());
            }
        }
    }

    #[test]
    fn any_bytes_are_a_row_or_an_error(
        at in 0..TYPES.len(),
        bytes in prop::collection::vec(any::<u8>(), 0..40),
        bitmap in 0_u8..2,
    ) {
        let codec = RowCodec::new(vec![data_type(TYPES[at])]);
        for bytes in [bytes.clone(), [&[1, bitmap][..], &bytes].concat()] {
            let mut decoder = codec.decoder();
            if decoder.push(&bytes).is_err() {
                continue;
            }
            // What is read is written as it was.
            let columns = decoder.finish().unwrap();
            prop_assert_eq!(columns[0].len(), 1);
            let mut again = Vec::new();
            codec.encoder(&[Arc::clone(&columns[0])]).unwrap().append(0, &mut again);
            prop_assert_eq!(again, bytes);
        }
    }
}
