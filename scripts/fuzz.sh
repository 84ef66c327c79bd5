#!/usr/bin/env bash
# Runs every fuzz target for FUZZ_SECONDS (60 unless set); see fuzz/README.md.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"

seconds=${FUZZ_SECONDS:-60}
# The targets are built with instrumentation that only unstable flags turn on;
# this lets the stable compiler take them, so that no second toolchain is needed.
export RUSTC_BOOTSTRAP=1
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:?set by the Makefile}/fuzz"

for target in batch_decode manifest component_load state_decode; do
    echo "== $target, $seconds s"
    # Without AddressSanitizer: the decoders are safe Rust, and what Arrow
    # accepts is validated again in the target.
    cargo fuzz run --release --sanitizer none "$target" -- \
        -max_total_time="$seconds" -timeout=30 -rss_limit_mb=4096 -print_final_stats=1
done
echo "== python_definitions, $seconds s"
python3 python_definitions.py "$seconds"
