"""The component's exports, and how a project becomes them."""

import gc
import importlib
import json
import sys
import traceback
from pathlib import Path
from typing import Any

from .. import log, project_data
from ..evaluate import FoldEvaluation, batch_evaluation, row_evaluation
from ..failure import DefinitionError, is_users, set_roots, shown_file
from ..manifest import manifest
from ..registry import registry
from . import ambient, imports
from .output import NoInput, end_call, standard_error, standard_output, unfinished

# Frames of a report: a recursion has a thousand.
_MOST_FRAMES = 12

_manifest = ""
_transforms: list[Any] = []
_folds: list[FoldEvaluation] = []


class Evaluate:
    """The interface `evaluate` of `wit/unskew.wit`."""

    def manifest(self) -> str:
        """The manifest as JSON."""
        return _manifest

    def transform(self, index: int, batch: bytes) -> bytes:
        """Columns in, columns out."""
        reply = _transforms[index](batch)
        if unfinished:
            end_call()
        return reply

    def partial(self, index: int, batch: bytes) -> bytes:
        """Rows to states."""
        return _ended(_folds[index].partial(batch))

    def merge(self, index: int, states: bytes) -> bytes:
        """Pairs of states to states."""
        return _ended(_folds[index].merge(states))

    def subtract(self, index: int, states: bytes) -> bytes:
        """Pairs of states to states."""
        return _ended(_folds[index].subtract(states))

    def finish(self, index: int, states: bytes) -> bytes:
        """States to values."""
        return _ended(_folds[index].finish(states))


def _ended(reply: bytes) -> bytes:
    if unfinished:
        end_call()
    return reply


def start(
    *,
    name: str,
    description: str,
    module: str,
    project: str,
    source_root: str,
    dependencies: str,
    data: list[str],
    report: str,
) -> None:
    """Imports the project's module and prepares its answers.

    `project` and `dependencies` are the folders where the user's project and
    its packages lie during the build, `source_root` is the folder in the
    project from which it is imported; `report` is a file that gets what went
    wrong, as JSON, for the build to tell.
    """
    global _manifest
    sys.path[:] = [path for path in sys.path if not path[1:].isdigit()]
    sources = f"{project}/{source_root}".rstrip("/")
    sys.path[:0] = [sources, dependencies, str(Path(__file__).parents[2])]
    set_roots([project], [dependencies, "/python", "/world", "/bundled"])
    try:
        files = {path: Path(project, path).read_bytes() for path in data}
        project_data.embed(files)
        ambient.close(project)
        registry.collecting = True
        importlib.import_module(module)
        registry.check()
        imports.load_what_functions_import([project, dependencies])
        _manifest = manifest(registry, name, description)
        _transforms.extend(
            batch_evaluation(t) if t.batch else row_evaluation(t) for t in registry.transforms
        )
        _folds.extend(FoldEvaluation(aggregate) for aggregate in registry.aggregates)
    except BaseException as error:
        Path(report).write_text(json.dumps(failure_report(error)), "utf-8")
        raise SystemExit("the project's code could not be imported") from None
    _open_for_calls()


def _open_for_calls() -> None:
    """From here on the instance is what every call will find."""
    from wit_world.imports import log as host_log  # type: ignore[import-not-found]

    levels = list(host_log.Level)
    write = host_log.write
    log.write_with(lambda level, row, message: write(levels[level], row, message))
    imports.close()
    ambient.end_of_import()
    sys.stdout = standard_output
    sys.stderr = standard_error
    sys.stdin = NoInput()
    # What was imported is never garbage, so no collection need look at it.
    gc.collect()
    gc.freeze()


def failure_report(error: BaseException) -> dict[str, Any]:
    """What the build shows: the error, and the way to it through the user's own code."""
    if isinstance(error, SyntaxError) and error.filename:
        return {
            "file": shown_file(error.filename),
            "line": error.lineno,
            "message": f"{type(error).__name__}: {error.msg}",
            "code": (error.text or "").rstrip(),
            "trace": [],
        }
    theirs = (
        (frame, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if is_users(frame.f_code.co_filename)
    )
    frames = traceback.StackSummary.extract(theirs)
    last = frames[-1] if frames else None
    text = str(error)
    return {
        "file": shown_file(last.filename) if last else None,
        "line": last.lineno if last else None,
        # These say by themselves where and what.
        "message": text if isinstance(error, DefinitionError) else f"{type(error).__name__}: {text}",
        "definition": isinstance(error, DefinitionError),
        "code": (last.line or "") if last else "",
        "trace": [
            f"{shown_file(f.filename)}:{f.lineno} in {f.name}" for f in frames[-_MOST_FRAMES:-1]
        ],
    }
