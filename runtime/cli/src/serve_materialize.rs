//! What the server's `/materialize` does: the command, in a process of its own,
//! so that a batch job takes neither memory nor threads of those who serve.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use async_trait::async_trait;
use serde_json::Value;
use unskew_online::{MaterializeJob, Materializer, OnlineError};

use crate::terminal;

/// The first moment that a time in text can name without a sign: the year 1.
const EARLIEST_US: i64 = -62_135_596_800_000_000;

/// Starts `unskew materialize` for a project.
pub(crate) struct MaterializeCommand {
    /// The project, as the server was given it.
    pub(crate) project: PathBuf,
    /// `section.key` and value, as `--set` takes them.
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) cache_dir: PathBuf,
}

impl MaterializeCommand {
    fn command(&self, job: &MaterializeJob) -> std::io::Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--json").arg("--cache-dir").arg(&self.cache_dir);
        for (key, value) in &self.settings {
            // A secret must not stand in the list of processes.
            if key != "serve.token" {
                command.arg("--set").arg(format!("{key}={value}"));
            }
        }
        command.arg(if job.start.is_some() { "materialize" } else { "materialize-incremental" });
        // `view@vN` here, `view@N` there.
        command.args(job.views.iter().map(|view| view.replace("@v", "@")));
        if let Some(start) = job.start {
            command.arg("--start").arg(time(start));
        }
        command.arg("--end").arg(time(job.end)).arg("--project").arg(&self.project);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Ok(command)
    }
}

fn time(us: i64) -> String {
    terminal::utc(us.max(EARLIEST_US))
}

#[async_trait]
impl Materializer for MaterializeCommand {
    async fn materialize(&self, job: MaterializeJob) -> Result<Value, OnlineError> {
        let failed = |error: &dyn std::fmt::Display| {
            OnlineError::Internal(format!("`unskew materialize` could not be run: {error}"))
        };
        let mut command = self.command(&job).map_err(|error| failed(&error))?;
        let output = tokio::task::spawn_blocking(move || command.output());
        let output =
            output.await.map_err(|error| failed(&error))?.map_err(|error| failed(&error))?;
        if output.status.success() {
            let report = serde_json::from_slice(&output.stdout);
            return report.map_err(|error| failed(&error));
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        let told = stderr.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok());
        let what = told.as_ref().and_then(|document| document["error"]["what"].as_str());
        let what = what.unwrap_or(stderr.trim()).to_owned();
        Err(match output.status.code() {
            Some(2) => OnlineError::Invalid(what),
            _ => OnlineError::Unavailable(what),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_becomes_a_command() {
        let materializer = MaterializeCommand {
            project: PathBuf::from("shop"),
            settings: vec![
                ("serve.token".to_owned(), "secret".to_owned()),
                ("online_store.type".to_owned(), "redis".to_owned()),
            ],
            cache_dir: PathBuf::from("/cache"),
        };
        let words = |job| {
            let command = materializer.command(&job).unwrap();
            let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
            words.collect::<Vec<_>>().join(" ")
        };
        let views = vec!["orders@v2".to_owned()];
        let job = MaterializeJob { views: views.clone(), start: Some(i64::MIN), end: 0 };
        assert_eq!(
            words(job),
            "--json --cache-dir /cache --set online_store.type=redis materialize orders@2 --start 0001-01-01T00:00:00.000000Z --end 1970-01-01T00:00:00.000000Z --project shop"
        );
        let incremental = words(MaterializeJob { views, start: None, end: 0 });
        assert!(incremental.contains("materialize-incremental orders@2 --end"), "{incremental}");
    }
}
