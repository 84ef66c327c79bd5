#![no_main]
//! A reply of any bytes decodes to columns of the promised types, or is
//! refused: no panic, no read out of bounds.
//!
//! The first byte chooses the types, the second the number of rows; the rest
//! is the reply. The four words of its head are set right most of the time, so
//! that the interesting parts are reached.

use libfuzzer_sys::fuzz_target;
use unskew_definition::{Field, Name};

const SIGNATURES: [&[&str]; 10] = [
    &["int64"],
    &["float64", "bool"],
    &["utf8"],
    &["binary", "int8"],
    &["list<int32?>"],
    &["list<utf8?>", "float32"],
    &["fixed_size_list<float32,3>"],
    &["struct<a:int64?,b:utf8,c:bool?>"],
    &["decimal128(5,2)", "timestamp", "date32"],
    &["list<decimal128(38,4)>", "uint16"],
];

fuzz_target!(|data: &[u8]| {
    let [signature, rows, reply @ ..] = data else { return };
    let types = SIGNATURES[usize::from(*signature) % SIGNATURES.len()];
    let fields: Vec<Field> = types
        .iter()
        .enumerate()
        .map(|(i, data_type)| Field {
            name: Name::new(format!("c{i}")).expect("a constant name is a name"),
            data_type: data_type.parse().expect("a constant type is a type"),
            nullable: signature & 0x80 != 0,
        })
        .collect();
    let rows = usize::from(rows % 64);
    let mut reply = reply.to_vec();
    if signature & 0x40 == 0 && reply.len() >= 16 {
        reply[..4].copy_from_slice(b"USB1");
        reply[4..8].copy_from_slice(&(rows as u32).to_le_bytes());
        let length = reply.len() as u32;
        reply[12..16].copy_from_slice(&length.to_le_bytes());
    }
    if let Ok(columns) = unskew_host::fuzz::decode_reply(&reply, &fields, rows) {
        for (column, field) in columns.iter().zip(&fields) {
            assert_eq!(column.len(), rows);
            assert_eq!(*column.data_type(), field.data_type.to_arrow());
            column.to_data().validate_full().expect("what was accepted is valid Arrow data");
        }
    }
});
