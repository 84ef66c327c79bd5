"""The data files of a project."""

import sys
from pathlib import Path

# In the sandbox there are no files: the build puts the declared ones here.
_embedded: dict[str, bytes] | None = None


def embed(files: dict[str, bytes]) -> None:
    """Serves `data` from these files, by their paths from the project's folder."""
    global _embedded
    _embedded = files


def data(path: str) -> bytes:
    """The content of a data file, by its path from the project's folder.

    The file must be listed in pyproject.toml: `[tool.unskew] data = ["data/*.csv"]`.
    """
    if _embedded is None:
        caller = sys._getframe(1).f_globals.get("__file__") or "."
        return _from_disk(path, Path(caller).resolve())
    if path not in _embedded:
        raise FileNotFoundError(_missing(path, sorted(_embedded)))
    return _embedded[path]


def _from_disk(path: str, caller: Path) -> bytes:
    import tomllib

    for folder in caller.parents:
        project = folder / "pyproject.toml"
        if project.is_file():
            break
    else:
        raise FileNotFoundError(
            f"no pyproject.toml lies above {caller}, so it is unknown where the data file {path!r} is"
        )
    settings = tomllib.loads(project.read_text("utf-8")).get("tool", {}).get("unskew", {})
    known = sorted(
        found.relative_to(folder).as_posix()
        for pattern in settings.get("data", [])
        for found in folder.glob(pattern)
        if found.is_file()
    )
    if path not in known:
        raise FileNotFoundError(_missing(path, known))
    return (folder / path).read_bytes()


def _missing(path: str, known: list[str]) -> str:
    listed = ", ".join(known) if known else "none"
    return (
        f"the data file {path!r} is not among those that pyproject.toml lists in "
        f"[tool.unskew] data (listed: {listed}); add it there"
    )
