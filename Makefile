# What a person types here; .ci/run types `make check` and `make test`, and nothing else.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-builtin-rules --no-print-directory
# Each of these runs one cargo at a time; two at once would wait for each other's locks.
.NOTPARALLEL:

# As setup.sh and `unskew` find it.
ifneq ($(filter /%,$(XDG_CACHE_HOME)),)
export UNSKEW_CACHE_DIR ?= $(XDG_CACHE_HOME)/unskew
else
export UNSKEW_CACHE_DIR ?= $(HOME)/.cache/unskew
endif
# Outside the checkout, so that a fresh clone does not build everything again.
export CARGO_TARGET_DIR ?= $(UNSKEW_CACHE_DIR)/target
export PATH := $(UNSKEW_CACHE_DIR)/bin:$(PATH)
# Nothing of ours writes into the checkout on the side.
export PYTHONDONTWRITEBYTECODE := 1

.PHONY: help setup bench demo test quick check hostile fuzz format bless bless-wit clean

help: ## says what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

setup: ## installs all that the others need, and says what and why
	@./setup.sh all

demo: ## builds the example modules and runs them over a million events
	@./setup.sh guest
	@scripts/demo.sh

test: ## runs all tests: crates, SDKs, examples; installs what they need
	@./setup.sh test
	@python3 scripts/run_tests.py all

quick: ## runs the tests that need no guest toolchain; under a minute once built
	@python3 scripts/run_tests.py quick

check: ## format, clippy, licences and sources, docs, the contract's version
	@./setup.sh check
	cargo fmt --check
	rustfmt --check --edition 2024 $$(git ls-files 'examples/*.rs')
	cargo clippy --release --workspace --all-targets --locked -- -D warnings
	cargo deny --locked --workspace check --hide-inclusion-graph bans licenses sources
	# The binary is named like the Rust SDK, so its pages would lie in the same place.
	RUSTDOCFLAGS='-D warnings' cargo doc --release --workspace --exclude unskew-cli --no-deps --locked
	python3 scripts/wit_version.py check
	PYTHONPYCACHEPREFIX=$(UNSKEW_CACHE_DIR)/pycache python3 -m compileall -q scripts sdk-guest/python examples tests/cases
	for script in setup.sh .ci/run scripts/*.sh; do bash -n "$$script"; done

hostile: ## lets each hostile module loose on one host, and prints a line for each (GUESTS=log)
	@cargo build --release --locked --workspace --bin unskew-hostile
	@"$(CARGO_TARGET_DIR)/release/unskew-hostile" $(GUESTS)

fuzz: ## runs each fuzz target for a minute (FUZZ_SECONDS=60)
	@./setup.sh fuzz
	@scripts/fuzz.sh

bench: ## measures against named floors and peers, and prints one table; quiet machines only
	@./setup.sh bench
	@cargo build --release --locked --workspace --bin unskew-bench --bin unskew
	@"$(CARGO_TARGET_DIR)/release/unskew-bench" $(FIGURES)

format: ## formats the Rust code
	cargo fmt
	rustfmt --edition 2024 $$(git ls-files 'examples/*.rs')

bless: ## writes the golden files anew from what the code does now; read the diff
	@./setup.sh test
	UNSKEW_BLESS=1 python3 scripts/run_tests.py all
	git --no-pager diff --stat

bless-wit: ## locks the contract's new version, once it was raised
	@python3 scripts/wit_version.py bless

clean: ## removes what was built (not what setup installed) and the demo's output
	cargo clean
	rm -rf demo-output
