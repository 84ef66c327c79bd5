//! The embedded store between processes: two at work at once, one that is killed, one that holds the lock, a disk that is full, files that are damaged.
//!
//! A test starts this very program again as its second process, to run one of the `child_*` tests below, which do nothing else.

mod suite;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use suite::{all, put, read_one, record, row, row_values, table, tile, version};
use unskew_store::{EmbeddedSettings, EmbeddedStore, OnlineStore, Record, StoreError, WriteMode};

const FOLDER: &str = "UNSKEW_TEST_STORE_FOLDER";
const PATIENT: Duration = Duration::from_secs(120);
/// Looks for what another process does, 20 ms apart.
const LOOKS: usize = 6_000;

fn settings(folder: &Path) -> EmbeddedSettings {
    EmbeddedSettings { timeout: PATIENT, map_size_bytes: 1 << 20, ..EmbeddedSettings::new(folder) }
}

async fn open(folder: &Path) -> EmbeddedStore {
    EmbeddedStore::open(&settings(folder)).await.unwrap()
}

/// The folder, in a process that was started as a second one.
fn folder_of_child() -> Option<std::path::PathBuf> {
    std::env::var_os(FOLDER).map(Into::into)
}

/// Ended when dropped.
struct Second(Child);

impl Second {
    fn start(test: &str, folder: &Path) -> Self {
        let program = std::env::current_exe().unwrap();
        let mut command = Command::new(program);
        command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads", "1"]);
        command.env(FOLDER, folder).stdin(Stdio::null()).stdout(Stdio::null());
        Self(command.spawn().unwrap())
    }

    async fn succeeded(mut self) -> bool {
        for _ in 0..LOOKS {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.success();
            }
            pause().await;
        }
        panic!("the second process did not end");
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

const ROUNDS: u32 = 60;
const ENTITIES: u32 = 40;

/// What a writer writes in a round: two parts of each entity, alike, and much enough that the map must grow.
fn round(writer: &str, round: u32) -> Vec<Record> {
    (0..ENTITIES)
        .map(|entity| {
            let value = [&round.to_be_bytes()[..], &vec![round as u8; 12_000]].concat();
            let v = version(round.into(), 0, 0);
            let parts = vec![row("r", v, &value), tile("t", v, &value)];
            record(format!("{writer} {entity}"), parts)
        })
        .collect()
}

#[tokio::test]
#[ignore = "the second process of two_processes_write_and_read_at_once"]
async fn child_writes_rounds() {
    let Some(folder) = folder_of_child() else { return };
    let store = open(&folder).await;
    work(&store, "child", "parent").await;
}

/// Writes rounds, and holds each thing that it reads of another writer to be whole and no older than before.
async fn work(store: &dyn OnlineStore, own: &str, other: &str) {
    let table = table("v@1");
    let tiles = [bytes::Bytes::from_static(b"t")];
    let mut seen = vec![0; ENTITIES as usize];
    for number in 1..=ROUNDS {
        store.write(&table, 0, &round(own, number), WriteMode::Newer).await.unwrap();
        for entity in 0..ENTITIES {
            let name = format!("{other} {entity}");
            let found = read_one(store, all(&table, name.as_bytes(), &tiles)).await;
            assert_eq!(
                found.rows.len(),
                usize::from(found.tiles[0].is_some()),
                "an entity is written whole"
            );
            let (Some(row), Some(tile)) = (found.rows.first(), &found.tiles[0]) else { continue };
            assert_eq!((row.version, &row.value), (tile.version, &tile.value), "at once");
            let round = u32::from_be_bytes(row.value[..4].try_into().unwrap());
            assert!(round >= seen[entity as usize], "time does not go back");
            seen[entity as usize] = round;
        }
    }
}

#[tokio::test]
async fn two_processes_write_and_read_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let second = Second::start("child_writes_rounds", folder.path());
    work(&store, "parent", "child").await;
    assert!(second.succeeded().await);
    let table = table("v@1");
    for writer in ["parent", "child"] {
        for record in round(writer, ROUNDS) {
            let found = read_one(&store, all(&table, &record.entity, &[])).await;
            assert_eq!(found.rows, [suite::stored(&record.parts[0])]);
        }
    }
    assert!(store.check().await.unwrap().bytes > 1 << 20, "the map grew in both");
}

