"""Data files, as they are found natively and in a module."""

import importlib.util
from pathlib import Path

import pytest

from unskew import project_data


def test_files_are_found_from_the_module_that_asks(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.unskew]\ndata = ["data/*.csv"]\n')
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.csv").write_text("1,2")
    (tmp_path / "data" / "b.txt").write_text("no")
    source = tmp_path / "src" / "features.py"
    source.parent.mkdir()
    source.write_text("from unskew import data\ndef get(path): return data(path)\n")
    spec = importlib.util.spec_from_file_location("features_of_test", source)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.get("data/a.csv") == b"1,2"
    for missing in ("data/b.txt", "data/c.csv", "../x"):
        with pytest.raises(FileNotFoundError, match=r"listed: data/a\.csv"):
            module.get(missing)
    (tmp_path / "pyproject.toml").unlink()
    with pytest.raises(FileNotFoundError, match=r"no pyproject\.toml"):
        module.get("data/a.csv")


def test_a_module_serves_what_the_build_put_into_it() -> None:
    project_data.embed({"data/a.csv": b"1"})
    try:
        assert project_data.data("data/a.csv") == b"1"
        with pytest.raises(FileNotFoundError, match=r"listed: data/a\.csv"):
            project_data.data("data/b.csv")
    finally:
        project_data._embedded = None
