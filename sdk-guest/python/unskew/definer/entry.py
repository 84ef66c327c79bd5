"""The definer's exports: those of a module that has one transform."""

import builtins
import gc
import importlib
import io
import json
import os
import sys
from importlib.machinery import BuiltinImporter, FrozenImporter
from typing import Any

from .. import log, project_data
from ..evaluate import row_evaluation
from ..failure import AmbientFileError, set_roots
from ..guest import ambient, imports
from ..guest.entry import Evaluate as ModuleEvaluate
from ..guest.entry import failure_report
from ..guest.output import NoInput, end_call, standard_error, standard_output, unfinished
from ..manifest import manifest
from ..registry import Registry, registry
from ..transform import transform
from .library import Library
from .project import PACKAGES, PROJECT, Files, Package, install

_manifest = ""
_define: Any = None
_asked = False


class Evaluate(ModuleEvaluate):
    """The interface `evaluate` of `wit/unskew.wit`."""

    def manifest(self) -> str:
        """The manifest of the definer itself."""
        return _manifest

    def transform(self, index: int, batch: bytes) -> bytes:
        """Projects in, manifests out."""
        reply: bytes = _define(batch)
        if unfinished:
            end_call()
        return reply


def define(project: bytes) -> str:
    """The manifest of a project, or its mistakes, as JSON: `{"manifest": ..., "mistakes": [...]}`.

    A mistake has a `message`, and `file`, `line` and `trace` where they are
    known. Where the code could be imported, the manifest is there even beside
    mistakes, with what is wrong left out.
    """
    global _asked
    if _asked:
        raise RuntimeError("an instance of the definer evaluates one project, and this has had one")
    _asked = True
    package = Package(project)
    answer: dict[str, Any] = {"manifest": None, "mistakes": []}
    install(package)
    opened: Any = Files(package)
    builtins.open = io.open = opened
    set_roots([PROJECT], [PACKAGES, "/0/sdk", "/python", "/world", "/bundled"])
    project_data.embed({path: package.files[f"{PROJECT}/{path}"] for path in package.data})
    registry.collecting = True
    try:
        importlib.import_module(package.module)
        answer["manifest"] = json.loads(manifest(registry, package.name, package.description))
        answer["mistakes"] = [{"message": text} for text in registry.all_mistakes()]
    except BaseException as error:
        # What was found before it is as true as what ended it.
        answer["mistakes"] = [{"message": text} for text in registry.mistakes]
        answer["mistakes"].append(failure_report(error))
        answer["manifest"] = None
    text = json.dumps(answer, separators=(",", ":"), ensure_ascii=False)
    # Python's texts may hold halves of characters, which no other reader takes.
    return text.encode("utf-8", "replace").decode("utf-8")


def _no_file_is_opened(event: str, arguments: tuple[Any, ...]) -> None:
    # Python itself looks into files, too, to show the line of a syntax error;
    # in a component the attempt alone would end everything.
    if event == "open":
        raise AmbientFileError(f"{arguments[0]!r} cannot be opened: a module has no files")


def start() -> None:
    """Brings the definer to where every project will find it. Runs while it is built."""
    global _manifest, _define
    sys.path[:] = [path for path in sys.path if not path[1:].isdigit()]
    library = Library("/python")
    library.preload()
    imports.load_late()
    transform(define)
    _define = row_evaluation(registry.transforms[0])
    own = Registry(transforms=list(registry.transforms))
    _manifest = manifest(own, "unskew_definer", "Evaluates the definitions of a project.")
    registry.transforms.clear()
    from wit_world.imports import log as host_log  # type: ignore[import-not-found]

    levels = list(host_log.Level)
    log.write_with(lambda level, row, message: host_log.write(levels[level], row, message))
    ambient.close(PROJECT, has_files=False)
    os.environ.clear()
    ambient.close_what_was_imported()
    sys.addaudithook(_no_file_is_opened)
    sys.meta_path[:] = [BuiltinImporter, FrozenImporter, library]  # type: ignore[list-item]
    sys.path_hooks.clear()
    sys.path_importer_cache.clear()
    sys.stdout = standard_output
    sys.stderr = standard_error
    sys.stdin = NoInput()
    gc.collect()
    gc.freeze()
