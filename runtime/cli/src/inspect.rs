use std::path::PathBuf;

use clap::Args;

use crate::context::{self, Context};
use crate::module_report::ModuleReport;
use crate::terminal;

pub(crate) const EXAMPLES: &str = "\
Examples:
  unskew inspect shop/shop.wasm
  unskew inspect shop/shop.wasm --json | jq -r '.transforms[].name'";

/// Show what a module is: its digest, imports, transforms and aggregates
///
/// Of its code only the manifest is executed, in the sandbox.
#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    /// The module's file
    #[arg(value_name = "F.wasm")]
    module: PathBuf,
}

pub(crate) fn run(arguments: &InspectArguments, context: &Context) -> anyhow::Result<()> {
    let InspectArguments { module: path } = arguments;
    let component = context::read_module(path)?;
    let module = context::load(context.host()?, &component, path)?;
    let report = ModuleReport::new(path, &component, &module);
    if context.json {
        terminal::print_json(&report)
    } else {
        Ok(terminal::print(&report.to_text())?)
    }
}
