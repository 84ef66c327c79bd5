//! How quick the online stores are on this machine: rows written a second, beside `redis-cli --pipe` of the same keys, and lookups a second.
//!
//! `cargo run --release --workspace --example store_speed [ENTITIES]`

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

use bytes::Bytes;
use unskew_store::{
    EmbeddedSettings, EmbeddedStore, Lookup, OnlineStore, Part, PartKind, PartVersion, Record,
    RedisSettings, RedisStore, TableId, WriteMode,
};
use unskew_test_servers::RedisServer;

const BATCH: usize = 10_000;
const ROUNDS: u32 = 3;

fn record(number: u64) -> Record {
    let version = PartVersion { event_timestamp: 1, created_timestamp: 0, revision: 0 };
    let name = [&[0x80, 0, 6, 0x14][..], &number.to_be_bytes(), &[0; 8]].concat();
    let row = Part {
        kind: PartKind::Row,
        name: name.into(),
        version,
        value: vec![number as u8; 60].into(),
    };
    Record {
        entity: format!("user-{number:09}").into_bytes().into(),
        parts: vec![row],
        drop_rows_below: None,
    }
}

/// Rows a second.
async fn write(store: &dyn OnlineStore, records: &[Record], mode: WriteMode) -> f64 {
    let table = TableId::new("speed@1").expect("a name");
    let generation = store.begin_generation(&table).await.expect("a generation");
    let start = now();
    for batch in records.chunks(BATCH) {
        store.write(&table, generation, batch, mode).await.expect("a write");
    }
    let speed = records.len() as f64 / start.elapsed().as_secs_f64();
    let before = store.tables(std::slice::from_ref(&table)).await.expect("a state")[0].generation;
    store.swap_generation(&table, generation, 0, 0).await.expect("a swap");
    store.drop_generation(&table, before).await.expect("a drop");
    speed
}

/// Microseconds for each request of so many entities.
async fn read(store: &dyn OnlineStore, records: &[Record], entities: usize) -> f64 {
    let table = TableId::new("speed@1").expect("a name");
    let requests = (20_000 / entities).max(50);
    let start = now();
    for number in 0..requests {
        let lookups: Vec<_> = (0..entities)
            .map(|at| Lookup {
                table: &table,
                entity: &records[(number * 7_919 + at * 31) % records.len()].entity,
                newest_row: true,
                rows_from: None,
                rows_below: None,
                tiles: &[] as &[Bytes],
            })
            .collect();
        let answer = store.read(&lookups).await.expect("a read");
        assert!(answer.found.iter().all(|found| found.rows.len() == 1));
    }
    start.elapsed().as_secs_f64() * 1e6 / requests as f64
}

/// The same keys and members, as `redis-cli --pipe` takes them.
fn pipe(server: &RedisServer, records: &[Record]) -> f64 {
    let mut protocol = Vec::new();
    for record in records {
        let part = &record.parts[0];
        let key = [&b"pipe:{speed@1/1/"[..], &record.entity, b"}r"].concat();
        let member = [&part.name[..], &[0; 26], &part.value].concat();
        let words = [&b"ZADD"[..], &key, b"0", &member];
        write!(protocol, "*{}\r\n", words.len()).expect("memory");
        for word in words {
            write!(protocol, "${}\r\n", word.len()).expect("memory");
            protocol.extend(word);
            protocol.extend(b"\r\n");
        }
    }
    let start = now();
    let mut client = Command::new("redis-cli")
        .args(["-p", &server.port().to_string(), "--pipe"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("redis-cli");
    client.stdin.take().expect("its input").write_all(&protocol).expect("a pipe");
    assert!(client.wait().expect("its end").success());
    records.len() as f64 / start.elapsed().as_secs_f64()
}

#[allow(clippy::disallowed_methods, reason = "what is measured is time")]
fn now() -> Instant {
    Instant::now()
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let entities = std::env::args().nth(1).map_or(200_000, |word| word.parse().expect("a number"));
    let records: Vec<_> = (0..entities).map(record).collect();
    let server = RedisServer::start();
    let redis = RedisStore::open(&RedisSettings {
        timeout: std::time::Duration::from_secs(60),
        ..RedisSettings::new(server.url())
    })
    .await
    .expect("Redis");
    let folder = tempfile::tempdir().expect("a folder");
    let embedded = EmbeddedStore::open(&EmbeddedSettings {
        timeout: std::time::Duration::from_secs(60),
        ..EmbeddedSettings::new(folder.path())
    })
    .await
    .expect("LMDB");
    for round in 1..=ROUNDS {
        let base = pipe(&server, &records);
        println!("round {round}: redis-cli --pipe {base:.0} rows/s");
        for mode in [WriteMode::Fresh, WriteMode::Newer] {
            let speed = write(&redis, &records, mode).await;
            println!("  redis {mode:?} {speed:.0} rows/s, {:.2} of it", speed / base);
            println!("  embedded {mode:?} {:.0} rows/s", write(&embedded, &records, mode).await);
        }
        for entities in [1, 10, 100] {
            println!(
                "  a request of {entities}: redis {:.1} us, embedded {:.1} us",
                read(&redis, &records, entities).await,
                read(&embedded, &records, entities).await,
            );
        }
    }
    let bytes = embedded.check().await.expect("its health").bytes;
    println!(
        "embedded: {:.0} bytes for each row, in a file of three generations",
        bytes as f64 / records.len() as f64
    );
    let memory: String = server.command(&["INFO", "memory"]);
    println!(
        "redis: {}",
        memory.lines().find(|line| line.starts_with("used_memory:")).unwrap_or_default()
    );
}
