//! A Redis cluster passes the conformance suite, and is asked once at each server.

mod suite;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use suite::{Fixture, all, record, row, table, tile, version};
use unskew_store::{OnlineStore, RedisSettings, RedisStore, WriteMode};
use unskew_test_servers::RedisCluster;

struct Cluster(RedisCluster);

impl Fixture for Cluster {
    async fn new() -> Self {
        Self(RedisCluster::start(3))
    }

    async fn open(&self) -> Arc<dyn OnlineStore> {
        Arc::new(open(&self.0).await)
    }
}

// Removing a generation waits for as long as a reader may take, so the timeout is short; the rest is what one server has shown already.
online_conformance!(Cluster:
    nothing_is_there_at_first,
    the_newer_part_wins_in_any_order,
    fresh_parts_lose_against_newer_ones,
    any_bytes_are_names,
    one_read_answers_from_many_tables,
    writers_at_a_time_leave_the_newest,
    rows_lie_in_the_order_of_their_names,
    trimming_removes_what_it_names_and_no_more,
    a_generation_is_seen_when_it_is_swapped_in,
    dropping_removes_a_generation_and_no_other,
    one_of_many_compactions_wins,
);

async fn open(cluster: &RedisCluster) -> RedisStore {
    let timeout = Duration::from_secs(5);
    let settings = RedisSettings { cluster: true, timeout, ..RedisSettings::new(cluster.url()) };
    RedisStore::open(&settings).await.unwrap()
}

#[tokio::test]
async fn each_server_is_asked_once() {
    let cluster = RedisCluster::start(3);
    let store = open(&cluster).await;
    let table = table("v@1");
    let records: Vec<_> = (0..300u16)
        .map(|n| {
            let parts = vec![row("r", version(1, 0, 0), "r"), tile("t", version(1, 0, 0), "t")];
            record(n.to_be_bytes(), parts)
        })
        .collect();
    store.write(&table, 0, &records, WriteMode::Newer).await.unwrap();
    let tiles = [Bytes::from_static(b"t")];
    let lookups: Vec<_> =
        records.iter().map(|record| all(&table, &record.entity, &tiles)).collect();
    cluster.servers().iter().for_each(|server| server.reset_counts());
    let answer = store.read(&lookups).await.unwrap();
    assert!(answer.found.iter().all(|found| found.rows.len() == 1 && found.tiles[0].is_some()));
    let mut sum = 0;
    for server in cluster.servers() {
        let counts = server.counts();
        let hmget = counts.iter().find(|(name, _)| name == "hmget").map_or(0, |(_, calls)| *calls);
        assert!(hmget > 30, "entities lie on all servers: {counts:?}");
        sum += hmget;
    }
    assert_eq!(sum, 300, "nothing was asked twice");
    assert!(store.check().await.unwrap().engine.ends_with("cluster of 3"));
}

#[tokio::test]
async fn a_slot_that_moves_is_followed() {
    let cluster = RedisCluster::start(3);
    let store = open(&cluster).await;
    let table = table("v@1");
    let records: Vec<_> =
        (0..50u8).map(|n| record([n], vec![tile("t", version(1, 0, 0), [n])])).collect();
    store.write(&table, 0, &records, WriteMode::Newer).await.unwrap();
    // The slots of one server are given to another, key by key.
    let [from, to, _] = cluster.servers() else { unreachable!("there are three") };
    let id =
        |server: &unskew_test_servers::RedisServer| server.command::<String>(&["CLUSTER", "MYID"]);
    let (from_id, to_id) = (id(from), id(to));
    let keys: Vec<Vec<u8>> = from.command(&["KEYS", "unskew:{*"]);
    assert!(!keys.is_empty());
    let tiles = [Bytes::from_static(b"t")];
    let read_all = async || {
        let lookups: Vec<_> =
            records.iter().map(|record| all(&table, &record.entity, &tiles)).collect();
        let answer = store.read(&lookups).await.unwrap();
        for (n, found) in answer.found.iter().enumerate() {
            assert_eq!(found.tiles[0].as_ref().unwrap().value, [n as u8][..]);
        }
    };
    for key in keys {
        let mut ask = redis::cmd("CLUSTER");
        ask.arg("KEYSLOT").arg(&key);
        let client = redis::Client::open(from.url()).unwrap();
        let mut connection = client.get_connection().unwrap();
        let slot: u32 = ask.query(&mut connection).unwrap();
        let slot = slot.to_string();
        to.command::<()>(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]);
        from.command::<()>(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]);
        let mut migrate = redis::cmd("MIGRATE");
        migrate.arg("127.0.0.1").arg(to.port()).arg(&key).arg(0).arg(5000);
        migrate.query::<()>(&mut connection).unwrap();
        // Half moved: the key is asked for at its new place.
        read_all().await;
        for server in [to, from] {
            server.command::<()>(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]);
        }
        read_all().await;
    }
    store.write(&table, 0, &records, WriteMode::Newer).await.unwrap();
}