#[tokio::test]
#[ignore = "the second process of a_swap_is_seen_at_once_by_another_process"]
async fn child_swaps_generations() {
    let Some(folder) = folder_of_child() else { return };
    let store = open(&folder).await;
    let table = table("v@1");
    for expected in 1..=50 {
        let generation = store.begin_generation(&table).await.unwrap();
        assert_eq!(generation, expected);
        let text = generation.to_string();
        let parts = vec![row("r", version(1, 0, 0), &text), tile("t", version(1, 0, 0), &text)];
        store.write(&table, generation, &[record("e", parts)], WriteMode::Fresh).await.unwrap();
        store.swap_generation(&table, generation, expected as i64, 0).await.unwrap();
        store.drop_generation(&table, generation - 1).await.unwrap();
    }
}

#[tokio::test]
async fn a_swap_is_seen_at_once_by_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path()).await;
    let table = table("v@1");
    let parts = vec![row("r", version(1, 0, 0), "0"), tile("t", version(1, 0, 0), "0")];
    put(&store, &table, 0, record("e", parts)).await;
    let second = Second::start("child_swaps_generations", folder.path());
    let tiles = [bytes::Bytes::from_static(b"t")];
    let mut last = 0;
    for _ in 0..LOOKS * 100 {
        let answer = store.read(&[all(&table, b"e", &tiles)]).await.unwrap();
        let state = answer.state(&table).unwrap();
        // Never nothing, never two generations mixed, never an older one.
        let text = state.generation.to_string();
        assert_eq!(answer.found[0].rows[0].value, text.as_bytes());
        assert_eq!(answer.found[0].tiles[0].as_ref().unwrap().value, text.as_bytes());
        assert!(state.generation >= last);
        last = state.generation;
        if last == 50 {
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(last, 50);
    assert!(second.succeeded().await);
}

#[tokio::test]
#[ignore = "the second process of a_killed_writer_leaves_whole_entities_and_no_lock"]
async fn child_writes_until_it_is_killed() {
    let Some(folder) = folder_of_child() else { return };
    let store = open(&folder).await;
    for number in 1.. {
        store.write(&table("v@1"), 0, &round("child", number), WriteMode::Newer).await.unwrap();
    }
}

#[tokio::test]
async fn a_killed_writer_leaves_whole_entities_and_no_lock() {
    let folder = tempfile::tempdir().unwrap();
    let table = table("v@1");
    let tiles = [bytes::Bytes::from_static(b"t")];
    let mut newest = 0;
    for _ in 0..5 {
        let store = open(folder.path()).await;
        let mut second = Second::start("child_writes_until_it_is_killed", folder.path());
        // Killed in the middle of its work, once something of it was seen: it begins below what is there, and must overtake it.
        for look in 0.. {
            let state = read_one(&store, all(&table, b"child 0", &tiles)).await;
            if state.rows.first().is_some_and(|row| row.version.event_timestamp > newest) {
                break;
            }
            assert!(look < LOOKS, "the second process writes nothing");
            pause().await;
        }
        second.kill();
        let mut rounds = Vec::new();
        for entity in 0..ENTITIES {
            let name = format!("child {entity}");
            let found = read_one(&store, all(&table, name.as_bytes(), &tiles)).await;
            assert_eq!(found.rows[0].value, found.tiles[0].as_ref().unwrap().value);
            rounds.push(found.rows[0].version.event_timestamp);
        }
        // One write was one transaction.
        assert!(rounds.iter().all(|round| *round == rounds[0]), "{rounds:?}");
        newest = rounds[0];
        put(&store, &table, 0, record("parent", vec![row("r", version(newest, 0, 0), "after")]))
            .await;
        assert_eq!(row_values(&store, &table, b"parent").await, ["after"]);
    }
}

#[tokio::test]
#[ignore = "the second process of whoever_holds_the_lock_is_named"]
async fn child_holds_the_lock() {
    let Some(folder) = folder_of_child() else { return };
    let store = open(&folder).await;
    put(&store, &table("v@1"), 0, record("e", vec![row("r", version(1, 0, 0), "held")])).await;
    // As our writer does, but it does not come back: LMDB's lock, and the note of who has it.
    let folder = folder.join("holding");
    std::fs::create_dir(&folder).unwrap();
    drop(store);
    let parent = folder.parent().unwrap().to_owned();
    // SAFETY: the store of this process is closed; nobody else has the files open in it.
    let env = unsafe { heed::EnvOpenOptions::new().map_size(1 << 30).open(&parent) };
    let env = match env {
        Ok(env) => env,
        Err(_) => {
            // Our own is just closing.
            std::thread::sleep(Duration::from_secs(1));
            // SAFETY: as above.
            unsafe { heed::EnvOpenOptions::new().map_size(1 << 30).open(&parent) }.unwrap()
        }
    };
    let txn = env.write_txn().unwrap();
    std::fs::write(parent.join("writer"), format!("{:<63}\n", std::process::id())).unwrap();
    std::fs::write(folder.join("ready"), "").unwrap();
    for _ in 0..LOOKS {
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(txn);
}

#[tokio::test]
async fn whoever_holds_the_lock_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let table = table("v@1");
    let mut second = Second::start("child_holds_the_lock", folder.path());
    let ready = folder.path().join("holding/ready");
    for look in 0.. {
        if ready.exists() {
            break;
        }
        assert!(look < LOOKS, "the second process does not come to hold the lock");
        pause().await;
    }
    let hurried =
        EmbeddedSettings { timeout: Duration::from_millis(300), ..settings(folder.path()) };
    let store = EmbeddedStore::open(&hurried).await.unwrap();
    let parts = vec![row("s", version(1, 0, 0), "waits")];
    let error = store.write(&table, 0, &[record("e", parts)], WriteMode::Newer).await.unwrap_err();
    match &error {
        StoreError::Locked { holder, .. } => assert_eq!(holder.process, second.0.id()),
        other => panic!("{other}"),
    }
    let text = error.to_string();
    assert!(
        text.contains(&format!("process {}", second.0.id())) && text.contains("end it"),
        "{text}"
    );
    // Readers are not hindered.
    assert_eq!(row_values(&store, &table, b"e").await, ["held"]);
    // When it ends in whatever way, its lock is free.
    second.kill();
    let patient = open(folder.path()).await;
    put(&patient, &table, 0, record("e", vec![row("t", version(1, 0, 0), "after")])).await;
    let values = row_values(&store, &table, b"e").await;
    assert_eq!((values[0].as_str(), values.last().unwrap().as_str()), ("held", "after"));
}

#[tokio::test]
#[ignore = "the process of a_full_disk_is_named_and_nothing_is_half_written: the limit is one of the process"]
async fn child_fills_its_disk() {
    let Some(folder) = folder_of_child() else { return };
    // A file that grows beyond this is an error of the write, as on a full disk, and not the end of the process.
    let limit = libc::rlimit { rlim_cur: 8 << 20, rlim_max: 8 << 20 };
    // SAFETY: plain calls with values of ours.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &limit), 0);
    }
    let store = open(&folder).await;
    let table = table("v@1");
    let mut written = 0;
    let error = loop {
        assert!(written < 200, "8 MiB are less than 200 times 100 KiB");
        let parts = vec![
            row("r", version(1, 0, 0), vec![7; 50_000]),
            tile("t", version(1, 0, 0), vec![7; 50_000]),
        ];
        match store.write(&table, 0, &[record([written], parts)], WriteMode::Newer).await {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert!(error.to_string().contains("make room"), "{error}");
    let tiles = [bytes::Bytes::from_static(b"t")];
    let found = read_one(&store, all(&table, &[written], &tiles)).await;
    assert_eq!((found.rows.len(), &found.tiles[0]), (0, &None), "nothing half-written");
    assert!(written > 10);
    for entity in 0..written {
        let found = read_one(&store, all(&table, &[entity], &tiles)).await;
        assert!(found.rows[0].value == [7; 50_000][..] && found.tiles[0].is_some());
    }
    // Room is made within the store: small writes go on.
    let generation = store.begin_generation(&table).await.unwrap();
    store.swap_generation(&table, generation, 0, 0).await.unwrap();
    store.drop_generation(&table, 0).await.unwrap();
    put(&store, &table, generation, record("small", vec![row("r", version(1, 0, 0), "fits")]))
        .await;
    assert_eq!(row_values(&store, &table, b"small").await, ["fits"]);
}

#[tokio::test]
async fn a_full_disk_is_named_and_nothing_is_half_written() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Second::start("child_fills_its_disk", folder.path()).succeeded().await);
    // Another process, without the limit, finds the store whole.
    let store = open(folder.path()).await;
    assert_eq!(row_values(&store, &table("v@1"), b"small").await, ["fits"]);
}

