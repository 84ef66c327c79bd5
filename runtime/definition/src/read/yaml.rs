//! YAML with line numbers, without what makes YAML dangerous: no anchors, no
//! aliases, no tags, no merge keys, no key twice, one document.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};

use super::{Member, Node, NodeValue, SyntaxError, key_twice, too_deep};

/// What is open while events come in.
enum Open {
    List { line: u32, items: Vec<Node> },
    Object { line: u32, members: Vec<Member>, key: Option<Key>, seen: HashMap<String, u32> },
}

struct Key {
    text: String,
    line: u32,
    /// Written before, or no text: the value is read and left out.
    dropped: bool,
}

pub(super) fn tree(
    text: &str,
    depth: usize,
    slips: &mut Vec<SyntaxError>,
) -> Result<Node, SyntaxError> {
    let mut open: Vec<Open> = Vec::new();
    let mut root: Option<Node> = None;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| SyntaxError {
            line: error.marker().line() as u32,
            what: format!("it is not YAML: {} (column {})", error.info(), error.marker().col() + 1),
            fix: "correct the text there; look for indentation, a missing quote or a missing colon"
                .to_owned(),
        })?;
        let line = span.start.line() as u32;
        let node = match event {
            Event::DocumentStart(_) if root.is_some() => {
                slips.push(SyntaxError {
                    line,
                    what: "a second document begins".to_owned(),
                    fix: "put it into a file of its own".to_owned(),
                });
                break;
            }
            Event::Scalar(text, style, anchor, tag) => {
                refuse_reuse(anchor, tag.is_some(), line, slips);
                let value = match style {
                    ScalarStyle::Plain => plain(&text),
                    _ => NodeValue::Text(text.into_owned()),
                };
                Node { line, value }
            }
            Event::Alias(_) => {
                slips.push(reuse(line, "an alias (`*name`)"));
                Node { line, value: NodeValue::Null }
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_reuse(anchor, tag.is_some(), line, slips);
                if open.len() == depth {
                    return Err(too_deep(line, depth));
                }
                open.push(Open::List { line, items: Vec::new() });
                continue;
            }
            Event::MappingStart(anchor, tag) => {
                refuse_reuse(anchor, tag.is_some(), line, slips);
                if open.len() == depth {
                    return Err(too_deep(line, depth));
                }
                let (members, seen) = (Vec::new(), HashMap::new());
                open.push(Open::Object { line, members, key: None, seen });
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List { line, items }) => Node { line, value: NodeValue::List(items) },
                Some(Open::Object { line, members, .. }) => {
                    Node { line, value: NodeValue::Object(members) }
                }
                None => continue,
            },
            _ => continue,
        };
        match open.last_mut() {
            None => root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Object { members, key, seen, .. }) => match key.take() {
                None => *key = Some(as_key(node, seen, slips)),
                Some(Key { text, line, dropped }) => {
                    if !dropped {
                        members.push(Member { key: text, line, value: node });
                    }
                }
            },
        }
    }
    root.ok_or_else(|| SyntaxError {
        line: 0,
        what: "there is nothing in it".to_owned(),
        fix: "define something, or remove the file".to_owned(),
    })
}

fn as_key(node: Node, seen: &mut HashMap<String, u32>, slips: &mut Vec<SyntaxError>) -> Key {
    let Node { line, value } = node;
    let text = match value {
        NodeValue::Text(text) | NodeValue::Number(text) => text,
        NodeValue::Bool(value) => value.to_string(),
        NodeValue::Null | NodeValue::List(_) | NodeValue::Object(_) => {
            slips.push(SyntaxError {
                line,
                what: "a key is no text".to_owned(),
                fix: "give it a name".to_owned(),
            });
            return Key { text: String::new(), line, dropped: true };
        }
    };
    let dropped = match seen.get(&text) {
        Some(first) => {
            slips.push(key_twice(line, &text, *first));
            true
        }
        None => {
            seen.insert(text.clone(), line);
            false
        }
    };
    Key { text, line, dropped }
}

fn refuse_reuse(anchor: usize, tag: bool, line: u32, slips: &mut Vec<SyntaxError>) {
    if anchor != 0 {
        slips.push(reuse(line, "an anchor (`&name`)"));
    }
    if tag {
        slips.push(reuse(line, "a tag (`!name`)"));
    }
}

fn reuse(line: u32, what: &str) -> SyntaxError {
    SyntaxError {
        line,
        what: format!("{what} is not allowed in a definition"),
        fix: "write the value out; a text that begins with &, * or ! needs quotes".to_owned(),
    }
}

