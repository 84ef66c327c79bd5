//! Replies that break the layout: each is refused, by name, and hurts nothing.

mod raw;

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::record_batch::RecordBatch;
use raw::{load, module_with, module_with_manifest};
use unskew_host::RowStatus;

/// Changes a right reply of one row (see `raw::module_with`) by `change` and
/// gives the message of the row's verdict.
fn verdict(change: &str) -> String {
    let transform = format!("(drop (call $reply (local.get $rows))) {change} i32.const 32");
    let module = load(&module_with(&transform, "")).unwrap();
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
    let outcome = module.transform(0, &batch, None).unwrap();
    match outcome.errors.as_slice() {
        [] => String::new(),
        [error] => {
            assert_eq!(error.status, RowStatus::InvalidReply, "{error:?}");
            error.message.clone()
        }
        more => panic!("{more:?}"),
    }
}

fn store(at: u32, value: u32) -> String {
    format!("(i32.store (i32.const {}) (i32.const {}))", 2_097_152 + at, value as i32)
}

#[test]
fn a_right_reply_is_accepted() {
    assert_eq!(verdict(""), "");
}

#[test]
fn wrong_replies_are_refused_by_name() {
    let huge = u32::MAX;
    for (change, message) in [
        (store(0, 0), "does not begin with USB1"),
        (store(4, 2), "2 rows where 1 were expected"),
        (store(4, huge), "rows where 1 were expected"),
        (store(12, 71), "its head says 71 bytes"),
        (store(16, 3), "3 values where 1 were expected"),
        (store(20, 1), "1 nulls where none are allowed"),
        (store(20, huge), "nulls among 1 values"),
        (store(28, 1), "validity: 1 bytes where 0 were expected"),
        (store(36, 16), "values: 16 bytes where 8 were expected"),
        (store(36, huge), "values: 4294967295 bytes where 8"),
        (store(32, 72), "lie outside of 72 bytes"),
        (store(32, huge - 3), "lie outside of 72 bytes"),
        (store(32, 16), "not at a multiple of 16 behind the table"),
        (store(32, 0), "not at a multiple of 16 behind the table"),
        (store(44, 3), "error section: rows: begins at 0"),
        (store(44, 4), "error section: rows: begins at 0"),
        (store(52, 8), "error section: offsets: 8 bytes where 4 were expected"),
        // The list itself: its pointer and length.
        ("(i32.store (i32.const 36) (i32.const 10))".to_owned(), "10 bytes, less than the head"),
        ("(i32.store (i32.const 36) (i32.const 0))".to_owned(), "0 bytes, less than the head"),
        ("(i32.store (i32.const 36) (i32.const -1))".to_owned(), "outside of memory"),
        ("(i32.store (i32.const 32) (i32.const -8))".to_owned(), "outside of memory"),
    ] {
        let found = verdict(&change);
        assert!(found.contains(message), "{change}\n  gave: {found}\n  expected: {message}");
    }
}

