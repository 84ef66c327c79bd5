//! One file for each kind of figure.

mod aggregates;
mod batch;
mod columns;
mod explain;
mod faults;
mod fresh;
mod load;
mod materialize;
mod memory;
mod online;
mod python;
mod queries;
mod run_file;
mod scaling;
mod serving;
mod warm;
mod wasm_aggregate;
mod windows;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, anyhow, ensure};
use unskew_host::{CompiledModule, Host, HostConfig, Isolation, NanPolicy};

use crate::guests::Guests;
use crate::race::Plan;
use crate::report::Figure;

/// What all figures share.
pub(crate) struct Bench {
    pub(crate) plan: Plan,
    pub(crate) guests: Guests,
}

/// A row of the table, or several.
pub(crate) struct Measurable {
    pub(crate) id: &'static str,
    pub(crate) measure: fn(&Bench) -> anyhow::Result<Vec<Figure>>,
}

/// All of them, in the order of the table.
pub(crate) const FIGURES: &[Measurable] = &[
    Measurable { id: "host.heavy", measure: columns::heavy },
    Measurable { id: "host.light", measure: columns::light },
    Measurable { id: "host.strings", measure: columns::strings },
    Measurable { id: "host.warm1_rust", measure: warm::rust },
    Measurable { id: "host.warm1_python", measure: warm::python },
    Measurable { id: "host.fresh_rust", measure: fresh::rust },
    Measurable { id: "host.fresh_python", measure: fresh::python },
    Measurable { id: "host.python_row", measure: python::rows },
    Measurable { id: "host.python_batch", measure: python::columns },
    Measurable { id: "host.faults", measure: faults::faults },
    Measurable { id: "host.scaling", measure: scaling::scaling },
    Measurable { id: "host.run_file", measure: run_file::run_file },
    Measurable { id: "host.build", measure: load::build },
    Measurable { id: "host.load", measure: load::load },
    Measurable { id: "kernel.exact_sum", measure: aggregates::exact_sum },
    Measurable { id: "kernel.exact_var", measure: aggregates::exact_var },
    Measurable { id: "kernel.percentile", measure: aggregates::percentile },
    Measurable { id: "kernel.tumbling", measure: windows::tumbling },
    Measurable { id: "kernel.trailing", measure: windows::trailing },
    Measurable { id: "kernel.trailing_size", measure: windows::trailing_size },
    Measurable { id: "kernel.state", measure: aggregates::state },
    Measurable { id: "kernel.explain", measure: explain::explain },
    Measurable { id: "kernel.wasm_aggregate", measure: wasm_aggregate::wasm_aggregate },
    Measurable { id: "batch.asof", measure: batch::asof },
    Measurable { id: "batch.trailing_100k", measure: batch::trailing_100k },
    Measurable { id: "batch.trailing_10k", measure: batch::trailing_10k },
    Measurable { id: "batch.feast", measure: batch::feast },
    Measurable { id: "batch.udf", measure: queries::udf },
    Measurable { id: "batch.pyspark", measure: queries::pyspark },
    Measurable { id: "batch.memory", measure: memory::memory },
    Measurable { id: "batch.materialize", measure: materialize::materialize },
    Measurable { id: "batch.scaling", measure: batch::scaling },
    Measurable { id: "online.rust_1", measure: online::rust_1 },
    Measurable { id: "online.rust_100", measure: online::rust_100 },
    Measurable { id: "online.python_1", measure: online::python_1 },
    Measurable { id: "online.python_100", measure: online::python_100 },
    Measurable { id: "online.embedded_1", measure: online::embedded_1 },
    Measurable { id: "online.floor", measure: serving::floor },
    Measurable { id: "online.wide", measure: online::wide },
    Measurable { id: "online.trailing", measure: serving::trailing },
    Measurable { id: "online.write", measure: online::write },
    Measurable { id: "online.neighbour", measure: serving::neighbour },
    Measurable { id: "online.start", measure: online::start },
];

impl Bench {
    pub(crate) fn new(plan: Plan) -> anyhow::Result<Self> {
        let cache_dir = std::env::var_os("UNSKEW_CACHE_DIR")
            .map(PathBuf::from)
            .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/unskew")))
            .context("set UNSKEW_CACHE_DIR: HOME is not set")?;
        Ok(Self { plan, guests: Guests { cache_dir } })
    }

    /// `unskew` as it was built beside this, with the same cache.
    pub(crate) fn unskew(&self) -> anyhow::Result<Command> {
        let unskew = std::env::current_exe()?.with_file_name("unskew");
        ensure!(unskew.is_file(), "there is no {}; `make bench` builds it", unskew.display());
        let mut command = Command::new(unskew);
        command.arg("--cache-dir").arg(&self.guests.cache_dir);
        Ok(command)
    }

    /// A module in a host with its defaults but for these two.
    pub(crate) fn load(
        &self,
        component: &[u8],
        isolation: Isolation,
        nan: NanPolicy,
    ) -> anyhow::Result<CompiledModule> {
        let config = HostConfig { isolation, nan: Some(nan), ..self.host_config() };
        Host::new(config)?.load(component).map_err(|e| anyhow!("{e}"))
    }

    /// A host with its defaults.
    pub(crate) fn host(&self) -> anyhow::Result<Host> {
        Ok(Host::new(self.host_config())?)
    }

    fn host_config(&self) -> HostConfig {
        HostConfig { cache_dir: Some(self.guests.cache_dir.clone()), ..HostConfig::default() }
    }

    /// The module of `bench/guests/rust` with NaNs made canonical at the
    /// boundary, and with `nan: strict`.
    pub(crate) fn rust_modules(&self) -> anyhow::Result<[CompiledModule; 2]> {
        self.modules("rust")
    }

    /// Those of `bench/guests/python`.
    pub(crate) fn python_modules(&self) -> anyhow::Result<[CompiledModule; 2]> {
        self.modules("python")
    }

    fn modules(&self, guest: &str) -> anyhow::Result<[CompiledModule; 2]> {
        let component = self.guests.module(guest)?;
        Ok([
            self.load(&component, Isolation::Reuse, NanPolicy::Boundary)?,
            self.load(&component, Isolation::Reuse, NanPolicy::Strict)?,
        ])
    }
}

/// The index of a transform in a module's manifest.
pub(crate) fn index_of(module: &CompiledModule, transform: &str) -> anyhow::Result<usize> {
    module
        .manifest()
        .transforms
        .iter()
        .position(|signature| signature.name.as_str() == transform)
        .with_context(|| format!("the module has no transform {transform}"))
}
