//! Contenders run in turns, A B C A B C, in short samples, and the medians
//! count: what else the machine does strikes all of them alike.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long a race takes.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// All samples of a race together.
    pub(crate) race: Duration,
    /// One sample of one contender, unless a single run takes longer.
    pub(crate) sample: Duration,
    /// What of it is run alone, if only that is.
    pub(crate) alone: Option<Alone>,
}

/// One contender of one race, run so many times for a profiler to look at.
#[derive(Clone, Debug)]
pub(crate) struct Alone {
    pub(crate) race: String,
    pub(crate) contender: usize,
    pub(crate) times: u32,
}

impl Default for Plan {
    fn default() -> Self {
        Self { race: Duration::from_secs(2), sample: Duration::from_micros(200), alone: None }
    }
}

const LEAST_SAMPLES: usize = 9;
const MOST_SAMPLES: usize = 2001;
/// Runs that do not count: caches fill, pools are made.
const WARM_UP: Duration = Duration::from_millis(40);

/// Runs so many times, and says how long that took.
pub(crate) type Contender<'a> = &'a mut dyn FnMut(u32) -> Duration;

/// A contender that is timed from the outside.
pub(crate) fn timed<T>(mut run: impl FnMut() -> T) -> impl FnMut(u32) -> Duration {
    move |times| {
        let start = Instant::now();
        for _ in 0..times {
            drop(black_box(run()));
        }
        start.elapsed()
    }
}

impl Plan {
    /// The median time of one run of each contender, in nanoseconds.
    pub(crate) fn race<const N: usize>(
        &self,
        name: &str,
        mut contenders: [Contender<'_>; N],
    ) -> [f64; N] {
        if let Some(alone) = &self.alone {
            if alone.race == name
                && let Some(contender) = contenders.get_mut(alone.contender)
            {
                contender(alone.times);
            }
            return [f64::NAN; N];
        }
        let repetitions: [u32; N] = std::array::from_fn(|i| self.repetitions(&mut *contenders[i]));
        let mut samples: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
        let start = Instant::now();
        while samples[0].len() < LEAST_SAMPLES
            || (start.elapsed() < self.race && samples[0].len() < MOST_SAMPLES)
        {
            for (i, contender) in contenders.iter_mut().enumerate() {
                let taken = contender(repetitions[i]);
                samples[i].push(taken.as_nanos() as f64 / f64::from(repetitions[i]));
            }
        }
        samples.map(|mut samples| median(&mut samples))
    }

    /// The same for runs of seconds: each is a sample, and few have to do.
    pub(crate) fn long_race<const N: usize>(
        &self,
        name: &str,
        mut contenders: [Contender<'_>; N],
    ) -> [f64; N] {
        const SAMPLES: usize = 5;
        if self.alone.is_some() {
            return self.race(name, contenders);
        }
        let mut samples: [Vec<f64>; N] = std::array::from_fn(|_| Vec::new());
        for _ in 0..SAMPLES {
            for (samples, contender) in samples.iter_mut().zip(&mut contenders) {
                samples.push(contender(1).as_nanos() as f64);
            }
        }
        samples.map(|mut samples| median(&mut samples))
    }

    /// How many runs fill one sample.
    fn repetitions(&self, contender: Contender<'_>) -> u32 {
        let start = Instant::now();
        let (mut runs, mut taken) = (0, Duration::ZERO);
        while runs < 3 || (start.elapsed() < WARM_UP && runs < 100_000) {
            taken += contender(1);
            runs += 1;
        }
        let fitting = self.sample.as_nanos() / (taken / runs).as_nanos().max(1);
        u32::try_from(fitting).unwrap_or(u32::MAX).max(1)
    }
}

/// Sorts them to find it.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which `part` of them lie. Sorts them.
pub(crate) fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = ((values.len() - 1) as f64 * part).round() as usize;
    values[at]
}
