//! Native code between processes: what this installation wrote is used, and
//! nothing else ever is.

mod raw;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use raw::{component, doubling, each_row, module_with};
use unskew_host::{Host, HostConfig};

fn host(folder: &Path) -> Host {
    Host::new(HostConfig { cache_dir: Some(folder.to_owned()), ..HostConfig::default() }).unwrap()
}

fn evaluate(host: &Host, component: &[u8]) -> i64 {
    let column: ArrayRef = Arc::new(Int64Array::from(vec![21]));
    let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
    let outcome = host.load(component).unwrap().transform(0, &batch, None).unwrap();
    outcome.columns[0].as_primitive::<Int64Type>().value(0)
}

/// The files of native code in the cache, without signatures and key.
fn codes(folder: &Path) -> Vec<PathBuf> {
    let mut codes: Vec<PathBuf> = fs::read_dir(folder.join("native"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension().is_none() && path.file_name().is_some_and(|n| n != "signing-key")
        })
        .collect();
    codes.sort();
    codes
}

fn signature(code: &Path) -> PathBuf {
    code.with_extension("signature")
}

/// Whether the next load compiled: it then writes the file anew.
fn is_rewritten(folder: &Path, component: &[u8], change: impl FnOnce(&Path)) -> bool {
    let code = codes(folder).remove(0);
    change(&code);
    let before = fs::read(&code).ok();
    assert_eq!(evaluate(&host(folder), component), 42);
    fs::read(&code).ok() != before
}

#[test]
fn what_was_not_written_here_is_compiled_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let component = component(&doubling());
    assert_eq!(evaluate(&host(folder), &component), 42);
    assert_eq!(codes(folder).len(), 1);
    assert!(!is_rewritten(folder, &component, |_| {}), "an untouched file is used");

    let flip = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    assert!(is_rewritten(folder, &component, flip), "tampered with");
    assert!(is_rewritten(folder, &component, |code| {
        fs::write(code, b"").unwrap();
    }));
    assert!(is_rewritten(folder, &component, |code| fs::remove_file(code).unwrap()));
    // A signature that does not fit leaves the code as it is, but it is not used:
    // the load writes code and signature again, byte for byte the same.
    for damage in [&b""[..], &[0; 32], &[0; 33]] {
        let code = codes(folder).remove(0);
        fs::write(signature(&code), damage).unwrap();
        assert_eq!(evaluate(&host(folder), &component), 42);
        assert_ne!(fs::read(signature(&code)).unwrap(), damage, "signed anew");
    }
}

#[test]
fn code_of_another_module_does_not_pass_for_this_one() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let doubling = component(&doubling());
    assert_eq!(evaluate(&host(folder), &doubling), 42);
    let code = codes(folder).remove(0);
    let other =
        component(&module_with(&each_row("(call $put (local.get $row) (i64.const 666))"), ""));
    assert_eq!(evaluate(&host(folder), &other), 666);
    let other_code = codes(folder).into_iter().find(|path| *path != code).unwrap();
    fs::copy(&other_code, &code).unwrap();
    fs::copy(signature(&other_code), signature(&code)).unwrap();
    assert_eq!(evaluate(&host(folder), &doubling), 42);
}

#[test]
fn code_of_another_installation_is_foreign() {
    let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let component = component(&doubling());
    for folder in [&ours, &theirs] {
        assert_eq!(evaluate(&host(folder.path()), &component), 42);
    }
    let (code, foreign) = (codes(ours.path()).remove(0), codes(theirs.path()).remove(0));
    assert_eq!(code.file_name(), foreign.file_name());
    let own_signature = fs::read(signature(&code)).unwrap();
    fs::copy(&foreign, &code).unwrap();
    fs::copy(signature(&foreign), signature(&code)).unwrap();
    assert_eq!(evaluate(&host(ours.path()), &component), 42);
    assert_eq!(fs::read(signature(&code)).unwrap(), own_signature, "signed by us again");
}

/// The component with so many bytes more, which mean nothing.
fn padded(mut component: Vec<u8>, with: u8) -> Vec<u8> {
    const BYTES: usize = (1 << 20) + (1 << 14);
    let name = b"\x07padding";
    let mut length = BYTES + name.len();
    component.push(0);
    while length >= 0x80 {
        component.push(length as u8 | 0x80);
        length >>= 7;
    }
    component.push(length as u8);
    component.extend(name);
    component.resize(component.len() + BYTES, with);
    component
}

#[test]
fn a_digest_that_was_not_written_down_here_is_computed() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let records = || -> Vec<PathBuf> {
        let entries = fs::read_dir(folder.join("native/digests")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let digest = |component: &[u8]| host(folder).load(component).unwrap().digest();
    let ours = padded(component(&doubling()), 1);
    let expected = Host::new(HostConfig::default()).unwrap().load(&ours).unwrap().digest();
    assert_eq!(digest(&ours), expected);
    assert_eq!(digest(&ours), expected, "as it was written down");
    let record = records().remove(0);
    let written = fs::read(&record).unwrap();
    let mut flipped = written.clone();
    flipped[0] ^= 1;
    for damaged in [&flipped[..], b"", &written[..32], &[0; 64], &[0; 65]] {
        fs::write(&record, damaged).unwrap();
        assert_eq!(digest(&ours), expected);
        assert_eq!(fs::read(&record).unwrap(), written, "written down again");
    }
    let other = padded(component(&doubling()), 2);
    assert_ne!(digest(&other), expected);
    let record_of_other = records().into_iter().find(|path| *path != record).unwrap();
    fs::copy(&record_of_other, &record).unwrap();
    assert_eq!(digest(&ours), expected, "that of another component");
    assert_eq!(evaluate(&host(folder), &ours), 42);
}

#[test]
fn the_folder_is_private_and_a_damaged_key_is_replaced() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let component = component(&doubling());
    assert_eq!(evaluate(&host(folder.path()), &component), 42);
    let native = folder.path().join("native");
    assert_eq!(fs::metadata(&native).unwrap().permissions().mode() & 0o777, 0o700);
    fs::write(native.join("signing-key"), b"short").unwrap();
    assert_eq!(evaluate(&host(folder.path()), &component), 42);
    assert_eq!(fs::read(native.join("signing-key")).unwrap().len(), 32);
}

#[test]
fn a_folder_that_cannot_be_used_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let config = HostConfig { cache_dir: Some(file.path().to_owned()), ..HostConfig::default() };
    let error = Host::new(config).unwrap_err().to_string();
    assert!(error.contains(&file.path().display().to_string()), "{error}");
}
