//! The registry keeps what a job did, through crashes and beside other processes.

use std::path::Path;
use std::process::Command;

use unskew_registry::{InputFile, JobKind, NewJob, Registry, RegistryError, Slice};

fn new_job(view: &str, generation: u64) -> NewJob {
    NewJob {
        view: view.into(),
        kind: JobKind::Backfill,
        generation,
        start: -5,
        end: 30,
        definition: "digest".into(),
        detail: "{}".into(),
        started_at: 7,
    }
}

fn slice(start: i64, digest: &str) -> Slice {
    Slice { start, end: start + 10, digest: digest.into(), rows: 3 }
}

fn input(place: &str) -> InputFile {
    InputFile {
        place: place.into(),
        bytes: 1 << 40,
        mark: "\"etag\"".into(),
        rows: 12,
        first_event: Some(-5),
        last_event: None,
    }
}

#[tokio::test]
async fn a_job_goes_from_slice_to_slice_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep/registry.sqlite");
    let registry = Registry::open(&path).await.unwrap();
    assert_eq!(registry.processing("v@1").await.unwrap(), None);
    assert_eq!(registry.resume_job("v@1").await.unwrap(), None);
    let job = registry.begin_job(&new_job("v@1", 4)).await.unwrap();
    let again = registry.begin_job(&new_job("v@1", 5)).await.unwrap_err();
    assert!(matches!(again, RegistryError::Busy { .. }), "{again}");
    registry.pass_phase(&job, -5, "offline").await.unwrap();
    // Another handle, as another run would have it.
    let other = Registry::open(&path).await.unwrap();
    let found = other.resume_job("v@1").await.unwrap().unwrap();
    assert_eq!((found.slice_start, found.phase.as_deref()), (Some(-5), Some("offline")));
    assert_eq!(found.begun, job.begun);
    registry.finish_slice(&job, &slice(-5, "first")).await.unwrap();
    registry.finish_slice(&job, &slice(5, "second")).await.unwrap();
    registry.finish_slice(&job, &slice(5, "second again")).await.unwrap();
    assert_eq!(other.job("v@1").await.unwrap().unwrap().phase, None);
    let done = [slice(-5, "first"), slice(5, "second again")];
    assert_eq!(other.slices("v@1", 4).await.unwrap(), done);
    assert_eq!(other.processing("v@1").await.unwrap(), None, "it is not yet at its end");
    let inputs = [input("a.parquet"), input("s3://b/c")];
    registry.finish_job(&job, Some(-5), Some(30), &inputs, 99).await.unwrap();
    assert_eq!(other.job("v@1").await.unwrap(), None);
    let state = other.processing("v@1").await.unwrap().unwrap();
    assert_eq!((state.generation, state.covered_from, state.watermark), (4, Some(-5), Some(30)));
    assert_eq!((state.definition.as_str(), state.updated_at), ("digest", 99));
    assert_eq!((&state.inputs[..], &state.slices[..]), (&inputs[..], &done[..]));
    assert_eq!(other.processed_views().await.unwrap(), ["v@1"]);
    // The next generation takes the place of the first, and one that is given up does not.
    let next = registry.begin_job(&new_job("v@1", 5)).await.unwrap();
    assert_ne!(next.id, job.id);
    registry.finish_slice(&next, &slice(-5, "of five")).await.unwrap();
    assert_eq!(other.processing("v@1").await.unwrap().unwrap().slices, done);
    registry.abandon_job(&next).await.unwrap();
    assert_eq!(other.slices("v@1", 5).await.unwrap(), []);
    let third = registry.begin_job(&new_job("v@1", 6)).await.unwrap();
    registry.finish_slice(&third, &slice(-5, "of six")).await.unwrap();
    registry.finish_job(&third, Some(-5), Some(40), &inputs[..1], 100).await.unwrap();
    let state = other.processing("v@1").await.unwrap().unwrap();
    assert_eq!((state.generation, state.inputs.len()), (6, 1));
    assert_eq!(state.slices, [slice(-5, "of six")]);
    assert_eq!(other.slices("v@1", 4).await.unwrap(), []);
    // What is over is over.
    let gone = registry.pass_phase(&third, 0, "late").await.unwrap_err().to_string();
    assert!(gone.contains("no longer open"), "{gone}");
}

