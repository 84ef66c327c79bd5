//! JSON with line numbers. `serde_json` reads it, level by level: a raw value
//! borrows from the text, and so knows where it stands.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::{Member, Node, NodeValue, SyntaxError, key_twice, too_deep};

pub(super) fn tree(
    text: &str,
    depth: usize,
    slips: &mut Vec<SyntaxError>,
) -> Result<Node, SyntaxError> {
    let raw: &RawValue = serde_json::from_str(text).map_err(|error| not_json(&error, 1))?;
    let mut reader = Reader { text, at: 0, line: 1, slips, depth };
    reader.node(raw, 0)
}

struct Reader<'a> {
    text: &'a str,
    /// A place in the text and its line; raw values are met in the order of
    /// their places, so lines are counted once.
    at: usize,
    line: u32,
    slips: &'a mut Vec<SyntaxError>,
    depth: usize,
}

impl Reader<'_> {
    fn node(&mut self, raw: &RawValue, depth: usize) -> Result<Node, SyntaxError> {
        let json = raw.get();
        let line = self.line_of(json);
        let refused = |error: serde_json::Error| not_json(&error, line);
        let nested = matches!(json.as_bytes().first(), Some(b'{' | b'['));
        if nested && depth == self.depth {
            return Err(too_deep(line, self.depth));
        }
        let value = match json.as_bytes().first() {
            Some(b'{') => {
                let Members(members) = serde_json::from_str(json).map_err(refused)?;
                let mut seen: HashMap<String, u32> = HashMap::new();
                let mut read: Vec<Member> = Vec::with_capacity(members.len());
                for (key, raw) in members {
                    let value = self.node(raw, depth + 1)?;
                    let line = value.line;
                    match seen.get(&*key) {
                        Some(first) => self.slips.push(key_twice(line, &key, *first)),
                        None => {
                            seen.insert(key.clone().into_owned(), line);
                            read.push(Member { key: key.into_owned(), line, value });
                        }
                    }
                }
                NodeValue::Object(read)
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(json).map_err(refused)?;
                let items = items.into_iter().map(|raw| self.node(raw, depth + 1));
                NodeValue::List(items.collect::<Result<_, _>>()?)
            }
            Some(b'"') => NodeValue::Text(serde_json::from_str(json).map_err(refused)?),
            Some(b't') => NodeValue::Bool(true),
            Some(b'f') => NodeValue::Bool(false),
            Some(b'n') => NodeValue::Null,
            _ => NodeValue::Number(json.to_owned()),
        };
        Ok(Node { line, value })
    }

    fn line_of(&mut self, part: &str) -> u32 {
        let at = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        let between = self.text.as_bytes().get(self.at..at).unwrap_or_default();
        self.line += between.iter().filter(|b| **b == b'\n').count() as u32;
        self.at = at.max(self.at);
        self.line
    }
}

fn not_json(error: &serde_json::Error, line: u32) -> SyntaxError {
    // serde_json puts the place behind the message, counted within the part.
    let message = error.to_string();
    let what = message.split(" at line ").next().unwrap_or_default();
    SyntaxError {
        line: line + (error.line() as u32).saturating_sub(1),
        what: format!("it is not JSON: {what} (column {})", error.column()),
        fix: "correct the text there".to_owned(),
    }
}

struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// A key, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((Key(key), value)) = map.next_entry::<Key<'de>, &RawValue>()? {
                    members.push((key, value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
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
        let (node, slips) =
            read("{\n \"a\\u0062\": [1,\n 2.50, \"x\\n\"],\n\n\"c\":\nnull}\n").unwrap();
        assert!(slips.is_empty());
        let NodeValue::Object(members) = &node.value else { panic!("{node:?}") };
        assert_eq!((members[0].key.as_str(), members[0].line), ("ab", 2));
        let NodeValue::List(items) = &members[0].value.value else { panic!() };
        assert_eq!(items.iter().map(|item| item.line).collect::<Vec<_>>(), [2, 3, 3]);
        assert_eq!(items[1].value, NodeValue::Number("2.50".to_owned()));
        assert_eq!(members[1].line, 6);
        assert_eq!(node.to_json(), r#"{"ab":[1,2.50,"x\n"],"c":null}"#);
    }

    #[test]
    fn what_is_no_json_has_a_line() {
        for (text, line) in
            [("", 1), ("{\n\"a\": 1,\n}", 3), ("[1,\n\"\\ud800\"]", 2), ("[]\n[]", 2)]
        {
            let error = read(text).unwrap_err();
            assert_eq!(error.line, line, "{text:?}: {error:?}");
            assert!(error.what.contains("not JSON"), "{error:?}");
        }
        assert!(read(&"[".repeat(100_000)).is_err());
        let deep = format!("{}{}", "[".repeat(5), "]".repeat(5));
        assert!(read(&deep).unwrap_err().what.contains("deeper than 4"));
    }

    #[test]
    fn a_key_written_twice_is_a_slip() {
        let (_, slips) = read("{\"a\": 1,\n\"b\": 1,\n\"a\": 2}").unwrap();
        assert_eq!(slips.len(), 1);
        assert_eq!(slips[0].line, 3);
        assert!(slips[0].what.contains("first in line 1"), "{slips:?}");
    }
}
