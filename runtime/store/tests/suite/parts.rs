//! Parts: what is written, and which of two writes stays.

use std::sync::Arc;

use bytes::Bytes;
use unskew_store::{Lookup, PartKind, TableState, WriteMode, Written};

use super::*;

pub(crate) async fn nothing_is_there_at_first(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let (a, b) = (table("a@1"), table("b@1"));
    let states = store.tables(&[a.clone(), b.clone()]).await.unwrap();
    assert_eq!(states, [TableState::default(), TableState::default()]);
    let tiles = [Bytes::from_static(b"t")];
    let answer = store.read(&[all(&a, b"nobody", &tiles)]).await.unwrap();
    assert_eq!(answer.found[0].rows, []);
    assert_eq!(answer.found[0].tiles, [None]);
    assert_eq!(answer.states, [(a.clone(), TableState::default())]);
    assert_eq!(answer.state(&b), None);
    assert_eq!(store.read(&[]).await.unwrap().found, []);
    assert_eq!(store.tables(&[]).await.unwrap(), []);
    let health = store.check().await.unwrap();
    assert_eq!(health.place, store.place());
    assert!(!health.engine.is_empty());
    let nothing = store.write(&a, 0, &[], WriteMode::Newer).await.unwrap();
    assert_eq!(nothing, Written::default());
}

pub(crate) async fn the_newer_part_wins_in_any_order(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let table = table("v@1");
    // Ascending; each differs from the one before it in one field, with the fields after it lower.
    let versions = [version(-5, 9, 9), version(3, -7, 9), version(3, 0, 8), version(3, 0, 300)];
    let orders =
        [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2, 0, 3, 1], [0, 3, 1, 2], [3, 0, 2, 1]];
    for (number, order) in orders.into_iter().enumerate() {
        let entity = format!("entity {number}");
        let mut greatest = None;
        for index in order {
            let text = format!("value {index}");
            let parts = vec![row("r", versions[index], &text), tile("r", versions[index], &text)];
            let written =
                store.write(&table, 0, &[record(&entity, parts)], WriteMode::Newer).await.unwrap();
            let wins = greatest.is_none_or(|greatest| index > greatest);
            greatest = greatest.max(Some(index));
            let expected = match wins {
                true => Written { written: 2, ..Written::default() },
                false => Written { older: 2, ..Written::default() },
            };
            assert_eq!(written, expected, "{index} of {order:?}");
        }
        let tiles = [Bytes::from_static(b"r")];
        let found = read_one(&*store, all(&table, entity.as_bytes(), &tiles)).await;
        assert_eq!(found.rows, [stored(&row("r", versions[3], "value 3"))]);
        assert_eq!(found.tiles, [Some(stored(&tile("r", versions[3], "value 3")))]);
    }
}

pub(crate) async fn replays_are_harmless(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let table = table("v@1");
    let records: Vec<_> = (0..50)
        .map(|n| {
            let parts = vec![
                row([n, 0], version(1, 1, 0), [n]),
                row([n, 1], version(2, 1, 0), [n, n]),
                tile([n], version(2, 1, 2), b""),
            ];
            record([n], parts)
        })
        .collect();
    for mode in [WriteMode::Newer, WriteMode::Newer, WriteMode::Replace, WriteMode::Fresh] {
        store.write(&table, 0, &records, mode).await.unwrap();
    }
    for mode in [WriteMode::Newer, WriteMode::Replace] {
        let again = store.write(&table, 0, &records, mode).await.unwrap();
        assert_eq!(again, Written { unchanged: 150, ..Written::default() }, "{mode:?}");
    }
    for n in 0..50 {
        let tiles = [Bytes::copy_from_slice(&[n])];
        let found = read_one(&*store, all(&table, &[n], &tiles)).await;
        let wanted = &records[usize::from(n)].parts;
        assert_eq!(found.rows, [stored(&wanted[0]), stored(&wanted[1])]);
        assert_eq!(found.tiles, [Some(stored(&wanted[2]))]);
    }
    // As new with other bytes is not newer.
    let other = record([7], vec![row([7, 0], version(1, 1, 0), "other")]);
    let written = store.write(&table, 0, &[other], WriteMode::Newer).await.unwrap();
    assert_eq!(written, Written { older: 1, ..Written::default() });
    let found = read_one(&*store, all(&table, &[7], &[])).await;
    assert_eq!(found.rows[0].value, [7][..]);
}

pub(crate) async fn replacing_asks_no_version(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let table = table("v@1");
    for (event, text) in [(5, "first"), (3, "second"), (3, "third")] {
        let parts =
            vec![row("r", version(event, 0, 0), text), tile("t", version(event, 0, 0), text)];
        let written =
            store.write(&table, 0, &[record("e", parts)], WriteMode::Replace).await.unwrap();
        assert_eq!(written, Written { written: 2, ..Written::default() });
    }
    let tiles = [Bytes::from_static(b"t")];
    let found = read_one(&*store, all(&table, b"e", &tiles)).await;
    assert_eq!(found.rows, [stored(&row("r", version(3, 0, 0), "third"))]);
    assert_eq!(found.tiles, [Some(stored(&tile("t", version(3, 0, 0), "third")))]);
}

