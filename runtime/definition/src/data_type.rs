use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use arrow_schema::{DataType as ArrowType, Field as ArrowField, TimeUnit};
use serde::{Deserialize, Serialize};

use crate::name::Name;

/// The type of a column, written as in `wit/README.md` (`int64`,
/// `list<utf8?>`, `struct<a:int64,b:utf8?>`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum DataType {
    /// true or false
    Bool,
    /// 8-bit signed integer
    Int8,
    /// 16-bit signed integer
    Int16,
    /// 32-bit signed integer
    Int32,
    /// 64-bit signed integer
    Int64,
    /// 8-bit unsigned integer
    UInt8,
    /// 16-bit unsigned integer
    UInt16,
    /// 32-bit unsigned integer
    UInt32,
    /// 64-bit unsigned integer
    UInt64,
    /// IEEE 754 binary32
    Float32,
    /// IEEE 754 binary64
    Float64,
    /// UTF-8 text
    Utf8,
    /// bytes
    Binary,
    /// days since 1970-01-01
    Date32,
    /// microseconds since 1970-01-01T00:00:00Z
    Timestamp,
    /// a decimal number of `precision` digits, `scale` of them behind the point
    Decimal128 {
        /// digits in all, 1 to 38
        precision: u8,
        /// digits behind the point, 0 to `precision`
        scale: u8,
    },
    /// any number of items of one scalar or nested type
    List {
        /// the type of the items
        item: Box<DataType>,
        /// whether items may be null
        nullable: bool,
    },
    /// `length` float32 without nulls: an embedding
    FixedSizeList {
        /// how many, 1 to 65,536
        length: u32,
    },
    /// named scalar values
    Struct(Vec<StructField>),
}

/// One field of a [`DataType::Struct`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StructField {
    /// its name, unlike those of its neighbours
    pub name: Name,
    /// its type, a scalar one
    pub data_type: DataType,
    /// whether it may be null
    pub nullable: bool,
}

/// Why a text is no [`DataType`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a type: {reason} (at character {at})")]
pub struct ParseTypeError {
    text: String,
    reason: String,
    at: usize,
}

const MAX_TEXT: usize = 16 * 1024;
const MAX_DEPTH: usize = 8;
const MAX_FIXED_SIZE_LIST: u32 = 65_536;
const MAX_STRUCT_FIELDS: usize = 256;

impl DataType {
    /// Whether it is a single value: neither a list nor a struct.
    pub fn is_scalar(&self) -> bool {
        !matches!(self, Self::List { .. } | Self::FixedSizeList { .. } | Self::Struct(_))
    }

    /// Whether it is `float32` or `float64`.
    pub fn is_float(&self) -> bool {
        matches!(self, Self::Float32 | Self::Float64)
    }

