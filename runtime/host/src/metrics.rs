use std::ops::AddAssign;
use std::time::Duration;

use serde::Serialize;

/// What calls into a module took. Counts are exact. Of warm calls of a single
/// row of numbers one in sixteen is timed and stands for all of them: looking
/// at the clock takes as long as what it would measure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CallMetrics {
    /// Calls into the sandbox, zero-row calls of new instances not counted.
    pub calls: u64,
    /// Rows handed over, those handed over again after a fault included.
    pub rows: u64,
    /// Time to lay out columns and write them into the module's memory.
    pub write: Duration,
    /// Time inside the module.
    pub run: Duration,
    /// Time to copy replies out, check them and make columns of them.
    pub read: Duration,
    /// Time to get instances: from the pool or new.
    pub acquire: Duration,
    /// Bytes of requests.
    pub bytes_in: u64,
    /// Bytes of replies.
    pub bytes_out: u64,
    /// Fuel that calls consumed.
    pub fuel: u64,
    /// Calls that trapped, ran out of a limit or gave an invalid reply.
    pub faults: u64,
    /// Calls that found an instance in the pool.
    pub pool_hits: u64,
    /// Calls that needed a new instance.
    pub pool_misses: u64,
}

impl AddAssign for CallMetrics {
    fn add_assign(&mut self, other: Self) {
        let Self {
            calls,
            rows,
            write,
            run,
            read,
            acquire,
            bytes_in,
            bytes_out,
            fuel,
            faults,
            pool_hits,
            pool_misses,
        } = other;
        self.calls += calls;
        self.rows += rows;
        self.write += write;
        self.run += run;
        self.read += read;
        self.acquire += acquire;
        self.bytes_in += bytes_in;
        self.bytes_out += bytes_out;
        self.fuel += fuel;
        self.faults += faults;
        self.pool_hits += pool_hits;
        self.pool_misses += pool_misses;
    }
}
