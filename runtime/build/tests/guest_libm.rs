//! The `libm` crate in a module: it rounds as the machine does, and takes the
//! instructions that the sandbox has for it.

mod projects;

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, Float64Array, RecordBatch};
use arrow::datatypes::Float64Type;
use projects::{built, scratch, write};
use unskew_host::{Host, HostConfig};

const CARGO_TOML: &str = r#"
[package]
name = "rounding"
version = "0.1.0"
edition = "2024"

[dependencies]
libm = "0.2.16"
unskew = { path = ".unskew/sdk-rust" }

[workspace]
"#;

const LIB: &str = r#"
#[unskew::transform]
fn sqrt(x: f64) -> f64 { libm::sqrt(x) }
#[unskew::transform]
fn floor(x: f64) -> f64 { libm::floor(x) }
#[unskew::transform]
fn ceil(x: f64) -> f64 { libm::ceil(x) }
#[unskew::transform]
fn trunc(x: f64) -> f64 { libm::trunc(x) }
#[unskew::transform]
fn rint(x: f64) -> f64 { libm::rint(x) }
#[unskew::transform]
fn fabs(x: f64) -> f64 { libm::fabs(x) }
unskew::module!(transforms = [sqrt, floor, ceil, trunc, rint, fabs]);
"#;

/// Edges, and numbers of every size.
fn numbers() -> Vec<f64> {
    let mut numbers = vec![0.0, f64::MIN_POSITIVE, 5e-324, f64::MAX, f64::INFINITY, f64::NAN];
    for exponent in -60..60 {
        for part in [1.0, 1.25, 1.5, 1.75, 1.999_999_999_999_999_8, 1.1, 1.7] {
            numbers.push(part * 2_f64.powi(exponent));
        }
    }
    let negative: Vec<f64> = numbers.iter().map(|x| -x).collect();
    [numbers, negative].concat()
}

#[test]
fn libm_rounds_as_the_machine_does_in_few_instructions() {
    let dir = scratch("rounding");
    write(&dir.join("Cargo.toml"), CARGO_TOML);
    write(&dir.join("src/lib.rs"), LIB);
    let host = Host::new(HostConfig::default()).unwrap();
    let module = host.load(&built(&dir).component).unwrap();
    let numbers = numbers();
    let column: ArrayRef = Arc::new(Float64Array::from(numbers.clone()));
    let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
    type Rounding = fn(f64) -> f64;
    let machine: [(&str, Rounding); 6] = [
        ("sqrt", f64::sqrt),
        ("floor", f64::floor),
        ("ceil", f64::ceil),
        ("trunc", f64::trunc),
        ("rint", f64::round_ties_even),
        ("fabs", f64::abs),
    ];
    for (index, (name, expected)) in machine.into_iter().enumerate() {
        let outcome = module.transform(index, &batch, None).unwrap();
        let found = outcome.columns[0].as_primitive::<Float64Type>();
        for (x, found) in numbers.iter().zip(found.values()) {
            let expected = expected(*x);
            let same = found.to_bits() == expected.to_bits() || found.is_nan() && expected.is_nan();
            assert!(same, "{name}({x:e}) = {found:e}, not {expected:e}");
        }
        let fuel_per_row = outcome.metrics.fuel / outcome.metrics.rows;
        assert!(fuel_per_row < 40, "{name} takes {fuel_per_row} instructions for each row");
    }
}
