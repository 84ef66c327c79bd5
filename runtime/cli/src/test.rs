use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;

use crate::build;
use crate::cases::{self, CasesReport, Sandboxes};
use crate::context::{self, Context};
use crate::failure::{Failed, UserError};
use crate::gate;
use crate::project::Project;
use crate::terminal;

pub(crate) const EXAMPLES: &str = r#"Examples:
  unskew test shop
  unskew test shop/shop.wasm --cases more-cases.json
  unskew test shop --json | jq '.cases[] | select(.passed | not)'

The form of a file of cases:
  {
    "transforms": {
      "rate": [
        {"name": "usual", "in": {"purchases": 3, "views": 10}, "out": 0.3},
        {"in": {"purchases": 1, "views": null}, "out": {"rate": null}},
        {"in": {"purchases": -1, "views": 1}, "error": "negative"},
        {"in": {"purchases": 1, "views": 3}, "out": 0.3333, "tolerance": 1e-4}
      ]
    },
    "aggregates": {
      "total": [
        {"rows": [{"amount": 1.5}, {"amount": "inf"}], "out": "inf"},
        {"rows": [{"amount": -1}, {"amount": 2}], "out": 2, "row_errors": {"0": "negative"}}
      ]
    }
  }
  With one input or output its plain value may stand instead of an object. `error` is a part of the
  row's `STATUS: MESSAGE`. NaN and infinities are the strings "NaN", "inf" and "-inf"; decimals and
  integers beyond 2^53 are strings; timestamps RFC 3339; dates ISO; binary base64. Floats are compared
  by their bits, unless a case has a tolerance t: then |got - expected| <= t * max(1, |expected|).

Every case also runs in other company: each alone in a used instance, all in one batch, reversed and
shuffled; aggregates split into parts that are merged in every order. What it yields must not change."#;

/// Run a project's golden cases in the sandbox
///
/// Builds the project if its source changed. Exits with 2 if a case fails.
#[derive(Debug, Args)]
pub(crate) struct TestArguments {
    /// The project's folder, or a module's file
    #[arg(value_name = "DIR or F.wasm")]
    target: PathBuf,
    /// The file of cases [default: DIR/cases.json]
    #[arg(long, value_name = "F")]
    cases: Option<PathBuf>,
}

pub(crate) fn run(arguments: &TestArguments, context: &Context) -> anyhow::Result<()> {
    let TestArguments { target, cases } = arguments;
    let report = if target.is_file() {
        let cases = cases.as_deref().ok_or_else(|| {
            UserError::new("a module's file has no cases beside it")
                .at(target.display().to_string())
                .help("give them with --cases F, or give the project's folder")
        })?;
        let component = context::read_module(target)?;
        let used = context::load(context.host()?, &component, target)?;
        gate::check(&used, target, context)?;
        let fresh = context::load(context.fresh_host()?, &component, target)?;
        cases::run(cases, target, &Sandboxes { fresh, used })?
    } else {
        test_project(target, cases.as_deref(), context)?
    };
    print(&report, context)?;
    if report.failed > 0 { Err(Failed.into()) } else { Ok(()) }
}

/// Builds the project in `dir`, if it has to be, and runs its cases.
pub(crate) fn test_project(
    dir: &Path,
    cases: Option<&Path>,
    context: &Context,
) -> anyhow::Result<CasesReport> {
    let project = Project::open(dir)?;
    let cases = cases.map_or_else(|| dir.join(cases::FILE_NAME), Path::to_owned);
    // Before the build, which takes longer.
    cases::check_readable(&cases)?;
    let built = build::build(&project, None, false, context)?;
    if built.up_to_date {
        // A build holds the module to purity itself; this file may be anybody's.
        gate::check(&built.module, &built.path, context)?;
    }
    let fresh = context::load(context.fresh_host()?, &built.component, &built.path)?;
    cases::run(&cases, &built.path, &Sandboxes { fresh, used: built.module })
}

/// Writes the report to stdout.
pub(crate) fn print(report: &CasesReport, context: &Context) -> anyhow::Result<()> {
    if context.json {
        terminal::print_json(report)
    } else {
        terminal::print(&report.to_text()).context("the report could not be written")
    }
}
