//! Redis passes the conformance suite, alone and as a cluster of three; and what a network does to it is an error that says so.

mod suite;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use suite::{Fixture, all, put, record, row, row_values, stored, table, tile, version};
use unskew_store::{Lookup, OnlineStore, RedisSettings, RedisStore, StoreError, WriteMode};
use unskew_test_servers::{RedisServer, StallingProxy};

/// Long enough for a busy machine; what must be quick is asserted by counting round trips.
const PATIENT: Duration = Duration::from_secs(60);

struct Server(RedisServer);

impl Fixture for Server {
    async fn new() -> Self {
        Self(RedisServer::start())
    }

    async fn open(&self) -> Arc<dyn OnlineStore> {
        Arc::new(open(&self.0.url(), PATIENT).await.unwrap())
    }
}

online_conformance!(Server);

async fn open(url: &str, timeout: Duration) -> Result<RedisStore, StoreError> {
    RedisStore::open(&RedisSettings { timeout, ..RedisSettings::new(url) }).await
}

#[tokio::test]
async fn a_read_is_one_round_trip_and_few_commands() {
    let server = RedisServer::start();
    let proxy = StallingProxy::start(server.port());
    let settings =
        RedisSettings { timeout: PATIENT, pool: 1, ..RedisSettings::new(proxy.redis_url()) };
    let store = RedisStore::open(&settings).await.unwrap();
    let tables = ["v@1", "w@1", "x@2"].map(table);
    let entities: Vec<_> = (0..40u8).map(|n| [n; 3]).collect();
    for table in &tables {
        let parts = vec![row("r", version(1, 0, 0), "r"), tile("t", version(1, 0, 0), "t")];
        let records: Vec<_> = entities.iter().map(|entity| record(entity, parts.clone())).collect();
        store.write(table, 0, &records, WriteMode::Newer).await.unwrap();
    }
    let tiles = ["t", "u", "v"].map(Bytes::from);
    let mut lookups = Vec::new();
    for table in &tables {
        for entity in &entities {
            lookups.push(Lookup {
                newest_row: true,
                rows_from: None,
                ..all(table, entity, &tiles)
            });
        }
    }
    let (connections, before) = (proxy.connections(), proxy.round_trips());
    server.reset_counts();
    let answer = store.read(&lookups).await.unwrap();
    assert_eq!(proxy.round_trips() - before, 1, "one piece went to the server");
    assert_eq!(proxy.connections(), connections);
    assert!(answer.found.iter().all(|found| found.rows.len() == 1 && found.tiles[0].is_some()));
    let counts = server.counts();
    let expected = [("get", 3), ("hmget", 120), ("zrevrangebylex", 120)];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert_eq!(counts, expected);
    // States, too: one round trip for any number of tables.
    let before = proxy.round_trips();
    store.tables(&tables).await.unwrap();
    assert_eq!(proxy.round_trips() - before, 1);
}

#[tokio::test]
async fn after_a_swap_elsewhere_one_more_round_trip_brings_what_is_new() {
    let server = RedisServer::start();
    let (reader, writer) =
        (open(&server.url(), PATIENT).await.unwrap(), open(&server.url(), PATIENT).await.unwrap());
    let table = table("v@1");
    put(&reader, &table, 0, record("e", vec![row("r", version(1, 0, 0), "old")])).await;
    assert_eq!(row_values(&reader, &table, b"e").await, ["old"]);
    let generation = writer.begin_generation(&table).await.unwrap();
    let new = record("e", vec![row("r", version(1, 0, 0), "new")]);
    writer.write(&table, generation, &[new], WriteMode::Fresh).await.unwrap();
    writer.swap_generation(&table, generation, 0, 0).await.unwrap();
    writer.drop_generation(&table, 0).await.unwrap();
    assert_eq!(row_values(&reader, &table, b"e").await, ["new"]);
    server.reset_counts();
    assert_eq!(row_values(&reader, &table, b"e").await, ["new"]);
    let expected = [("get".to_owned(), 1), ("zrangebylex".to_owned(), 1)];
    assert_eq!(server.counts(), expected, "the reader knows the new generation");
}

