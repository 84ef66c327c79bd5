//! What stands in the caller's environment must not matter. Alone in its
//! file, since the environment is the process's.

mod projects;

use projects::{LIB, built, options, project};
use unskew_build::{BuildError, build};

#[test]
fn the_callers_environment_changes_nothing() {
    let dir = project("environment", LIB);
    let before = built(&dir).component;
    for (name, value) in [
        ("RUSTFLAGS", "--no-such-flag"),
        ("CARGO_ENCODED_RUSTFLAGS", "--no-such-flag"),
        ("CARGO_BUILD_RUSTFLAGS", "--no-such-flag"),
        ("CARGO_BUILD_TARGET", "no-such-target"),
        ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", "/no/such/linker"),
        ("CARGO_TARGET_DIR", "/proc/no-such-folder"),
        ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0"),
        ("CARGO_PROFILE_RELEASE_DEBUG", "true"),
        ("RUSTC", "/no/such/rustc"),
        ("RUSTC_WRAPPER", "/no/such/wrapper"),
        ("CARGO_INCREMENTAL", "1"),
    ] {
        // SAFETY: this is the only test of the process.
        unsafe { std::env::set_var(name, value) };
    }
    // Compiled anew, so that nothing of the first build hides the difference.
    projects::write(&dir.join("src/lib.rs"), &format!("{LIB}\n// changed"));
    built(&dir);
    projects::write(&dir.join("src/lib.rs"), LIB);
    assert!(built(&dir).component == before, "the environment has changed the bytes");

    // SAFETY: as above.
    unsafe { std::env::set_var("UNSKEW_RUST_TOOLCHAIN", "homemade") };
    let error = build(&dir, &options()).unwrap_err();
    assert!(matches!(error, BuildError::MissingToolchain { .. }), "{error}");
    assert!(error.to_string().contains("`rustup` or `debian`"), "{error}");

    // SAFETY: as above.
    unsafe {
        std::env::set_var("UNSKEW_RUST_TOOLCHAIN", "rustup");
        std::env::set_var("PATH", "/no/such/folder");
    }
    let error = build(&dir, &options()).unwrap_err();
    assert!(matches!(error, BuildError::MissingToolchain { .. }), "{error}");
    assert!(error.to_string().contains("rustup target add wasm32-unknown-unknown"), "{error}");
}
