use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::context::{self, Context};
use crate::gate::{self, GateReport};
use crate::module_report::ModuleReport;
use crate::terminal;

pub(crate) const EXAMPLES: &str = "\
Examples:
  unskew inspect shop/shop.wasm
  unskew inspect shop/shop.wasm --check
  unskew inspect shop/shop.wasm --json | jq -r '.transforms[].name'";

/// Show what a module is: its digest, imports, transforms and aggregates
///
/// Of its code only the manifest is executed, in the sandbox, unless --check is
/// given.
#[derive(Debug, Args)]
pub(crate) struct InspectArguments {
    /// The module's file
    #[arg(value_name = "F.wasm")]
    module: PathBuf,
    /// Hold every transform to purity and every aggregate to its laws, on
    /// generated rows; exit with 2 if one is refused
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(arguments: &InspectArguments, context: &Context) -> anyhow::Result<()> {
    let InspectArguments { module: path, check } = arguments;
    let component = context::read_module(path)?;
    let module = context::load(context.host()?, &component, path)?;
    let module_report = ModuleReport::new(path, &component, &module);
    let gate = if *check { Some(gate::check(&module, path, context)?) } else { None };
    if context.json {
        #[derive(Serialize)]
        struct Document {
            #[serde(flatten)]
            module: ModuleReport,
            #[serde(skip_serializing_if = "Option::is_none")]
            gate: Option<GateReport>,
        }
        terminal::print_json(&Document { module: module_report, gate })
    } else {
        let gate = gate.map(|gate| gate.to_text()).unwrap_or_default();
        Ok(terminal::print(&format!("{}{gate}", module_report.to_text()))?)
    }
}
