#!/usr/bin/env bash
# What `make demo` runs once the set-up is done: two modules, built from source
# and run over a million events, and a training set of features over them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
: "${CARGO_TARGET_DIR:?run it by \`make demo\`}"

readonly output=${UNSKEW_DEMO_DIR:-demo-output}
readonly bin=$CARGO_TARGET_DIR/release
readonly rows=1000000
readonly events=$output/events.parquet

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' plain=$'\e[0m'; fi

heading() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }

# run MODULE TRANSFORM: runs it over the events and shows the first rows that have a value.
run() {
    local module=$1 transform=$2 columns result=$output/$2.parquet errors=$output/$2.errors.jsonl
    printf '\n%s%s of %s%s\n' "$bold" "$transform" "$module" "$plain"
    "$bin/unskew" run "$output/$module.wasm" --transform "$transform" --input "$events" --output "$result" \
        --errors "$errors"
    columns=event_timestamp,user_id,$3
    "$bin/unskew-show" "$result" --rows 4 --columns "$columns" --with "${columns##*,}"
    head -n 3 "$errors"
}

heading "1. Building Unskew (some minutes the first time)"
cargo build --release --workspace --locked --bin unskew --bin unskew-datagen --bin unskew-show

heading "2. Writing $rows e-commerce events to $events"
mkdir -p "$output"
"$bin/unskew-datagen" --rows "$rows" --entities 100000 --days 30 --seed 1 --out "$events"
"$bin/unskew-show" "$events" --rows 4

heading "3. Building the example modules from source"
"$bin/unskew" build examples/ecommerce-rust -o "$output/ecommerce_rust.wasm"
"$bin/unskew" build examples/ecommerce-python -o "$output/ecommerce_python.wasm"

heading "4. Running their transforms over the events, each row in the sandbox"
run ecommerce_rust order_value amount,quantity,order_value
run ecommerce_rust nearest_warehouse latitude,longitude,warehouse,distance_km
run ecommerce_python interest event_type,quantity,interest
run ecommerce_python log_amount amount,log_amount

heading "5. What examples/shop defines over them, as far as the service fraud reads it"
"$bin/unskew" explain examples/shop fraud

heading "6. A training set: the features of fraud as they were known at each label's time"
readonly labels=$output/labels.csv
"$bin/unskew-show" "$events" --rows 2000 --every 100 --columns event_timestamp,user_id,amount --with amount --csv > "$labels"
"$bin/unskew" train --project examples/shop --service fraud --labels "$labels" --output "$output/training.parquet" \
    --source "events=$events"
"$bin/unskew-show" "$output/training.parquet" --rows 4

heading "7. Materializing the same features: the offline and the online store"
stores=$(cd "$output" && pwd)
readonly stores
export UNSKEW_ONLINE_STORE_PATH=$stores/online UNSKEW_OFFLINE_STORE_URL=$stores/offline
export UNSKEW_REGISTRY_PATH=$stores/registry.sqlite
"$bin/unskew" materialize fraud --project examples/shop --start 2026-01-01 --end 2026-01-31 --source "events=$events"

heading "8. Serving them: the same entity and time, asked of the server and of the training set"
python3 scripts/demo_serve.py "$bin/unskew" "$events" "$output"

heading "Done. Input, modules and results lie in $(cd "$output" && pwd):"
ls -lh "$output"
