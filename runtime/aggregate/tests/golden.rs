//! The bytes of states, committed: states outlive releases. `UNSKEW_BLESS=1`
//! writes the file anew; a line may change only with the version.

mod shared;

use std::fmt::Write as _;
use std::path::Path;

use shared::{Numbers, aggregates, bytes, fold};
use unskew_aggregate::ExactSum;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn compare(file: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(file);
    if std::env::var_os("UNSKEW_BLESS").is_some() {
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    for (line, (found, expected)) in found.lines().zip(expected.lines()).enumerate() {
        assert_eq!(found, expected, "line {} of {file}", line + 1);
    }
    assert_eq!(found.lines().count(), expected.lines().count(), "lines of {file}");
}

#[test]
fn states_have_the_bytes_they_always_had() {
    let mut found = String::new();
    for (seed, aggregate) in aggregates().into_iter().enumerate() {
        let input = aggregate.input().map_or("rows".to_owned(), |kind| kind.to_string());
        for count in [0, 1, 12] {
            let rows = Numbers(7000 + seed as u64).rows(aggregate.input(), count);
            let state = bytes(&aggregate, &fold(&aggregate, &rows));
            let function = aggregate.function();
            writeln!(found, "{function} {input} {count} {}", hex(&state)).unwrap();
            assert!(aggregate.decode(&state).is_ok());
        }
    }
    compare("states.txt", &found);
}

/// The test of the Python SDK reads the same file: the hexadecimal bits of the
/// floats, then those of the sum, then its canonical bytes.
#[test]
fn exact_sums_have_the_bytes_of_the_python_sdk() {
    let mut numbers = Numbers(8000);
    let mut cases: Vec<Vec<f64>> =
        vec![vec![], vec![-0.0], vec![1.0], vec![-1.0], vec![0.1; 10], vec![f64::MAX; 3]];
    cases.push(vec![1e100, 1.0, -1e100]);
    cases.push(vec![5e-324, -1.0]);
    cases.push(vec![f64::NAN, f64::INFINITY, 1.5, f64::INFINITY]);
    cases.push(vec![f64::NEG_INFINITY]);
    for count in 1..40 {
        cases.push((0..count).map(|_| f64::from_bits(numbers.next())).collect());
        cases.push((0..count).map(|_| numbers.below(100_000) as f64 / 100.0).collect());
    }
    let mut found = String::new();
    for floats in cases {
        let mut sum = ExactSum::new();
        floats.iter().for_each(|x| sum.add(*x));
        let bits: Vec<String> = floats.iter().map(|x| hex(&x.to_bits().to_be_bytes())).collect();
        let value = hex(&sum.value().to_bits().to_be_bytes());
        writeln!(found, "{};{value};{}", bits.join(","), hex(&sum.to_bytes())).unwrap();
        assert_eq!(ExactSum::from_bytes(&sum.to_bytes()), Ok(sum));
    }
    compare("exact_sums.txt", &found);
}