/// A plain scalar by YAML 1.2's core schema.
fn plain(text: &str) -> NodeValue {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return NodeValue::Null,
        "true" | "True" | "TRUE" => return NodeValue::Bool(true),
        "false" | "False" | "FALSE" => return NodeValue::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return NodeValue::Text("NaN".to_owned()),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return NodeValue::Text("inf".to_owned());
        }
        "-.inf" | "-.Inf" | "-.INF" => return NodeValue::Text("-inf".to_owned()),
        _ => {}
    }
    match number(text) {
        Some(number) => NodeValue::Number(number),
        None => NodeValue::Text(text.to_owned()),
    }
}

/// A number of the core schema, as JSON writes it; the digits stay as they are.
fn number(text: &str) -> Option<String> {
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = text.strip_prefix(prefix) {
            let signed = digits.starts_with(['+', '-']);
            return u64::from_str_radix(digits, radix)
                .ok()
                .filter(|_| !signed)
                .map(|value| value.to_string());
        }
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], Some(&rest[at + 1..])),
        None => (rest, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    let some = !whole.is_empty() || fraction.is_some_and(|fraction| !fraction.is_empty());
    let exponent_fits = exponent.is_none_or(|exponent| {
        let bare = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !bare.is_empty() && digits(bare)
    });
    if !some || !digits(whole) || !fraction.is_none_or(digits) || !exponent_fits {
        return None;
    }
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    let mut number = format!("{sign}{whole}");
    if let Some(fraction) = fraction {
        number.push('.');
        number.push_str(if fraction.is_empty() { "0" } else { fraction });
    }
    if let Some(exponent) = exponent {
        number.push('e');
        number.push_str(exponent);
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(Node, Vec<SyntaxError>), SyntaxError> {
        let mut slips = Vec::new();
        tree(text, 4, &mut slips).map(|node| (node, slips))
    }

    #[test]
    fn values_know_their_lines() {
        let text = "# comment\na:\n  - x: 1\n    y: [2.50, 'x', null, ~]\n\n  - |\n    two\n    lines\nb: {c: true}\n";
        let (node, slips) = read(text).unwrap();
        assert!(slips.is_empty());
        assert_eq!(
            node.to_json(),
            r#"{"a":[{"x":1,"y":[2.50,"x",null,null]},"two\nlines\n"],"b":{"c":true}}"#
        );
        let NodeValue::Object(members) = &node.value else { panic!("{node:?}") };
        assert_eq!((members[0].line, members[1].line), (2, 9));
        let NodeValue::List(items) = &members[0].value.value else { panic!() };
        // A block of text begins with its first line.
        assert_eq!((items[0].line, items[1].line), (3, 7));
    }

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        for (text, json) in [
            ("12", "12"),
            ("-0", "-0"),
            ("+5", "5"),
            ("007", "7"),
            ("0x1F", "31"),
            ("0o17", "15"),
            (".5", "0.5"),
            ("1.", "1.0"),
            ("1e3", "1e3"),
            ("1.2.3", "\"1.2.3\""),
            ("1_000", "\"1_000\""),
            ("7d", "\"7d\""),
            ("yes", "\"yes\""),
            (".nan", "\"NaN\""),
            ("-.inf", "\"-inf\""),
            (".", "\".\""),
            ("e5", "\"e5\""),
            ("1e", "\"1e\""),
            ("0x+1", "\"0x+1\""),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("'12'", "\"12\""),
        ] {
            assert_eq!(read(text).unwrap().0.to_json(), json, "{text}");
        }
    }

    #[test]
    fn what_is_dangerous_is_refused() {
        for (text, line, part) in [
            ("a: &x [1]\nb: *x", 1, "an anchor"),
            ("a: &x [1]\nb: *x", 2, "an alias"),
            ("a: !!str 5", 1, "a tag"),
            ("a: 1\nb: 2\na: 3", 3, "first in line 1"),
            ("a: 1\n---\nb: 2", 2, "second document"),
            ("? [a]\n: 1", 1, "no text"),
        ] {
            let (_, slips) = read(text).unwrap();
            let found = slips.iter().any(|slip| slip.line == line && slip.what.contains(part));
            assert!(found, "{text:?}: {slips:?}");
        }
        assert_eq!(read("a: [1\nb: 2").unwrap_err().line, 2);
        assert!(read("\n# nothing\n").unwrap_err().what.contains("nothing"));
        assert!(read("a: [[[[1]]]]").unwrap_err().what.contains("deeper"));
        let bomb = format!("{}1", "[".repeat(100_000));
        assert!(read(&bomb).is_err());
    }
}
