//! Removing much, by walking over the keys of each server.

use std::sync::Arc;

use bytes::Bytes;
use redis::{Cmd, Value};

use super::server::Server;
use super::{RedisStore, layout, scripts};
use crate::{OnlineStore, StoreError, TableId, Trim, Trimmed};

const TRIM: &str = "trim a table";
const DROP: &str = "drop a generation";
/// Keys that the server looks at in one step.
const STEP: usize = 2_000;

impl RedisStore {
    pub(super) async fn remove_generation(
        &self,
        table: &TableId,
        generation: u64,
    ) -> Result<u64, StoreError> {
        if self.servers.is_cluster() {
            // A reader that saw the generation before the swap may still be reading it on another server, for as long as its deadline lets it.
            tokio::time::sleep(self.servers.timeout()).await;
        }
        let pattern = layout::scan_pattern(&self.layout.generation_prefix(table, generation));
        let mut removed = 0;
        for server in self.servers.all().await? {
            let mut cursor = Some(Bytes::from_static(b"0"));
            while let Some(at) = cursor {
                let (next, keys) = self.scan(&server, DROP, &at, &pattern).await?;
                removed += self.unlink(&server, &keys).await?;
                cursor = next;
            }
        }
        Ok(removed)
    }

    pub(super) async fn trim_table(
        &self,
        table: &TableId,
        generation: u64,
        trim: &Trim,
    ) -> Result<Trimmed, StoreError> {
        let state = self.tables(std::slice::from_ref(table)).await?.remove(0);
        state.require_live(self.place(), table, generation)?;
        let prefix = self.layout.table_prefix(table);
        let pattern = layout::scan_pattern(&prefix);
        let mut trimmed = Trimmed::default();
        for server in self.servers.all().await? {
            let mut cursor = Some(Bytes::from_static(b"0"));
            while let Some(at) = cursor {
                let (next, keys) = self.scan(&server, TRIM, &at, &pattern).await?;
                let (mut rows, mut tiles, mut ended) = (Vec::new(), Vec::new(), Vec::new());
                for key in keys {
                    match layout::parse_key(&prefix, &key) {
                        Some((of, true)) if of == generation => rows.push(key),
                        Some((of, false)) if of == generation => tiles.push(key),
                        // What was written to a generation while it ended lies about until now.
                        Some((of, _)) if of < state.generation && !state.is_live(of) => {
                            ended.push(key)
                        }
                        _ => {}
                    }
                }
                self.unlink(&server, &ended).await?;
                trimmed.rows += self.trim_rows(&server, &rows, trim).await?;
                trimmed.tiles += self.trim_tiles(&server, &tiles, trim).await?;
                cursor = next;
            }
        }
        Ok(trimmed)
    }

    /// One step over the keys of a server; no cursor when it was the last.
    async fn scan(
        &self,
        server: &Arc<Server>,
        operation: &'static str,
        cursor: &Bytes,
        pattern: &[u8],
    ) -> Result<(Option<Bytes>, Vec<Vec<u8>>), StoreError> {
        let mut command = redis::cmd("SCAN");
        command.arg(&cursor[..]).arg("MATCH").arg(pattern).arg("COUNT").arg(STEP);
        let mut reply = self.servers.ask(server, operation, vec![command]).await?;
        let Some(Value::Array(mut reply)) = reply.pop() else {
            return Err(self.unexpected(&Value::Nil));
        };
        let (Some(Value::Array(keys)), Some(Value::BulkString(next))) = (reply.pop(), reply.pop())
        else {
            return Err(self.unexpected(&Value::Array(reply)));
        };
        let keys = keys.into_iter().filter_map(|key| match key {
            Value::BulkString(key) => Some(key),
            _ => None,
        });
        Ok(((next != b"0").then(|| next.into()), keys.collect()))
    }

    /// Removes keys, and says how many parts they held.
    async fn unlink(&self, server: &Arc<Server>, keys: &[Vec<u8>]) -> Result<u64, StoreError> {
        if keys.is_empty() {
            return Ok(0);
        }
        let mut commands = Vec::with_capacity(keys.len() * 2);
        for key in keys {
            let count = if key.ends_with(b"r") { "ZCARD" } else { "HLEN" };
            for name in [count, "UNLINK"] {
                commands.push(command(name, key));
            }
        }
        let values = self.servers.ask(server, DROP, commands).await?;
        let counts = values.iter().step_by(2).map(|value| match value {
            Value::Int(count) => count.cast_unsigned(),
            _ => 0,
        });
        Ok(counts.sum())
    }

    async fn trim_rows(
        &self,
        server: &Arc<Server>,
        keys: &[Vec<u8>],
        trim: &Trim,
    ) -> Result<u64, StoreError> {
        let Some(below) = &trim.rows_below else { return Ok(0) };
        if keys.is_empty() {
            return Ok(0);
        }
        let mut bound = Vec::new();
        layout::push_escaped(&mut bound, below);
        let commands = keys.iter().map(|key| {
            let mut command = redis::cmd("EVALSHA");
            command.arg(scripts::TRIM_ROWS.get_hash()).arg(1).arg(&key[..]);
            command.arg(&bound).arg(u8::from(trim.keep_newest_row));
            command
        });
        let values = self.servers.ask(server, TRIM, commands.collect()).await?;
        self.sum(&values)
    }

    async fn trim_tiles(
        &self,
        server: &Arc<Server>,
        keys: &[Vec<u8>],
        trim: &Trim,
    ) -> Result<u64, StoreError> {
        if keys.is_empty() || trim.tiles.is_empty() {
            return Ok(0);
        }
        let asked = keys.iter().map(|key| command("HKEYS", key)).collect();
        let names = self.servers.ask(server, TRIM, asked).await?;
        let mut removing = Vec::new();
        for (key, names) in keys.iter().zip(names) {
            let Value::Array(names) = names else { return Err(self.unexpected(&names)) };
            let mut removal = command("HDEL", key);
            let mut any = false;
            for name in names {
                let Value::BulkString(name) = name else { return Err(self.unexpected(&name)) };
                let within =
                    |(from, to): &(Bytes, Bytes)| from[..] <= name[..] && name[..] < to[..];
                if trim.tiles.iter().any(within) {
                    removal.arg(name);
                    any = true;
                }
            }
            if any {
                removing.push(removal);
            }
        }
        if removing.is_empty() {
            return Ok(0);
        }
        let values = self.servers.ask(server, TRIM, removing).await?;
        self.sum(&values)
    }

    fn sum(&self, values: &[Value]) -> Result<u64, StoreError> {
        let mut sum = 0;
        for value in values {
            match value {
                Value::Int(count) => sum += count.cast_unsigned(),
                other => return Err(self.unexpected(other)),
            }
        }
        Ok(sum)
    }
}

fn command(name: &str, key: &[u8]) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(key);
    command
}
