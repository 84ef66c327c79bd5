//! `unskew.toml` to the text of its values, each with its line.

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use unskew_definition::{Mistake, Mistakes, Place};

use super::keys::{KEYS, Kind, SECTIONS};

/// A value as the file has it.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) section: String,
    pub(super) name: String,
    pub(super) text: String,
    /// From 1.
    pub(super) line: u32,
}

/// All that the file gives, of keys that exist; what it has beyond them are
/// mistakes.
pub(super) fn read(file: &str, text: &str, mistakes: &mut Mistakes) -> Vec<Written> {
    let line_of = |at: usize| 1 + text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count();
    let mut wrong = |at: usize, subject: String, what: String, fix: String| {
        let place = Place::new(file.to_owned(), line_of(at) as u32);
        mistakes.push(Mistake { place, subject, what, fix });
    };
    let document = match DeTable::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let at = error.span().map_or(0, |span| span.start.min(text.len()));
            wrong(at, String::new(), error.message().to_owned(), "correct the TOML".to_owned());
            return Vec::new();
        }
    };
    let mut written = Vec::new();
    for (section, content) in document.get_ref() {
        let name = section.get_ref().as_ref();
        let known = SECTIONS.iter().copied().chain(["modules"]);
        if known.clone().all(|known| known != name) {
            let what = format!("there is no section [{name}]");
            wrong(section.span().start, String::new(), what, unskew_definition::meant(name, known));
            continue;
        }
        let Some(table) = content.get_ref().as_table() else {
            let what = format!("{name} is a section");
            wrong(section.span().start, String::new(), what, format!("write [{name}]"));
            continue;
        };
        for (key, value) in table {
            let at = key.span().start;
            let key = key.get_ref().as_ref();
            let subject = format!("{name}.{key}");
            let kind = match name {
                "modules" => Kind::Text,
                _ => match KEYS.iter().find(|known| known.section == name && known.name == key) {
                    Some(known) => known.kind,
                    None => {
                        let keys = KEYS.iter().filter(|known| known.section == name);
                        let fix = unskew_definition::meant(key, keys.map(|known| known.name));
                        wrong(at, subject, "there is no such key".to_owned(), fix);
                        continue;
                    }
                },
            };
            match as_text(value, kind) {
                Some(text) => written.push(Written {
                    section: name.to_owned(),
                    name: key.to_owned(),
                    text,
                    line: line_of(at) as u32,
                }),
                None => {
                    let found = value.get_ref().type_str();
                    let what = format!("it cannot be of the type {found}");
                    wrong(at, subject, what, form(kind).to_owned());
                }
            }
        }
    }
    written
}

/// What to write for a key of this kind.
fn form(kind: Kind) -> &'static str {
    match kind {
        Kind::List => "write a list of texts, such as [\"*.yaml\"]",
        Kind::Alerts => "write a table [[serve.alerts]] for each rule",
        Kind::Switch => "write true or false",
        Kind::Count(..) | Kind::Share => "write a number",
        Kind::Size => "write bytes, or a text such as \"16MiB\"",
        _ => "write a text in quotes",
    }
}

/// A value as text, where its kind allows the type that it has.
fn as_text(value: &Spanned<DeValue<'_>>, kind: Kind) -> Option<String> {
    match (value.get_ref(), kind) {
        (DeValue::String(text), _) => Some(text.to_string()),
        (DeValue::Integer(number), Kind::Count(..) | Kind::Size | Kind::Share) => {
            let number = i64::from_str_radix(number.as_str(), number.radix()).ok()?;
            Some(number.to_string())
        }
        (DeValue::Float(number), Kind::Share) => Some(number.as_str().to_owned()),
        (DeValue::Boolean(is_so), Kind::Switch) => Some(is_so.to_string()),
        (DeValue::Array(_), Kind::List | Kind::Alerts) => Some(as_json(value)?.to_string()),
        _ => None,
    }
}

fn as_json(value: &Spanned<DeValue<'_>>) -> Option<serde_json::Value> {
    Some(match value.get_ref() {
        DeValue::String(text) => text.to_string().into(),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok()?.into()
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().ok()?.into(),
        DeValue::Boolean(is_so) => (*is_so).into(),
        DeValue::Datetime(time) => time.to_string().into(),
        DeValue::Array(items) => {
            items.iter().map(as_json).collect::<Option<Vec<serde_json::Value>>>()?.into()
        }
        DeValue::Table(table) => {
            let fields = table
                .iter()
                .map(|(name, value)| Some((name.get_ref().to_string(), as_json(value)?)));
            serde_json::Value::Object(fields.collect::<Option<_>>()?)
        }
    })
}
