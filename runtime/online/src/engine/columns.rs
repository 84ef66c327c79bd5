//! The columns of a request: JSON lists by name, read into the types that the
//! plan says.

use std::fmt;

use arrow::array::ArrayRef;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use unskew_column::text::ColumnBuilder;
use unskew_definition::DataType;
use unskew_executor::service::Questions;

use crate::engine::prepared::Prepared;
use crate::error::OnlineError;

/// Columns of a request as they came: JSON values, not read yet.
#[derive(Debug, Default)]
pub struct RawColumns<'a>(Vec<(String, Vec<&'a RawValue>)>);

impl<'de: 'a, 'a> Deserialize<'de> for RawColumns<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Columns;
        impl<'de> Visitor<'de> for Columns {
            type Value = Vec<(String, Vec<&'de RawValue>)>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a list for each name")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut columns: Self::Value = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    if columns.iter().any(|(known, _)| *known == name) {
                        return Err(serde::de::Error::custom(format!("{name:?} is given twice")));
                    }
                    let ColumnValues(values) = map.next_value()?;
                    columns.push((name, values));
                }
                Ok(columns)
            }
        }
        deserializer.deserialize_map(Columns).map(RawColumns)
    }
}

/// A list, or as pandas writes it an object whose keys number the rows.
struct ColumnValues<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for ColumnValues<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Values;
        impl<'de> Visitor<'de> for Values {
            type Value = Vec<&'de RawValue>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of values")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
                let mut values = Vec::with_capacity(items.size_hint().unwrap_or(1));
                while let Some(value) = items.next_element()? {
                    values.push(value);
                }
                Ok(values)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut values = Vec::new();
                while let Some((_, value)) = map.next_entry::<IgnoredAny, &'de RawValue>()? {
                    values.push(value);
                }
                Ok(values)
            }
        }
        deserializer.deserialize_any(Values).map(ColumnValues)
    }
}

impl<'a> RawColumns<'a> {
    /// Columns made of rows: objects with the same names.
    pub fn of_rows(rows: &[RawRow<'a>]) -> Result<Self, OnlineError> {
        let Some(first) = rows.first() else { return Ok(Self::default()) };
        let mut columns: Vec<(String, Vec<&'a RawValue>)> = first
            .0
            .iter()
            .map(|(name, _)| (name.clone(), Vec::with_capacity(rows.len())))
            .collect();
        for (at, RawRow(row)) in rows.iter().enumerate() {
            if row.len() != columns.len() {
                return Err(other_names(at));
            }
            for (name, value) in row {
                let column = columns.iter_mut().find(|(known, _)| known == name);
                let (_, values) = column.ok_or_else(|| other_names(at))?;
                values.push(value);
            }
        }
        if columns.iter().any(|(_, values)| values.len() != rows.len()) {
            return Err(OnlineError::Malformed("a row names one field twice".to_owned()));
        }
        Ok(Self(columns))
    }

    /// Puts other columns beside these.
    pub(crate) fn extend(&mut self, other: Self) -> Result<(), OnlineError> {
        for (name, values) in other.0 {
            if self.get(&name).is_some() {
                return Err(OnlineError::Invalid(format!("{name:?} is given twice")));
            }
            self.0.push((name, values));
        }
        Ok(())
    }

    /// The values of a column.
    pub(crate) fn get(&self, name: &str) -> Option<&[&'a RawValue]> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, values)| values.as_slice())
    }

    /// The names.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// How many rows there are: the same number in every column.
    pub(crate) fn rows(&self) -> Result<usize, OnlineError> {
        let Some((first, values)) = self.0.first() else { return Ok(0) };
        match self.0.iter().find(|(_, others)| others.len() != values.len()) {
            None => Ok(values.len()),
            Some((name, others)) => Err(OnlineError::Invalid(format!(
                "{first:?} has {} values and {name:?} {}: every column must have one for each row",
                values.len(),
                others.len()
            ))),
        }
    }

    /// A column of a type; the error names the row.
    pub(crate) fn read(
        &self,
        name: &str,
        what: &str,
        data_type: &DataType,
    ) -> Result<Option<ArrayRef>, OnlineError> {
        let Some(values) = self.get(name) else { return Ok(None) };
        let mut builder = ColumnBuilder::new(data_type, values.len());
        for (row, value) in values.iter().enumerate() {
            builder.push_json(value).map_err(|error| {
                OnlineError::Invalid(format!("{what} {name:?}, row {row}: {error}"))
            })?;
        }
        Ok(Some(builder.finish()))
    }
}

fn other_names(row: usize) -> OnlineError {
    OnlineError::Invalid(format!("row {row} has other names than row 0; give every row the same"))
}

/// A row of a request: its fields in turn.
#[derive(Debug)]
pub struct RawRow<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for RawRow<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Vec<(String, &'de RawValue)>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with a value for each name")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields: Self::Value = Vec::new();
                while let Some(name) = map.next_key::<String>()? {
                    fields.push((name, map.next_value()?));
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Fields).map(RawRow)
    }
}

/// A request's entities and fields, typed.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) questions: Questions,
    /// The join keys that were given and needed, for the answer.
    pub(crate) keys: Vec<(String, ArrayRef)>,
}