    /// The Arrow type of a column of it. Timestamps are in microseconds with
    /// the time zone `UTC`.
    pub fn to_arrow(&self) -> ArrowType {
        match self {
            Self::Bool => ArrowType::Boolean,
            Self::Int8 => ArrowType::Int8,
            Self::Int16 => ArrowType::Int16,
            Self::Int32 => ArrowType::Int32,
            Self::Int64 => ArrowType::Int64,
            Self::UInt8 => ArrowType::UInt8,
            Self::UInt16 => ArrowType::UInt16,
            Self::UInt32 => ArrowType::UInt32,
            Self::UInt64 => ArrowType::UInt64,
            Self::Float32 => ArrowType::Float32,
            Self::Float64 => ArrowType::Float64,
            Self::Utf8 => ArrowType::Utf8,
            Self::Binary => ArrowType::Binary,
            Self::Date32 => ArrowType::Date32,
            Self::Timestamp => ArrowType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Decimal128 { precision, scale } => {
                ArrowType::Decimal128(*precision, *scale as i8)
            }
            Self::List { item, nullable } => {
                ArrowType::List(Arc::new(ArrowField::new("item", item.to_arrow(), *nullable)))
            }
            Self::FixedSizeList { length } => ArrowType::FixedSizeList(
                Arc::new(ArrowField::new("item", ArrowType::Float32, false)),
                *length as i32,
            ),
            Self::Struct(fields) => ArrowType::Struct(
                fields
                    .iter()
                    .map(|f| ArrowField::new(f.name.as_str(), f.data_type.to_arrow(), f.nullable))
                    .collect(),
            ),
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = |nullable: bool| if nullable { "?" } else { "" };
        match self {
            Self::Decimal128 { precision, scale } => write!(f, "decimal128({precision},{scale})"),
            Self::List { item, nullable } => write!(f, "list<{item}{}>", mark(*nullable)),
            Self::FixedSizeList { length } => write!(f, "fixed_size_list<float32,{length}>"),
            Self::Struct(fields) => {
                f.write_str("struct<")?;
                for (i, field) in fields.iter().enumerate() {
                    let comma = if i == 0 { "" } else { "," };
                    write!(f, "{comma}{}:{}{}", field.name, field.data_type, mark(field.nullable))?;
                }
                f.write_str(">")
            }
            scalar => {
                f.write_str(SCALARS.iter().find(|(_, t)| t == scalar).map_or("?", |(name, _)| name))
            }
        }
    }
}

const SCALARS: [(&str, DataType); 15] = [
    ("bool", DataType::Bool),
    ("int8", DataType::Int8),
    ("int16", DataType::Int16),
    ("int32", DataType::Int32),
    ("int64", DataType::Int64),
    ("uint8", DataType::UInt8),
    ("uint16", DataType::UInt16),
    ("uint32", DataType::UInt32),
    ("uint64", DataType::UInt64),
    ("float32", DataType::Float32),
    ("float64", DataType::Float64),
    ("utf8", DataType::Utf8),
    ("binary", DataType::Binary),
    ("date32", DataType::Date32),
    ("timestamp", DataType::Timestamp),
];

impl FromStr for DataType {
    type Err = ParseTypeError;

    fn from_str(text: &str) -> Result<Self, ParseTypeError> {
        let shown: String = text.chars().take(64).collect();
        let mut parser = Parser { rest: text, whole: text };
        let parsed = if text.len() > MAX_TEXT {
            Err(format!("longer than {MAX_TEXT} characters"))
        } else {
            parser.data_type(0).and_then(|t| {
                if parser.rest.is_empty() { Ok(t) } else { Err("expected its end".to_owned()) }
            })
        };
        let at = parser.whole.len() - parser.rest.len();
        parsed.map_err(|reason| ParseTypeError { text: shown, reason, at })
    }
}

impl TryFrom<String> for DataType {
    type Error = ParseTypeError;
    fn try_from(text: String) -> Result<Self, ParseTypeError> {
        text.parse()
    }
}

impl From<DataType> for String {
    fn from(data_type: DataType) -> Self {
        data_type.to_string()
    }
}

struct Parser<'a> {
    rest: &'a str,
    whole: &'a str,
}

