//! CSV as RFC 4180 has it, cut into records and fields.
//!
//! Our own, because the crates at hand do not say whether a field was quoted,
//! and here an empty field is null where `""` is an empty text.
//!
//! * Fields are separated by commas, records by `\n`, `\r\n` or a lone `\r`.
//! * A field that begins with a quote is quoted to its end: commas, line ends
//!   and doubled quotes are part of it. A quote inside of an unquoted field is
//!   an ordinary character.
//! * Blank lines are skipped, except in a file of one column, where they are
//!   records with a null.

use crate::source::{Quoting, Span};

/// What was found at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A record; behind it the next begins at this position.
    Record { end: usize },
    /// The record goes on behind these bytes.
    Unfinished,
    /// No record: what is wrong, and where.
    Wrong { at: usize, reason: &'static str },
}

/// Appends the fields of the record that begins at `start`. With `at_end`
/// nothing comes behind `bytes`; there must be at least one byte.
pub(crate) fn read_record(
    bytes: &[u8],
    start: usize,
    at_end: bool,
    fields: &mut Vec<Span>,
) -> Found {
    let first_field = fields.len();
    let found = read_fields(bytes, start, at_end, fields);
    if found == Found::Unfinished {
        fields.truncate(first_field);
    }
    found
}

fn read_fields(bytes: &[u8], start: usize, at_end: bool, fields: &mut Vec<Span>) -> Found {
    let mut position = start;
    loop {
        let (span, behind) = if bytes.get(position) == Some(&b'"') {
            match quoted(bytes, position + 1) {
                Some(found) => found,
                None if at_end => {
                    let reason = "the quote that opens here is never closed";
                    return Found::Wrong { at: position, reason };
                }
                None => return Found::Unfinished,
            }
        } else {
            let rest = bytes.get(position..).unwrap_or_default();
            let length = memchr::memchr3(b',', b'\n', b'\r', rest).unwrap_or(rest.len());
            let end = position + length;
            (span(position, end, Quoting::Bare), end)
        };
        fields.push(span);
        match bytes.get(behind) {
            Some(b',') => position = behind + 1,
            Some(b'\n') => return Found::Record { end: behind + 1 },
            Some(b'\r') => match bytes.get(behind + 1) {
                Some(b'\n') => return Found::Record { end: behind + 2 },
                None if !at_end => return Found::Unfinished,
                _ => return Found::Record { end: behind + 1 },
            },
            Some(_) => {
                let reason = "there is text behind the quote that closes the field; quotes inside of a quoted field are doubled";
                return Found::Wrong { at: behind, reason };
            }
            None if at_end => return Found::Record { end: behind },
            None => return Found::Unfinished,
        }
        if position == bytes.len() && !at_end {
            return Found::Unfinished;
        }
    }
}

/// The quoted field whose text begins at `start`, and the position behind its
/// closing quote.
fn quoted(bytes: &[u8], start: usize) -> Option<(Span, usize)> {
    let mut quoting = Quoting::Quoted;
    let mut position = start;
    loop {
        let end = position + memchr::memchr(b'"', bytes.get(position..)?)?;
        if bytes.get(end + 1) != Some(&b'"') {
            return Some((span(start, end, quoting), end + 1));
        }
        quoting = Quoting::Doubled;
        position = end + 2;
    }
}

fn span(start: usize, end: usize, quoting: Quoting) -> Span {
    Span { start: start as u32, end: end as u32, quoting }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Fields = Vec<(String, Quoting)>;

    /// Reads all records, the bytes coming one by one.
    fn records(text: &str) -> Result<Vec<Fields>, (usize, &'static str)> {
        let bytes = text.as_bytes();
        let mut records = Vec::new();
        let mut start = 0;
        let mut known = 0;
        while start < bytes.len() {
            let mut fields = Vec::new();
            match read_record(&bytes[..known], start, known == bytes.len(), &mut fields) {
                _ if known <= start => known += 1,
                Found::Unfinished => {
                    assert!(fields.is_empty());
                    known += 1;
                }
                Found::Record { end } => {
                    start = end;
                    let fields =
                        fields.iter().map(|span| (text[span.range()].to_owned(), span.quoting));
                    records.push(fields.collect());
                }
                Found::Wrong { at, reason } => return Err((at, reason)),
            }
        }
        Ok(records)
    }

    fn texts(text: &str) -> Vec<Vec<String>> {
        let records = records(text).unwrap();
        records.into_iter().map(|r| r.into_iter().map(|(text, _)| text).collect()).collect()
    }

    #[test]
    fn records_end_in_any_way_lines_do() {
        for text in ["a,b\nc,d\n", "a,b\r\nc,d\r\n", "a,b\rc,d\r", "a,b\nc,d", "\"a\",b\r\nc,\"d\""]
        {
            assert_eq!(texts(text), [["a", "b"], ["c", "d"]], "{text:?}");
        }
        assert_eq!(texts("a\n\nb"), [["a"], [""], ["b"]]);
        assert_eq!(texts("a,"), [["a", ""]]);
        assert_eq!(texts(","), [["", ""]]);
    }

    #[test]
    fn quotes_keep_what_is_inside() {
        assert_eq!(texts("\"a,b\",\"c\r\nd\",\"\"\n"), [["a,b", "c\r\nd", ""]]);
        let records = records("\"\",,\"say \"\"hi\"\"\",5\" disk\n").unwrap();
        let quoting: Vec<_> = records[0].iter().map(|(_, quoting)| *quoting).collect();
        assert_eq!(quoting, [Quoting::Quoted, Quoting::Bare, Quoting::Doubled, Quoting::Bare]);
        assert_eq!(records[0][3].0, "5\" disk");
    }

    #[test]
    fn wrong_quotes_are_found_where_they_are() {
        assert_eq!(records("a,\"b\"c\n").unwrap_err().0, 5);
        let (at, reason) = records("a,\"b\nc\n").unwrap_err();
        assert!(at == 2 && reason.contains("never closed"));
    }
}
