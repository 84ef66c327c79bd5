use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use unskew_batch::{ParquetCompression, TrainingCounters, TrainingJob, TrainingSummary};
use unskew_plan::FeaturePlan;

use crate::context::Context;
use crate::failure::UserError;
use crate::feature_project::FeatureProject;
use crate::terminal::{self, harmless, thousands};
use crate::train::{self, InputOptions, ResourceOptions};

pub(crate) const EXAMPLES: &str = "\
Examples:
  unskew explain shop                     all that ./shop defines
  unskew explain shop user_orders         one view, with what it reads
  unskew explain --project shop fraud     one service, with the views behind it
  unskew explain shop --lineage           what depends on what, column by column
  unskew explain shop --json | jq '.feature_views[].name'
  unskew explain definitions.yaml         a file of definitions, without modules
  unskew explain shop fraud --analyze --labels labels.parquet
                                          what a training set takes: the plan, with what it counted";

/// Show what the definitions of a project come to, or all their mistakes
///
/// Names and types are resolved, defaults filled in, windows and hops printed,
/// dependencies derived. Definitions in Python are evaluated in the sandbox,
/// without a build; a Rust module is built where its source changed.
#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// The project's folder (unless --project names it), then the view or
    /// service to show; all of them if none is given
    #[arg(value_names = ["DIR", "NAME"], num_args = 0..=2)]
    what: Vec<String>,
    /// The project: a folder with unskew.toml, with a module, or with YAML
    /// files; or one such file [default: the current folder]
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    /// Show what depends on what, column by column, from source fields to
    /// services
    #[arg(long)]
    lineage: bool,
    /// Run the plan of a service's training set, write nothing, and show what
    /// each part of it took: row groups and columns not read, bytes spilled,
    /// sorts skipped, calls into modules
    #[arg(long, requires = "labels", conflicts_with = "lineage")]
    analyze: bool,
    /// The file of labels, for --analyze
    #[arg(short, long, value_name = "F", requires = "analyze")]
    labels: Option<PathBuf>,
    #[command(flatten)]
    inputs: InputOptions,
    #[command(flatten)]
    resources: ResourceOptions,
}

pub(crate) fn run(arguments: &ExplainArguments, context: &Context) -> anyhow::Result<()> {
    let ExplainArguments { what, project, lineage, analyze: _, labels, inputs: _, resources: _ } =
        arguments;
    let (path, name) = asked_for(what, project.as_deref())?;
    let project = FeatureProject::open(&path, context)?;
    if let Some(labels) = labels {
        return analyze(arguments, labels, name.as_deref(), &project, context);
    }
    let part = match &name {
        None => project.plan,
        Some(name) => project.plan.only(name).ok_or_else(|| no_such(name, &project.plan))?,
    };
    match (context.json, *lineage) {
        (true, false) => terminal::print_json(&part),
        (true, true) => terminal::print_json(&part.lineage),
        (false, false) => Ok(terminal::print(&harmless(&part.to_string()))?),
        (false, true) => Ok(terminal::print(&harmless(&part.lineage.to_string()))?),
    }
}

