#!/usr/bin/env bash
# Installs what Unskew is built and tested with, and says what and why before
# it does. What is there already is left alone, so it may run any number of times.
set -euo pipefail

usage() {
    cat <<'END'
Usage: ./setup.sh [PART]...

Installs what is missing and says so; prints one line when all is there.

Parts:
  guest    what `unskew build` needs: a C compiler, a Rust for wasm32, and
           componentize-py in a Python environment of its own (the default)
  test     guest, and what `make test` needs: pytest, jsonschema, pyarrow, pyyaml,
           a Redis server and an S3-compatible one (moto)
  check    what `make check` needs: rustfmt, clippy, cargo-deny
  fuzz     what `make fuzz` needs: cargo-fuzz and a C++ compiler
  bench    guest, and what `make bench` compares with: DuckDB, Polars, PySpark (which
           runs on Java) and Feast
  all      guest, test and check

Environment:
  UNSKEW_CACHE_DIR       where it installs (default: ${XDG_CACHE_HOME:-~/.cache}/unskew);
                         system packages and parts of the Rust toolchain lie elsewhere
  UNSKEW_RUST_TOOLCHAIN  rustup or debian: take this Rust for wasm32, here and in
                         `unskew build` (default: the first that can be had)
  PYTHON                 the Python to make the environment with (default: python3)
END
}

