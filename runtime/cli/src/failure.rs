use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;

use serde::Serialize;
use unskew_build::BuildError;
use unskew_definition::{Mistake, Mistakes};

use crate::interrupt::{self, Interrupted};
use crate::terminal::{BAD, HEADING, harmless, paint};

/// The exit code of a user's mistake, and of failed cases.
const USERS: u8 = 2;
/// The exit code of everything else that goes wrong.
const OURS: u8 = 1;
/// The exit code when who reads our output stopped reading, as if by SIGPIPE.
const CLOSED_PIPE: u8 = 141;

/// A mistake of the user: what is wrong, where, and what to do.
#[derive(Debug, Clone)]
pub(crate) struct UserError {
    what: String,
    place: Option<String>,
    help: Option<String>,
}

impl UserError {
    /// Says what is wrong.
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), place: None, help: None }
    }

    /// Says where.
    pub(crate) fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// Says what to do.
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.place {
            Some(place) => write!(f, " ({place})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for UserError {}

/// The command did its work and the verdict is bad; its report says so already.
#[derive(Debug, thiserror::Error)]
#[error("failed; see the report")]
pub(crate) struct Failed;

/// An error as it is shown.
#[derive(Debug, Serialize)]
pub(crate) struct Diagnosis {
    what: String,
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    /// Those of a definition, one by one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    mistakes: Vec<MistakeReport>,
    exit_code: u8,
}

/// A mistake of a definition, as `--json` has it.
#[derive(Debug, Serialize)]
struct MistakeReport {
    file: String,
    /// From 1; 0 where only the file is known.
    line: u32,
    subject: String,
    what: String,
    fix: String,
}

impl Diagnosis {
    /// Sorts an error by whose it is.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        for cause in error.chain() {
            if let Some(UserError { what, place, help }) = cause.downcast_ref() {
                let (what, place, help) = (what.clone(), place.clone(), help.clone());
                let mistakes = Vec::new();
                return Self { what, place, help, mistakes, exit_code: USERS };
            }
            if let Some(mistakes) = cause.downcast_ref::<Mistakes>() {
                let reports = mistakes.iter().map(|Mistake { place, subject, what, fix }| {
                    let (file, line) = (place.file().to_owned(), place.line());
                    let (subject, what, fix) = (subject.clone(), what.clone(), fix.clone());
                    MistakeReport { file, line, subject, what, fix }
                });
                let mistakes = reports.collect();
                return Self { mistakes, ..Self::bare(cause.to_string(), USERS) };
            }
            if let Some(error) = cause.downcast_ref::<BuildError>() {
                let exit_code = if error.is_users() { USERS } else { OURS };
                return Self::bare(error.to_string(), exit_code);
            }
            if cause.is::<Interrupted>() {
                return Self::bare(cause.to_string(), interrupt::EXIT_CODE);
            }
        }
        Self::bare(format!("{error:#}"), OURS)
    }

    fn bare(what: String, exit_code: u8) -> Self {
        Self { what, place: None, help: None, mistakes: Vec::new(), exit_code }
    }

    /// Writes it to stderr: as one line of JSON, or for people.
    pub(crate) fn print(&self, json: bool) {
        // Where stderr is gone there is nobody left to tell.
        let _ = if json { self.print_json() } else { self.print_text() };
    }

    fn print_json(&self) -> io::Result<()> {
        #[derive(Serialize)]
        struct Document<'a> {
            error: &'a Diagnosis,
        }
        let mut text = serde_json::to_string(&Document { error: self })?;
        text.push('\n');
        io::stderr().lock().write_all(text.as_bytes())
    }

    fn print_text(&self) -> io::Result<()> {
        // What is wrong names the mistakes one by one already.
        let Self { what, place, help, mistakes: _, exit_code: _ } = self;
        let mut text = format!("{}: {}\n", paint(BAD, "error"), indented(what));
        if let Some(place) = place {
            text += &format!("  {}\n", indented(place));
        }
        if let Some(help) = help {
            text += &format!("  {}: {}\n", paint(HEADING, "help"), indented(help));
        }
        anstream::stderr().lock().write_all(text.as_bytes())
    }
}

/// Later lines stand below the first one, set in.
fn indented(text: &str) -> String {
    harmless(text.trim_end()).replace('\n', "\n    ")
}

/// Tells the user what went wrong, and gives the exit code.
pub(crate) fn report(error: &anyhow::Error, json: bool) -> ExitCode {
    if error.chain().any(|cause| cause.is::<Failed>()) {
        return ExitCode::from(USERS);
    }
    let closed_pipe = |cause: &(dyn std::error::Error + 'static)| {
        cause.downcast_ref().is_some_and(|e: &io::Error| e.kind() == io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(closed_pipe) {
        return ExitCode::from(CLOSED_PIPE);
    }
    let diagnosis = Diagnosis::of(error);
    if diagnosis.exit_code != interrupt::EXIT_CODE {
        diagnosis.print(json);
    }
    ExitCode::from(diagnosis.exit_code)
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn errors_are_sorted_by_whose_they_are() {
        let mistake = UserError::new("no such column").at("events.parquet").help("see `inspect`");
        let wrapped = Err::<(), _>(mistake).context("while reading").unwrap_err();
        let Diagnosis { what, place, help, exit_code, .. } = Diagnosis::of(&wrapped);
        assert_eq!(what, "no such column");
        assert_eq!(place.as_deref(), Some("events.parquet"));
        assert_eq!(help.as_deref(), Some("see `inspect`"));
        assert_eq!(exit_code, 2);

        let ours = Err::<(), _>(io::Error::other("disk on fire")).context("while writing");
        let diagnosis = Diagnosis::of(&ours.unwrap_err());
        assert_eq!(
            (diagnosis.what.as_str(), diagnosis.exit_code),
            ("while writing: disk on fire", 1)
        );
        assert_eq!(Diagnosis::of(&Interrupted.into()).exit_code, 130);
    }
}
