//! Generations of a table, and compaction.

use bytes::Bytes;
use unskew_store::{Compaction, Expectation, PartKind, StoreError, TableState};

use super::*;

pub(crate) async fn a_generation_is_seen_when_it_is_swapped_in(fixture: &impl Fixture) {
    let (writer, reader) = (fixture.open().await, fixture.open().await);
    let table = table("v@1");
    put(&*writer, &table, 0, record("e", vec![row("r", version(9, 0, 0), "pushed")])).await;
    assert_eq!(row_values(&*reader, &table, b"e").await, ["pushed"]);
    for generation in 1..=3 {
        assert_eq!(writer.begin_generation(&table).await.unwrap(), generation);
        let state = reader.tables(std::slice::from_ref(&table)).await.unwrap().remove(0);
        assert_eq!((state.generation, &state.building[..]), (generation - 1, &[generation][..]));
        assert_eq!(state.live().collect::<Vec<_>>(), [generation - 1, generation]);
        let before = row_values(&*reader, &table, b"e").await;
        // Older by its version, newer by its generation.
        let text = format!("of {generation}");
        let backfill = record("e", vec![row("r", version(1, 0, 0), &text)]);
        writer.write(&table, generation, &[backfill], WriteMode::Fresh).await.unwrap();
        assert_eq!(row_values(&*reader, &table, b"e").await, before);
        let times = (100 * generation as i64, 7 + generation as i64);
        writer.swap_generation(&table, generation, times.0, times.1).await.unwrap();
        assert_eq!(row_values(&*reader, &table, b"e").await, [text]);
        let answer = reader.read(&[all(&table, b"e", &[])]).await.unwrap();
        let expected = TableState {
            generation,
            begun: generation,
            building: vec![],
            covered_until: Some(times.0),
            written_at: Some(times.1),
        };
        assert_eq!(answer.state(&table), Some(&expected));
        // Again: nothing new.
        writer.swap_generation(&table, generation, times.0, times.1).await.unwrap();
        assert_eq!(reader.tables(std::slice::from_ref(&table)).await.unwrap(), [expected]);
    }
}

pub(crate) async fn superseded_generations_are_not_written_to(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let table = table("v@1");
    let (first, second) = (
        store.begin_generation(&table).await.unwrap(),
        store.begin_generation(&table).await.unwrap(),
    );
    store.swap_generation(&table, second, 0, 0).await.unwrap();
    let records = [record("e", vec![row("r", version(9, 0, 0), "late")])];
    for generation in [0, first, 77] {
        let superseded = |result: Result<(), StoreError>| match result {
            Err(StoreError::Superseded { generation: asked, current, .. }) => {
                assert_eq!((asked, current), (generation, second));
            }
            other => panic!("generation {generation} gave {other:?}"),
        };
        for mode in [WriteMode::Newer, WriteMode::Replace, WriteMode::Fresh] {
            superseded(store.write(&table, generation, &records, mode).await.map(|_| ()));
        }
        let compaction = Compaction { put: records[0].parts.clone(), ..Compaction::default() };
        superseded(store.compact(&table, generation, b"e", &compaction).await.map(|_| ()));
        superseded(store.swap_generation(&table, generation, 0, 0).await);
        superseded(store.advance(&table, generation, 0, 0).await);
    }
    assert_eq!(row_values(&*store, &table, b"e").await, [""; 0]);
}

pub(crate) async fn dropping_removes_a_generation_and_no_other(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let (one, other) = (table("v@1"), table("v@11"));
    let parts = vec![row("r", version(1, 0, 0), "row"), tile("t", version(1, 0, 0), "tile")];
    let records: Vec<_> = (0..2_000u16).map(|n| record(n.to_be_bytes(), parts.clone())).collect();
    for table in [&one, &other] {
        store.write(table, 0, &records, WriteMode::Newer).await.unwrap();
        for generation in 1..=2 {
            assert_eq!(store.begin_generation(table).await.unwrap(), generation);
            store.write(table, generation, &records, WriteMode::Fresh).await.unwrap();
        }
    }
    store.swap_generation(&one, 1, 0, 0).await.unwrap();
    let error = store.drop_generation(&one, 1).await.unwrap_err().to_string();
    assert!(error.contains("generation 1 of v@1") && error.contains("current"), "{error}");
    assert_eq!(store.drop_generation(&one, 0).await.unwrap(), 4_000);
    assert_eq!(store.drop_generation(&one, 0).await.unwrap(), 0);
    let state = store.tables(std::slice::from_ref(&one)).await.unwrap().remove(0);
    assert_eq!((state.generation, state.building), (1, vec![2]));
    // One that is being built is given up: nobody writes to it any more, and its number is not given again.
    assert_eq!(store.drop_generation(&one, 2).await.unwrap(), 4_000);
    let error = store.write(&one, 2, &records, WriteMode::Fresh).await.unwrap_err();
    assert!(matches!(error, StoreError::Superseded { generation: 2, current: 1, .. }), "{error}");
    assert_eq!(store.begin_generation(&one).await.unwrap(), 3);
    for n in [0u16, 1_999] {
        assert_eq!(row_values(&*store, &one, &n.to_be_bytes()).await, ["row"]);
        assert_eq!(row_values(&*store, &other, &n.to_be_bytes()).await, ["row"]);
    }
    store.swap_generation(&other, 2, 0, 0).await.unwrap();
    assert_eq!(row_values(&*store, &other, &5u16.to_be_bytes()).await, ["row"]);
}

