//! Guests whose replies break the layout of `wit/README.md`: each is a right
//! reply of one row with one thing wrong, which no row may get anything from.

use unskew_host::RowStatus;

use crate::attack::{call_all, call_on_13};
use crate::call::Function;
use crate::guest::{Guest, Seen, pattern};
use crate::guests::of_file;
use crate::module::Module;

pub(super) fn guests() -> Vec<Guest> {
    let mut guests: Vec<Guest> = wrong_replies()
        .into_iter()
        .map(|(name, tries, reply)| Guest {
            name,
            tries,
            expected: pattern!(Seen::Row(RowStatus::InvalidReply)),
            attack: call_all(move || reply.module()),
        })
        .collect();
    for (name, tries, at, length) in [
        ("reply-past-2-32", "returns a pointer and a length whose sum is past 2^32", -8, 100),
        ("reply-outside", "returns bytes that begin outside of its memory", 0x7fff_0000, 8),
        ("reply-longer-than-memory", "returns 4 GiB less one byte", 0x20_0000, -1),
    ] {
        guests.push(Guest {
            name,
            tries,
            expected: pattern!(Seen::Row(RowStatus::InvalidReply)),
            attack: call_all(move || returning(Module::healthy(), at, length)),
        });
    }
    guests.extend([
        Guest {
            name: "failures-twice",
            tries: "names one failed row twice",
            expected: pattern!(Seen::Harmless),
            attack: call_on_13(Function::Transform, of_file!("failures_twice")),
        },
        Guest {
            name: "failures-unsorted",
            tries: "names failed rows in descending order",
            expected: pattern!(Seen::Harmless),
            attack: call_on_13(Function::Transform, of_file!("failures_unsorted")),
        },
        Guest {
            name: "failure-giant",
            tries: "reports a failure in 32 MiB that are no UTF-8",
            expected: pattern!(Seen::Row(RowStatus::Failed)),
            attack: call_on_13(Function::Transform, of_file!("failure_giant")),
        },
    ]);
    guests
}

/// A reply, of one column of this type.
#[derive(Clone)]
struct Reply {
    output: &'static str,
    nullable: bool,
    bytes: Vec<u8>,
}

const NO_ERRORS: [(u32, u32); 3] = [(0, 0); 3];

impl Reply {
    /// A right one: the entries of its column, and its buffers in their order.
    fn right(output: &'static str, entries: &[(u32, u32)], buffers: &[&[u8]]) -> Self {
        Self::with_errors(output, entries, NO_ERRORS, buffers)
    }

    fn with_errors(
        output: &'static str,
        entries: &[(u32, u32)],
        errors: [(u32, u32); 3],
        buffers: &[&[u8]],
    ) -> Self {
        let mut bytes = b"USB1\x01\0\0\0\0\0\0\0\0\0\0\0".to_vec();
        for (first, second) in entries.iter().chain(&errors) {
            bytes.extend(first.to_le_bytes());
            bytes.extend(second.to_le_bytes());
        }
        for buffer in buffers {
            bytes.resize(bytes.len().next_multiple_of(16), 0);
            bytes.extend(*buffer);
        }
        let length = bytes.len() as u32;
        bytes[12..16].copy_from_slice(&length.to_le_bytes());
        Self { output, nullable: false, bytes }
    }

    fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    fn word(mut self, at: usize, value: u32) -> Self {
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        self
    }

    fn byte(mut self, at: usize, value: u8) -> Self {
        self.bytes[at] = value;
        self
    }

    fn cut(mut self, length: usize) -> Self {
        self.bytes.truncate(length);
        self
    }

