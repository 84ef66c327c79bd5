//! `unskew config`: every value with where it came from.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::keys::{KEYS, SECTIONS};
use super::{PROJECT_FILE, ProjectConfig};
use crate::context::Context;
use crate::failure::UserError;
use crate::terminal::{self, FAINT, HEADING, harmless, paint};

pub(crate) const EXAMPLES: &str = "\
Examples:
  unskew config                    every value of the project in this folder, and where it came from
  unskew config shop --json        the same as JSON
  unskew config --set serve.listen=127.0.0.1:7000
  UNSKEW_ONLINE_STORE_TYPE=redis unskew config shop

A value given with --set goes before its environment variable (UNSKEW_<SECTION>_<KEY>), that before
unskew.toml, and that before the default. Tokens and URLs with passwords are not shown.";

/// Show the configuration of a project, every value with where it came from
#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    /// The project's folder
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

#[derive(Serialize)]
struct Row {
    key: String,
    value: Option<String>,
    from: Option<String>,
    variable: String,
    what: &'static str,
}

pub(crate) fn run(arguments: &ConfigArguments, context: &Context) -> anyhow::Result<()> {
    let dir = &arguments.dir;
    let dir = match dir.file_name().is_some_and(|name| name == PROJECT_FILE) {
        true => dir.parent().map(ToOwned::to_owned).unwrap_or_default(),
        false => dir.clone(),
    };
    if !dir.as_os_str().is_empty() && !dir.is_dir() {
        return Err(UserError::new("no such folder")
            .at(dir.display().to_string())
            .help("give the folder of a project")
            .into());
    }
    let config = ProjectConfig::of(&dir, &context.settings)?;
    let rows: Vec<Row> = KEYS.iter().map(|key| row(&config, key)).collect();
    if context.json {
        return terminal::print_json(&rows);
    }
    let mut text = String::new();
    for section in SECTIONS {
        let _ = writeln!(text, "{}", paint(HEADING, format!("[{section}]")));
        for (row, key) in rows.iter().zip(KEYS).filter(|(_, key)| key.section == section) {
            let value = row.value.as_deref().unwrap_or("(none)");
            let from = row.from.as_deref().unwrap_or("default");
            let from = paint(FAINT, format!("# {from}"));
            let _ = writeln!(text, "{} = {}  {from}", key.name, harmless(value));
        }
        text.push('\n');
    }
    let _ = writeln!(text, "{}", paint(HEADING, "[modules]"));
    for (name, path, line) in &config.modules {
        let from = paint(FAINT, format!("# {PROJECT_FILE}:{line}"));
        let _ = writeln!(text, "{} = {}  {from}", harmless(name), harmless(path));
    }
    Ok(terminal::print(&text)?)
}

fn row(config: &ProjectConfig, key: &super::Key) -> Row {
    let setting = config.settings.0.get(&key.path());
    let shown = |text: &str| match key.is_secret {
        false => text.to_owned(),
        // A URL is worth seeing, its password is not.
        true => match (text.split_once("://"), text.rsplit_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://***@{host}"),
            (Some(_), None) => text.to_owned(),
            (None, _) => "***".to_owned(),
        },
    };
    Row {
        key: key.path(),
        value: setting.map(|setting| shown(&setting.text)),
        from: setting.map(|setting| setting.origin.to_string()),
        variable: key.variable(),
        what: key.what,
    }
}
