//! The table of a reply: where each buffer of each column lies. What this file
//! gives lies within the body, has the length that its type asks for, and
//! overlaps nothing.

use unskew_definition::DataType;

use crate::encode::{ALIGNMENT, ENTRY, HEAD, MAGIC};

/// A buffer's place in the body.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub(crate) at: usize,
    pub(crate) length: usize,
}

impl Span {
    pub(crate) fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.at..self.at + self.length]
    }

    pub(crate) fn of_mut(self, bytes: &mut [u8]) -> &mut [u8] {
        &mut bytes[self.at..self.at + self.length]
    }
}

/// A column's place.
pub(crate) struct Planned {
    pub(crate) rows: usize,
    pub(crate) null_count: usize,
    pub(crate) validity: Span,
    pub(crate) form: Form,
}

/// The buffers behind a column's validity.
pub(crate) enum Form {
    Values { values: Span, width: Width },
    Bytes { offsets: Span, bytes: Span },
    List { offsets: Span, items: Box<Planned> },
    FixedSizeList(Box<Planned>),
    Struct(Vec<Planned>),
}

/// How wide a value is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    Bit,
    Bytes(usize),
    F32,
    F64,
}

/// Where the error section lies.
pub(crate) struct PlannedErrors {
    pub(crate) rows: Span,
    pub(crate) offsets: Span,
    pub(crate) text: Span,
}

/// Reads the table's entries in their order.
pub(crate) struct Table<'a> {
    bytes: &'a [u8],
    at: usize,
    /// The first byte behind the table.
    free: usize,
    /// First and last byte of every buffer so far.
    taken: Vec<(usize, usize)>,
}

const ERROR_ENTRIES: usize = 3;

