//! Rows by range, and what is removed by range.

use bytes::Bytes;
use unskew_store::{Lookup, Record, Trim, Trimmed};

use super::*;

/// The names that a lookup of rows returns, as text.
async fn names(store: &dyn OnlineStore, lookup: Lookup<'_>) -> Vec<String> {
    let found = read_one(store, lookup).await;
    found.rows.iter().map(|row| String::from_utf8_lossy(&row.name).into_owned()).collect()
}

pub(crate) async fn rows_lie_in_the_order_of_their_names(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let table = table("v@1");
    for name in ["b", "bb", "a", "c", "ab"] {
        put(&*store, &table, 0, record("e", vec![row(name, version(1, 0, 0), name)])).await;
    }
    // Neighbours, whose rows and tiles must not come along.
    put(&*store, &table, 0, record("d", vec![row("a", version(1, 0, 0), "other")])).await;
    put(&*store, &table, 0, record("f", vec![row("a", version(1, 0, 0), "other")])).await;
    put(&*store, &table, 0, record("e", vec![tile("zz", version(1, 0, 0), "tile")])).await;
    let everything = all(&table, b"e", &[]);
    assert_eq!(names(&*store, everything).await, ["a", "ab", "b", "bb", "c"]);
    let from = |from: &'static str| Lookup { rows_from: Some(from.as_bytes()), ..everything };
    assert_eq!(names(&*store, from("ab")).await, ["ab", "b", "bb", "c"]);
    assert_eq!(names(&*store, from("aba")).await, ["b", "bb", "c"]);
    assert_eq!(names(&*store, from("d")).await, [""; 0]);
    let below = |name: &'static str, lookup| Lookup { rows_below: Some(name.as_bytes()), ..lookup };
    assert_eq!(names(&*store, below("bb", from("ab"))).await, ["ab", "b"]);
    assert_eq!(names(&*store, below("a", everything)).await, [""; 0]);
    assert_eq!(names(&*store, below("ab", from("b"))).await, [""; 0]);
    let newest = Lookup { rows_from: None, newest_row: true, ..everything };
    assert_eq!(names(&*store, newest).await, ["c"]);
    assert_eq!(names(&*store, below("bb", newest)).await, ["b"]);
    assert_eq!(names(&*store, below("a", newest)).await, [""; 0]);
    let neither = Lookup { rows_from: None, ..everything };
    assert_eq!(names(&*store, neither).await, [""; 0]);
    // Both: the range, and the newest row though it lies before it.
    let both = |name: &'static str| Lookup { newest_row: true, ..from(name) };
    assert_eq!(names(&*store, both("b")).await, ["b", "bb", "c"]);
    assert_eq!(names(&*store, both("x")).await, ["c"]);
    assert_eq!(names(&*store, below("b", both("b"))).await, ["ab"]);
}

pub(crate) async fn long_names_keep_their_order(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let table = table("v@1");
    let long = "n".repeat(700);
    let mut wanted: Vec<String> =
        ["", "0", "1", "2", "27", "3", "a"].iter().map(|tail| format!("{long}{tail}")).collect();
    wanted.extend([255, 256, 257].map(|length| long[..length].to_owned()));
    wanted.extend(["m".repeat(300), "o".to_owned()]);
    for name in wanted.iter().rev() {
        put(&*store, &table, 0, record("e", vec![row(name, version(1, 0, 0), name)])).await;
    }
    wanted.sort();
    assert_eq!(names(&*store, all(&table, b"e", &[])).await, wanted);
    for (at, name) in wanted.iter().enumerate() {
        let from = Lookup { rows_from: Some(name.as_bytes()), ..all(&table, b"e", &[]) };
        assert_eq!(names(&*store, from).await, wanted[at..]);
        let below = Lookup { rows_below: Some(name.as_bytes()), ..all(&table, b"e", &[]) };
        assert_eq!(names(&*store, below).await, wanted[..at]);
        let newest = Lookup { rows_from: None, newest_row: true, ..below };
        assert_eq!(
            names(&*store, newest).await,
            wanted[..at].last().cloned().into_iter().collect::<Vec<_>>()
        );
    }
    let cut = format!("{long}2");
    let trim = Trim { rows_below: Some(Bytes::copy_from_slice(cut.as_bytes())), ..Trim::default() };
    let at = wanted.binary_search(&cut).unwrap();
    let trimmed = store.trim(&table, 0, &trim).await.unwrap();
    assert_eq!(trimmed, Trimmed { rows: at as u64, tiles: 0 });
    assert_eq!(names(&*store, all(&table, b"e", &[])).await, wanted[at..]);
}