#[tokio::test]
async fn a_full_map_is_named_and_nothing_is_half_written() {
    let folder = tempfile::tempdir().unwrap();
    let limited = EmbeddedSettings { size_limit_bytes: 4 << 20, ..settings(folder.path()) };
    let store = Arc::new(EmbeddedStore::open(&limited).await.unwrap());
    let table = table("v@1");
    put(&*store, &table, 0, record("small", vec![row("r", version(1, 0, 0), "there")])).await;
    // One that cannot fit, beside others that can, at the same time.
    let big = vec![record("big", vec![row("r", version(1, 0, 0), vec![1; 9 << 20])])];
    let small = (0..20u8).map(|n| {
        let (store, table) = (store.clone(), table.clone());
        let records = vec![record([n], vec![row("r", version(1, 0, 0), [n])])];
        async move { store.write(&table, 0, &records, WriteMode::Newer).await }
    });
    let (failed, done) = tokio::join!(
        store.write(&table, 0, &big, WriteMode::Newer),
        futures::future::join_all(small)
    );
    let error = failed.unwrap_err();
    assert!(matches!(error, StoreError::Full { .. }), "{error}");
    assert!(error.to_string().contains("4194304 bytes"), "{error}");
    assert!(done.iter().all(Result::is_ok));
    assert_eq!(row_values(&*store, &table, b"big").await, [""; 0]);
    assert_eq!(row_values(&*store, &table, b"small").await, ["there"]);
}

