//! The form of a file of golden cases, before it is held against a manifest.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A whole file: for each transform and aggregate its cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    #[serde(default, rename = "description")]
    _description: Option<String>,
    #[serde(default)]
    pub(super) transforms: Entries<Vec<Object<TransformCase>>>,
    #[serde(default)]
    pub(super) aggregates: Entries<Vec<Object<AggregateCase>>>,
}

/// One row for a transform, and what it must yield.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TransformCase {
    pub(super) name: Option<String>,
    #[serde(default, rename = "description")]
    _description: Option<String>,
    #[serde(rename = "in")]
    pub(super) input: Raw,
    #[serde(default, rename = "out", deserialize_with = "given")]
    pub(super) output: Option<Raw>,
    pub(super) error: Option<String>,
    pub(super) tolerance: Option<f64>,
}

/// Rows for an aggregate, and what they must fold to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AggregateCase {
    pub(super) name: Option<String>,
    #[serde(default, rename = "description")]
    _description: Option<String>,
    pub(super) rows: Vec<Raw>,
    #[serde(default, rename = "out", deserialize_with = "given")]
    pub(super) output: Option<Raw>,
    pub(super) error: Option<String>,
    #[serde(default)]
    pub(super) row_errors: Entries<String>,
    pub(super) tolerance: Option<f64>,
}

/// The text of one JSON value, kept as it was written so that its digits are
/// rounded once, to the type of the column that they are for.
pub(super) type Raw = Box<RawValue>;

/// A value that may be left out. (An `Option` alone would take a `null` that
/// is written for one that is not.)
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Raw>, D::Error> {
    Raw::deserialize(deserializer).map(Some)
}

/// A JSON object in the order of the file, in which no key comes twice.
#[derive(Debug)]
pub(super) struct Entries<T>(pub(super) Vec<(String, T)>);

impl<T> Default for Entries<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Entries<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for EntriesVisitor<T> {
            type Value = Entries<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<T>, A::Error> {
                let mut entries: Vec<(String, T)> = Vec::new();
                while let Some(key) = map.next_key::<String>()? {
                    if entries.iter().any(|(k, _)| *k == key) {
                        return Err(A::Error::custom(format_args!("the key {key:?} comes twice")));
                    }
                    entries.push((key, map.next_value()?));
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

/// A struct written as an object, and not, as serde allows, as an array of its
/// fields.
#[derive(Debug)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }

        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

impl Document {
    /// Parses a file. The error says line and column.
    pub(super) fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text).map(|Object(document)| document)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_of_null_is_not_a_missing_one() {
        let document = Document::parse(
            r#"{"transforms": {"t": [{"in": {}, "out": null}, {"in": {}, "error": "e"}]}}"#,
        )
        .unwrap();
        let [Object(null), Object(missing)] = document.transforms.0[0].1.as_slice() else {
            panic!()
        };
        assert_eq!(null.output.as_ref().unwrap().get(), "null");
        assert!(missing.output.is_none());
    }

    #[test]
    fn digits_are_kept_as_written() {
        let document = Document::parse(
            r#"{"aggregates": {"a": [{"rows": [0.1000000000000000055511151231257827], "out": 1}]}}"#,
        )
        .unwrap();
        let Object(case) = &document.aggregates.0[0].1[0];
        assert_eq!(case.rows[0].get(), "0.1000000000000000055511151231257827");
    }

    #[test]
    fn mistakes_of_form_are_refused() {
        for (text, part) in [
            (r#"{"transform": {}}"#, "unknown field `transform`"),
            (r#"{"transforms": {"t": [], "t": []}}"#, "\"t\" comes twice"),
            (r#"{"transforms": {"t": [{"out": 1}]}}"#, "missing field `in`"),
            (r#"{"transforms": {"t": [{"in": 1, "out": 1, "out": 2}]}}"#, "duplicate field `out`"),
            (r#"{"transforms": {"t": [{"in": 1, "expect": 1}]}}"#, "unknown field `expect`"),
            (r#"{"transforms": {"t": {"in": 1}}}"#, "expected a sequence"),
            (r#"{"transforms": {"t": [[1]]}}"#, "expected an object"),
            ("[]", "expected an object"),
            ("{", "EOF"),
        ] {
            let error = Document::parse(text).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("line 1"), "{text}: {error}");
        }
    }
}
