use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use arrow::array::cast::AsArray;
use arrow::datatypes::Int64Type;
use unskew_host::{CompiledModule, Host, HostConfig, Limits};

use crate::call::{Function, call, numbers};
use crate::guest::{Guest, Seen};
use crate::journal::{count_logs, logged_bytes};
use crate::module::Module;
use crate::process::{Process, Stopwatch};

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
    /// Time on the CPU that the guest made the host spend, over all threads.
    pub cpu: Duration,
}

impl Report {
    /// Whether the guest was contained.
    pub fn is_right(&self) -> bool {
        self.is_expected && self.health.is_ok()
    }
}

/// Rows of a healthy call.
const ROWS: i64 = 1000;
/// How much more memory than before a guest may make the host use at any moment:
/// a gigabyte of replies, those put together, and the calls under way.
const PEAK_MIB: u64 = 3072;
/// How much a guest may make the host log: a megabyte a minute for each module,
/// and what the escapes of unprintable text add to that.
const LOG_BYTES: u64 = 4 << 20;

impl Ward {
    /// A host with its healthy module at work.
    pub fn open() -> Result<Self> {
        count_logs();
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
        let before = logged_bytes();
        let stopwatch = Stopwatch::start();
        let seen = (guest.attack)(self);
        let is_expected = seen.as_ref().is_ok_and(|seen| (guest.expected.fits)(seen));
        let health = self.health(logged_bytes() - before, &stopwatch);
        Report { seen, is_expected, health, cpu: stopwatch.cpu() }
    }

    fn health(&self, logged: u64, stopwatch: &Stopwatch) -> Result<String> {
        let fuel = healthy_call(&self.healthy).context("the healthy module suffers")?;
        ensure!(fuel == self.fuel, "a healthy call took {fuel} fuel, not {}", self.fuel);
        ensure!(logged <= LOG_BYTES, "it made the host log {logged} bytes");
        let peak = stopwatch.more_memory_mib()?;
        ensure!(peak <= PEAK_MIB, "it made the host use {peak} MiB");
        let more = self.process.compare()?;
        Ok(format!("healthy: {fuel} fuel as before, memory {more}, {peak} at the peak"))
    }
}

/// A host of one's own.
pub(crate) fn host(limits: Limits) -> Result<Host> {
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
