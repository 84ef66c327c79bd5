//! Where what was computed is kept: an online store for answers in microseconds, an offline store for training sets.
//!
//! This room knows bytes, not views. A view's name and version name a *table*; a table holds, for each entity, *parts*: rows in the order of their
//! names, and tiles that are asked for by name. What a part means is decided by `unskew-executor`; the store orders, replaces and returns it. Each
//! trait has one conformance suite (`tests/`), which every backend must pass.
//!
//! It may not compute a value, read a clock (times that are written come in as arguments; deadlines are timers), or name the other rooms.
//!
//! **What every online store promises.** A read sees the table's current generation and its parts as one: it returns the state it went by. A write of
//! one entity is seen whole or not at all. Of two writes of a part the newer wins, by ([`PartVersion`]) within a generation and by generation across
//! them, in whatever order they arrive, so that replays are harmless. Any number of entities and tables is one round trip.

mod embedded;
mod error;
mod offline;
mod online;
mod part;
mod redis_store;
mod table;

pub use embedded::{EmbeddedSettings, EmbeddedStore};
pub use error::{Holder, StoreError};
pub use offline::{
    Date, ObjectOfflineStore, OfflineFile, OfflineStore, OfflineStoreSettings, SharedOfflineStore,
    open_bucket, open_offline_store,
};
pub use online::{
    Answer, Compaction, Expectation, Found, Health, Lookup, OnlineStore, OnlineStoreSettings, Trim,
    Trimmed, WriteMode, Written, open_online_store,
};
pub use part::{Part, PartKind, PartVersion, Record, StoredPart};
pub use redis_store::{RedisSettings, RedisStore};
pub use table::{TableId, TableState};