#[tokio::test]
async fn damaged_files_are_named() {
    let error_of = async |folder: &Path| EmbeddedStore::open(&settings(folder)).await.unwrap_err();
    let folder = tempfile::tempdir().unwrap();
    let garbage = folder.path().join("garbage");
    std::fs::create_dir(&garbage).unwrap();
    std::fs::write(garbage.join("data.mdb"), vec![b'x'; 100_000]).unwrap();
    let error = error_of(&garbage).await;
    assert!(matches!(error, StoreError::Corrupted { .. }), "{error}");
    assert!(
        error.to_string().contains("garbage") && error.to_string().contains("materialize again")
    );

    let cut = folder.path().join("cut");
    let store = open(&cut).await;
    let records: Vec<_> =
        (0..200u8).map(|n| record([n], vec![row("r", version(1, 0, 0), vec![n; 4_000])])).collect();
    store.write(&table("v@1"), 0, &records, WriteMode::Newer).await.unwrap();
    drop(store);
    let copy = folder.path().join("copy");
    std::fs::create_dir(&copy).unwrap();
    let bytes = std::fs::read(cut.join("data.mdb")).unwrap();
    std::fs::write(copy.join("data.mdb"), &bytes[..bytes.len() / 2]).unwrap();
    let error = error_of(&copy).await;
    assert!(matches!(error, StoreError::Corrupted { .. }), "{error}");
    assert!(error.to_string().contains("cut off"), "{error}");

    // Another program's database.
    let foreign = folder.path().join("foreign");
    std::fs::create_dir(&foreign).unwrap();
    {
        // SAFETY: nobody else has it open.
        let env = unsafe { heed::EnvOpenOptions::new().max_dbs(4).open(&foreign) }.unwrap();
        let txn = env.write_txn().unwrap();
        env.create_databases_and_commit(txn, |opener, txn| {
            opener
                .create_database::<heed::types::Bytes, heed::types::Bytes>(txn, Some("theirs"))
                .map(heed::CommitOrAbort::<_, ()>::Commit)
        })
        .unwrap();
    }
    let error = error_of(&foreign).await.to_string();
    assert!(error.contains("another program"), "{error}");

    // A file where the folder should be.
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let error = error_of(&file).await;
    assert!(error.to_string().contains("file"), "{error}");
}