/// Runs a training set of a service, for what it takes.
fn analyze(
    arguments: &ExplainArguments,
    labels: &Path,
    name: Option<&str>,
    project: &FeatureProject,
    context: &Context,
) -> anyhow::Result<()> {
    let Some(name) = name else {
        return Err(UserError::new("--analyze is of one service")
            .help("name it: unskew explain DIR SERVICE --analyze --labels F")
            .into());
    };
    let service = train::service(project, name)?;
    let InputOptions { label_time, column, source } = &arguments.inputs;
    let job = TrainingJob {
        labels: labels.to_owned(),
        output: None,
        label_time: label_time.clone(),
        columns: column.clone(),
        statuses: true,
        full_feature_names: true,
        compression: ParquetCompression::default(),
        resources: arguments.resources.resources(),
        recipe: None,
    };
    let files = train::sources_of(project, source)?;
    let summary = train::execute(&job, &service, &files, project, context)?;
    if context.json {
        #[derive(Serialize)]
        struct Document<'a> {
            plan: &'a str,
            #[serde(flatten)]
            summary: &'a TrainingSummary,
        }
        return terminal::print_json(&Document { plan: &summary.plan, summary: &summary });
    }
    let TrainingCounters {
        row_groups_read,
        row_groups_pruned,
        columns_read,
        columns_pruned,
        rows_read,
        rows_outside_time,
        sorts,
        sorts_skipped,
        bytes_spilled,
        spills,
        wasm_calls,
        wasm_rows,
    } = summary.counters;
    let mut text = harmless(&summary.plan).into_owned();
    for (name, value) in [
        ("row groups read", row_groups_read),
        ("row groups pruned by time", row_groups_pruned),
        ("columns read", columns_read),
        ("columns pruned", columns_pruned),
        ("rows read", rows_read),
        ("rows that no label can see", rows_outside_time),
        ("sorts", sorts),
        ("sorts skipped", sorts_skipped),
        ("bytes spilled", bytes_spilled),
        ("spills", spills),
        ("calls into Wasm", wasm_calls),
        ("rows handed to Wasm", wasm_rows),
    ] {
        let _ = writeln!(text, "{name}: {}", thousands(value));
    }
    Ok(terminal::print(&text)?)
}

/// The project and the name among the words given: `DIR NAME`, and either may
/// be left out. A word alone is the project if there is such a file or folder.
fn asked_for(
    words: &[String],
    project: Option<&Path>,
) -> anyhow::Result<(PathBuf, Option<String>)> {
    let here = || PathBuf::from(".");
    Ok(match (words, project) {
        ([], None) => (here(), None),
        ([], Some(project)) => (project.to_owned(), None),
        ([name], Some(project)) => (project.to_owned(), Some(name.clone())),
        ([_, _, ..], Some(_)) => {
            return Err(UserError::new("the project is given twice")
                .help("leave out --project, or the first word")
                .into());
        }
        ([word], None) if Path::new(word).exists() => (word.into(), None),
        // What looks like a path was meant as one.
        ([word], None) if word.contains(['/', '.', '\\']) => (word.into(), None),
        ([word], None) => (here(), Some(word.clone())),
        ([dir, name, ..], None) => (dir.into(), Some(name.clone())),
    })
}

fn no_such(name: &str, plan: &FeaturePlan) -> UserError {
    let views = plan.views.iter().map(|view| view.id.name.to_string());
    let on_demand = plan.on_demand_views.iter().map(|view| view.id.name.to_string());
    let services = plan.services.iter().map(|service| service.name.to_string());
    let mut names: Vec<_> = views.chain(on_demand).chain(services).collect();
    names.sort();
    names.dedup();
    let help = unskew_definition::meant(name, names.iter().map(String::as_str));
    UserError::new(format!("the project has no view or service {name}")).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_are_a_project_and_a_name() {
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let asked = |given: &[&str], project: Option<&str>| {
            let (path, name) = asked_for(&words(given), project.map(Path::new)).unwrap();
            (path.display().to_string(), name)
        };
        assert_eq!(asked(&[], None), (".".to_owned(), None));
        assert_eq!(asked(&["src"], None), ("src".to_owned(), None));
        assert_eq!(asked(&["user_orders"], None), (".".to_owned(), Some("user_orders".to_owned())));
        assert_eq!(asked(&["no/where"], None), ("no/where".to_owned(), None));
        assert_eq!(asked(&["src", "a"], None), ("src".to_owned(), Some("a".to_owned())));
        assert_eq!(asked(&["a"], Some("src")), ("src".to_owned(), Some("a".to_owned())));
        assert!(asked_for(&words(&["src", "a"]), Some(Path::new("src"))).is_err());
    }
}
