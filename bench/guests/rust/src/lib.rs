//! What the benchmarks call: the functions of `kernels`, as transforms.

mod kernels;

/// Kilometres between two points.
#[unskew::transform]
fn haversine(lat1: f64, lon1: f64, lat2: f64, lon2: f64) -> f64 {
    kernels::haversine(lat1, lon1, lat2, lon2)
}

/// The same, which panics where the first latitude is none.
#[unskew::transform]
fn haversine_or_panic(lat1: f64, lon1: f64, lat2: f64, lon2: f64) -> f64 {
    assert!(lat1.abs() <= 90.0, "{lat1} is no latitude");
    kernels::haversine(lat1, lon1, lat2, lon2)
}

/// The logistic function.
#[unskew::transform]
fn logistic(x: f64) -> f64 {
    kernels::logistic(x)
}

/// A hash of 64 bits.
#[unskew::transform]
fn mix(x: u64) -> u64 {
    kernels::mix(x)
}

/// x y + 1.
#[unskew::transform]
fn light(x: f64, y: f64) -> f64 {
    kernels::light(x, y)
}

/// Never ends.
#[unskew::transform]
fn spin(x: f64) -> f64 {
    let mut spun = x;
    loop {
        spun = std::hint::black_box(spun + 1.0);
        if spun.is_nan() {
            return spun;
        }
    }
}

/// A text in order, and its length.
#[unskew::transform(outputs = ["text", "length"])]
fn tidy(text: &str) -> (String, i64) {
    kernels::tidy(text)
}

/// The mean of `x`, weighted.
#[derive(Default, unskew::State)]
struct WeightedMean {
    total: unskew::ExactSum,
    weights: unskew::ExactSum,
}

#[unskew::aggregate]
impl WeightedMean {
    fn update(&mut self, x: f64, weight: f64) {
        self.total.add(x * weight);
        self.weights.add(weight);
    }

    fn merge(&mut self, other: &Self) {
        self.total.merge(&other.total);
        self.weights.merge(&other.weights);
    }

    fn subtract(&mut self, other: &Self) {
        self.total.subtract(&other.total);
        self.weights.subtract(&other.weights);
    }

    fn finish(&self) -> Option<f64> {
        let weights = self.weights.value();
        (weights != 0.0).then(|| self.total.value() / weights)
    }
}

unskew::module!(
    name = "bench",
    transforms = [haversine, haversine_or_panic, logistic, mix, light, spin, tidy],
    aggregates = [WeightedMean]
);
