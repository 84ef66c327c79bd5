//! Native code that this installation did not write, put where its own is
//! looked for: it must never run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use arrow::array::cast::AsArray;
use arrow::datatypes::Int64Type;
use unskew_host::{Host, HostConfig};

use crate::call::numbers;
use crate::guest::{Guest, Seen, pattern};
use crate::module::Module;

pub(super) fn guests() -> Vec<Guest> {
    let planted = |name, tries, plant: fn(&Cache, &Cache) -> Result<()>| Guest {
        name,
        tries,
        expected: pattern!(Seen::CompiledAnew),
        attack: Box::new(move |_| compiled_anew(plant)),
    };
    vec![
        planted("native-code-tampered", "has one bit of its native code changed", |ours, _| {
            let mut code = fs::read(&ours.code)?;
            let middle = code.len() / 2;
            code[middle] ^= 1;
            Ok(fs::write(&ours.code, code)?)
        }),
        planted("native-code-cut", "has half of its native code cut off", |ours, _| {
            let code = fs::read(&ours.code)?;
            Ok(fs::write(&ours.code, &code[..code.len() / 2])?)
        }),
        planted("native-code-empty", "has no native code in its file", |ours, _| {
            Ok(fs::write(&ours.code, [])?)
        }),
        planted("native-code-unsigned", "has its signature taken away", |ours, other| {
            fs::remove_file(ours.signature())?;
            Ok(fs::copy(&other.code, &ours.code).map(drop)?)
        }),
        planted("native-code-swapped", "is given another module's native code", |ours, other| {
            fs::copy(&other.code, &ours.code)?;
            Ok(fs::copy(other.signature(), ours.signature()).map(drop)?)
        }),
        planted(
            "native-code-foreign",
            "is given what another installation has signed",
            |ours, _| {
                let folder = tempfile::tempdir()?;
                let foreign = Cache::of(folder.path(), &evil())?;
                fs::copy(&foreign.code, &ours.code)?;
                Ok(fs::copy(foreign.signature(), ours.signature()).map(drop)?)
            },
        ),
    ]
}

/// Yields 666 for every row.
fn evil() -> Module {
    Module::healthy().with(
        "(func $look (param $row i32) (param $value i64)
           (i64.store (i32.add (i32.const 0x200040) (i32.shl (local.get $row) (i32.const 3))) (i64.const 666)))",
    )
}

/// Where a module's native code lies.
struct Cache {
    code: PathBuf,
}

impl Cache {
    /// Loads a module on a host whose cache is in `folder`.
    fn of(folder: &Path, module: &Module) -> Result<Self> {
        let before = codes(folder);
        evaluate(folder, module)?;
        let code = codes(folder).into_iter().find(|code| !before.contains(code));
        Ok(Self { code: code.context("no native code was kept")? })
    }

    fn signature(&self) -> PathBuf {
        self.code.with_extension("signature")
    }
}

/// The files of native code, without signatures and key.
fn codes(folder: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(folder.join("native")).into_iter().flatten().flatten();
    let files = files.map(|file| file.path());
    files.filter(|path| path.extension().is_none() && !path.ends_with("signing-key")).collect()
}

fn evaluate(folder: &Path, module: &Module) -> Result<i64> {
    let config = HostConfig { cache_dir: Some(folder.to_owned()), ..HostConfig::default() };
    let module = Host::new(config)?.load(&module.component())?;
    let outcome = module.transform(0, &numbers([21]), None)?;
    Ok(outcome.columns[0].as_primitive::<Int64Type>().value(0))
}

/// Plants native code for the healthy module, and sees what then runs.
fn compiled_anew(plant: fn(&Cache, &Cache) -> Result<()>) -> Result<Seen> {
    let folder = tempfile::tempdir()?;
    let ours = Cache::of(folder.path(), &Module::healthy())?;
    let other = Cache::of(folder.path(), &evil())?;
    plant(&ours, &other)?;
    let planted = fs::read(&ours.code)?;
    let value = evaluate(folder.path(), &Module::healthy())?;
    ensure!(value == 42, "code that is not ours has run: {value}");
    ensure!(fs::read(&ours.code)? != planted, "the planted code is still there");
    Ok(Seen::CompiledAnew)
}
