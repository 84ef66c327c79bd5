//! The bytes of parts: a version, flags, and what follows them.

use arrow::array::{Array, BinaryArray};
use unskew_column::row::{RowCodecError, read_varint, write_varint};

use crate::tiles::TileFacts;

const VERSION: u8 = 1;

/// Older rows of the entity, or all that its windows emitted for older ends,
/// were dropped: they are behind this one.
pub(crate) const OLDER_DROPPED: u8 = 1;
const HAS_ERRORS: u8 = 2;
const IS_TOMBSTONE: u8 = 4;
const HAS_TIE: u8 = 8;

const SHORT: RowCodecError = RowCodecError::Damaged("it is too short");
const LONG: RowCodecError = RowCodecError::Damaged("it is too long");

/// The bytes of a row, or of what a window emitted.
#[derive(Default)]
pub(crate) struct RowValue<'a> {
    pub(crate) older_dropped: bool,
    /// What breaks ties, where there may be one.
    pub(crate) tie: Option<&'a [u8]>,
    pub(crate) errors: Option<&'a str>,
    /// What is known of a window that emitted it.
    pub(crate) window: Option<WindowValue>,
    /// The columns, by the layout's codec.
    pub(crate) columns: &'a [u8],
}

pub(crate) struct WindowValue {
    pub(crate) start: i64,
    pub(crate) revision: u64,
    pub(crate) is_tombstone: bool,
}

impl<'a> RowValue<'a> {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let Self { older_dropped, tie, errors, window, columns } = self;
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        let flags = flag(*older_dropped, OLDER_DROPPED)
            | flag(errors.is_some(), HAS_ERRORS)
            | flag(window.as_ref().is_some_and(|window| window.is_tombstone), IS_TOMBSTONE)
            | flag(tie.is_some(), HAS_TIE);
        let mut bytes = Vec::with_capacity(columns.len() + 24);
        bytes.extend([VERSION, flags]);
        for sized in [*tie, errors.map(str::as_bytes)].into_iter().flatten() {
            write_varint(sized.len() as u64, &mut bytes);
            bytes.extend(sized);
        }
        if let Some(WindowValue { start, revision, is_tombstone: _ }) = window {
            bytes.extend(start.to_le_bytes());
            write_varint(*revision, &mut bytes);
        }
        bytes.extend(*columns);
        bytes
    }

    pub(crate) fn read(bytes: &'a [u8], is_window: bool) -> Result<Self, RowCodecError> {
        let (flags, mut from) = header(bytes)?;
        if flags & !(OLDER_DROPPED | HAS_ERRORS | IS_TOMBSTONE | HAS_TIE) != 0 {
            return Err(RowCodecError::Damaged("it has unknown flags"));
        }
        let mut sized = |flag: u8| match flags & flag {
            0 => Ok(None),
            _ => take_sized(&mut from).map(Some),
        };
        let tie = sized(HAS_TIE)?;
        let errors = sized(HAS_ERRORS)?.map(std::str::from_utf8).transpose();
        let errors = errors.map_err(|_| RowCodecError::Damaged("its errors are no text"))?;
        let window = match is_window {
            false => None,
            true => Some(WindowValue {
                start: i64::from_le_bytes(take(&mut from)?),
                revision: read_varint(&mut from)?,
                is_tombstone: flags & IS_TOMBSTONE != 0,
            }),
        };
        Ok(Self { older_dropped: flags & OLDER_DROPPED != 0, tie, errors, window, columns: from })
    }
}

/// Sets the flag in the bytes of a row.
pub(crate) fn with_older_dropped(value: &[u8]) -> Vec<u8> {
    let mut value = value.to_vec();
    if let Some(flags) = value.get_mut(1) {
        *flags |= OLDER_DROPPED;
    }
    value
}

/// The bytes of a tile or a folded slice. `states` has one array for each
/// kernel; null is a state that failed.
pub(crate) fn tile_bytes(facts: &TileFacts, states: &[BinaryArray], tile: usize) -> Vec<u8> {
    let TileFacts { rows, newest_event, visible } = facts;
    let mut bytes = vec![VERSION, 0];
    write_varint(*rows, &mut bytes);
    bytes.extend(newest_event.to_le_bytes());
    bytes.extend(visible.to_le_bytes());
    for states in states {
        if states.is_null(tile) {
            write_varint(0, &mut bytes);
            continue;
        }
        let state = states.value(tile);
        write_varint(state.len() as u64 + 1, &mut bytes);
        bytes.extend(state);
    }
    bytes
}

/// The bytes of the mark of what is covered, in microseconds.
pub(crate) fn mark_bytes(covered_until: i64) -> Vec<u8> {
    [&[VERSION, 0][..], &covered_until.to_le_bytes()].concat()
}

/// What [`mark_bytes`] wrote.
pub(crate) fn read_mark(bytes: &[u8]) -> Result<i64, RowCodecError> {
    match header(bytes)? {
        (0, rest) => rest.try_into().map(i64::from_le_bytes).map_err(|_| SHORT),
        _ => Err(RowCodecError::Damaged("it has unknown flags")),
    }
}

/// What [`tile_bytes`] wrote: the facts, and a state for each of `states`.
pub(crate) fn read_tile<'a>(
    bytes: &'a [u8],
    states: &mut [Vec<Option<&'a [u8]>>],
) -> Result<TileFacts, RowCodecError> {
    let (0, mut from) = header(bytes)? else {
        return Err(RowCodecError::Damaged("it has unknown flags"));
    };
    let rows = read_varint(&mut from)?;
    let newest_event = i64::from_le_bytes(take(&mut from)?);
    let visible = i64::from_le_bytes(take(&mut from)?);
    for states in states {
        states.push(match read_varint(&mut from)? {
            0 => None,
            length => {
                let length = usize::try_from(length - 1).map_err(|_| SHORT)?;
                let (state, rest) = from.split_at_checked(length).ok_or(SHORT)?;
                from = rest;
                Some(state)
            }
        });
    }
    if from.is_empty() { Ok(TileFacts { rows, newest_event, visible }) } else { Err(LONG) }
}

fn header(bytes: &[u8]) -> Result<(u8, &[u8]), RowCodecError> {
    match bytes {
        [VERSION, flags, rest @ ..] => Ok((*flags, rest)),
        _ => Err(RowCodecError::Damaged("it is of another version")),
    }
}

fn take<const N: usize>(from: &mut &[u8]) -> Result<[u8; N], RowCodecError> {
    let (taken, rest) = from.split_first_chunk().ok_or(SHORT)?;
    *from = rest;
    Ok(*taken)
}

fn take_sized<'a>(from: &mut &'a [u8]) -> Result<&'a [u8], RowCodecError> {
    let length = usize::try_from(read_varint(from)?).map_err(|_| SHORT)?;
    let (taken, rest) = from.split_at_checked(length).ok_or(SHORT)?;
    *from = rest;
    Ok(taken)
}
