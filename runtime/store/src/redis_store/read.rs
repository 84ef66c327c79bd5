//! Reading: one pipeline for each server.

use std::mem;

use redis::Value;

use super::RedisStore;
use super::layout::{self, EntityKeys};
use super::request::Request;
use crate::{Answer, Found, Lookup, OnlineStore, StoreError, StoredPart, TableId, TableState};

const READ: &str = "read";
/// Generations that are swapped faster than this often in one read are somebody's mistake.
const MOST_ROUNDS: u32 = 16;

impl RedisStore {
    pub(super) async fn read_lookups(&self, lookups: &[Lookup<'_>]) -> Result<Answer, StoreError> {
        let mut states: Vec<(TableId, TableState)> = Vec::new();
        let mut table_of = Vec::with_capacity(lookups.len());
        for lookup in lookups {
            let at = match states.iter().position(|(table, _)| table == lookup.table) {
                Some(at) => at,
                None => {
                    states.push((lookup.table.clone(), TableState::default()));
                    states.len() - 1
                }
            };
            table_of.push(at);
        }
        self.guess_states(&mut states).await?;
        let mut found: Vec<Found> = lookups.iter().map(|_| Found::default()).collect();
        let mut asked: Vec<usize> = (0..lookups.len()).collect();
        for _ in 0..MOST_ROUNDS {
            let mut requests = Vec::with_capacity(asked.len() * 2 + states.len());
            let prefixes: Vec<_> = states
                .iter()
                .map(|(table, state)| self.layout.generation_prefix(table, state.generation))
                .collect();
            for index in &asked {
                push_requests(&mut requests, &lookups[*index], &prefixes[table_of[*index]]);
            }
            // Behind the parts: a generation that is current after they were read was current while they were.
            requests.extend(states.iter().map(|(table, _)| self.state_request(table)));
            let mut values = self.servers.run(READ, requests).await?.into_iter();
            for index in &asked {
                found[*index] = self.take_found(&lookups[*index], &mut values)?;
            }
            let mut changed = vec![false; states.len()];
            for ((table, state), changed) in states.iter_mut().zip(&mut changed) {
                let (_, now) = self.state_of(table, values.next().unwrap_or_default())?;
                *changed = now.generation != state.generation;
                if now != *state {
                    self.learn(table, &now);
                    *state = now;
                }
            }
            asked.retain(|index| changed[table_of[*index]]);
            if !changed.contains(&true) {
                return Ok(Answer { found, states });
            }
        }
        Err(StoreError::Refused {
            place: self.place().into(),
            operation: READ,
            why: format!("a generation was swapped in {MOST_ROUNDS} times meanwhile; try again"),
        })
    }

    /// The states as they were last seen; those that never were are looked at.
    async fn guess_states(&self, states: &mut [(TableId, TableState)]) -> Result<(), StoreError> {
        let mut unknown = Vec::new();
        for (at, (table, state)) in states.iter_mut().enumerate() {
            match self.known(table) {
                Some(known) => *state = known,
                None => unknown.push(at),
            }
        }
        if !unknown.is_empty() {
            let tables: Vec<_> = unknown.iter().map(|at| states[*at].0.clone()).collect();
            for (at, state) in unknown.into_iter().zip(self.tables(&tables).await?) {
                states[at].1 = state;
            }
        }
        Ok(())
    }

    fn take_found(
        &self,
        lookup: &Lookup<'_>,
        values: &mut impl Iterator<Item = Value>,
    ) -> Result<Found, StoreError> {
        let damaged = |what: &str| self.corrupted(format!("{what} of table {}", lookup.table));
        let mut next = |wanted: bool| match wanted {
            true => match values.next() {
                Some(Value::Array(items)) => Ok(items),
                other => Err(self.unexpected(&other.unwrap_or_default())),
            },
            false => Ok(Vec::new()),
        };
        let mut tiles = Vec::with_capacity(lookup.tiles.len());
        for (name, value) in lookup.tiles.iter().zip(next(!lookup.tiles.is_empty())?) {
            tiles.push(match value {
                Value::Nil => None,
                Value::BulkString(bytes) => {
                    Some(layout::parse_tile(name, bytes).ok_or_else(|| damaged("a tile"))?)
                }
                other => return Err(self.unexpected(&other)),
            });
        }
        if tiles.len() != lookup.tiles.len() {
            return Err(damaged("the number of tiles"));
        }
        let mut rows: Vec<StoredPart> = Vec::new();
        let mut ranged = next(lookup.rows_from.is_some())?;
        let newest = next(lookup.newest_row)?;
        if ranged.is_empty() {
            ranged = newest;
        }
        for value in ranged {
            let Value::BulkString(member) = value else { return Err(self.unexpected(&value)) };
            let row = layout::parse_member(member).ok_or_else(|| damaged("a row"))?;
            // Members of one name lie in the order of their versions: the last is the newest.
            match rows.last_mut() {
                Some(last) if last.name == row.name => *last = row,
                _ => rows.push(row),
            }
        }
        Ok(Found { rows, tiles })
    }
}

fn push_requests(requests: &mut Vec<Request>, lookup: &Lookup<'_>, prefix: &[u8]) {
    let Lookup { table: _, entity, newest_row, rows_from, rows_below, tiles } = lookup;
    let EntityKeys { rows, tiles: tiles_key } = layout::entity_keys(prefix, entity);
    if !tiles.is_empty() {
        let mut request = Request::new("HMGET", &tiles_key);
        for name in *tiles {
            request.command.arg(&name[..]);
        }
        requests.push(request);
    }
    let mut upper = rows_below.map_or_else(|| b"+".to_vec(), |below| layout::bound(b'(', below));
    if let Some(from) = rows_from {
        let mut request = Request::new("ZRANGEBYLEX", &rows);
        let upper = if *newest_row { upper.clone() } else { mem::take(&mut upper) };
        request.command.arg(layout::bound(b'[', from)).arg(upper);
        requests.push(request);
    }
    if *newest_row {
        let mut request = Request::new("ZREVRANGEBYLEX", &rows);
        request.command.arg(upper).arg("-").arg("LIMIT").arg(0).arg(1);
        requests.push(request);
    }
}
