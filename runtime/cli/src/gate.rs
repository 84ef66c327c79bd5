//! The gates as commands use them: what `build` decides before it writes a
//! module, and what `test` and `inspect --check` find out about one.

use std::io::Write as _;
use std::path::Path;

use serde::Serialize;
use unskew_gate::{GateError, Impurity, LawGate, PurityGate, Tried, Unlawful, Ways};
use unskew_host::{CallError, CompiledModule, NAN_SECTION, NanPolicy};

use crate::context::{self, Context};
use crate::failure::UserError;

/// A module of which no transform was found to be impure, and no aggregate to
/// break a law.
#[derive(Debug, Serialize)]
pub(crate) struct GateReport {
    /// Each transform, and how thoroughly it was compared.
    transforms: Vec<CheckedTransform>,
    /// Each aggregate, and how many laws it was held to.
    aggregates: Vec<CheckedAggregate>,
    nan: &'static str,
}

#[derive(Debug, Serialize)]
struct CheckedTransform {
    transform: String,
    #[serde(flatten)]
    ways: Ways,
}

#[derive(Debug, Serialize)]
struct CheckedAggregate {
    aggregate: String,
    #[serde(flatten)]
    tried: Tried,
}

/// Modules above this size take long to instantiate, so that fewer of their
/// rows are evaluated alone in a fresh instance.
const SMALL_MODULE_BYTES: usize = 2 << 20;

/// Holds every transform of `module` to purity and every aggregate to its
/// laws. The error shows for each that is refused the rows that refute it.
pub(crate) fn check(
    module: &CompiledModule,
    path: &Path,
    context: &Context,
) -> anyhow::Result<GateReport> {
    let gate = gate_for(module);
    let mut transforms = Vec::new();
    let mut impure = Vec::new();
    for (index, signature) in module.manifest().transforms.iter().enumerate() {
        context.interrupt.check()?;
        match gate.check(module, index).map_err(|error| unchecked(error, path))? {
            Ok(ways) => {
                transforms.push(CheckedTransform { transform: signature.name.to_string(), ways });
            }
            Err(impurity) => impure.push(impurity),
        }
    }
    let gate = law_gate_for(module);
    let mut aggregates = Vec::new();
    let mut unlawful = Vec::new();
    for (index, signature) in module.manifest().aggregates.iter().enumerate() {
        context.interrupt.check()?;
        match gate.check(module, index).map_err(|error| unchecked(error, path))? {
            Ok(tried) => {
                aggregates.push(CheckedAggregate { aggregate: signature.name.to_string(), tried });
            }
            Err(breach) => unlawful.push(breach),
        }
    }
    if !impure.is_empty() || !unlawful.is_empty() {
        return Err(refusal(&impure, &unlawful, path).into());
    }
    Ok(GateReport { transforms, aggregates, nan: module.nan_policy().as_str() })
}

/// Decides whether the module looks at the bits of NaNs that it made. Gives the
/// component that says so, and the module compiled accordingly.
pub(crate) fn settle_nan_policy(
    component: Vec<u8>,
    path: &Path,
    context: &Context,
) -> anyhow::Result<(Vec<u8>, CompiledModule)> {
    let module = context::load(context.host()?, &component, path)?;
    let manifest = module.manifest();
    if manifest.transforms.is_empty() && manifest.aggregates.is_empty() {
        return Ok((component, module));
    }
    let boundary = context::load(context.host_of_nan(NanPolicy::Boundary)?, &component, path)?;
    let strict = context::load(context.host_of_nan(NanPolicy::Strict)?, &component, path)?;
    let mut policy =
        gate_for(&module).nan_policy(&boundary, &strict).map_err(|error| unchecked(error, path))?;
    for index in 0..module.manifest().aggregates.len() {
        if policy == NanPolicy::Strict {
            break;
        }
        let keeps = law_gate_for(&module).keeps_nan_bits(&boundary, &strict, index);
        if keeps.map_err(|error| unchecked(error, path))? {
            policy = NanPolicy::Strict;
        }
    }
    if policy == module.nan_policy() {
        return Ok((component, module));
    }
    if !context.quiet && !context.json {
        // Where stderr is gone nobody waits for this.
        let _ = writeln!(
            anstream::stderr(),
            "its results depend on the bits of NaNs: it is compiled with nan: {}",
            policy.as_str()
        );
    }
    let component = unskew_build::append_section(&component, NAN_SECTION, policy.as_str());
    let module = context::load(context.host()?, &component, path)?;
    Ok((component, module))
}

fn gate_for(module: &CompiledModule) -> PurityGate {
    let gate = PurityGate::default();
    match module.component_bytes() {
        0..=SMALL_MODULE_BYTES => PurityGate { alone: gate.rows, ..gate },
        _ => gate,
    }
}

fn law_gate_for(module: &CompiledModule) -> LawGate {
    match module.component_bytes() {
        0..=SMALL_MODULE_BYTES => LawGate::default(),
        _ => LawGate { rows: 128, alone: 8, ..LawGate::default() },
    }
}

fn refusal(impure: &[Impurity], unlawful: &[Unlawful], path: &Path) -> UserError {
    let transforms = impure.iter().map(Impurity::to_string);
    let shown: Vec<String> = transforms.chain(unlawful.iter().map(Unlawful::to_string)).collect();
    let help = match impure.is_empty() {
        true => {
            "the state of an aggregate must be a function of its rows alone, in whatever order \
             and parts they come: then batch, stream and online agree to the bit"
        }
        false => {
            "a row must yield the same whatever was evaluated before it and beside it: leave out \
             global variables, caches, object identities and anything computed over the whole batch"
        }
    };
    UserError::new(shown.join("\n")).at(path.display().to_string()).help(help)
}

fn unchecked(error: GateError, path: &Path) -> anyhow::Error {
    match error {
        GateError::Call(CallError::DeadlineExceeded { .. } | CallError::OutcomeTooLarge { .. }) => {
            UserError::new(format!("the gate gave up: {error}"))
                .at(path.display().to_string())
                .help(
                    "make the function cheaper and its results smaller, or try again on a machine that is not overloaded",
                )
                .into()
        }
        _ => anyhow::Error::new(error)
            .context(format!("the gate could not check {}", path.display())),
    }
}

impl GateReport {
    /// The report for people, a line for each transform.
    pub(crate) fn to_text(&self) -> String {
        let Self { transforms, aggregates, nan } = self;
        let mut text = String::new();
        for CheckedTransform { transform, ways: Ways { ways, rows } } in transforms {
            text += &format!("transform {transform}: pure on {rows} rows in {ways} ways\n");
        }
        for CheckedAggregate { aggregate, tried: Tried { laws, rows, refused_rows } } in aggregates
        {
            let refused = match refused_rows {
                0 => String::new(),
                n => format!(" ({n} more were refused by it)"),
            };
            text += &format!("aggregate {aggregate}: keeps {laws} laws on {rows} rows{refused}\n");
        }
        if *nan == NanPolicy::Strict.as_str() {
            text += "nan: strict (its results depend on the bits of NaNs)\n";
        }
        text
    }
}
