//! The output is whole or absent, and the same whatever the threads.

mod shared;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{ArrayRef, StringArray};
use unskew_batch::{BatchError, Job};

use crate::shared::executor::{field, native};
use crate::shared::{Folder, batch, double, int64, run};

fn input(folder: &Folder, rows: i64) {
    let texts =
        (0..rows).map(|row| format!("text \"{}\",\n{}", row % 97, "x".repeat(row as usize % 41)));
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("x", int64((0..rows).map(|row| if row % 1_000 == 7 { -1 } else { row }))),
        ("t", Arc::new(StringArray::from_iter_values(texts))),
    ];
    folder.write_parquet("in.parquet", &batch(columns));
}

#[test]
fn equal_runs_give_equal_bytes_on_any_number_of_threads() {
    let folder = Folder::new();
    input(&folder, 50_000);
    run(&folder.job("in.parquet", "in.csv"), double()).unwrap();
    run(&folder.job("in.parquet", "in.jsonl"), double()).unwrap();
    for input in ["in.parquet", "in.csv", "in.jsonl"] {
        for output in ["out.parquet", "out.csv.gz", "out.jsonl", "out.jsonl.zst"] {
            let mut known: Option<(Vec<u8>, Vec<u8>)> = None;
            for threads in [1, 2, 5] {
                let mut job = folder.job(input, output);
                job.threads = threads.try_into().ok();
                job.errors = Some(folder.path("bad.parquet"));
                job.output_names = vec![("y".to_owned(), "z".to_owned())];
                let summary = run(&job, double()).unwrap();
                assert_eq!((summary.rows, summary.failed), (50_000, 50));
                let read = |name| fs::read(folder.path(name)).unwrap();
                let found = (read(output), read("bad.parquet"));
                let known = known.get_or_insert_with(|| found.clone());
                assert!(*known == found, "{input} to {output} differs on {threads} threads");
            }
        }
    }
}

#[test]
fn pieces_of_a_file_fit_together() {
    let folder = Folder::new();
    // Rows of about 3 KB: pieces end by their bytes.
    let long = "y".repeat(3_000);
    let text: String = (0..5_000).map(|row| format!("{row},\"{long}\n{row}\"\r\n")).collect();
    folder.write("in.csv", "x,t\r\n".to_owned() + &text);
    run(&folder.job("in.csv", "mid.jsonl"), double()).unwrap();
    let mut job = folder.job("mid.jsonl", "out.csv");
    job.select = Some(vec!["x".to_owned(), "t".to_owned()]);
    run(&job, double()).unwrap();
    let wanted: String =
        (0..5_000).map(|row| format!("{row},\"{long}\n{row}\",{}\n", 2 * row)).collect();
    assert!(folder.text("out.csv") == "x,t,y\n".to_owned() + &wanted);
}

#[test]
fn a_cancelled_job_leaves_nothing_and_does_not_wait_for_a_slow_batch() {
    let folder = Folder::new();
    input(&folder, 30_000);
    let release = Arc::new(AtomicBool::new(false));
    let held = Arc::clone(&release);
    let kernel =
        native("slow", vec![field("x", "int64")], vec![field("y", "int64")], move |batch| {
            // Goes on only when the job has returned.
            while !held.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            (vec![batch.column(0).clone()], vec![])
        });
    let job =
        Job { errors: Some(folder.path("bad.csv")), ..folder.job("in.parquet", "out.parquet") };
    let cancelled = AtomicBool::new(false);
    let asked = || cancelled.swap(true, Ordering::SeqCst);
    let error = unskew_batch::run(&job, kernel, &mut |_| {}, &asked).unwrap_err();
    assert!(matches!(error, BatchError::Cancelled), "{error}");
    assert_eq!(folder.names(), ["in.parquet"]);
    release.store(true, Ordering::SeqCst);
}

#[test]
fn an_existing_output_stays_until_a_whole_one_replaces_it() {
    let folder = Folder::new();
    folder.write("in.csv", "x\n1\ntwo\n");
    folder.write("out.csv", "before");
    run(&folder.job("in.csv", "out.csv"), double()).unwrap_err();
    assert_eq!(folder.text("out.csv"), "before");
    folder.write("in.csv", "x\n1\n");
    run(&folder.job("in.csv", "out.csv"), double()).unwrap();
    assert_eq!(folder.text("out.csv"), "x,y\n1,2\n");
}

#[test]
fn progress_reaches_the_end() {
    let folder = Folder::new();
    input(&folder, 30_000);
    for name in ["in.parquet", "in.csv.gz", "in.jsonl"] {
        if name != "in.parquet" {
            run(&folder.job("in.parquet", name), double()).unwrap();
        }
        let size = fs::metadata(folder.path(name)).unwrap().len();
        let mut seen = Vec::new();
        let mut job = folder.job(name, "out.csv");
        job.output_names = vec![("y".to_owned(), "z".to_owned())];
        unskew_batch::run(&job, double(), &mut |progress| seen.push(*progress), &|| false).unwrap();
        let last = seen.last().unwrap();
        assert!(seen.len() > 1 && seen.is_sorted_by_key(|progress| progress.rows));
        assert_eq!((last.rows, last.failed), (30_000, 30));
        assert_eq!((last.bytes, last.total_bytes), (size, Some(size)), "{name}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_and_leaves_nothing() {
    let folder = Folder::new();
    input(&folder, 30_000);
    for name in ["out.parquet", "out.csv", "out.jsonl.gz", "out.jsonl.zst"] {
        std::os::unix::fs::symlink("/dev/full", folder.path(name)).unwrap();
        let error = run(&folder.job("in.parquet", name), double()).unwrap_err();
        assert!(matches!(error, BatchError::DiskFull { .. }), "{name}: {error}");
        assert!(error.to_string().contains("the disk is full"), "{error}");
        fs::remove_file(folder.path(name)).unwrap();
        assert_eq!(folder.names(), ["in.parquet"]);
    }
}
