//! The document that definitions become.

use std::fmt::Write as _;
use std::panic::Location;

use crate::manifest::write_text;

/// A value of the document.
#[derive(Clone, Debug)]
pub(super) enum Json {
    Text(String),
    /// A number or a truth value, as it is written.
    Raw(String),
    List(Vec<Json>),
    Object(Object),
}

impl Json {
    fn write(&self, to: &mut String) {
        match self {
            Self::Text(text) => write_text(text, to),
            Self::Raw(raw) => to.push_str(raw),
            Self::List(items) => {
                to.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        to.push(',');
                    }
                    item.write(to);
                }
                to.push(']');
            }
            Self::Object(object) => object.write(to),
        }
    }
}

impl From<&str> for Json {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Json {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self::Raw(value.to_string())
    }
}

impl From<u64> for Json {
    fn from(value: u64) -> Self {
        Self::Raw(value.to_string())
    }
}

impl From<Object> for Json {
    fn from(object: Object) -> Self {
        Self::Object(object)
    }
}

impl<T: Into<Json>> From<Vec<T>> for Json {
    fn from(items: Vec<T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }
}

/// An object of the document: its members in order, each once.
#[derive(Clone, Debug, Default)]
pub(super) struct Object(Vec<(String, Json)>);

impl Object {
    #[inline(never)]
    pub(super) fn set(&mut self, name: &str, value: impl Into<Json>) {
        let value = value.into();
        match self.0.iter_mut().find(|(found, _)| found == name) {
            Some(member) => member.1 = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    #[inline(never)]
    pub(super) fn with(mut self, name: &str, value: impl Into<Json>) -> Self {
        self.set(name, value);
        self
    }

    /// Sets what is a list or an object, if it has anything in it.
    #[inline(never)]
    pub(super) fn with_any(self, name: &str, value: impl Into<Json>) -> Self {
        let value = value.into();
        match &value {
            Json::List(items) if items.is_empty() => self,
            Json::Object(Object(members)) if members.is_empty() => self,
            _ => self.with(name, value),
        }
    }

    /// Says where it was written.
    #[inline(never)]
    pub(super) fn at(self, place: &Location<'_>) -> Self {
        self.with("at", format!("{}:{}", place.file(), place.line()))
    }

    /// Takes the members of `other`, behind its own.
    #[inline(never)]
    pub(super) fn and(mut self, other: &Self) -> Self {
        for (name, value) in &other.0 {
            self.set(name, value.clone());
        }
        self
    }

    fn write(&self, to: &mut String) {
        to.push('{');
        for (i, (name, value)) in self.0.iter().enumerate() {
            if i > 0 {
                to.push(',');
            }
            write_member(name, value, to);
        }
        to.push('}');
    }
}

/// Writes `"name":value`.
#[inline(never)]
pub(super) fn write_member(name: &str, value: &Json, to: &mut String) {
    write_text(name, to);
    to.push(':');
    value.write(to);
}

/// A value that can be a feature's default.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a feature's default",
    note = "defaults are bool, numbers, text, and a Vec of them; write decimals, dates and timestamps as text, such as \"12.50\" or \"2026-01-01T00:00:00Z\""
)]
pub trait DefaultValue {
    /// Appends it as JSON.
    fn write_json(&self, to: &mut String);
}

#[inline(never)]
pub(super) fn default_json(value: &impl DefaultValue) -> Json {
    let mut raw = String::new();
    value.write_json(&mut raw);
    Json::Raw(raw)
}

macro_rules! whole_numbers {
    ($($number:ty),*) => {$(
        impl DefaultValue for $number {
            fn write_json(&self, to: &mut String) {
                // Beyond it a JSON number is not what every reader keeps.
                const EXACT: i128 = 1 << 53;
                let _ = if (*self as i128).abs() <= EXACT {
                    write!(to, "{self}")
                } else {
                    write!(to, "\"{self}\"")
                };
            }
        }
    )*};
}
whole_numbers!(i8, i16, i32, i64, u8, u16, u32, u64);

impl DefaultValue for f64 {
    fn write_json(&self, to: &mut String) {
        let _ = match self {
            value if value.is_nan() => write!(to, "\"NaN\""),
            value if value.is_infinite() && *value > 0.0 => write!(to, "\"inf\""),
            value if value.is_infinite() => write!(to, "\"-inf\""),
            value => write!(to, "{value:?}"),
        };
    }
}

impl DefaultValue for f32 {
    fn write_json(&self, to: &mut String) {
        f64::from(*self).write_json(to);
    }
}

impl DefaultValue for bool {
    fn write_json(&self, to: &mut String) {
        let _ = write!(to, "{self}");
    }
}

impl DefaultValue for &str {
    fn write_json(&self, to: &mut String) {
        write_text(self, to);
    }
}

impl DefaultValue for String {
    fn write_json(&self, to: &mut String) {
        write_text(self, to);
    }
}

impl<T: DefaultValue> DefaultValue for Vec<T> {
    fn write_json(&self, to: &mut String) {
        to.push('[');
        for (i, item) in self.iter().enumerate() {
            if i > 0 {
                to.push(',');
            }
            item.write_json(to);
        }
        to.push(']');
    }
}

impl<T: DefaultValue> DefaultValue for Option<T> {
    fn write_json(&self, to: &mut String) {
        match self {
            Some(value) => value.write_json(to),
            None => to.push_str("null"),
        }
    }
}

/// Adds the methods that every described object has, over its field `about`.
macro_rules! described {
    ($type:ty) => {
        impl $type {
            /// What it is.
            #[inline(never)]
            pub fn description(mut self, text: &str) -> Self {
                self.about.set("description", text);
                self
            }

            /// Who answers for it.
            #[inline(never)]
            pub fn owner(mut self, owner: &str) -> Self {
                self.about.set("owner", owner);
                self
            }

            /// A note of your own.
            #[inline(never)]
            pub fn tag(mut self, name: &str, value: &str) -> Self {
                self.tags.set(name, value);
                self
            }

            /// The members of `object`, then what is said of it.
            fn describe(&self, object: Object) -> Object {
                object.and(&self.about).with_any("tags", self.tags.clone()).at(self.place)
            }
        }
    };
}
pub(super) use described;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_json_that_keeps_them() {
        let written = |value: &dyn DefaultValue| {
            let mut text = String::new();
            value.write_json(&mut text);
            text
        };
        assert_eq!(written(&0.0), "0.0");
        assert_eq!(written(&1e300), "1e300");
        assert_eq!(written(&f64::NAN), "\"NaN\"");
        assert_eq!(written(&f64::NEG_INFINITY), "\"-inf\"");
        assert_eq!(written(&i64::MIN), "\"-9223372036854775808\"");
        assert_eq!(written(&7), "7");
        assert_eq!(written(&vec!["a\"b"]), "[\"a\\\"b\"]");
    }
}
