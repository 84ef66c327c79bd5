//! The shell: statements over several lines until `;`, with a history.

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Config, Editor, Helper};

use crate::failure::Diagnosis;
use crate::sql::Console;
use crate::terminal::{self, FAINT, paint};

const PROMPT: &str = "unskew> ";
const HISTORY_LINES: usize = 1_000;
const HISTORY_FILE: &str = "sql_history";

pub(super) const HELP: &str = "\
Statements end with ; and may go over several lines.
  \\d            the tables
  \\d TABLE      the columns of a table or file
  \\df           the functions of modules
  \\timing       say how long each statement takes, or no longer
  \\i FILE       run the statements in a file
  \\? or \\h      this help
  \\q or Ctrl-D  leave
Ctrl-C ends the statement that runs, or clears the line.
";

/// Reads statements until the user leaves.
pub(super) fn run(console: &mut Console<'_>) -> anyhow::Result<()> {
    let config = Config::builder()
        .max_history_size(HISTORY_LINES)?
        .history_ignore_dups(true)?
        .auto_add_history(true)
        .build();
    let mut editor: Editor<Statements, FileHistory> = Editor::with_config(config)?;
    editor.set_helper(Some(Statements));
    let history = console.context.cache_dir.join(HISTORY_FILE);
    // The first time there is none; without one the shell goes on.
    let _ = editor.load_history(&history);
    if !console.context.quiet {
        terminal::print(&format!(
            "{}\n",
            paint(FAINT, "statements end with ;   \\? shows the commands, Ctrl-D leaves")
        ))?;
    }
    loop {
        console.context.interrupt.clear();
        match editor.readline(PROMPT) {
            Ok(text) => {
                if !execute(console, &text)? {
                    break;
                }
            }
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error.into()),
        }
    }
    let _ = editor.save_history(&history);
    Ok(())
}

/// Runs what was entered; false when the user leaves. What goes wrong is said,
/// and the shell goes on.
fn execute(console: &mut Console<'_>, text: &str) -> anyhow::Result<bool> {
    let text = text.trim();
    if text.is_empty() || text == ";" {
        return Ok(true);
    }
    let done = match text.strip_prefix('\\') {
        Some(command) => match console.command(command.trim_end_matches(';').trim()) {
            Ok(stays) if !stays => return Ok(false),
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        },
        None => console.execute_all(text),
    };
    if let Err(error) = done {
        Diagnosis::of(&error).print(console.context.json);
    }
    Ok(true)
}

/// What makes a text whole: a `;` outside of quotes and comments at its end, or
/// a backslash at its beginning.
struct Statements;

impl Validator for Statements {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(match is_whole(context.input()) {
            true => ValidationResult::Valid(None),
            false => ValidationResult::Incomplete,
        })
    }
}

impl Helper for Statements {}
impl Highlighter for Statements {}
impl Hinter for Statements {
    type Hint = String;
}
impl Completer for Statements {
    type Candidate = String;
}

/// Whether a text ends a statement.
fn is_whole(text: &str) -> bool {
    let trimmed = text.trim();
    if trimmed.is_empty() || trimmed.starts_with('\\') {
        return true;
    }
    let mut last_is_end = false;
    let mut characters = trimmed.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\'' | '"' => {
                // A doubled quote opens again at once.
                if characters.by_ref().all(|inside| inside != character) {
                    return false;
                }
                last_is_end = false;
            }
            '-' if characters.peek() == Some(&'-') => {
                characters.by_ref().find(|inside| *inside == '\n');
            }
            '/' if characters.peek() == Some(&'*') => {
                let mut star = false;
                characters.next();
                let ended = characters.by_ref().any(|inside| {
                    let ends = star && inside == '/';
                    star = inside == '*';
                    ends
                });
                if !ended {
                    return false;
                }
            }
            ';' => last_is_end = true,
            blank if blank.is_whitespace() => {}
            _ => last_is_end = false,
        }
    }
    last_is_end
}

#[cfg(test)]
mod tests {
    use super::is_whole;

    #[test]
    fn a_statement_ends_with_a_semicolon_outside_of_quotes() {
        for whole in [
            "SELECT 1;",
            "select ';' ; ",
            "SELECT 1; -- done;",
            "SELECT 'it''s';",
            "\\d",
            "",
            "SELECT 1 /* ; */;",
            "SELECT \"a;b\";\n",
        ] {
            assert!(is_whole(whole), "{whole:?}");
        }
        for part in
            ["SELECT 1", "SELECT ';", "SELECT 1; SELECT", "SELECT 1 -- ;", "SELECT /* ;", "\"a;"]
        {
            assert!(!is_whole(part), "{part:?}");
        }
    }
}