pub(crate) async fn fresh_parts_lose_against_newer_ones(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let table = table("v@1");
    let generation = store.begin_generation(&table).await.unwrap();
    let backfill = [
        record("pushed", vec![row("r", version(5, 0, 0), "old"), row("s", version(5, 0, 0), "s")]),
        record("quiet", vec![row("r", version(5, 0, 0), "old"), tile("t", version(5, 0, 0), "t")]),
    ];
    // Pushed before the backfill comes to that entity, and after.
    put(&*store, &table, generation, record("pushed", vec![row("r", version(9, 0, 0), "new")]))
        .await;
    store.write(&table, generation, &backfill, WriteMode::Fresh).await.unwrap();
    put(&*store, &table, generation, record("quiet", vec![row("r", version(9, 0, 0), "new")]))
        .await;
    // Work that is resumed says all again.
    store.write(&table, generation, &backfill, WriteMode::Fresh).await.unwrap();
    store.swap_generation(&table, generation, 10, 20).await.unwrap();
    assert_eq!(row_values(&*store, &table, b"pushed").await, ["new", "s"]);
    assert_eq!(row_values(&*store, &table, b"quiet").await, ["new"]);
    let newest = Lookup { rows_from: None, newest_row: true, ..all(&table, b"quiet", &[]) };
    assert_eq!(read_one(&*store, newest).await.rows, [stored(&row("r", version(9, 0, 0), "new"))]);
    // What is written after the swap is compared with what is the newest of it.
    let between = record("quiet", vec![row("r", version(7, 0, 0), "between")]);
    let written = store.write(&table, generation, &[between], WriteMode::Newer).await.unwrap();
    assert_eq!(written, Written { older: 1, ..Written::default() });
    let tiles = [Bytes::from_static(b"t")];
    let found = read_one(&*store, all(&table, b"quiet", &tiles)).await;
    assert_eq!(found.tiles, [Some(stored(&tile("t", version(5, 0, 0), "t")))]);
}

pub(crate) async fn any_bytes_are_names(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let tables = [table("v@1"), table("v@11"), table("ä \"view\" * ? [x]@1")];
    let mut names: Vec<Vec<u8>> = vec![
        vec![],
        vec![0],
        vec![0, 0],
        vec![0, 0xff],
        vec![0xff],
        vec![0xff; 33],
        b"}{".to_vec(),
        b"{a}".to_vec(),
        b"a\r\nb".to_vec(),
        b"a".to_vec(),
        b"a\0".to_vec(),
        b"a\0b".to_vec(),
        b"a/b:c*?[d]".to_vec(),
    ];
    for length in [199, 200, 201, 255, 256, 257, 511, 512, 5000] {
        names.push(vec![0; length]);
        names.push(vec![b'x'; length]);
    }
    let mut expected = Vec::new();
    for table in &tables {
        for entity in &names {
            let parts: Vec<_> = names
                .iter()
                .flat_map(|name| {
                    let value = [table.as_str().as_bytes(), entity, name].concat();
                    let v = version(1, 2, 3);
                    [row(name, v, [&value[..], b"row"].concat()), tile(name, v, &value)]
                })
                .collect();
            store
                .write(table, 0, &[record(entity, parts.clone())], WriteMode::Newer)
                .await
                .unwrap();
            expected.push((table, entity, parts));
        }
    }
    let tile_names: Vec<_> = names.iter().map(|name| Bytes::copy_from_slice(name)).collect();
    let lookups: Vec<_> =
        expected.iter().map(|(table, entity, _)| all(table, entity, &tile_names)).collect();
    let answer = store.read(&lookups).await.unwrap();
    assert_eq!(answer.states.len(), tables.len());
    for ((table, entity, parts), found) in expected.iter().zip(&answer.found) {
        let place = format!("{table} {entity:?}");
        let tiles = parts.iter().filter(|part| part.kind == PartKind::Tile);
        assert!(tiles.map(|part| Some(stored(part))).eq(found.tiles.iter().cloned()), "{place}");
        let mut rows: Vec<_> =
            parts.iter().filter(|part| part.kind == PartKind::Row).map(stored).collect();
        rows.sort_by(|a, b| a.name.cmp(&b.name));
        assert_eq!(found.rows, rows, "{place}");
    }
}