#[tokio::test]
async fn the_job_of_a_process_that_is_gone_is_taken_over_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("registry.sqlite");
    let registry = Registry::open(&path).await.unwrap();
    let job = registry.begin_job(&new_job("v@1", 1)).await.unwrap();
    let set_process = async |process: u32| {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::query("UPDATE job SET process = ?").bind(process).execute(&pool).await.unwrap();
        pool.close().await;
    };
    // A process that is there: the one that started this one.
    set_process(std::os::unix::process::parent_id()).await;
    let busy = registry.resume_job("v@1").await.unwrap_err();
    assert!(matches!(busy, RegistryError::Busy { .. }), "{busy}");
    let lost = registry.finish_slice(&job, &slice(0, "x")).await.unwrap_err();
    assert!(matches!(lost, RegistryError::JobGone { .. }), "{lost}");
    // One that ended.
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    set_process(child.id()).await;
    let resumed = registry.resume_job("v@1").await.unwrap().unwrap();
    assert_eq!((resumed.id, resumed.process), (job.id, std::process::id()));
    registry.finish_slice(&resumed, &slice(0, "x")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_handles_open_and_write_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("registry.sqlite");
    let tasks: Vec<_> = (0..8)
        .map(|number| {
            let path = path.clone();
            tokio::spawn(async move {
                let registry = Registry::open(&path).await.unwrap();
                let view = format!("v{number}@1");
                let job = registry.begin_job(&new_job(&view, 1)).await.unwrap();
                for start in 0..10 {
                    registry.pass_phase(&job, start * 10, "offline").await.unwrap();
                    registry.finish_slice(&job, &slice(start * 10, "x")).await.unwrap();
                }
                registry.finish_job(&job, Some(0), Some(100), &[], 1).await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let registry = Registry::open(&path).await.unwrap();
    assert_eq!(registry.processed_views().await.unwrap().len(), 8);
    for number in 0..8 {
        let state = registry.processing(&format!("v{number}@1")).await.unwrap().unwrap();
        assert_eq!(state.slices.len(), 10);
    }
}

async fn error_of(path: &Path) -> String {
    Registry::open(path).await.unwrap_err().to_string()
}

#[tokio::test]
async fn what_is_no_registry_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let garbage = folder.path().join("garbage.sqlite");
    std::fs::write(&garbage, vec![b'x'; 10_000]).unwrap();
    let error = error_of(&garbage).await;
    assert!(error.contains("garbage.sqlite") && error.contains("Move it away"), "{error}");
    let error = error_of(folder.path()).await;
    assert!(error.contains("cannot be opened"), "{error}");
    let error = error_of(&garbage.join("below/registry.sqlite")).await;
    assert!(error.contains("cannot be opened"), "{error}");
    let newer = folder.path().join("newer.sqlite");
    Registry::open(&newer).await.unwrap().close().await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&newer);
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    sqlx::query("PRAGMA user_version = 1000").execute(&pool).await.unwrap();
    pool.close().await;
    let error = error_of(&newer).await;
    assert!(error.contains("layout 1000"), "{error}");
}

const FILE: &str = "UNSKEW_TEST_REGISTRY_FILE";

#[tokio::test]
#[ignore = "the process of a_full_disk_is_named_and_loses_nothing: the limit is one of the process"]
async fn child_fills_its_disk() {
    let Some(file) = std::env::var_os(FILE) else { return };
    let limit = libc::rlimit { rlim_cur: 512 << 10, rlim_max: 512 << 10 };
    // SAFETY: plain calls with values of ours.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
        assert_eq!(libc::setrlimit(libc::RLIMIT_FSIZE, &limit), 0);
    }
    let registry = Registry::open(Path::new(&file)).await.unwrap();
    let job = registry.begin_job(&new_job("v@1", 1)).await.unwrap();
    let mut done = 0;
    let error = loop {
        assert!(done < 1_000, "512 KiB are less than 1,000 times 4 KiB");
        match registry.finish_slice(&job, &slice(done * 10, &"x".repeat(4_000))).await {
            Ok(()) => done += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, RegistryError::Full { .. }), "{error}");
    assert!(error.to_string().contains("Make room"), "{error}");
    std::fs::write(Path::new(&file).with_extension("done"), done.to_string()).unwrap();
}

#[tokio::test]
async fn a_full_disk_is_named_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("registry.sqlite");
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "child_fills_its_disk", "--ignored"]).env(FILE, &file);
    // Its own count of tests is not ours.
    assert!(child.stdout(std::process::Stdio::null()).status().unwrap().success());
    let done: usize =
        std::fs::read_to_string(file.with_extension("done")).unwrap().parse().unwrap();
    let registry = Registry::open(&file).await.unwrap();
    let job = registry.resume_job("v@1").await.unwrap().unwrap();
    assert_eq!(registry.slices("v@1", 1).await.unwrap().len(), done);
    registry.finish_slice(&job, &slice(-10, "after")).await.unwrap();
}