    /// A module that gives this reply to whatever it is asked.
    fn module(&self) -> Module {
        let Self { output, nullable, bytes } = self;
        let outputs =
            format!(r#""outputs":[{{"name":"f","type":"{output}","nullable":{nullable}}}]"#);
        let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let data = format!(r#"(data $reply (i32.const 0x200000) "{escaped}")"#);
        let module = Module::healthy()
            .with(&data)
            .with_manifest_change(r#""outputs":[{"name":"f","type":"int64"}]"#, &outputs);
        returning(module, 0x20_0000, bytes.len() as i32)
    }
}

fn returning(module: Module, at: i32, length: i32) -> Module {
    module.with(&format!(
        r#"(func $transform (export "unskew:module/evaluate@1.0.0#transform")
             (param $index i32) (param $batch i32) (param $length i32) (result i32)
             (call $returned (i32.const {at}) (i32.const {length})))"#
    ))
}

fn int64() -> Reply {
    Reply::right("int64", &[(1, 0), (0, 0), (64, 8)], &[&[7; 8]])
}

/// Its one row is null.
fn null() -> Reply {
    Reply::right("int64", &[(1, 1), (64, 1), (80, 8)], &[&[0], &[7; 8]]).nullable()
}

/// One text, `abc`.
fn utf8() -> Reply {
    Reply::right("utf8", &[(1, 0), (0, 0), (80, 8), (96, 3)], &[&[0, 0, 0, 0, 3, 0, 0, 0], b"abc"])
}

/// One list of two numbers.
fn list() -> Reply {
    let entries = [(1, 0), (0, 0), (96, 8), (2, 0), (0, 0), (112, 16)];
    Reply::right("list<int64>", &entries, &[&[0, 0, 0, 0, 2, 0, 0, 0], &[7; 16]])
}

fn embedding() -> Reply {
    let entries = [(1, 0), (0, 0), (2, 0), (0, 0), (80, 8)];
    Reply::right("fixed_size_list<float32,2>", &entries, &[&[0; 8]])
}

fn record() -> Reply {
    let entries = [(1, 0), (0, 0), (1, 0), (0, 0), (112, 8), (1, 0), (0, 0), (128, 8), (144, 1)];
    let buffers: [&[u8]; 3] = [&[7; 8], &[0, 0, 0, 0, 1, 0, 0, 0], b"b"];
    Reply::right("struct<a:int64,b:utf8?>", &entries, &buffers)
}

fn decimal() -> Reply {
    let mut value = [0; 16];
    value[0] = 99;
    Reply::right("decimal128(3,1)", &[(1, 0), (0, 0), (64, 16)], &[&value])
}

/// Its one row failed.
fn failed() -> Reply {
    let offsets = [0, 0, 0, 0, 2, 0, 0, 0];
    let entries = [(80, 4), (96, 8), (112, 2)];
    let buffers: [&[u8]; 4] = [&[7; 8], &[0; 4], &offsets, b"no"];
    Reply::with_errors("int64", &[(1, 0), (0, 0), (64, 8)], entries, &buffers)
}

const ALL: u32 = u32::MAX;
/// The last multiple of 16 below 2^32.
const LAST: u32 = ALL - 15;

/// Where the words of an entry stand.
fn entry(number: usize) -> (usize, usize) {
    (16 + 8 * number, 20 + 8 * number)
}

fn wrong_replies() -> Vec<(&'static str, &'static str, Reply)> {
    let (node, nulls) = entry(0);
    let (_, validity_length) = entry(1);
    let (third, third_length) = entry(2);
    let (fourth, fourth_length) = entry(3);
    vec![
        ("no-reply", "returns nothing at all", int64().cut(0)),
        ("cut-reply", "returns the first bytes of a reply", int64().cut(20)),
        ("not-a-body", "returns a body that does not begin with USB1", int64().word(0, 0)),
        ("too-many-rows", "returns two rows for one", int64().word(4, 2)),
        ("no-rows", "returns no row for one", int64().word(4, 0)),
        ("all-the-rows", "returns 2^32 - 1 rows for one", int64().word(4, ALL)),
        ("wrong-length", "says that its body is longer than it is", int64().word(12, 4096)),
        ("column-too-long", "returns a column of two rows in a body of one", int64().word(node, 2)),
        (
            "null-where-none-may-be",
            "returns a null where its type has none",
            int64().word(nulls, 1),
        ),
        (
            "nulls-without-validity",
            "counts a null, but marks none",
            null().word(validity_length, 0),
        ),
        ("too-few-nulls", "counts no null, but marks one", null().word(nulls, 0)),
        ("too-many-nulls", "counts a null, but marks a value", null().byte(64, 1)),
        ("more-nulls-than-rows", "counts 2^32 - 1 nulls", null().word(nulls, ALL)),
        ("values-outside", "puts values behind the end of its body", int64().word(third, 80)),
        ("values-far-outside", "puts values at the end of 4 GiB", int64().word(third, LAST)),
        ("values-too-long", "has a buffer of 4 GiB", int64().word(third_length, ALL)),
        ("values-in-the-table", "puts values over the table", int64().word(third, 16)),
        ("values-misaligned", "puts values at an odd place", int64().word(third, 65)),
        ("buffers-overlap", "puts two buffers in one place", record().word(entry(7).0, 112)),
        ("text-not-utf8", "returns bytes that are no UTF-8", utf8().byte(97, 0xff)),
        ("text-cut-in-a-character", "ends within a character", utf8().byte(98, 0xc3)),
        ("first-offset-not-0", "begins its offsets with 1", utf8().word(80, 1)),
        ("offsets-fall", "ends its offsets below 0", utf8().word(84, -1_i32 as u32)),
        ("offsets-outside", "ends its offsets behind the text", utf8().word(84, 9)),
        (
            "text-past-2-32",
            "has a text whose place and length sum up past 2^32",
            utf8()
                .word(84, i32::MAX as u32)
                .word(fourth, LAST)
                .word(fourth_length, i32::MAX as u32),
        ),
        ("items-missing", "has a list of more items than there are", list().word(100, 5)),
        (
            "items-without-number",
            "has a list of 2^31 - 1 items",
            list().word(100, i32::MAX as u32).word(fourth, i32::MAX as u32),
        ),
        ("null-item", "has a null item where its type has none", list().word(fourth_length, 1)),
        ("embedding-too-short", "returns one number of two", embedding().word(third, 1)),
        ("embedding-too-long", "returns 2^32 - 1 numbers of two", embedding().word(third, ALL)),
        ("field-too-short", "has a struct with a field of no row", record().word(third, 0)),
        ("decimal-too-wide", "returns a decimal of four digits for three", decimal().byte(65, 9)),
        ("too-many-failures", "says that one row failed twice", {
            failed().word(entry(3).1, 8).word(entry(4).1, 12)
        }),
        ("failure-of-no-row", "says that row 7 of one failed", failed().word(80, 7)),
        ("failures-cut", "has half a row number among its failures", failed().word(entry(3).1, 2)),
        ("failure-offsets-fall", "has a message that ends before it begins", failed().word(96, 5)),
        ("failure-message-outside", "has a message behind the end", failed().word(100, 4096)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::call_failing;
    use crate::ward::host;
    use unskew_host::Limits;

    #[test]
    fn with_nothing_wrong_they_are_accepted() {
        let host = host(Limits::default()).unwrap();
        for right in [int64(), null(), utf8(), list(), embedding(), record(), decimal()] {
            let module = host.load(&right.module().component()).unwrap();
            let seen = call_failing(&module, 3).unwrap();
            assert!(matches!(seen, Seen::Harmless), "{}: {}", right.output, seen.line());
        }
        let module = host.load(&failed().module().component()).unwrap();
        let seen = call_failing(&module, 3).unwrap();
        assert!(matches!(seen, Seen::Row(RowStatus::Failed)), "{}", seen.line());
    }
}
