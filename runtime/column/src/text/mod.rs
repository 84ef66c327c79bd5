//! Values as text, one form for CSV, JSON and the command line (DESIGN,
//! section 4, "Text in and out").
//!
//! | type | in text | in JSON |
//! |---|---|---|
//! | bool | `true`, `false` in any case | `true`, `false` |
//! | integers | a sign if any, digits | a number; a string beyond 2^53 (read in both forms) |
//! | floats | the shortest text that reads back as the same bits; `NaN`, `inf`, `-inf` | a number, or these three as strings |
//! | decimal128(p,s) | digits, `s` of them behind the point; never rounded when read | a string (a number is read, too) |
//! | utf8 | as it is | a string |
//! | binary | base64 with padding | a string of base64 |
//! | date32 | `2024-02-29` | a string |
//! | timestamp | RFC 3339, printed with six digits and `Z`; an offset is honoured, none is UTC | a string |
//! | list, fixed_size_list | - | an array |
//! | struct | - | an object |
//!
//! Numbers are read strictly: no blanks around them, no separators between
//! digits, no point in a whole number; what lies beyond the type is an error.

mod calendar;
mod column_builder;
mod column_printer;
mod number;

pub use calendar::print_utc;
pub use column_builder::{ColumnBuilder, ValueError, json_text};
pub use column_printer::{ColumnPrinter, TextForm, UnprintableType};