pub(crate) async fn rows_are_dropped_with_the_write(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let table = table("v@1");
    for mode in [WriteMode::Newer, WriteMode::Replace, WriteMode::Fresh] {
        let entity = format!("{mode:?}");
        for name in ["a", "b", "c"] {
            put(&*store, &table, 0, record(&entity, vec![row(name, version(1, 0, 0), name)])).await;
        }
        put(&*store, &table, 0, record(&entity, vec![tile("a", version(1, 0, 0), "tile")])).await;
        let dropping = Record {
            drop_rows_below: Some(Bytes::from_static(b"c")),
            ..record(
                &entity,
                vec![row("d", version(1, 0, 0), "d"), row("aa", version(1, 0, 0), "")],
            )
        };
        store.write(&table, 0, &[dropping], mode).await.unwrap();
        let tiles = [Bytes::from_static(b"a")];
        let lookup = all(&table, entity.as_bytes(), &tiles);
        assert_eq!(names(&*store, lookup).await, ["c", "d"], "{mode:?}");
        assert!(read_one(&*store, lookup).await.tiles[0].is_some(), "{mode:?}");
    }
}

pub(crate) async fn trimming_removes_what_it_names_and_no_more(fixture: &impl Fixture) {
    const ENTITIES: u16 = 3_000;
    let store = fixture.open().await;
    let (one, other) = (table("v@1"), table("v@2"));
    let records: Vec<_> = (0..ENTITIES)
        .map(|n| {
            let v = version(1, 0, 0);
            let mut parts = vec![row("a", v, "a"), row("b", v, "b"), tile("1", v, "1")];
            parts.extend([tile("2", v, "2"), tile("3", v, "3")]);
            // Every other entity has nothing beyond the bound.
            if n % 2 == 0 {
                parts.push(row("c", v, "c"));
            }
            record(n.to_be_bytes(), parts)
        })
        .collect();
    for table in [&one, &other] {
        store.write(table, 0, &records, WriteMode::Newer).await.unwrap();
    }
    let ranges = [("1", "2"), ("3", "4")].map(|(from, to)| (Bytes::from(from), Bytes::from(to)));
    let keeping = Trim {
        rows_below: Some(Bytes::from_static(b"c")),
        keep_newest_row: true,
        tiles: ranges.to_vec(),
    };
    let trimmed = store.trim(&one, 0, &keeping).await.unwrap();
    let entities = u64::from(ENTITIES);
    assert_eq!(trimmed, Trimmed { rows: entities / 2 * 3, tiles: entities * 2 });
    assert_eq!(store.trim(&one, 0, &keeping).await.unwrap(), Trimmed::default());
    let tiles = ["1", "2", "3"].map(Bytes::from);
    for n in [0, 1, 2, ENTITIES - 1] {
        let entity = n.to_be_bytes();
        let found = read_one(&*store, all(&one, &entity, &tiles)).await;
        let row = if n % 2 == 0 { "c" } else { "b" };
        assert_eq!(
            found.rows.iter().map(|row| &row.value[..]).collect::<Vec<_>>(),
            [row.as_bytes()]
        );
        let there: Vec<_> = found.tiles.iter().map(Option::is_some).collect();
        assert_eq!(there, [false, true, false]);
        // The other version of the view keeps all.
        let found = read_one(&*store, all(&other, &entity, &tiles)).await;
        assert_eq!(found.rows.len(), if n % 2 == 0 { 3 } else { 2 });
        assert!(found.tiles.iter().all(Option::is_some));
    }
    let rest = Trim { keep_newest_row: false, ..keeping };
    let trimmed = store.trim(&one, 0, &rest).await.unwrap();
    assert_eq!(trimmed, Trimmed { rows: entities / 2, tiles: 0 });
    let error = store.trim(&one, 4, &rest).await.unwrap_err().to_string();
    assert!(error.contains("generation 4 of v@1"), "{error}");
}