# A path that is not absolute is ignored, as the specification of XDG's folders has it.
case ${XDG_CACHE_HOME:-} in
    /*) default_cache=$XDG_CACHE_HOME/unskew ;;
    *) default_cache=${HOME:?HOME is not set; set it, or UNSKEW_CACHE_DIR}/.cache/unskew ;;
esac
readonly cache=${UNSKEW_CACHE_DIR:-$default_cache}
readonly venv=$cache/python
scripts=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/scripts
readonly scripts
readonly guest_target=wasm32-unknown-unknown
readonly least_rust=1.95
readonly least_guest_rust=1.85
readonly cargo_deny=0.20.2
readonly cargo_fuzz=0.13.2

say() { printf 'setup: %s\n' "$*" >&2; }

fail() {
    say "error: $1"
    shift
    local line
    for line in "$@"; do printf '       %s\n' "$line" >&2; done
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# attempt WHAT COMMAND...: runs a command that uses the network, at most three
# times, and shows what it said only where it failed.
attempt() {
    local what=$1 try output
    shift
    for try in 1 2 3; do
        if output=$("$@" 2>&1); then return 0; fi
        printf '%s\n' "$output" | tail -n 30 >&2
        if [ "$try" -lt 3 ]; then
            say "$what failed; trying again in $((try * 5)) seconds"
            sleep $((try * 5))
        fi
    done
    say "$what failed three times (the command was: $*)"
    return 1
}

readonly network_hint='The output above says why. If it is the network, run ./setup.sh again when it is back.'

# --- system packages ------------------------------------------------------

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif have sudo; then
        sudo "$@"
    else
        say "this needs root, and there is no sudo"
        return 1
    fi
}

apt_lists_fresh=
# install_packages WHY PACKAGE...: never at the price of a package that is there.
install_packages() {
    local why=$1
    shift
    say "installing $* by apt-get ($why)"
    have apt-get || {
        say "there is no apt-get here; install these packages, or what your system calls them, by hand: $*"
        return 1
    }
    if [ -z "$apt_lists_fresh" ]; then
        attempt 'apt-get update' as_root apt-get -qq -o Acquire::Retries=2 update || return 1
        apt_lists_fresh=yes
    fi
    attempt "apt-get install $*" as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
        -o DPkg::Lock::Timeout=300 -o Acquire::Retries=2 -o Dpkg::Use-Pty=0 \
        --no-install-recommends --no-remove install "$@"
}

setup_compiler() {
    if have cc; then return; fi
    install_packages 'Rust links with it, and the zstd crate is C' gcc libc6-dev || fail \
        'there is no C compiler' "$network_hint"
}

# --- Rust ------------------------------------------------------------------

version_at_least() { # FOUND LEAST
    [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

setup_rust() {
    if ! have cargo || ! have rustc; then
        fail "there is no Rust; Unskew is built with Rust $least_rust or newer" \
            'Install it by rustup, as https://www.rust-lang.org/tools/install describes, and run ./setup.sh again.'
    fi
    local version
    version=$(rustc --version) || fail 'rustc does not run' 'Its message stands above.'
    version=${version#rustc }
    version=${version%% *}
    version_at_least "${version%%-*}" "$least_rust" || fail \
        "rustc is $version; Unskew is built with Rust $least_rust or newer" 'Run: rustup update stable'
}

have_rustup_guest() {
    local libraries
    libraries=$(rustc --print target-libdir --target "$guest_target" 2>/dev/null) || return 1
    compgen -G "$libraries/libstd-*.rlib" >/dev/null
}

# As `unskew build` looks for it: a compiler and the library's source beside it.
have_debian_guest() {
    local root version
    root=$(/usr/bin/rustc --print sysroot 2>/dev/null) || return 1
    [ -f "$root/lib/rustlib/src/rust/library/std/Cargo.toml" ] || return 1
    version=$(/usr/bin/rustc --version | cut -d ' ' -f 2)
    version_at_least "${version%%-*}" "$least_guest_rust" || return 1
}

# Debian's compiler has no linker for WebAssembly with it; rustup's has.
setup_debian_linker() {
    local own
    own=$(rustc --print sysroot)/lib/rustlib/$(rustc --print host-tuple)/bin/rust-lld
    if [ -x "$own" ] || [ -x /usr/bin/rust-lld ] || [ -x /usr/bin/wasm-ld ]; then return; fi
    install_packages 'it links modules for WebAssembly' lld || fail 'there is no linker for WebAssembly' "$network_hint"
}

guest_rust=
setup_guest_rust() {
    local wanted=${UNSKEW_RUST_TOOLCHAIN:-}
    case $wanted in
        '' | rustup | debian) ;;
        *) fail "UNSKEW_RUST_TOOLCHAIN is \"$wanted\"; it may be rustup or debian" ;;
    esac
    if [ "$wanted" != debian ]; then
        if have_rustup_guest; then
            guest_rust="rustc $(rustc --version | cut -d ' ' -f 2) with its target $guest_target"
            return
        fi
        # What is there already is not asked for again, on every run, where it cannot be had.
        if have rustup && { [ "$wanted" = rustup ] || ! have_debian_guest; }; then
            say "adding the target $guest_target to the Rust toolchain (Rust modules are built for it)"
            if attempt 'rustup target add' rustup target add "$guest_target" && have_rustup_guest; then
                guest_rust="rustc $(rustc --version | cut -d ' ' -f 2) with its target $guest_target, added by rustup"
                return
            fi
        fi
        [ "$wanted" != rustup ] || fail "rustup cannot add the target $guest_target" "$network_hint" \
            "Without UNSKEW_RUST_TOOLCHAIN=rustup Debian's rustc-web is tried next."
        have_debian_guest || say "rustup does not have it; taking Debian's Rust for WebAssembly"
    fi
    if ! have_debian_guest; then
        install_packages "a compiler and the library's source, to build Rust modules for $guest_target with" \
            rustc-web rust-web-src || fail "there is no Rust that builds for $guest_target" "$network_hint" \
            "One of these is needed: \`rustup target add $guest_target\`, or Debian's packages rustc-web and" \
            "rust-web-src. These cannot stand beside Debian's own rustc or rustup packages, and setup removes nothing."
    fi
    have_debian_guest || fail "/usr/bin/rustc is no Rust $least_guest_rust or newer with its library's source" \
        "Update Debian's packages rustc-web and rust-web-src."
    setup_debian_linker
    guest_rust="Debian's rustc $(/usr/bin/rustc --version | cut -d ' ' -f 2), which builds the library from source"
}

# --- Python ----------------------------------------------------------------

readonly least_python=3.11

usable_python() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

setup_venv() { # FOLDER
    local folder=$1
    if [ -x "$folder/bin/python" ] && "$folder/bin/python" -c 'import pip' 2>/dev/null; then return; fi
    local python=${PYTHON:-python3}
    if ! have "$python"; then
        [ -z "${PYTHON:-}" ] || fail "PYTHON is \"$PYTHON\", and there is no such program"
        install_packages 'componentize-py is a Python package' python3 python3-venv || fail \
            'there is no python3' "$network_hint"
    fi
    usable_python "$python" || fail "$python is older than $least_python" \
        "Install a newer Python, and name it: PYTHON=python3.11 ./setup.sh"
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        install_packages "$python lacks what makes environments" python3-venv || fail \
            "$python cannot make an environment" "$network_hint"
    fi
    say "making a Python environment in $folder (so that nothing is installed into yours)"
    rm -rf "$folder"
    "$python" -m venv "$folder" || fail "$python could not make an environment in $folder"
}

# install_python NAME WHY [FOLDER]: what scripts/python-NAME.lock lists, exactly, into an environment that others
# share, or into one of its own.
install_python() {
    local folder=${3:-$venv}
    local lock=$scripts/python-$1.lock stamp=$folder/.unskew-$1.lock
    setup_venv "$folder"
    if cmp -s "$lock" "$stamp"; then return; fi
    say "installing $(tr '\n' ' ' <"$scripts/python-$1.in")from PyPI into $folder ($2)"
    attempt 'pip install' "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-input \
        --require-hashes --no-deps --only-binary :all: --no-binary pyspark -r "$lock" || fail \
        "the packages of scripts/python-$1.lock could not be installed" "$network_hint"
    cp "$lock" "$stamp"
}

# --- make check --------------------------------------------------------------

setup_rust_component() { # PROGRAM COMPONENT
    if "$1" --version >/dev/null 2>&1; then return; fi
    have rustup || fail "there is no $1" "Install it with the package of your Rust."
    say "adding $2 to the Rust toolchain (\`make check\` runs it)"
    attempt "rustup component add $2" rustup component add "$2" || fail \
        "rustup cannot add $2" "$network_hint"
}

# build_tool NAME VERSION WHY: a program from crates.io, built into the cache.
build_tool() {
    local name=$1 version=$2 why=$3
    if [ "$("$cache/bin/$name" --version 2>/dev/null)" = "$name $version" ]; then return; fi
    say "building $name $version from crates.io into $cache/bin ($why; some minutes)"
    # It runs for a second, so its own optimised profile would cost more than it brings.
    attempt "cargo install $name" env CARGO_TARGET_DIR="$cache/$name-build" \
        CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 CARGO_PROFILE_RELEASE_DEBUG=0 \
        cargo install --quiet --locked --root "$cache" --version "$version" "$name" || fail \
        "$name could not be built" "$network_hint"
    rm -rf "$cache/$name-build"
}

# --- parts -------------------------------------------------------------------

setup_guest() {
    setup_compiler
    setup_rust
    setup_guest_rust
    install_python build "\`unskew build\` makes modules from Python with it"
}

# Tests start it for themselves; where the package starts a service of its own (port 6379), they leave that alone.
setup_redis() {
    if have redis-server; then return; fi
    install_packages 'tests of the online store start servers of it, on free ports' redis-server || fail \
        'there is no redis-server' "$network_hint" \
        "Without root: build Redis 6.2 or newer (https://redis.io/downloads), and put redis-server into your PATH."
}

setup_test() {
    setup_guest
    setup_redis
    install_python test 'the tests of the Python SDK, of the examples and of our scripts use them'
    install_python servers 'tests of the offline store start its S3-compatible server'
    install_python feast "its SDK reads from our server in a test, and \`make bench\` compares with it" "$cache/python-feast"
}

setup_check() {
    setup_compiler
    setup_rust
    setup_rust_component rustfmt rustfmt
    setup_rust_component cargo-clippy clippy
    build_tool cargo-deny "$cargo_deny" '`make check` judges licences and sources by it'
}

setup_fuzz() {
    setup_compiler
    setup_rust
    build_tool cargo-fuzz "$cargo_fuzz" '`make fuzz` runs its targets by it'
    have c++ || install_packages 'libFuzzer is C++ that is compiled with the targets' g++
}

setup_bench() {
    setup_guest
    have java || install_packages 'PySpark, a peer, runs on it' default-jre-headless || fail 'there is no Java' "$network_hint"
    install_python peers '`make bench` compares with them' "$cache/python-peers"
    install_python feast "its SDK reads from our server in a test, and \`make bench\` compares with it" "$cache/python-feast"
}

main() {
    [ $# -gt 0 ] || set -- guest
    local part
    for part in "$@"; do
        case $part in
            guest | test | check | fuzz | bench | all) ;;
            -h | --help | help)
                usage
                return
                ;;
            *)
                say "error: there is no part \"$part\""
                usage >&2
                exit 2
                ;;
        esac
    done

    mkdir -p "$cache" || fail "the folder $cache cannot be made" 'Name another one in UNSKEW_CACHE_DIR.'
    # Two runs at a time would step on each other's toes.
    if have flock; then
        exec 9>"$cache/setup.lock"
        flock -n 9 || {
            say 'waiting for another run of setup.sh to end'
            flock 9
        }
    fi

    for part in "$@"; do
        case $part in
            guest) setup_guest ;;
            test) setup_test ;;
            check) setup_check ;;
            fuzz) setup_fuzz ;;
            bench) setup_bench ;;
            all)
                setup_test
                setup_check
                ;;
        esac
    done
    say "$* ready${guest_rust:+ (Rust modules: $guest_rust)}"
}

main "$@"