impl Parser<'_> {
    fn data_type(&mut self, depth: usize) -> Result<DataType, String> {
        if depth > MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH}"));
        }
        let before = self.rest;
        let word = self.word();
        if let Some((_, scalar)) = SCALARS.iter().find(|(name, _)| *name == word) {
            return Ok(scalar.clone());
        }
        match word {
            "decimal128" => self.decimal(),
            "list" => self.list(depth),
            "fixed_size_list" => self.fixed_size_list(),
            "struct" => self.fields(depth),
            _ => {
                self.rest = before;
                Err(format!(
                    "unknown type; known are {}, decimal128(P,S), list<T>, fixed_size_list<float32,N> and struct<name:T,...>",
                    SCALARS.map(|(name, _)| name).join(", ")
                ))
            }
        }
    }

    fn decimal(&mut self) -> Result<DataType, String> {
        self.expect('(')?;
        let precision = self.number()?;
        self.expect(',')?;
        let scale = self.number()?;
        self.expect(')')?;
        if !(1..=38).contains(&precision) || scale > precision {
            return Err("a decimal128 has 1 to 38 digits, and no more than these behind its point"
                .to_owned());
        }
        Ok(DataType::Decimal128 { precision: precision as u8, scale: scale as u8 })
    }

    fn list(&mut self, depth: usize) -> Result<DataType, String> {
        self.expect('<')?;
        let item = Box::new(self.data_type(depth + 1)?);
        if !item.is_scalar() {
            return Err("the items of a list are scalars".to_owned());
        }
        let nullable = self.take('?');
        self.expect('>')?;
        Ok(DataType::List { item, nullable })
    }

    fn fixed_size_list(&mut self) -> Result<DataType, String> {
        self.expect('<')?;
        if self.data_type(MAX_DEPTH)? != DataType::Float32 {
            return Err("the items of a fixed_size_list are float32".to_owned());
        }
        self.expect(',')?;
        let length = self.number()?;
        self.expect('>')?;
        if !(1..=MAX_FIXED_SIZE_LIST).contains(&length) {
            return Err(format!("a fixed_size_list has 1 to {MAX_FIXED_SIZE_LIST} items"));
        }
        Ok(DataType::FixedSizeList { length })
    }

    fn fields(&mut self, depth: usize) -> Result<DataType, String> {
        self.expect('<')?;
        let mut fields: Vec<StructField> = Vec::new();
        loop {
            let name = Name::new(self.word()).map_err(|e| e.to_string())?;
            if fields.iter().any(|f| f.name == name) {
                return Err(format!("two fields are named {name}"));
            }
            if fields.len() == MAX_STRUCT_FIELDS {
                return Err(format!("a struct has at most {MAX_STRUCT_FIELDS} fields"));
            }
            self.expect(':')?;
            let data_type = self.data_type(depth + 1)?;
            if !data_type.is_scalar() {
                return Err("the fields of a struct are scalars".to_owned());
            }
            let nullable = self.take('?');
            fields.push(StructField { name, data_type, nullable });
            if !self.take(',') {
                break;
            }
        }
        self.expect('>')?;
        Ok(DataType::Struct(fields))
    }

    fn word(&mut self) -> &str {
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        word
    }

    fn number(&mut self) -> Result<u32, String> {
        let digits = self.word();
        digits.parse().map_err(|_| format!("{digits:?} is not a number"))
    }

    fn take(&mut self, c: char) -> bool {
        match self.rest.strip_prefix(c) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, c: char) -> Result<(), String> {
        if self.take(c) { Ok(()) } else { Err(format!("expected `{c}`")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_print_as_they_parse() {
        for text in [
            "bool",
            "uint64",
            "decimal128(38,0)",
            "list<utf8?>",
            "list<decimal128(10,2)>",
            "fixed_size_list<float32,65536>",
            "struct<a:int64,b:utf8?,c:timestamp>",
        ] {
            assert_eq!(text.parse::<DataType>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn wrong_types_say_where() {
        for (text, part) in [
            ("", "unknown type"),
            ("int", "unknown type"),
            ("int64 ", "its end"),
            ("decimal128(39,2)", "1 to 38"),
            ("decimal128(4,5)", "1 to 38"),
            ("list<list<int64>>", "scalars"),
            ("list<int64", "expected `>`"),
            ("fixed_size_list<float64,3>", "float32"),
            ("fixed_size_list<float32,0>", "1 to 65536"),
            ("fixed_size_list<float32,99999999999>", "not a number"),
            ("struct<>", "empty"),
            ("struct<a:int8,a:int8>", "two fields"),
            ("struct<a:struct<b:int8>>", "scalars"),
            (&"list<".repeat(3000), "nested deeper"),
            (&"x".repeat(20_000), "longer than"),
        ] {
            let message = text.parse::<DataType>().unwrap_err().to_string();
            assert!(message.contains(part), "{text:.40}: {message}");
        }
    }
}
