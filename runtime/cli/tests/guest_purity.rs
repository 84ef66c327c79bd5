//! The purity gate on transforms that break it, each in a way of its own, and
//! on some that only look as if they did.

mod shared;

use std::path::Path;

use shared::Ran;

fn build(guest: &str) -> Ran {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/guests").join(guest);
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("module.wasm");
    let ran = Ran::of(shared::guest_unskew().arg("build").arg(&project).arg("-o").arg(&output));
    assert!(!output.exists(), "an impure module was written");
    ran
}

fn check(ran: &Ran, refused: &[&str], accepted: &[&str]) {
    let said = &ran.stderr;
    assert_eq!(ran.code, Some(2), "{said}");
    for transform in refused {
        assert!(said.contains(&format!("transform {transform} is not pure: for x = ")), "{said}");
    }
    for transform in accepted {
        assert!(!said.contains(&format!("transform {transform} ")), "{said}");
    }
}

#[test]
fn impure_rust_transforms_are_refused_with_the_row_that_shows_it() {
    let ran = build("impure-rust");
    check(
        &ran,
        &[
            "counts_rows",
            "subtracts_the_batch_mean",
            "takes_the_order_of_a_hash_map",
            "caches_under_half_the_key",
        ],
        &["caches_rightly", "looks_at_the_bits_of_a_nan"],
    );
    let said = &ran.stderr;
    assert!(said.contains("nan: strict"), "it hashes the bits of a NaN that it made: {said}");
}

#[test]
fn impure_python_transforms_are_refused_with_the_row_that_shows_it() {
    let ran = build("impure-python");
    check(
        &ran,
        &[
            "counts_rows",
            "subtracts_the_batch_mean",
            "takes_an_identity",
            "hashes_text",
            "caches_under_half_the_key",
        ],
        &["caches_rightly"],
    );
    let said = &ran.stderr;
    assert!(said.contains("hash() of a str"), "{said}");
    assert!(!said.contains("nan: strict"), "{said}");
}
