"""Python's standard library, kept in memory: a component has no files to import from."""

import importlib.util
import marshal
import os
import sys
import zlib
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any

# What no definition imports, and what is large.
_LEFT_OUT = frozenset(
    {
        "__phello__", "_pyrepl", "antigravity", "config-3.14-wasm32-wasi", "ensurepip", "idlelib",
        "pydoc_data", "site-packages", "test", "tests", "this", "tkinter", "turtle", "turtledemo",
        "venv",
    }
)  # fmt: skip

# What definitions and the SDK import most: there from the beginning.
_PRELOADED = (
    "ast", "base64", "bisect", "calendar", "cmath", "collections.abc", "contextlib", "copy", "csv",
    "dataclasses", "datetime", "decimal", "enum", "fractions", "functools", "hashlib", "heapq",
    "inspect", "io", "ipaddress", "itertools", "json", "linecache", "logging", "math", "numbers",
    "operator", "pathlib", "random", "re", "socket", "statistics", "string", "struct",
    "subprocess", "textwrap", "threading", "tokenize", "tomllib", "traceback", "types", "typing",
    "unicodedata", "urllib.parse", "uuid", "warnings", "zlib",
)  # fmt: skip


class Library:
    """Finds and loads the modules of the standard library, compiled when the definer was built."""

    def __init__(self, root: str) -> None:
        # By name: whether it is a package, its file, and its code, packed.
        self._modules: dict[str, tuple[bool, str, bytes]] = {}
        self._collect(root, "")

    def _collect(self, folder: str, prefix: str) -> None:
        for name in sorted(os.listdir(folder)):
            path = f"{folder}/{name}"
            if name in _LEFT_OUT or name == "__pycache__":
                continue
            if name.endswith(".py"):
                stem = name.removesuffix(".py")
                if stem not in _LEFT_OUT and stem != "__init__":
                    self._keep(f"{prefix}{stem}", False, path)
            elif os.path.isfile(f"{path}/__init__.py"):
                self._keep(f"{prefix}{name}", True, f"{path}/__init__.py")
                self._collect(path, f"{prefix}{name}.")

    def _keep(self, name: str, is_package: bool, path: str) -> None:
        with open(path, "rb") as file:
            source = file.read()
        code = compile(source, path, "exec", dont_inherit=True)
        self._modules[name] = (is_package, path, zlib.compress(marshal.dumps(code), 6))

    def preload(self) -> None:
        """Imports what is used most, so that no definition waits for it."""
        for name in _PRELOADED:
            importlib.import_module(name)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a module comes from; None if it is not of the library."""
        found = self._modules.get(name)
        if found is None:
            return None
        is_package, file, _ = found
        spec = ModuleSpec(name, self, origin=file, is_package=is_package)  # type: ignore[arg-type]
        spec.has_location = True
        if is_package:
            spec.submodule_search_locations = [file.rpartition("/")[0]]
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """The import system makes it."""

    def exec_module(self, module: ModuleType) -> None:
        """Runs its code."""
        code: Any = marshal.loads(zlib.decompress(self._modules[module.__name__][2]))
        assert isinstance(code, CodeType)
        exec(code, vars(module))


# The built-in modules that stand for nothing in a component.
def is_missing(name: str) -> bool:
    """Whether Python would have a module that a component cannot have."""
    return name.partition(".")[0] in sys.stdlib_module_names