/// A module whose reply is `reply` byte for byte, whatever it is asked.
fn fixed_reply(output: &str, reply: &[u8]) -> Vec<(RowStatus, String)> {
    let manifest = format!(
        r#"{{"manifest_version":"1.0","name":"raw","language":"wat","sdk":"none","transforms":[{{"name":"f","inputs":[{{"name":"x","type":"int64"}}],"outputs":[{{"name":"f","type":"{output}","nullable":true}}]}}]}}"#
    );
    let escaped: String = reply.iter().map(|b| format!("\\{b:02x}")).collect();
    let transform = format!(
        "(i32.store (i32.const 32) (i32.const 2097152))
         (i32.store (i32.const 36) (i32.const {}))
         i32.const 32",
        reply.len()
    );
    let data = format!(r#"(data (i32.const 2097152) "{escaped}")"#);
    let module = load(&module_with_manifest(&manifest, &transform, &data)).unwrap();
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
    // The reply is of two rows, so both fall to single rows unless it is right.
    let outcome = module.transform(0, &batch, None).unwrap();
    outcome.errors.into_iter().map(|e| (e.status, e.message)).collect()
}

/// A body of two rows with these table entries and these buffers.
fn body(entries: &[(u32, u32)], buffers: &[&[u8]]) -> Vec<u8> {
    let mut body = b"USB1\x02\0\0\0\0\0\0\0\0\0\0\0".to_vec();
    for (first, second) in entries {
        body.extend(first.to_le_bytes());
        body.extend(second.to_le_bytes());
    }
    for buffer in buffers {
        body.resize(body.len().next_multiple_of(16), 0);
        body.extend(*buffer);
    }
    let length = body.len() as u32;
    body[12..16].copy_from_slice(&length.to_le_bytes());
    body
}

fn offsets(offsets: [i32; 3]) -> Vec<u8> {
    offsets.iter().flat_map(|o| o.to_le_bytes()).collect()
}

#[test]
fn text_is_checked_to_the_last_byte() {
    // Head 16, four entries of the column, three of the errors: buffers from 80 on.
    let text = |offsets_of: [i32; 3], bytes: &[u8]| {
        let length = bytes.len() as u32;
        let none = [(0, 0); 3];
        let entries = [&[(2, 0), (0, 0), (80, 12), (96, length)][..], &none].concat();
        fixed_reply("utf8", &body(&entries, &[&offsets(offsets_of), bytes]))
    };
    assert_eq!(text([0, 1, 3], "aé".as_bytes()), []);
    for (offsets, bytes, part) in [
        ([0, 1, 2], &b"a\xff"[..], "tf"),
        ([0, 2, 3], "aé".as_bytes(), "tf"),
        ([1, 2, 3], b"abc", "the first offset is 1"),
        ([0, 3, 2], b"ab", "comes after 3"),
        ([0, -1, 2], b"ab", "comes after 0"),
        ([0, 1, -5], b"ab", "last offset is -5"),
        ([0, 1, 9], b"ab", "2 bytes where 9 were expected"),
    ] {
        let errors = text(offsets, bytes);
        assert_eq!(errors.len(), 2, "{offsets:?}");
        // Single rows meet the two-row reply; the fault of the pair is what
        // decides that they are asked at all.
        assert!(errors.iter().all(|e| e.0 == RowStatus::InvalidReply), "{part}: {errors:?}");
    }
}

#[test]
fn nulls_errors_and_decimals_are_checked() {
    let none = [(0, 0); 3];
    let column = |null_count, validity: u8, values: &[u8], output: &str| {
        let entries = [&[(2, null_count), (80, 1), (96, values.len() as u32)][..], &none].concat();
        // Head 16, six entries: the table ends at 64; the buffers begin at 64.
        let entries: Vec<(u32, u32)> =
            entries.into_iter().map(|(a, b)| if a >= 80 { (a - 16, b) } else { (a, b) }).collect();
        fixed_reply(output, &body(&entries, &[&[validity], values]))
    };
    assert_eq!(column(1, 0b01, &[0; 16], "int64"), []);
    assert_eq!(column(1, 0b11, &[0; 16], "int64").len(), 2, "a null count too high");
    assert_eq!(column(1, 0b00, &[0; 16], "int64").len(), 2, "a null count too low");
    let too_wide: Vec<u8> = [1_000i128, 5].iter().flat_map(|v| v.to_le_bytes()).collect();
    assert_eq!(column(1, 0b01, &too_wide, "decimal128(3,1)").len(), 2);
    assert_eq!(
        column(1, 0b10, &too_wide, "decimal128(3,1)").len(),
        0,
        "nothing under a null counts"
    );
}

#[test]
fn buffers_may_come_in_any_order_but_not_overlap() {
    let reply = |validity_at, values_at| {
        let entries = [(2, 1), (validity_at, 1), (values_at, 16), (0, 0), (0, 0), (0, 0)];
        fixed_reply("int64", &body(&entries, &[&[1; 16], &[1; 16]]))
    };
    assert_eq!(reply(80, 64), []);
    assert_eq!(reply(64, 80), []);
    // Refused for the pair, and then for each row, whose reply is of two rows.
    let overlapping = reply(64, 64);
    assert_eq!(overlapping.len(), 2, "{overlapping:?}");
    assert!(overlapping.iter().all(|e| e.0 == RowStatus::InvalidReply));
}

#[test]
fn failed_rows_ascend_and_exist() {
    let errors = |rows: [u32; 2], offsets_of: [i32; 3], text: &[u8]| {
        let rows: Vec<u8> = rows.iter().flat_map(|r| r.to_le_bytes()).collect();
        let entries = [(2, 0), (0, 0), (64, 16), (80, 8), (96, 12), (112, text.len() as u32)];
        fixed_reply("int64", &body(&entries, &[&[7; 16], &rows, &offsets(offsets_of), text]))
    };
    let right = errors([0, 1], [0, 1, 2], b"ab");
    assert_eq!(right, [(RowStatus::Failed, "a".to_owned()), (RowStatus::Failed, "b".to_owned())]);
    for rows in [[1, 0], [0, 0], [0, 2], [5, u32::MAX]] {
        let found = errors(rows, [0, 1, 2], b"ab");
        assert!(found.iter().all(|e| e.0 == RowStatus::InvalidReply), "{rows:?}: {found:?}");
    }
    let lossy = errors([0, 1], [0, 1, 2], b"\xff\xfe");
    assert_eq!(lossy[0], (RowStatus::Failed, "\u{fffd}".to_owned()));
}
