//! One line of JSON lines: an object, whose members stay as they are spelled.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object in their order, values unread.
pub(crate) type Members<'a> = Vec<(Cow<'a, str>, &'a RawValue)>;

/// Reads an object into `members`, which is emptied first. Names that occur
/// twice are not looked for.
pub(crate) fn read_members<'a>(line: &'a str, members: &mut Members<'a>) -> Result<(), String> {
    members.clear();
    let mut deserializer = serde_json::Deserializer::from_str(line);
    deserializer
        .deserialize_map(IntoMembers(members))
        .and_then(|()| deserializer.end())
        .map_err(|error| described(line, &error))
}

/// serde_json counts lines within what it was given, which here is one line.
fn described(line: &str, error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    match line.trim_start().as_bytes().first() {
        Some(b'{') => format!("{text} (at character {})", error.column()),
        Some(b'[') => {
            "an object like {\"a\": 1} was expected, not an array; a file of JSON lines has one object on each line".to_owned()
        }
        _ => "an object like {\"a\": 1} was expected".to_owned(),
    }
}

struct IntoMembers<'m, 'a>(&'m mut Members<'a>);

impl<'a> Visitor<'a> for IntoMembers<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(name) = map.next_key_seed(NameSeed)? {
            self.0.push((name, map.next_value()?));
        }
        Ok(())
    }
}

/// A name, borrowed where it has no escapes.
struct NameSeed;

impl<'a> DeserializeSeed<'a> for NameSeed {
    type Value = Cow<'a, str>;
    fn deserialize<D: serde::Deserializer<'a>>(
        self,
        deserializer: D,
    ) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'a> for NameSeed {
    type Value = Cow<'a, str>;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }
    fn visit_borrowed_str<E: Error>(self, name: &'a str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }
    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

/// Where the wanted members stand in objects that all have the same names.
#[derive(Default)]
pub(crate) struct Layout {
    names: Vec<String>,
    /// For each wanted name its place, where the object has it.
    pub(crate) places: Vec<Option<usize>>,
}

impl Layout {
    /// Whether it is that of `members`.
    pub(crate) fn fits(&self, members: &Members<'_>) -> bool {
        self.names.len() == members.len()
            && self.names.iter().zip(members).all(|(name, (member, _))| name == member)
    }

    /// Looks the wanted names up in `members`, refusing a name that occurs twice.
    pub(crate) fn of(members: &Members<'_>, wanted: &[String]) -> Result<Self, String> {
        let mut sorted: Vec<&str> = members.iter().map(|(name, _)| name.as_ref()).collect();
        sorted.sort_unstable();
        if let Some(twice) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(format!("two members are named {:?}", twice[0]));
        }
        let places = wanted
            .iter()
            .map(|wanted| members.iter().position(|(name, _)| name == wanted))
            .collect();
        let names = members.iter().map(|(name, _)| name.clone().into_owned()).collect();
        Ok(Self { names, places })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_as_they_are_spelled() {
        let mut members = Members::new();
        read_members(r#" {"a": 1.50, "b\u0041":[1, 2] , "c":"x\n"} "#, &mut members).unwrap();
        let texts: Vec<_> =
            members.iter().map(|(name, value)| (name.as_ref(), value.get())).collect();
        assert_eq!(texts, [("a", "1.50"), ("bA", "[1, 2]"), ("c", "\"x\\n\"")]);
    }

    #[test]
    fn what_is_no_object_is_refused() {
        let mut members = Members::new();
        for (line, part) in [
            ("[1]", "not an array"),
            ("1", "an object like"),
            ("\"a\"", "an object like"),
            ("{\"a\":1", "EOF while parsing"),
            ("{\"a\":1} x", "trailing characters (at character 9)"),
            ("{a:1}", "key must be a string"),
            ("{\"a\":NaN}", "expected value"),
            ("{\"a\":01}", "invalid number"),
        ] {
            let error = read_members(line, &mut members).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn doubled_names_are_refused() {
        let mut members = Members::new();
        read_members(r#"{"a":1,"b":2,"a":3}"#, &mut members).unwrap();
        assert!(Layout::of(&members, &[]).err().unwrap().contains("\"a\""));
        read_members(r#"{"a":1,"b":2}"#, &mut members).unwrap();
        let layout = Layout::of(&members, &["b".to_owned(), "c".to_owned()]).unwrap();
        assert_eq!(layout.places, [Some(1), None]);
        assert!(layout.fits(&members));
    }
}
