//! What a view's rows become in a store, and back, in two forms.
//!
//! **As a table**, for the offline store: a row for each row of the view, with
//! the columns that its evaluation needs after filter and steps
//! ([`ViewRows::table`](crate::service::ViewRows::table),
//! [`ViewOperator::restore_table`](crate::service::ViewOperator::restore_table)).
//! Every question gets from the restored rows what it gets from the rows
//! themselves, to the bit.
//!
//! **As records**, for the online store: named parts of each entity
//! ([`ViewOperator::records`](crate::service::ViewOperator::records),
//! [`ViewOperator::restore_records`](crate::service::ViewOperator::restore_records)).
//! Records are made of tables, so there is one way from rows to bytes. A row
//! that is pushed again, equal in all its bytes, is the same row: a replay
//! counts once; equal rows of one request, or of files, count each. A table
//! of an online store is *covered until* a time C: it holds what files say of
//! all before C, and what was pushed from C on. There are these parts:
//!
//! * of a latest view **rows**: the newest one that was visible at C and those
//!   behind it;
//! * of a view with windows that emit what these **emitted**: the newest
//!   windows at C, with all of their revisions, and those behind them;
//! * of a trailing view **tiles**, and **rows** that are in none. A row is *on
//!   time* if it is visible at the end of its finest tile, or a grace later:
//!   the source's `allowed_lateness`, 0 where it has no created times. Tiles
//!   hold the rows on time before the boundary U, which is C less the grace,
//!   floored to the finest tile. Whether a row is in a tile thus depends on the
//!   row and on C alone, never on when or in which pieces files were read;
//! * **folded** slices of a trailing view: the rows on time of one finest tile
//!   that were pushed, folded into one part ([`compact`]). A row that comes
//!   later for such a slice is too late. A slice that was folded stands as it
//!   is until C has passed all of it; then files are the truth;
//! * of a trailing view a **mark** of the C that the other parts of the entity
//!   were written for. They are written in one step, so that a reader who comes
//!   while materialize goes from entity to entity counts no row twice.
//!
//! **How far back it is exact.** An as-of read at t answers what the rows
//! before C and the pushed rows say, to the bit, if t is not before
//! [`ViewOperator::exact_since`](crate::service::ViewOperator::exact_since): C
//! itself, or for a trailing view U plus the grace, which is at most C. Where
//! pushed rows were compacted, an entity is exact from the time on at which the
//! folded slices had ended and were visible. A question about an earlier time
//! that the parts cannot answer has the status ERROR, and its message says
//! from when on there is an answer; a value that is not exact is never given.
//!
//! [`compact`]: crate::service::ViewOperator::compact

mod compaction;
mod emitted;
mod entity_rows;
mod error;
mod latest;
mod layout;
mod needs;
mod part;
mod part_value;
mod records;
mod restore_table;
mod row_errors;
mod row_keys;
mod table;
mod tiled;
mod trailing;

pub use compaction::{Compaction, Expectation};
pub use error::StoredError;
pub use needs::{AskedEntities, FoundParts, Needs};
pub use part::{EntityRecord, Part, PartKind, PartVersion};
pub use records::{RecordSlice, TileSpan};

pub(crate) use entity_rows::{Inexact, ReadRows};
pub(crate) use layout::StoredLayout;
pub(crate) use tiled::TiledRows;