pub(crate) async fn coverage_never_goes_back(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let table = table("v@1");
    for (until, now, expected) in [(-50, 1, -50), (70, 2, 70), (60, 3, 70), (70, 4, 70)] {
        store.advance(&table, 0, until, now).await.unwrap();
        let state = store.tables(std::slice::from_ref(&table)).await.unwrap().remove(0);
        assert_eq!((state.covered_until, state.written_at), (Some(expected), Some(now)));
    }
    // Another generation covers what it covers.
    let generation = store.begin_generation(&table).await.unwrap();
    store.swap_generation(&table, generation, 30, 5).await.unwrap();
    let state = store.tables(&[table]).await.unwrap().remove(0);
    assert_eq!((state.covered_until, state.written_at), (Some(30), Some(5)));
}

fn expect(kind: PartKind, name: &'static str, version: Option<PartVersion>) -> Expectation {
    Expectation { kind, name: Bytes::from_static(name.as_bytes()), version }
}

pub(crate) async fn a_compaction_is_done_if_nothing_changed(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let table = table("v@1");
    let v = |n| version(n, 0, 0);
    put(&*store, &table, 0, record("e", vec![row("a", v(1), "1"), row("b", v(2), "2")])).await;
    put(&*store, &table, 0, record("e", vec![row("c", v(3), "3"), tile("t", v(9), "old")])).await;
    let (row_kind, tile_kind) = (PartKind::Row, PartKind::Tile);
    let folding = Compaction {
        expected: vec![
            expect(row_kind, "a", Some(v(1))),
            expect(row_kind, "b", Some(v(2))),
            expect(tile_kind, "t", Some(v(9))),
            expect(tile_kind, "u", None),
        ],
        remove: vec![
            (row_kind, Bytes::from_static(b"a")),
            (row_kind, Bytes::from_static(b"b")),
            (row_kind, Bytes::from_static(b"never there")),
            (tile_kind, Bytes::from_static(b"never there")),
        ],
        // Its version is lesser than what is there: a compaction replaces.
        put: vec![tile("t", v(4), "12"), tile("u", v(2), ""), row("0", v(0), "mark")],
    };
    let broken = [
        expect(row_kind, "a", Some(v(2))),
        expect(row_kind, "a", None),
        expect(row_kind, "z", Some(v(1))),
        expect(tile_kind, "t", None),
        expect(tile_kind, "t", Some(version(9, 0, 1))),
        expect(row_kind, "t", Some(v(9))),
    ];
    let tiles = ["t", "u"].map(Bytes::from);
    let before = read_one(&*store, all(&table, b"e", &tiles)).await;
    for wrong in broken {
        let mut folding = folding.clone();
        folding.expected.push(wrong.clone());
        assert!(!store.compact(&table, 0, b"e", &folding).await.unwrap(), "{wrong:?}");
        assert_eq!(read_one(&*store, all(&table, b"e", &tiles)).await, before, "{wrong:?}");
    }
    assert!(!store.compact(&table, 0, b"f", &folding).await.unwrap());
    assert!(store.compact(&table, 0, b"e", &folding).await.unwrap());
    let after = read_one(&*store, all(&table, b"e", &tiles)).await;
    assert_eq!(after.rows, [stored(&row("0", v(0), "mark")), stored(&row("c", v(3), "3"))]);
    let folded = [tile("t", v(4), "12"), tile("u", v(2), "")].map(|part| Some(stored(&part)));
    assert_eq!(after.tiles, folded);
    assert!(!store.compact(&table, 0, b"e", &folding).await.unwrap(), "it was done already");
}

pub(crate) async fn one_of_many_compactions_wins(fixture: &impl Fixture) {
    const ROUNDS: u64 = 20;
    let table = table("v@1");
    let store = fixture.open().await;
    put(&*store, &table, 0, record("e", vec![tile("sum", version(0, 0, 0), [0; 8])])).await;
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let (store, table) = (fixture.open().await, table.clone());
        tasks.push(tokio::spawn(async move {
            let tiles = [Bytes::from_static(b"sum")];
            let mut done = 0;
            while done < ROUNDS {
                let found = read_one(&*store, all(&table, b"e", &tiles)).await;
                let now = found.tiles[0].clone().unwrap();
                let sum = u64::from_be_bytes(now.value[..].try_into().unwrap());
                let next = version(0, 0, now.version.revision + 1);
                let compaction = Compaction {
                    expected: vec![expect(PartKind::Tile, "sum", Some(now.version))],
                    remove: vec![],
                    put: vec![tile("sum", next, (sum + 1).to_be_bytes())],
                };
                done += u64::from(store.compact(&table, 0, b"e", &compaction).await.unwrap());
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let tiles = [Bytes::from_static(b"sum")];
    let found = read_one(&*store, all(&table, b"e", &tiles)).await;
    let sum = (4 * ROUNDS).to_be_bytes();
    assert_eq!(found.tiles, [Some(stored(&tile("sum", version(0, 0, 4 * ROUNDS), sum)))]);
}