impl<'a> Table<'a> {
    /// Checks the head of a reply with columns of these types.
    pub(crate) fn of_reply<'t>(
        bytes: &'a [u8],
        rows: usize,
        types: impl Iterator<Item = &'t DataType>,
    ) -> Result<Self, String> {
        let entries = types.map(entries).sum::<usize>() + ERROR_ENTRIES;
        let free = HEAD + entries * ENTRY;
        if bytes.len() < free {
            return Err(format!("{} bytes, less than the head and table of {free}", bytes.len()));
        }
        if bytes[..4] != MAGIC {
            return Err("it does not begin with USB1".to_owned());
        }
        let found = word(bytes, 4);
        if found != rows {
            return Err(format!("{found} rows where {rows} were expected"));
        }
        let length = word(bytes, 12);
        if length != bytes.len() {
            return Err(format!("its head says {length} bytes, it has {}", bytes.len()));
        }
        Ok(Self { bytes, at: HEAD, free, taken: Vec::with_capacity(entries) })
    }

    pub(crate) fn column(
        &mut self,
        data_type: &DataType,
        nullable: bool,
        rows: usize,
    ) -> Result<Planned, String> {
        let (length, null_count) = self.entry();
        if length != rows {
            return Err(format!("{length} values where {rows} were expected"));
        }
        if null_count > rows {
            return Err(format!("{null_count} nulls among {rows} values"));
        }
        if null_count > 0 && !nullable {
            return Err(format!("{null_count} nulls where none are allowed"));
        }
        let bits = rows.div_ceil(8);
        let validity = self.span("validity", Some(if null_count == 0 { 0 } else { bits }))?;
        let form = match data_type {
            DataType::Utf8 | DataType::Binary => {
                let offsets = self.span("offsets", Some((rows + 1) * 4))?;
                let length = self.last_offset(offsets)?;
                let bytes = self.span("bytes", Some(length))?;
                Form::Bytes { offsets, bytes }
            }
            DataType::List { item, nullable } => {
                let offsets = self.span("offsets", Some((rows + 1) * 4))?;
                let length = self.last_offset(offsets)?;
                let items = self.column(item, *nullable, length)?;
                Form::List { offsets, items: Box::new(items) }
            }
            DataType::FixedSizeList { length } => {
                let items = rows
                    .checked_mul(*length as usize)
                    .ok_or_else(|| format!("{rows} times {length} items"))?;
                Form::FixedSizeList(Box::new(self.column(&DataType::Float32, false, items)?))
            }
            DataType::Struct(fields) => {
                let mut columns = Vec::with_capacity(fields.len());
                for field in fields {
                    let column = self
                        .column(&field.data_type, field.nullable, rows)
                        .map_err(|reason| format!("field {}: {reason}", field.name))?;
                    columns.push(column);
                }
                Form::Struct(columns)
            }
            scalar => {
                let width = width(scalar);
                let length = match width {
                    Width::Bit => Some(bits),
                    Width::Bytes(bytes) => rows.checked_mul(bytes),
                    Width::F32 => rows.checked_mul(4),
                    Width::F64 => rows.checked_mul(8),
                };
                let length = length.ok_or_else(|| format!("{rows} rows"))?;
                Form::Values { values: self.span("values", Some(length))?, width }
            }
        };
        Ok(Planned { rows, null_count, validity, form })
    }

    /// The last part of the table; then all buffers are known to lie apart.
    pub(crate) fn errors(&mut self) -> Result<PlannedErrors, String> {
        let rows = self.span("rows", None)?;
        if rows.length % 4 != 0 {
            return Err(format!("rows: {} bytes, no multiple of 4", rows.length));
        }
        // Without errors a module may leave the one offset out.
        let (_, offsets_length) = self.peek();
        let none = rows.length == 0 && offsets_length == 0;
        let offsets = self.span("offsets", Some(if none { 0 } else { rows.length + 4 }))?;
        let length = if none { 0 } else { self.last_offset(offsets)? };
        let text = self.span("messages", Some(length))?;
        self.check_apart()?;
        Ok(PlannedErrors { rows, offsets, text })
    }

    fn peek(&self) -> (usize, usize) {
        (word(self.bytes, self.at), word(self.bytes, self.at + 4))
    }

    fn entry(&mut self) -> (usize, usize) {
        let entry = self.peek();
        self.at += ENTRY;
        entry
    }

    fn span(&mut self, what: &str, expected: Option<usize>) -> Result<Span, String> {
        let (at, length) = self.entry();
        if let Some(expected) = expected
            && length != expected
        {
            return Err(format!("{what}: {length} bytes where {expected} were expected"));
        }
        if length == 0 {
            return Ok(Span { at: 0, length });
        }
        // Both fit 32 bits, so the sum cannot overflow 64.
        if at + length > self.bytes.len() {
            return Err(format!(
                "{what}: {length} bytes at {at} lie outside of {} bytes",
                self.bytes.len()
            ));
        }
        if at < self.free || at % ALIGNMENT != 0 {
            return Err(format!(
                "{what}: begins at {at}, not at a multiple of {ALIGNMENT} behind the table, which ends at {}",
                self.free
            ));
        }
        self.taken.push((at, at + length));
        Ok(Span { at, length })
    }

    /// Checks that no two buffers share a byte.
    fn check_apart(&mut self) -> Result<(), String> {
        let apart = |pair: &[(usize, usize)]| pair[0].1 <= pair[1].0;
        if !self.taken.windows(2).all(apart) {
            self.taken.sort_unstable();
            if let Some(pair) = self.taken.windows(2).find(|pair| !apart(pair)) {
                return Err(format!("buffers overlap at byte {}", pair[1].0));
            }
        }
        Ok(())
    }

    /// The length that an offsets buffer promises for what it points into.
    fn last_offset(&self, offsets: Span) -> Result<usize, String> {
        let last = word(self.bytes, offsets.at + offsets.length - 4) as u32 as i32;
        usize::try_from(last).map_err(|_| format!("the last offset is {last}"))
    }
}

fn word(bytes: &[u8], at: usize) -> usize {
    let word: [u8; 4] = bytes[at..at + 4].try_into().expect("four bytes are four bytes");
    u32::from_le_bytes(word) as usize
}

fn entries(data_type: &DataType) -> usize {
    match data_type {
        DataType::Utf8 | DataType::Binary => 4,
        DataType::List { item, .. } => 3 + entries(item),
        DataType::FixedSizeList { .. } => 2 + entries(&DataType::Float32),
        DataType::Struct(fields) => {
            2 + fields.iter().map(|field| entries(&field.data_type)).sum::<usize>()
        }
        _ => 3,
    }
}

fn width(scalar: &DataType) -> Width {
    match scalar {
        DataType::Bool => Width::Bit,
        DataType::Float32 => Width::F32,
        DataType::Float64 => Width::F64,
        DataType::Int8 | DataType::UInt8 => Width::Bytes(1),
        DataType::Int16 | DataType::UInt16 => Width::Bytes(2),
        DataType::Int32 | DataType::UInt32 | DataType::Date32 => Width::Bytes(4),
        DataType::Int64 | DataType::UInt64 | DataType::Timestamp => Width::Bytes(8),
        DataType::Decimal128 { .. } => Width::Bytes(16),
        DataType::Utf8
        | DataType::Binary
        | DataType::List { .. }
        | DataType::FixedSizeList { .. }
        | DataType::Struct(_) => {
            unreachable!("{data_type} is not of one width", data_type = scalar)
        }
    }
}
