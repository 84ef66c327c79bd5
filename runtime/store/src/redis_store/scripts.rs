//! What must be done in one step on the server.

use std::sync::LazyLock;

use redis::Script;

/// Writes the parts of one entity that are newer than what is there.
pub(super) static WRITE: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("newer.lua"), include_str!("write.lua"))));
/// Replaces parts of one entity if all is as expected.
pub(super) static COMPACT: LazyLock<Script> =
    LazyLock::new(|| Script::new(concat!(include_str!("newer.lua"), include_str!("compact.lua"))));
/// Removes an entity's old rows.
pub(super) static TRIM_ROWS: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("trim_rows.lua")));
/// Sets a table's state if it is what it was.
pub(super) static SET_STATE: LazyLock<Script> =
    LazyLock::new(|| Script::new(include_str!("set_state.lua")));

/// Their sources, as servers are given them.
pub(super) const SOURCES: [&str; 4] = [
    concat!(include_str!("newer.lua"), include_str!("write.lua")),
    concat!(include_str!("newer.lua"), include_str!("compact.lua")),
    include_str!("trim_rows.lua"),
    include_str!("set_state.lua"),
];
