//! What comes before the first call: building a project, loading a module.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, anyhow, ensure};
use unskew_build::{BuildOptions, build as build_project};
use unskew_host::{Host, HostConfig, NanPolicy};

use super::warm::check_light;
use super::{Bench, index_of};
use crate::guests::project;
use crate::race::timed;
use crate::report::{Figure, time};
use crate::rows::Random;

/// The first call of a Python module in a new host, whose native code is
/// cached, against reading the file that it is cached in.
pub(super) fn load(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let component = bench.guests.module("python")?;
    // A cache of its own, so that it is clear which file is read.
    let cache_dir = bench.guests.cache_dir.join("bench/native-of-load");
    let row = Random::new().two_floats(1);
    let first_call = || {
        let config = HostConfig {
            cache_dir: Some(cache_dir.clone()),
            nan: Some(NanPolicy::Boundary),
            ..HostConfig::default()
        };
        let module = Host::new(config)?.load(&component).map_err(|e| anyhow!("{e}"))?;
        let index = index_of(&module, "light")?;
        check_light(&row, &module.transform(index, &row, None)?)?;
        anyhow::Ok(module.digest().to_hex())
    };
    let digest = first_call()?;
    let native = native_code(&cache_dir, &digest)?;
    let bytes = fs::metadata(&native)?.len();
    let [ours, theirs] =
        bench.plan.race("load", [&mut timed(first_call), &mut timed(|| fs::read(&native))]);
    let what = "new host, cached native code of a Python module, first call";
    let against = format!("reading that file of {} MB", bytes / 1_000_000);
    Ok(vec![Figure::ratio("host.load", what, &against).held_to(3.0, 1.5).measured(ours, theirs, 1)])
}

/// The newest file in the cache that holds a module's native code.
fn native_code(cache_dir: &Path, digest: &str) -> anyhow::Result<PathBuf> {
    let mut newest = None;
    for entry in fs::read_dir(cache_dir.join("native"))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(digest) && !name.ends_with(".signature") {
            newest = newest.max(Some((entry.metadata()?.modified()?, entry.path())));
        }
    }
    Ok(newest.context("the native code is not cached")?.1)
}

/// Builds small projects from nothing, and again after a change.
pub(super) fn build(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    if bench.plan.alone.is_some() {
        return Ok(Vec::new());
    }
    let dir = tempfile::tempdir()?;
    let cache_dir = dir.path().join("cache");
    fs::create_dir(&cache_dir)?;
    // What setup.sh has installed stays where it is.
    std::os::unix::fs::symlink(bench.guests.cache_dir.join("python"), cache_dir.join("python"))?;
    let options = BuildOptions { cache_dir, offline: false };
    let mut figures = Vec::new();
    let languages =
        [("Rust", "rust", "src/kernels.rs", "//"), ("Python", "python", "kernels.py", "#")];
    for (language, name, source, comment) in languages {
        let copy = dir.path().join(name);
        copy_folder(&project(name), &copy)?;
        for state in ["from nothing", "after a change"] {
            let start = Instant::now();
            let built = build_project(&copy, &options).map_err(|e| anyhow!("{e}"))?;
            let taken = start.elapsed();
            ensure!(!built.component.is_empty(), "nothing was built");
            let number = figures.len() + 1;
            let what = format!("`unskew build` of a small {language} project, {state}");
            let mut figure = Figure::ratio(format!("host.build.{number}"), &what, "");
            (figure.value, figure.unit) = (taken.as_secs_f64(), "s");
            figure.times = time(taken.as_nanos() as f64);
            figures.push(figure);
            let changed = copy.join(source);
            let text = fs::read_to_string(&changed)?;
            fs::write(&changed, format!("{text}\n{comment} changed\n"))?;
        }
    }
    Ok(figures)
}

/// Copies a project, but for what the build lays beside it.
fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with('.') || name == "target" {
            continue;
        }
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &to.join(&name))?;
        } else {
            fs::copy(entry.path(), to.join(&name))?;
        }
    }
    Ok(())
}
