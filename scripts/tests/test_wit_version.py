"""The check of the contract's version must catch a change, and nothing else."""

import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path):
    for name in ("unskew.wit", "VERSION.lock", "manifest.schema.json", "MANIFEST.lock"):
        shutil.copy(ROOT / "wit" / name, tmp_path)
    return tmp_path


def run(command, folder):
    script = ROOT / "scripts" / "wit_version.py"
    done = subprocess.run(
        [sys.executable, script, command, "--folder", folder], capture_output=True, text=True, timeout=30
    )
    return done.returncode, done.stdout + done.stderr


def change(folder, old, new):
    wit = folder / "unskew.wit"
    text = wit.read_text(encoding="utf-8")
    assert old in text
    wit.write_text(text.replace(old, new, 1), encoding="utf-8")


def current_version():
    (line,) = [line for line in (ROOT / "wit/VERSION.lock").read_text().splitlines() if line.startswith("version")]
    return line.split(" = ")[1]


def raise_version(folder):
    major, minor, patch = current_version().split(".")
    change(folder, f"@{current_version()};", f"@{major}.{int(minor) + 1}.{patch};")


def test_the_committed_contract_passes(folder):
    assert run("check", folder)[0] == 0


@pytest.mark.parametrize(
    "old, new",
    [
        ("index: u32", "index: u64"),
        ("export evaluate", "export log"),
        ("interface evaluate {", "interface evaluate { more: func();"),
        ("package unskew:module", "package other:module"),
    ],
)
def test_a_change_under_the_same_version_is_refused(folder, old, new):
    change(folder, old, new)
    status, output = run("check", folder)
    assert status == 1 and "raise the version" in output
    lock = (folder / "VERSION.lock").read_bytes()
    status, output = run("bless", folder)
    assert status == 1 and "raise the version" in output
    assert (folder / "VERSION.lock").read_bytes() == lock


def test_comments_and_blank_space_may_change(folder):
    change(folder, "interface evaluate {", "/* new /* nested */ */ interface\n\n  evaluate // more\n{")
    assert run("check", folder)[0] == 0


def test_words_are_not_joined_by_removing_blank_space(folder):
    change(folder, "import log", "importlog")
    assert run("check", folder)[0] == 1


def test_a_raised_version_is_blessed_and_then_passes(folder):
    change(folder, "index: u32", "index: u64")
    raise_version(folder)
    status, output = run("check", folder)
    assert status == 1 and "make bless-wit" in output
    assert run("bless", folder)[0] == 0
    assert run("check", folder)[0] == 0
    change(folder, "index: u64", "index: u16")
    assert run("check", folder)[0] == 1


def test_a_lowered_version_is_refused(folder):
    change(folder, f"@{current_version()};", "@0.9.9;")
    assert run("check", folder)[0] == 1
    assert run("bless", folder)[0] == 1


@pytest.mark.parametrize("lock", [None, "", "version = x\nsha256 = 0\n"])
def test_a_missing_or_damaged_lock_is_refused(folder, lock):
    path = folder / "VERSION.lock"
    path.unlink()
    if lock is not None:
        path.write_text(lock)
    status, output = run("check", folder)
    assert status == 1 and "VERSION.lock" in output


@pytest.mark.parametrize("wit", ["", "interface log {}", "package a:b;", "package a:b@1.0.0; /* open", "\\"])
def test_what_is_no_contract_is_refused(folder, wit):
    (folder / "unskew.wit").write_text(wit)
    status, output = run("check", folder)
    assert status == 1 and "unskew.wit" in output


def change_schema(folder, old, new):
    path = folder / "manifest.schema.json"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_change_of_the_schema_under_the_same_version_is_refused(folder):
    change_schema(folder, '"maxItems": 4096', '"maxItems": 5000')
    status, output = run("check", folder)
    assert status == 1 and "manifest.schema.json has changed" in output
    status, output = run("bless", folder)
    assert status == 1 and "raise the version" in output


def test_descriptions_of_the_schema_may_change(folder):
    change_schema(folder, '"title": "Unskew definitions"', '"title": "Something else"')
    assert run("check", folder)[0] == 0


def test_a_raised_version_of_the_schema_is_blessed_and_then_passes(folder):
    change_schema(folder, "/manifest/1.1/", "/manifest/1.2/")
    assert run("check", folder)[0] == 1
    assert run("bless", folder)[0] == 0
    assert run("check", folder)[0] == 0


@pytest.mark.parametrize("schema", ["{", '{"$id": "x"}'])
def test_what_is_no_schema_is_refused(folder, schema):
    (folder / "manifest.schema.json").write_text(schema)
    status, output = run("check", folder)
    assert status == 1 and "manifest.schema.json" in output
