#![no_main]
//! Any bytes are a module or are refused. One host serves all inputs, as in a
//! server that strangers upload to.

use std::sync::LazyLock;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use unskew_host::{Host, HostConfig, Limits};

static HOST: LazyLock<Host> = LazyLock::new(|| {
    let limits = Limits {
        fuel: 1_000_000,
        deadline: Duration::from_secs(5),
        component_bytes: 1 << 20,
        instances: 4,
        ..Limits::default()
    };
    Host::new(HostConfig { limits, ..HostConfig::default() }).expect("a host can be set up")
});

fuzz_target!(|data: &[u8]| {
    if let Ok(module) = HOST.load(data) {
        assert_eq!(module.component_bytes(), data.len());
    }
});
