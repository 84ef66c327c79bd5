use anyhow::{Context, Result, bail, ensure};
use arrow::array::cast::AsArray;
use arrow::datatypes::Int64Type;
use unskew_host::{CompiledModule, Host, HostConfig, Limits};

use crate::call::{Function, call, numbers};
use crate::guest::{Guest, Seen};
use crate::module::Module;
use crate::process::Process;

/// The host that all guests share, and a module on it that does no harm: what
/// it yields, and the fuel that this takes, must stay the same.
pub struct Ward {
    /// The host, under default limits.
    pub host: Host,
    healthy: CompiledModule,
    fuel: u64,
    process: Process,
}

/// What came of one guest.
pub struct Report {
    /// What came of it; an error is what no guest may achieve.
    pub seen: Result<Seen>,
    /// Whether it is what must come of it.
    pub is_expected: bool,
    /// How the host is afterwards; an error says what it has suffered.
    pub health: Result<String>,
}

impl Report {
    /// Whether the guest was contained.
    pub fn is_right(&self) -> bool {
        self.is_expected && self.health.is_ok()
    }
}

/// Rows of a healthy call.
const ROWS: i64 = 1000;

impl Ward {
    /// A host with its healthy module at work.
    pub fn open() -> Result<Self> {
        let host = host(Limits::default())?;
        let healthy = host.load(&Module::healthy().component())?;
        for function in Function::ALL {
            match call(&healthy, function, 32)? {
                Seen::Harmless => {}
                other => bail!("{function:?} of the healthy module: {}", other.line()),
            }
        }
        let fuel = healthy_call(&healthy)?;
        Ok(Self { host, healthy, fuel, process: Process::now()? })
    }

    /// Lets a guest try, and looks after the host.
    pub fn admit(&self, guest: &Guest) -> Report {
        let seen = (guest.attack)(self);
        let is_expected = seen.as_ref().is_ok_and(|seen| (guest.expected.fits)(seen));
        Report { seen, is_expected, health: self.health() }
    }

    fn health(&self) -> Result<String> {
        let fuel = healthy_call(&self.healthy).context("the healthy module suffers")?;
        ensure!(fuel == self.fuel, "a healthy call took {fuel} fuel, not {}", self.fuel);
        let more = self.process.compare()?;
        Ok(format!("healthy: same values, {fuel} fuel; {more}"))
    }
}

/// A host of one's own.
pub fn host(limits: Limits) -> Result<Host> {
    Ok(Host::new(HostConfig { limits, ..HostConfig::default() })?)
}

/// Calls the healthy module's transform; gives the fuel that it took.
fn healthy_call(module: &CompiledModule) -> Result<u64> {
    let outcome = module.transform(0, &numbers(0..ROWS), None)?;
    ensure!(outcome.errors.is_empty(), "{:?}", outcome.errors);
    let values = outcome.columns[0].as_primitive::<Int64Type>().values();
    ensure!(values.iter().copied().eq((0..ROWS).map(|x| 2 * x)), "other values than before");
    Ok(outcome.metrics.fuel)
}
