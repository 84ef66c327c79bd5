//! What every online store must do, whatever it is made of: the conformance suite of `OnlineStore`.
//!
//! A backend's test file names a fixture and calls `online_conformance!`, which makes one test of each function of the suite.

#![allow(dead_code, unused_imports, reason = "a backend may run a part of the suite")]

mod generations;
mod model;
mod parts;
mod ranges;

use std::sync::Arc;

use bytes::Bytes;
use unskew_store::{
    Found, Lookup, OnlineStore, Part, PartKind, PartVersion, Record, StoredPart, TableId, WriteMode,
};

pub(crate) use generations::*;
pub(crate) use model::*;
pub(crate) use parts::*;
pub(crate) use ranges::*;

/// A store that is empty at first, and as many handles to it as wanted, each as another process would have it where that can be done.
#[allow(async_fn_in_trait, reason = "tests await it in place")]
pub(crate) trait Fixture {
    async fn new() -> Self;
    async fn open(&self) -> Arc<dyn OnlineStore>;
}

/// Makes a test of each function of the suite, or of those that are named, for a fixture.
#[macro_export]
macro_rules! online_conformance {
    ($fixture:ty: $($test:ident),* $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            let fixture = <$fixture as $crate::suite::Fixture>::new().await;
            $crate::suite::$test(&fixture).await;
        }
    )*};
    ($fixture:ty) => {
        online_conformance!($fixture:
            nothing_is_there_at_first,
            the_newer_part_wins_in_any_order,
            replays_are_harmless,
            replacing_asks_no_version,
            fresh_parts_lose_against_newer_ones,
            any_bytes_are_names,
            large_values_come_back_whole,
            many_entities_are_read_at_once,
            one_read_answers_from_many_tables,
            writers_at_a_time_leave_the_newest,
            rows_lie_in_the_order_of_their_names,
            long_names_keep_their_order,
            rows_are_dropped_with_the_write,
            trimming_removes_what_it_names_and_no_more,
            a_generation_is_seen_when_it_is_swapped_in,
            superseded_generations_are_not_written_to,
            dropping_removes_a_generation_and_no_other,
            coverage_never_goes_back,
            a_compaction_is_done_if_nothing_changed,
            one_of_many_compactions_wins,
            random_work_leaves_what_a_model_says,
        );
    };
}

pub(crate) fn table(name: &str) -> TableId {
    TableId::new(name).unwrap()
}

pub(crate) fn version(event_timestamp: i64, created_timestamp: i64, revision: u64) -> PartVersion {
    PartVersion { event_timestamp, created_timestamp, revision }
}

fn part(
    kind: PartKind,
    name: impl AsRef<[u8]>,
    version: PartVersion,
    value: impl AsRef<[u8]>,
) -> Part {
    Part {
        kind,
        name: Bytes::copy_from_slice(name.as_ref()),
        version,
        value: Bytes::copy_from_slice(value.as_ref()),
    }
}

pub(crate) fn row(name: impl AsRef<[u8]>, version: PartVersion, value: impl AsRef<[u8]>) -> Part {
    part(PartKind::Row, name, version, value)
}

pub(crate) fn tile(name: impl AsRef<[u8]>, version: PartVersion, value: impl AsRef<[u8]>) -> Part {
    part(PartKind::Tile, name, version, value)
}

pub(crate) fn record(entity: impl AsRef<[u8]>, parts: Vec<Part>) -> Record {
    Record { entity: Bytes::copy_from_slice(entity.as_ref()), parts, drop_rows_below: None }
}

pub(crate) fn stored(part: &Part) -> StoredPart {
    StoredPart { name: part.name.clone(), version: part.version, value: part.value.clone() }
}

/// All rows of an entity and some tiles.
pub(crate) fn all<'a>(table: &'a TableId, entity: &'a [u8], tiles: &'a [Bytes]) -> Lookup<'a> {
    Lookup { table, entity, newest_row: false, rows_from: Some(b""), rows_below: None, tiles }
}

pub(crate) async fn read_one(store: &dyn OnlineStore, lookup: Lookup<'_>) -> Found {
    let mut answer = store.read(&[lookup]).await.unwrap();
    assert_eq!(answer.found.len(), 1);
    answer.found.remove(0)
}

/// The values of all rows, as text.
pub(crate) async fn row_values(
    store: &dyn OnlineStore,
    table: &TableId,
    entity: &[u8],
) -> Vec<String> {
    let found = read_one(store, all(table, entity, &[])).await;
    found.rows.iter().map(|row| String::from_utf8_lossy(&row.value).into_owned()).collect()
}

pub(crate) async fn put(store: &dyn OnlineStore, table: &TableId, generation: u64, record: Record) {
    store.write(table, generation, &[record], WriteMode::Newer).await.unwrap();
}
