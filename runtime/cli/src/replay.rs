use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;
use unskew_online::{Difference, Engine, served_rows};
use unskew_store::{Date, TableId};

use crate::context::Context;
use crate::failure::{Failed, UserError};
use crate::feature_project::FeatureProject;
use crate::serve::online_project;
use crate::serve_archive::SERVED;
use crate::stores::{offline_store, online_store};
use crate::terminal::{self, BAD, GOOD, harmless, paint, thousands};

pub(crate) const EXAMPLES: &str = "\
Examples:
  unskew serve shop --set serve.served_log=0.01      keep what one entity in a hundred is answered
  unskew replay shop                                 compute all of that once more, and compare
  unskew replay shop --service fraud --limit 1000 --json

Every answer is asked for again as of its own time. One that is other than it was served ends the command
with exit code 2, and the report says whether a module, the evaluator, or the rows are others.";

/// Compute served answers once more, and explain what differs
#[derive(Debug, Args)]
pub(crate) struct ReplayArguments {
    /// The project: a folder with unskew.toml, with a module, or with YAML
    /// files; or one such file
    #[arg(value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// Only answers of this service
    #[arg(long, value_name = "S")]
    service: Option<String>,
    /// At most so many answers
    #[arg(long, value_name = "N", default_value_t = u64::MAX, hide_default_value = true)]
    limit: u64,
}

/// How many differences are shown to people; JSON has all.
const SHOWN: usize = 20;

#[derive(Default, Serialize)]
struct Report {
    answers: u64,
    same: u64,
    different: u64,
    differences: Vec<Difference>,
}

pub(crate) fn run(arguments: &ReplayArguments, context: &Context) -> anyhow::Result<()> {
    let project = FeatureProject::open(&arguments.project, context)?;
    let served = online_project(&project, context)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("no threads to compute with")?;
    let report = runtime.block_on(async {
        let store = online_store(&project.config).await?;
        let engine = Engine::new(served, store).context("no threads to compute with")?;
        replayed(arguments, &project, &engine, context).await
    })?;
    if context.json {
        terminal::print_json(&report)?;
    } else {
        terminal::print(&text(&report))?;
    }
    if report.different > 0 { Err(Failed.into()) } else { Ok(()) }
}

async fn replayed(
    arguments: &ReplayArguments,
    project: &FeatureProject,
    engine: &Engine,
    context: &Context,
) -> anyhow::Result<Report> {
    let users = |error: &dyn std::fmt::Display| UserError::new(error.to_string());
    let offline = offline_store(&project.config)?;
    let table = TableId::new(SERVED).map_err(|error| users(&error))?;
    let files = offline.list(&table, Date::MIN..=Date::MAX).await.map_err(|error| users(&error))?;
    if files.is_empty() {
        return Err(UserError::new("no served answers are kept there")
            .at(offline.place())
            .help("serve with --set serve.served_log=0.01 (of one entity in a hundred), then ask")
            .into());
    }
    let mut report = Report::default();
    for file in files {
        for batch in offline.read(&file).await.map_err(|error| users(&error))? {
            for answer in served_rows(&batch).map_err(|error| users(&error).at(&file.place))? {
                context.interrupt.check()?;
                let is_wanted =
                    arguments.service.as_ref().is_none_or(|service| answer.service == *service);
                if !is_wanted {
                    continue;
                }
                if report.answers >= arguments.limit {
                    return Ok(report);
                }
                report.answers += 1;
                let found = engine.replay(&answer).await.map_err(|error| {
                    users(&error)
                        .at(&file.place)
                        .help("does the project still define what was asked?")
                })?;
                if found.is_empty() {
                    report.same += 1;
                } else {
                    report.different += 1;
                    report.differences.extend(found);
                }
            }
        }
    }
    Ok(report)
}

fn text(report: &Report) -> String {
    let Report { answers, same, different, differences } = report;
    let mut out = format!(
        "{} of {} answers are the same\n",
        paint(GOOD, thousands(*same)),
        thousands(*answers)
    );
    if *different > 0 {
        let _ = writeln!(out, "{} are not:", paint(BAD, thousands(*different)));
    }
    for difference in differences.iter().take(SHOWN) {
        let Difference { feature, time_us, inputs, served, now, why } = difference;
        let time = terminal::utc(*time_us);
        let line =
            format!("  {feature} of {inputs} at {time}\n    was {served}, is {now}\n    {why}");
        let _ = writeln!(out, "{}", harmless(&line));
    }
    if differences.len() > SHOWN {
        let _ = writeln!(out, "  and {} more (--json has all)", differences.len() - SHOWN);
    }
    out
}
