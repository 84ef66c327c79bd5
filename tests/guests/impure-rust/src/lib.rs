//! Transforms that break purity, each in a way of its own, and two that only
//! look as if they did. The purity gate must tell them apart.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use unskew::Column;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static CACHE: RefCell<HashMap<i64, f64>> = RefCell::new(HashMap::new());
    static MEMO: RefCell<HashMap<i64, i64>> = RefCell::new(HashMap::new());
}

/// Wrong only on every 1,000th row that it ever saw.
#[unskew::transform]
fn counts_rows(x: i64) -> i64 {
    CALLS.with(|calls| {
        calls.set(calls.get() + 1);
        if calls.get() % 1000 == 0 { x.wrapping_add(1) } else { x }
    })
}

/// Centres by the mean of whatever rows came along.
#[unskew::transform(batch)]
fn subtracts_the_batch_mean(x: Column<'_, f64>) -> Vec<f64> {
    let finite = x.iter().filter(|x| x.is_finite() && x.abs() < 1e6);
    let (mut sum, mut count) = (0.0, 0.0);
    for x in finite {
        sum += x;
        count += 1.0;
    }
    x.iter().map(|x| x - sum / f64::max(count, 1.0)).collect()
}

/// The first key in the order of a hash map.
#[unskew::transform]
fn takes_the_order_of_a_hash_map(x: i64) -> i64 {
    let keys: HashMap<i64, ()> = (0..50).map(|i| (x.wrapping_add(i), ())).collect();
    keys.into_keys().next().unwrap_or_default()
}

/// Remembers by `x` what depends on `y`, too.
#[unskew::transform]
fn caches_under_half_the_key(x: i64, y: f64) -> f64 {
    CACHE.with_borrow_mut(|cache| *cache.entry(x).or_insert_with(|| x as f64 + y))
}

/// A cache that is right changes nothing.
#[unskew::transform]
fn caches_rightly(x: i64) -> i64 {
    MEMO.with_borrow_mut(|memo| *memo.entry(x).or_insert_with(|| x.wrapping_mul(x)))
}

/// The bits of a NaN that it made: pure on one machine, but not the same on
/// another unless NaNs are canonical inside.
#[unskew::transform]
fn looks_at_the_bits_of_a_nan(x: f64, y: f64) -> u64 {
    (x - y).to_bits() % 1_000_003
}

unskew::module!(
    name = "impure_rust",
    transforms = [
        counts_rows,
        subtracts_the_batch_mean,
        takes_the_order_of_a_hash_map,
        caches_under_half_the_key,
        caches_rightly,
        looks_at_the_bits_of_a_nan,
    ]
);