#[tokio::test]
async fn a_store_that_is_not_there_is_named() {
    let proxy = StallingProxy::start(1);
    let gone = format!("redis://user:secret@127.0.0.1:{}/3", {
        let port = proxy.port();
        drop(proxy);
        port
    });
    let error = open(&gone, PATIENT).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("redis://127.0.0.1:") && text.contains("Is it running"), "{text}");
    assert!(!text.contains("secret"), "{text}");
    let settings = RedisSettings::new("redis://user:secret@127.0.0.1:1");
    assert!(!format!("{settings:?}").contains("secret"));
    for wrong in ["127.0.0.1:6379", "http://localhost", "", "redis://"] {
        let error = open(wrong, PATIENT).await.unwrap_err().to_string();
        assert!(error.contains("redis://127.0.0.1:6379"), "{wrong}: {error}");
    }
    let error = open("rediss://127.0.0.1:1", PATIENT).await.unwrap_err().to_string();
    assert!(error.contains("TLS"), "{error}");
}

#[tokio::test]
async fn a_store_that_stalls_is_a_deadline_and_comes_back() {
    let server = RedisServer::start();
    let proxy = StallingProxy::start(server.port());
    let store = open(&proxy.redis_url(), Duration::from_millis(300)).await.unwrap();
    let table = table("v@1");
    put(&store, &table, 0, record("e", vec![row("r", version(1, 0, 0), "there")])).await;
    proxy.stall();
    let is_deadline = |error: StoreError| {
        assert!(matches!(error, StoreError::Deadline { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("redis://127.0.0.1:") && text.contains("300ms"), "{text}");
    };
    is_deadline(store.read(&[all(&table, b"e", &[])]).await.unwrap_err());
    let more = record("e", vec![row("s", version(1, 0, 0), "more")]);
    is_deadline(store.write(&table, 0, &[more], WriteMode::Newer).await.unwrap_err());
    is_deadline(store.swap_generation(&table, 0, 0, 0).await.unwrap_err());
    is_deadline(open(&proxy.redis_url(), Duration::from_millis(300)).await.unwrap_err());
    proxy.resume();
    let mut tries = 0;
    let values = loop {
        match store.read(&[all(&table, b"e", &[])]).await {
            Ok(answer) => break answer.found[0].rows.len(),
            Err(error) if tries < 100 => is_deadline(error),
            Err(error) => panic!("it never came back: {error}"),
        }
        tries += 1;
    };
    assert!(values >= 1);
}

#[tokio::test]
async fn a_server_that_was_gone_is_used_again() {
    let mut server = RedisServer::start_persistent();
    let store = open(&server.url(), PATIENT).await.unwrap();
    let table = table("v@1");
    put(&store, &table, 0, record("e", vec![row("r", version(1, 0, 0), "kept")])).await;
    server.kill();
    let error = store.read(&[all(&table, b"e", &[])]).await.unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "{error}");
    server.restart();
    assert_eq!(row_values(&store, &table, b"e").await, ["kept"]);
    // The new server does not know our scripts.
    server.command::<()>(&["SCRIPT", "FLUSH"]);
    put(&store, &table, 0, record("e", vec![row("s", version(1, 0, 0), "more")])).await;
    assert_eq!(row_values(&store, &table, b"e").await, ["kept", "more"]);
    // And if all was lost, it is empty, not broken.
    server.command::<()>(&["FLUSHALL"]);
    assert_eq!(row_values(&store, &table, b"e").await, [""; 0]);
}

#[tokio::test]
async fn a_full_or_forbidden_server_says_so() {
    let server = RedisServer::start_with(&["--maxmemory", "8mb"]);
    server.command::<()>(&["CONFIG", "SET", "requirepass", "secret"]);
    let url = |user: &str| format!("redis://{user}127.0.0.1:{}", server.port());
    for user in ["", ":wrong@"] {
        let error = open(&url(user), PATIENT).await.unwrap_err();
        assert!(matches!(error, StoreError::Refused { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("user and password") && !text.contains("wrong@"), "{text}");
    }
    let store = open(&url(":secret@"), PATIENT).await.unwrap();
    let table = table("v@1");
    let big = vec![b'x'; 1 << 20];
    let mut full = None;
    for n in 0..32u8 {
        let records =
            [record([n], vec![row("r", version(1, 0, 0), &big), row("s", version(1, 0, 0), "s")])];
        if let Err(error) = store.write(&table, 0, &records, WriteMode::Newer).await {
            full = Some((n, error));
            break;
        }
    }
    let (n, error) = full.expect("8 MiB are less than 32");
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert!(error.to_string().contains("make room"), "{error}");
    // An entity is written whole or not at all; what was there is still read.
    assert_eq!(row_values(&store, &table, &[n]).await, [""; 0]);
    assert_eq!(row_values(&store, &table, &[0]).await.len(), 2);
}

#[tokio::test]
async fn keys_of_others_are_left_alone_and_reported() {
    let server = RedisServer::start();
    let store = open(&server.url(), PATIENT).await.unwrap();
    let mut settings = RedisSettings { timeout: PATIENT, ..RedisSettings::new(server.url()) };
    settings.prefix = "other project".into();
    let other = RedisStore::open(&settings).await.unwrap();
    let table = table("v@1");
    for (store, text) in [(&store, "ours"), (&other, "theirs")] {
        let parts = vec![row("r", version(1, 0, 0), text)];
        put(store, &table, 0, record("e", parts)).await;
    }
    assert_eq!(row_values(&store, &table, b"e").await, ["ours"]);
    assert_eq!(row_values(&other, &table, b"e").await, ["theirs"]);
    let generation = store.begin_generation(&table).await.unwrap();
    store.swap_generation(&table, generation, 0, 0).await.unwrap();
    assert_eq!(store.drop_generation(&table, 0).await.unwrap(), 1);
    assert_eq!(row_values(&other, &table, b"e").await, ["theirs"]);
    // Somebody wrote something else where our rows should be.
    server.command::<()>(&["SET", "unskew:{v@1/1/e}r", "mine"]);
    let error = store.read(&[all(&table, b"e", &[])]).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupted { .. }), "{error}");
    server.command::<()>(&["DEL", "unskew:{v@1/1/e}r"]);
    server.command::<()>(&["ZADD", "unskew:{v@1/1/e}r", "0", "no member of ours"]);
    let error = store.read(&[all(&table, b"e", &[])]).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupted { .. }), "{error}");
    server.command::<()>(&["SET", "unskew:state:v@1", "no state"]);
    let error = store.tables(&[table]).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupted { .. }), "{error}");
    // What listens there is no Redis at all.
    settings.url = "redis://127.0.0.1:1".into();
    settings.cluster = true;
    assert!(RedisStore::open(&settings).await.is_err());
    settings.url = server.url();
    let error = RedisStore::open(&settings).await.unwrap_err().to_string();
    assert!(error.contains("online_store.cluster = false"), "{error}");
}