pub(crate) async fn large_values_come_back_whole(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let table = table("v@1");
    let value: Vec<u8> =
        (0..(1 << 20) as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let records: Vec<_> = (0..12u8)
        .map(|n| {
            let parts = vec![
                row("r", version(n.into(), 0, 0), [&[n], &value[..]].concat()),
                tile("t", version(n.into(), 0, 0), [&[n, n], &value[..]].concat()),
            ];
            record([n], parts)
        })
        .collect();
    store.write(&table, 0, &records, WriteMode::Newer).await.unwrap();
    let tiles = [Bytes::from_static(b"t")];
    let lookups: Vec<_> =
        records.iter().map(|record| all(&table, &record.entity, &tiles)).collect();
    for (record, found) in records.iter().zip(store.read(&lookups).await.unwrap().found) {
        assert!(found.rows == [stored(&record.parts[0])]);
        assert!(found.tiles == [Some(stored(&record.parts[1]))]);
    }
}

pub(crate) async fn many_entities_are_read_at_once(fixture: &impl Fixture) {
    const ENTITIES: u32 = 100_000;
    let store = fixture.open().await;
    let table = table("v@1");
    let record_of = |n: u32| {
        let v = version(n.into(), 0, 0);
        record(n.to_be_bytes(), vec![row("r", v, n.to_le_bytes()), tile("t", v, n.to_be_bytes())])
    };
    let numbers: Vec<u32> = (0..ENTITIES).collect();
    for (at, chunk) in numbers.chunks(10_000).enumerate() {
        let records: Vec<_> = chunk.iter().map(|n| record_of(*n)).collect();
        let mode = if at % 2 == 0 { WriteMode::Newer } else { WriteMode::Fresh };
        let written = store.write(&table, 0, &records, mode).await.unwrap();
        assert_eq!(written, Written { written: 20_000, ..Written::default() });
    }
    let tiles = [Bytes::from_static(b"t")];
    let asked: Vec<_> = (0..ENTITIES + 100).step_by(9).map(u32::to_be_bytes).collect();
    let lookups: Vec<_> = asked
        .iter()
        .map(|entity| Lookup { newest_row: true, rows_from: None, ..all(&table, entity, &tiles) })
        .collect();
    let answer = store.read(&lookups).await.unwrap();
    assert_eq!(answer.found.len(), asked.len());
    for (entity, found) in asked.iter().zip(&answer.found) {
        let n = u32::from_be_bytes(*entity);
        if n < ENTITIES {
            let record = record_of(n);
            assert_eq!(found.rows, [stored(&record.parts[0])]);
            assert_eq!(found.tiles, [Some(stored(&record.parts[1]))]);
        } else {
            assert_eq!((found.rows.len(), &found.tiles[..]), (0, &[None][..]));
        }
    }
}

pub(crate) async fn one_read_answers_from_many_tables(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let tables: Vec<_> = (0..7).map(|n| table(&format!("view{n}@1"))).collect();
    for (n, table) in tables.iter().enumerate() {
        for generation in 1..=n as u64 {
            assert_eq!(store.begin_generation(table).await.unwrap(), generation);
            store.swap_generation(table, generation, 100 + n as i64, 5).await.unwrap();
        }
        let value = format!("of {table}");
        put(&*store, table, n as u64, record("e", vec![row("r", version(1, 0, 0), &value)])).await;
    }
    let lookups: Vec<_> =
        [4, 0, 4, 6, 1].into_iter().map(|n: usize| all(&tables[n], b"e", &[])).collect();
    let answer = store.read(&lookups).await.unwrap();
    for (lookup, found) in lookups.iter().zip(&answer.found) {
        assert_eq!(found.rows[0].value, format!("of {}", lookup.table).as_bytes());
    }
    let named: Vec<_> = answer.states.iter().map(|(table, _)| table.as_str()).collect();
    assert_eq!(named, ["view4@1", "view0@1", "view6@1", "view1@1"]);
    assert_eq!(answer.state(&tables[6]).unwrap().generation, 6);
    assert_eq!(answer.state(&tables[6]).unwrap().covered_until, Some(106));
    let states = store.tables(&tables).await.unwrap();
    assert!(states.iter().map(|state| state.generation).eq(0..7));
}

pub(crate) async fn writers_at_a_time_leave_the_newest(fixture: &impl Fixture) {
    let table = table("v@1");
    let mut tasks = Vec::new();
    for writer in 0..8u64 {
        let store: Arc<dyn OnlineStore> = fixture.open().await;
        let table = table.clone();
        tasks.push(tokio::spawn(async move {
            for turn in 0..40u64 {
                // Every writer has another order, and each version one writer.
                let n = (turn * 7 + writer * 13) % 40 * 8 + writer;
                let v = version((n / 8) as i64, 0, writer);
                let parts = vec![row("r", v, n.to_be_bytes()), tile("t", v, n.to_be_bytes())];
                store.write(&table, 0, &[record("hot", parts)], WriteMode::Newer).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let store = fixture.open().await;
    let tiles = [Bytes::from_static(b"t")];
    let found = read_one(&*store, all(&table, b"hot", &tiles)).await;
    let newest = (39 * 8 + 7u64).to_be_bytes();
    assert_eq!(found.rows, [stored(&row("r", version(39, 0, 7), newest))]);
    assert_eq!(found.tiles, [Some(stored(&tile("t", version(39, 0, 7), newest)))]);
}