/// When a request asks.
#[derive(Clone, Debug)]
pub enum AskedTime {
    /// All of it at one time, in microseconds.
    At(i64),
    /// Each entity at its own.
    Each(Vec<i64>),
}

/// Reads what `prepared` needs out of the columns of a request.
pub(crate) fn asked(
    prepared: &Prepared,
    columns: &RawColumns<'_>,
    time: AskedTime,
    max_entities: usize,
) -> Result<Asked, OnlineError> {
    let rows = columns.rows()?;
    if rows > max_entities {
        return Err(OnlineError::TooLarge(format!(
            "the request asks for {rows} entities; this server takes at most {max_entities} in one (serve.max_entities)"
        )));
    }
    let times = match time {
        AskedTime::At(time) => vec![time; rows],
        AskedTime::Each(times) if times.len() == rows => times,
        AskedTime::Each(times) => {
            return Err(OnlineError::Invalid(format!(
                "there are {} times for {rows} entities",
                times.len()
            )));
        }
    };
    let mut questions = Questions::new(times);
    let missing = |what: &str, name: &str| {
        let given: Vec<&str> = columns.names().collect();
        let given = match given.is_empty() {
            true => "nothing is given".to_owned(),
            false => format!("given are: {}", given.join(", ")),
        };
        OnlineError::Invalid(format!("the {what} {name:?} is missing; {given}"))
    };
    let mut keys = Vec::with_capacity(prepared.keys.len());
    for needed in &prepared.keys {
        let name = needed.name.as_str();
        let values = columns.read(name, "the join key", &needed.data_type)?;
        let values = values.ok_or_else(|| missing("join key", name))?;
        keys.push((name.to_owned(), ArrayRef::clone(&values)));
        questions.set_join_key(needed.name.clone(), values)?;
    }
    for needed in &prepared.fields {
        let source = &needed.source.name;
        let field = &needed.source.fields[needed.field];
        let name = field.name.as_str();
        // Where two request sources have a field of one name, each can be given by its own.
        let own = format!("{source}:{name}");
        let values = match columns.read(&own, "the request field", &field.data_type)? {
            Some(values) => Some(values),
            None => columns.read(name, "the request field", &field.data_type)?,
        };
        let values = values.ok_or_else(|| missing("request field", name))?;
        if !field.nullable && values.null_count() > 0 {
            return Err(OnlineError::Invalid(format!(
                "the request field {name:?} has a null, which {source} does not allow"
            )));
        }
        questions.set_request_field(source.clone(), field.name.clone(), values)?;
    }
    Ok(Asked { questions, keys })
}
