//! Random work, beside a model that is plain enough to be seen right.

use std::collections::BTreeMap;

use bytes::Bytes;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use unskew_store::{Lookup, PartKind, Trim};

use super::*;

const ENTITIES: [&[u8]; 4] = [b"", b"a", b"a\0", b"b"];
const NAMES: [&[u8]; 6] = [b"", b"\0", b"m", b"m\0", b"m\xff", b"n"];

/// What is where: (generation, entity, kind, name) to the part.
#[derive(Default)]
struct Model {
    parts: BTreeMap<(u64, Vec<u8>, PartKind, Vec<u8>), Part>,
    current: u64,
}

impl Model {
    fn write(&mut self, generation: u64, record: &Record, mode: WriteMode) {
        for part in &record.parts {
            let key = (generation, record.entity.to_vec(), part.kind, part.name.to_vec());
            match self.parts.get(&key) {
                Some(there) if mode == WriteMode::Newer && there.version >= part.version => {}
                _ => drop(self.parts.insert(key, part.clone())),
            }
        }
        if let Some(below) = &record.drop_rows_below {
            self.parts.retain(|(of, entity, kind, name), _| {
                *of != generation
                    || *entity != record.entity
                    || *kind == PartKind::Tile
                    || name[..] >= below[..]
            });
        }
    }

    fn rows(&self, generation: u64, entity: &[u8]) -> Vec<Part> {
        let mine = |key: &&(u64, Vec<u8>, PartKind, Vec<u8>)| {
            key.0 == generation && key.1 == entity && key.2 == PartKind::Row
        };
        self.parts.keys().filter(mine).map(|key| self.parts[key].clone()).collect()
    }

    fn trim(&mut self, generation: u64, trim: &Trim) {
        for entity in ENTITIES {
            let mut rows = self.rows(generation, entity);
            if trim.keep_newest_row {
                rows.pop();
            }
            for row in rows {
                if trim.rows_below.as_ref().is_some_and(|below| row.name < below) {
                    let name = row.name.to_vec();
                    self.parts.remove(&(generation, entity.to_vec(), PartKind::Row, name));
                }
            }
        }
        self.parts.retain(|(of, _, kind, name), _| {
            let within = |(from, to): &(Bytes, Bytes)| from <= &name[..] && &name[..] < to;
            *of != generation || *kind == PartKind::Row || !trim.tiles.iter().any(within)
        });
    }

    fn find(&self, lookup: &Lookup<'_>) -> Found {
        let mut rows = self.rows(self.current, lookup.entity);
        rows.retain(|row| lookup.rows_below.is_none_or(|below| &row.name[..] < below));
        let newest = rows.last().cloned().filter(|_| lookup.newest_row);
        rows.retain(|row| lookup.rows_from.is_some_and(|from| &row.name[..] >= from));
        if rows.is_empty() {
            rows.extend(newest);
        }
        let tiles = lookup.tiles.iter().map(|name| {
            let key = (self.current, lookup.entity.to_vec(), PartKind::Tile, name.to_vec());
            self.parts.get(&key).map(stored)
        });
        Found { rows: rows.iter().map(stored).collect(), tiles: tiles.collect() }
    }
}

pub(crate) async fn random_work_leaves_what_a_model_says(fixture: &impl Fixture) {
    let store = fixture.open().await;
    let table = table("v@1");
    let mut rng = ChaCha8Rng::seed_from_u64(0x005e_ed0f);
    let mut model = Model::default();
    let mut building = None;
    let name = |rng: &mut ChaCha8Rng| Bytes::from_static(NAMES.choose(rng).unwrap());
    let bound = |rng: &mut ChaCha8Rng| rng.random_bool(0.3).then(|| name(rng));
    let tiles: Vec<_> = NAMES.iter().map(|name| Bytes::from_static(name)).collect();
    for step in 0..1_500 {
        let generation = building.filter(|_| rng.random_bool(0.5)).unwrap_or(model.current);
        match rng.random_range(0..100) {
            0..80 => {
                let mode = if rng.random_bool(0.7) { WriteMode::Newer } else { WriteMode::Replace };
                let mut parts: Vec<Part> = (0..rng.random_range(0..4))
                    .map(|_| {
                        let v = version(rng.random_range(-2..3), rng.random_range(0..2), 0);
                        let kind = if rng.random() { PartKind::Row } else { PartKind::Tile };
                        part(kind, name(&mut rng), v, [rng.random::<u8>(), step as u8])
                    })
                    .collect();
                parts.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
                parts.dedup_by(|a, b| (a.kind, &a.name) == (b.kind, &b.name));
                let entity = ENTITIES.choose(&mut rng).unwrap();
                let drop_rows_below = bound(&mut rng).filter(|_| rng.random_bool(0.3));
                let record = Record { drop_rows_below, ..record(entity, parts) };
                model.write(generation, &record, mode);
                store.write(&table, generation, &[record], mode).await.unwrap();
            }
            80..86 => {
                let (from, to) = (name(&mut rng), name(&mut rng));
                let trim = Trim {
                    rows_below: bound(&mut rng),
                    keep_newest_row: rng.random(),
                    tiles: vec![(from, to)],
                };
                model.trim(generation, &trim);
                store.trim(&table, generation, &trim).await.unwrap();
            }
            86..90 if building.is_none() => {
                building = Some(store.begin_generation(&table).await.unwrap());
            }
            90..94 => {
                if let Some(generation) = building.take() {
                    let old = std::mem::replace(&mut model.current, generation);
                    store.swap_generation(&table, generation, 0, 0).await.unwrap();
                    store.drop_generation(&table, old).await.unwrap();
                }
            }
            _ => {}
        }
        let (from, below) = (bound(&mut rng), bound(&mut rng));
        let lookups = ENTITIES.map(|entity| Lookup {
            rows_from: from.as_deref(),
            rows_below: below.as_deref(),
            newest_row: step % 2 == 0,
            ..all(&table, entity, &tiles)
        });
        let answer = store.read(&lookups).await.unwrap();
        for (lookup, found) in lookups.iter().zip(answer.found) {
            assert_eq!(found, model.find(lookup), "step {step}: {lookup:?}");
        }
    }
}
