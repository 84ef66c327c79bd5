//! `dev` as a real process: it sees edits, goes on after errors, and ends with
//! Ctrl-C.

mod shared;

use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use shared::{guest_unskew, kept_template, text};

/// How long any one round may take before the test gives up; it asserts no time.
const PATIENCE: Duration = Duration::from_secs(300);

/// A running `dev`.
struct Dev {
    child: Child,
    /// Its lines on stdout, as they come: the reports.
    reports: Lines,
    /// Its lines on stderr: errors, and what goes on.
    said: Lines,
}

struct Lines(Receiver<String>);

impl Lines {
    fn of(stream: impl Read + Send + 'static) -> Self {
        let (sender, lines) = channel();
        thread::spawn(move || {
            let lines = BufReader::new(stream).lines().map_while(Result::ok);
            lines.take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
        });
        Self(lines)
    }

    /// The lines up to the one that has `part`.
    #[track_caller]
    fn until(&self, part: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            match self.0.recv_timeout(PATIENCE) {
                Ok(line) => {
                    seen.push(line);
                    if seen.last().is_some_and(|line| line.contains(part)) {
                        return seen;
                    }
                }
                Err(error) => panic!("{part:?} did not come ({error}): {seen:#?}"),
            }
        }
    }
}

impl Dev {
    fn start(arguments: &[&str]) -> Self {
        let mut child = guest_unskew()
            .arg("dev")
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let reports = Lines::of(child.stdout.take().unwrap());
        let said = Lines::of(child.stderr.take().unwrap());
        Self { child, reports, said }
    }

    /// Waits for the end of a round without a report's error; gives its closing line.
    #[track_caller]
    fn round(&self) -> String {
        let report = self.reports.until(" passed, ").pop().unwrap();
        self.said.until("watching");
        report
    }

    /// Ctrl-C; gives the exit code.
    fn interrupt(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        // Already gone unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn every_change_is_a_round() {
    let dir = kept_template("rust");
    let (code, cases) = (dir.join("src/lib.rs"), dir.join("cases.json"));
    let good_code = fs::read_to_string(&code).unwrap();
    let good_cases = fs::read_to_string(&cases).unwrap();
    let result = std::panic::catch_unwind(|| {
        let dev = Dev::start(&[text(&dir)]);
        assert!(dev.round().ends_with(" passed, 0 failed"));

        // What is no source starts no round; the counts below would show it.
        fs::create_dir_all(dir.join("target")).unwrap();
        fs::write(dir.join("target/built"), "x").unwrap();
        fs::write(dir.join("other.wasm"), "x").unwrap();
        fs::remove_file(dir.join("other.wasm")).unwrap();

        fs::write(&cases, good_cases.replace("0.3333333333333333", "0.25")).unwrap();
        let report = dev.reports.until(" passed, ");
        assert!(report[0].contains("FAILED transform rate, case 1"), "{report:#?}");
        assert!(report.last().unwrap().ends_with(" passed, 1 failed"), "{report:#?}");
        dev.said.until("watching");

        fs::write(&code, good_code.replace("purchases as f64", "purchases as f46")).unwrap();
        let said = dev.said.until("watching");
        assert!(said.iter().any(|line| line.contains("f46")), "{said:#?}");

        fs::write(&code, &good_code).unwrap();
        assert!(dev.round().ends_with(" passed, 1 failed"));
        fs::write(&cases, &good_cases).unwrap();
        assert!(dev.round().ends_with(" passed, 0 failed"));

        // A file in a new folder counts, too.
        fs::create_dir_all(dir.join("data")).unwrap();
        fs::write(dir.join("data/table.csv"), "1").unwrap();
        dev.round();
        fs::write(dir.join("data/table.csv"), "2").unwrap();
        dev.round();
        assert_eq!(dev.interrupt(), Some(130));
    });
    fs::write(&cases, &good_cases).unwrap();
    fs::write(&code, &good_code).unwrap();
    let _ = fs::remove_dir_all(dir.join("data"));
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

#[test]
fn programs_get_a_line_for_each_round() {
    let dir = kept_template("python");
    let dev = Dev::start(&["--json", text(&dir)]);
    let lines = dev.reports.until("\"passed\"");
    let document: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    assert_eq!(document["failed"], 0, "{document:#}");
    assert_eq!(dev.interrupt(), Some(130));
}
