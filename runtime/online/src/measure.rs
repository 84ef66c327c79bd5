//! What the server counts and times: fixed memory, a few nanoseconds each, and
//! quantiles at any moment, for `/metrics` and `/v1/performance` alike.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Buckets for each power of two.
const PARTS: usize = 8;
const BUCKETS: usize = 64 * PARTS;

/// Durations, in buckets that are an eighth of their beginning wide: a quantile
/// is within 6.25 % of the truth.
pub(crate) struct Histogram {
    buckets: Box<[AtomicU64; BUCKETS]>,
    sum_ns: AtomicU64,
    max_ns: AtomicU64,
}

impl std::fmt::Debug for Histogram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Histogram").field("count", &self.count()).finish_non_exhaustive()
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            buckets: Box::new([const { AtomicU64::new(0) }; BUCKETS]),
            sum_ns: AtomicU64::new(0),
            max_ns: AtomicU64::new(0),
        }
    }
}

fn bucket_of(ns: u64) -> usize {
    if ns < PARTS as u64 {
        return ns as usize;
    }
    let exponent = 63 - ns.leading_zeros() as usize;
    let part = (ns >> (exponent - 3)) as usize & (PARTS - 1);
    (exponent - 2) * PARTS + part
}

/// Where a bucket begins.
fn begin_of(bucket: usize) -> u64 {
    if bucket < PARTS {
        return bucket as u64;
    }
    let exponent = bucket / PARTS + 2;
    ((PARTS + bucket % PARTS) as u64) << (exponent - 3)
}

impl Histogram {
    /// Counts a duration.
    pub(crate) fn record(&self, length: Duration) {
        let ns = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket_of(ns)].fetch_add(1, Relaxed);
        self.sum_ns.fetch_add(ns, Relaxed);
        if ns > self.max_ns.load(Relaxed) {
            self.max_ns.fetch_max(ns, Relaxed);
        }
    }

    /// How many.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Relaxed)).sum()
    }

    /// All of them together, in seconds.
    pub(crate) fn sum_seconds(&self) -> f64 {
        self.sum_ns.load(Relaxed) as f64 / 1e9
    }

    /// The longest, in seconds.
    pub(crate) fn max_seconds(&self) -> f64 {
        self.max_ns.load(Relaxed) as f64 / 1e9
    }

    /// The mean, in seconds; 0 of none.
    pub(crate) fn mean_seconds(&self) -> f64 {
        match self.count() {
            0 => 0.0,
            count => self.sum_seconds() / count as f64,
        }
    }

    /// The `q`-quantile (nearest rank), in seconds: the middle of its bucket;
    /// 0 of none.
    pub(crate) fn quantile_seconds(&self, q: f64) -> f64 {
        let counts: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Relaxed)).collect();
        let total: u64 = counts.iter().sum();
        if total == 0 {
            return 0.0;
        }
        let rank = ((q * total as f64).ceil() as u64).clamp(1, total);
        let mut seen = 0;
        for (bucket, count) in counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                let end = begin_of((bucket + 1).min(BUCKETS - 1));
                let middle = (begin_of(bucket) + end) as f64 / 2e9;
                return middle.min(self.max_seconds());
            }
        }
        self.max_seconds()
    }

    /// How many were below `ns`, a power of two.
    pub(crate) fn count_below(&self, ns: u64) -> u64 {
        self.buckets[..bucket_of(ns)].iter().map(|bucket| bucket.load(Relaxed)).sum()
    }
}

/// A count that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    /// Counts `n` more.
    pub(crate) fn add(&self, n: u64) {
        if n > 0 {
            self.0.fetch_add(n, Relaxed);
        }
    }

    /// The count so far.
    pub(crate) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other() {
        let mut last = 0;
        for ns in (0..5_000_u64).chain((13..62).map(|e| (1 << e) + 7)) {
            let bucket = bucket_of(ns);
            assert!(bucket >= last, "{ns}");
            assert!(begin_of(bucket) <= ns && ns < begin_of(bucket + 1), "{ns} in {bucket}");
            last = bucket;
        }
    }

    #[test]
    fn quantiles_are_near_the_truth() {
        let histogram = Histogram::default();
        (1..=10_000).for_each(|us| histogram.record(Duration::from_micros(us)));
        for (q, truth) in [(0.5, 0.005), (0.95, 0.0095), (0.99, 0.0099)] {
            let found = histogram.quantile_seconds(q);
            assert!((found / truth - 1.0_f64).abs() < 0.0625, "{q}: {found}");
        }
        assert_eq!(histogram.count(), 10_000);
        assert_eq!(histogram.max_seconds(), 0.01);
        assert_eq!(histogram.count_below(1 << 20), 1_048);
        assert_eq!(Histogram::default().quantile_seconds(0.5), 0.0);
    }
}