#[tokio::test]
async fn what_ended_meanwhile_is_cleared_away_by_the_next_trim() {
    let server = RedisServer::start();
    let (slow, quick) =
        (open(&server.url(), PATIENT).await.unwrap(), open(&server.url(), PATIENT).await.unwrap());
    let table = table("v@1");
    let parts = vec![row("r", version(1, 0, 0), "late")];
    put(&slow, &table, 0, record("e", parts.clone())).await;
    let generation = quick.begin_generation(&table).await.unwrap();
    quick.swap_generation(&table, generation, 0, 0).await.unwrap();
    quick.drop_generation(&table, 0).await.unwrap();
    // It still believes in the old one; the server tells it after the fact.
    let error = slow.write(&table, 0, &[record("e", parts)], WriteMode::Newer).await.unwrap_err();
    assert!(matches!(error, StoreError::Superseded { .. }), "{error}");
    assert_eq!(row_values(&slow, &table, b"e").await, [""; 0]);
    quick.trim(&table, generation, &unskew_store::Trim::default()).await.unwrap();
    let keys: Vec<String> = server.command(&["KEYS", "*"]);
    assert_eq!(keys, ["unskew:state:v@1"]);
    assert_eq!(stored(&row("r", version(1, 0, 0), "x")).value, "x");
}
