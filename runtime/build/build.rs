//! Lists the SDKs' files, so that the binary carries them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The folders of the SDKs, and what is left out of them.
const SDKS: [(&str, &str); 2] = [("RUST", "rust"), ("PYTHON", "python")];
const LEFT_OUT: [&str; 5] = ["target", "tests", "__pycache__", "node_modules", "dist"];

/// The crate that the Rust SDK depends on, and where it lies in what is
/// unpacked: both as the SDK's `Cargo.toml` names them.
const AGGREGATE: &str = "../../runtime/aggregate";
const AGGREGATE_FOLDER: &str = "aggregate";
/// In that crate's `Cargo.toml`, before what its own tests need.
const TESTS_ONLY: &str = "# From here on nothing is carried into the SDK.";

fn main() -> io::Result<()> {
    let manifest_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by Cargo"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by Cargo"));
    let sdks = manifest_dir.join("../../sdk-guest");
    let mut code = String::new();
    for (constant, folder) in SDKS {
        let root = sdks.join(folder);
        println!("cargo::rerun-if-changed={}", root.display());
        let mut files = Vec::new();
        if root.is_dir() {
            collect(&root, &root, &mut files)?;
        }
        if constant == "RUST" {
            add_aggregate(&root, &out, &mut files)?;
        }
        files.sort();
        let _ = writeln!(code, "pub(super) const {constant}: &[(&str, &[u8])] = &[");
        for (name, path) in files {
            let _ = writeln!(code, "    ({name:?}, include_bytes!({path:?})),");
        }
        code.push_str("];\n");
    }
    fs::write(out.join("sdk_files.rs"), code)
}

/// Adds the crate that the SDK depends on, and makes both `Cargo.toml`s fit.
fn add_aggregate(sdk: &Path, out: &Path, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    let root = sdk.join(AGGREGATE);
    println!("cargo::rerun-if-changed={}", root.join("src").display());
    println!("cargo::rerun-if-changed={}", root.join("Cargo.toml").display());
    let mut of_aggregate = Vec::new();
    collect(&root, &root, &mut of_aggregate)?;
    let manifest = format!("{AGGREGATE_FOLDER}/Cargo.toml");
    files.extend(
        of_aggregate.into_iter().map(|(name, path)| (format!("{AGGREGATE_FOLDER}/{name}"), path)),
    );
    let mut rewrite = |name: &str, change: &dyn Fn(&str) -> Option<String>| -> io::Result<()> {
        let (_, path) = files.iter_mut().find(|(found, _)| found == name).expect("it is there");
        let text = change(&fs::read_to_string(&*path)?)
            .unwrap_or_else(|| panic!("{} has not what build.rs looks for", path.display()));
        *path = out.join(name.replace('/', "-"));
        fs::write(path, text)
    };
    rewrite("Cargo.toml", &|text| {
        let [from, to] = [AGGREGATE, AGGREGATE_FOLDER].map(|path| format!("path = \"{path}\""));
        text.contains(&from).then(|| text.replace(&from, &to))
    })?;
    rewrite(&manifest, &|text| text.split_once(TESTS_ONLY).map(|(kept, _)| kept.to_owned()))
}

fn collect(root: &Path, dir: &Path, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        let file_name = entry.file_name().to_string_lossy().into_owned();
        if file_name.starts_with('.')
            || LEFT_OUT.contains(&file_name.as_str())
            || file_name.ends_with(".egg-info")
            || file_name.ends_with(".pyc")
            || file_name == "Cargo.lock"
        {
            continue;
        }
        if entry.file_type()?.is_dir() {
            collect(root, &path, files)?;
        } else {
            let name = path.strip_prefix(root).expect("it lies in root");
            let name: Vec<_> = name.iter().map(|part| part.to_string_lossy()).collect();
            files.push((name.join("/"), path.canonicalize()?));
        }
    }
    Ok(())
}
