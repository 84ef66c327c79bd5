//! Lists the SDKs' files, so that the binary carries them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

/// The folders of the SDKs, and what is left out of them.
const SDKS: [(&str, &str); 2] = [("RUST", "rust"), ("PYTHON", "python")];
const LEFT_OUT: [&str; 5] = ["target", "tests", "__pycache__", "node_modules", "dist"];

fn main() -> io::Result<()> {
    let manifest_dir = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by Cargo"));
    let sdks = manifest_dir.join("../../sdk-guest");
    let mut code = String::new();
    for (constant, folder) in SDKS {
        let root = sdks.join(folder);
        println!("cargo::rerun-if-changed={}", root.display());
        let mut files = Vec::new();
        if root.is_dir() {
            collect(&root, &root, &mut files)?;
        }
        files.sort();
        let _ = writeln!(code, "pub(super) const {constant}: &[(&str, &[u8])] = &[");
        for (name, path) in files {
            let _ = writeln!(code, "    ({name:?}, include_bytes!({path:?})),");
        }
        code.push_str("];\n");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by Cargo"));
    fs::write(out.join("sdk_files.rs"), code)
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
