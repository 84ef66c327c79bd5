//! Reading: one pipeline for each server.

use super::RedisStore;
use super::layout;
use super::quick::{Commands, Reply};
use crate::{Answer, Found, Lookup, OnlineStore, StoreError, StoredPart, TableId, TableState};

const READ: &str = "read";
/// About so many bytes ask for an entity's newest rows.
const COMMAND_BYTES: usize = 160;
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
        let mut wanted = vec![Rows::Newest; lookups.len()];
        for round in 0..MOST_ROUNDS {
            let mut commands =
                Commands::with_capacity(COMMAND_BYTES * (lookups.len() + states.len()));
            let prefixes: Vec<_> = states
                .iter()
                .map(|(table, state)| self.layout.generation_prefix(table, state.generation))
                .collect();
            for ((lookup, table), rows) in lookups.iter().zip(&table_of).zip(&wanted) {
                push_commands(&mut commands, lookup, *rows, &prefixes[*table]);
            }
            // Behind the parts: a generation that is current after they were read was current while they were.
            states.iter().for_each(|(table, _)| self.ask_state(&mut commands, table));
            let mut replies = self.servers.ask_all(READ, &commands).await?.into_iter();
            for ((lookup, rows), found) in lookups.iter().zip(&mut wanted).zip(&mut found) {
                if *rows == Rows::Known {
                    continue;
                }
                let (read, is_all) = self.take_found(lookup, *rows, &mut replies)?;
                *found = read;
                *rows = if is_all { Rows::Known } else { Rows::All };
            }
            let mut changed = vec![false; states.len()];
            for ((table, state), changed) in states.iter_mut().zip(&mut changed) {
                let (_, now) = self.state_of(table, replies.next())?;
                // What was read in an earlier round was read in another state.
                *changed = now.generation != state.generation || (round > 0 && now != *state);
                if now != *state {
                    self.learn(table, &now);
                    *state = now;
                }
            }
            for (rows, table) in wanted.iter_mut().zip(&table_of) {
                if changed[*table] {
                    *rows = Rows::Newest;
                }
            }
            if wanted.iter().all(|rows| *rows == Rows::Known) {
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

    /// What was found for a lookup, and whether that is all of it.
    fn take_found(
        &self,
        lookup: &Lookup<'_>,
        asked: Rows,
        replies: &mut impl Iterator<Item = Reply>,
    ) -> Result<(Found, bool), StoreError> {
        let damaged = |what: &str| self.corrupted(format!("{what} of table {}", lookup.table));
        let mut tiles = Vec::with_capacity(lookup.tiles.len());
        if !lookup.tiles.is_empty() {
            if self.items(replies)? != lookup.tiles.len() {
                return Err(damaged("the number of tiles"));
            }
            for name in lookup.tiles {
                tiles.push(match replies.next() {
                    Some(Reply::Nil) => None,
                    Some(Reply::Bytes(bytes)) => {
                        Some(layout::parse_tile(name, bytes).ok_or_else(|| damaged("a tile"))?)
                    }
                    other => return Err(self.unexpected(&other)),
                });
            }
        }
        let mut rows: Vec<StoredPart> = Vec::new();
        let mut take = |rows: &mut Vec<StoredPart>| {
            let items = self.items(replies)?;
            for _ in 0..items {
                let row = match replies.next() {
                    Some(Reply::Bytes(member)) => layout::parse_member(member),
                    other => return Err(self.unexpected(&other)),
                };
                rows.push(row.ok_or_else(|| damaged("a row"))?);
            }
            Ok(items)
        };
        let mut is_all = true;
        match (lookup.rows_from, lookup.newest_row) {
            (None, false) => {}
            (Some(from), true) if asked != Rows::All => {
                let items = take(&mut rows)?;
                // As many as were asked for, and none of them is too old: there may be more.
                is_all = items < NEWEST || rows.last().is_some_and(|row| row.name[..] < *from);
                rows.reverse();
                if let Some(first) = rows.iter().position(|row| row.name[..] >= *from) {
                    rows.drain(..first);
                } else {
                    rows.drain(..rows.len().saturating_sub(1));
                }
            }
            (from, newest) => {
                if from.is_some() {
                    take(&mut rows)?;
                }
                if newest {
                    let ranged = rows.len();
                    take(&mut rows)?;
                    if ranged > 0 {
                        rows.truncate(ranged);
                    }
                }
            }
        }
        // Members of one name lie in the order of their versions: the last is the newest.
        rows.reverse();
        rows.dedup_by(|older, newer| older.name == newer.name);
        rows.reverse();
        Ok((Found { rows, tiles }, is_all))
    }

    fn items(&self, replies: &mut impl Iterator<Item = Reply>) -> Result<usize, StoreError> {
        match replies.next() {
            Some(Reply::Array(items)) => Ok(items),
            other => Err(self.unexpected(&other)),
        }
    }
}

/// How an entity's rows are asked for, where a range of them is wanted and at least the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rows {
    /// The two newest, which nearly always are all that is wanted.
    Newest,
    /// The range, and the newest.
    All,
    /// They are read.
    Known,
}

/// With so many it is seen whether the second is within the range.
const NEWEST: usize = 2;

fn push_commands(commands: &mut Commands, lookup: &Lookup<'_>, asked: Rows, prefix: &[u8]) {
    if asked == Rows::Known {
        return;
    }
    let Lookup { table: _, entity, newest_row, rows_from, rows_below, tiles } = lookup;
    if !tiles.is_empty() {
        commands.begin(2 + tiles.len(), b"HMGET");
        commands.word(&[prefix, entity, layout::TILES]);
        tiles.iter().for_each(|name| commands.word(&[name]));
    }
    let rows: [&[u8]; 3] = [prefix, entity, layout::ROWS];
    let upper = rows_below.map(|below| layout::bound(b'(', below));
    let upper: &[u8] = upper.as_deref().unwrap_or(b"+");
    let by_newest = *newest_row && asked != Rows::All;
    if let Some(from) = rows_from
        && !by_newest
    {
        commands.begin(4, b"ZRANGEBYLEX");
        commands.word(&rows);
        commands.word(&[&layout::bound(b'[', from)]);
        commands.word(&[upper]);
    }
    if *newest_row {
        let limit: &[u8] = if by_newest && rows_from.is_some() { b"2" } else { b"1" };
        commands.begin(7, b"ZREVRANGEBYLEX");
        commands.word(&rows);
        commands.word(&[upper]);
        commands.word(&[b"-"]);
        commands.word(&[b"LIMIT"]);
        commands.word(&[b"0"]);
        commands.word(&[limit]);
    }
}
