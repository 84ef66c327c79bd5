"""The user's project, handed over as bytes: its code is imported from memory."""

import io
import json
import struct
import sys
from collections.abc import Sequence
from importlib.abc import SourceLoader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from ..failure import AmbientFileError, shown_file
from .library import is_missing

# Where the project and its packages seem to lie.
PROJECT = "/project"
PACKAGES = "/packages"


class Package:
    """What the host hands over: a header in JSON, then the files, one behind the other.

    The first four bytes are the length of the header, little-endian. It has
    the arguments of `guest.entry.start`, and of each file its path and length.
    """

    def __init__(self, body: bytes) -> None:
        (length,) = struct.unpack_from("<I", body)
        header = json.loads(body[4 : 4 + length])
        self.name: str = header["name"]
        self.description: str = header["description"]
        self.module: str = header["module"]
        self.source_root: str = header["source_root"]
        self.data: list[str] = header["data"]
        # Packages that the project needs and that are not here, by name.
        self.missing: list[str] = header["missing"]
        self.files: dict[str, bytes] = {}
        at = 4 + length
        for path, size in header["files"]:
            self.files[path] = body[at : at + size]
            at += size

    def sources(self) -> str:
        """The folder from which the project is imported."""
        return f"{PROJECT}/{self.source_root}".rstrip("/")


class Importer:
    """Finds the modules of the project and of its packages."""

    def __init__(self, package: Package) -> None:
        self._files = package.files
        self._roots = (package.sources(), PACKAGES)
        self._missing = package.missing
        self._folders = {
            path[:at] for path in package.files for at in range(len(path)) if path[at] == "/"
        }

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a module comes from; None if it is not the user's."""
        tail = name.rpartition(".")[2]
        portions = []
        for root in self._roots if path is None else path:
            base = f"{root}/{tail}"
            for file, is_package in ((f"{base}/__init__.py", True), (f"{base}.py", False)):
                if file in self._files:
                    loader = _Loader(file, self._files)
                    spec = ModuleSpec(name, loader, origin=file, is_package=is_package)
                    spec.has_location = True
                    if is_package:
                        spec.submodule_search_locations = [base]
                    return spec
            if base in self._folders:
                portions.append(base)
        if portions:
            spec = ModuleSpec(name, None, is_package=True)
            spec.submodule_search_locations = portions
            return spec
        return None


class NotHere:
    """Stands behind all finders, and says why a module is not here."""

    def __init__(self, package: Package) -> None:
        self._missing = package.missing

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Refuses what nobody has found."""
        top = name.partition(".")[0]
        if is_missing(name):
            why = "a module has no such part of Python's library; do without it"
        elif self._missing:
            why = (
                f"the packages of this project ({', '.join(self._missing)}) are not in the cache; "
                "run `unskew build` once where the network can be used"
            )
        else:
            why = (
                f"there is no file {top}.py in the project, and no package {top} in its "
                "requirements.lock; write it, or pin the package there"
            )
        raise ModuleNotFoundError(f"No module named {name!r}: {why}", name=name)


class _Loader(SourceLoader):
    def __init__(self, file: str, files: dict[str, bytes]) -> None:
        self._file = file
        self._files = files

    def get_filename(self, fullname: str) -> str:
        return self._file

    def source_to_code(self, data: Any, path: Any) -> Any:
        try:
            return super().source_to_code(data, path)
        except SyntaxError as error:
            if error.filename is None:  # of bytes that are no text
                error.filename, error.lineno = path, 1
            raise

    def get_data(self, path: Any) -> bytes:
        try:
            return self._files[path]
        except KeyError:
            raise OSError(f"{path} is not among the project's files") from None


class Files:
    """Stands for `open`: the project's own files can be read, and no others."""

    def __init__(self, package: Package) -> None:
        self._files = package.files

    def __call__(
        self,
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> Any:
        path = str(file)
        found = self._files.get(path if path.startswith("/") else f"{PROJECT}/{path}")
        if found is None or set(mode) & set("wax+"):
            raise AmbientFileError(
                f"open({shown_file(path)!r}) is not available in a module: it has only the files "
                "that pyproject.toml lists under [tool.unskew] data; read them with unskew.data(...)"
            )
        binary = io.BytesIO(found)
        return binary if "b" in mode else io.TextIOWrapper(binary, encoding or "utf-8", errors, newline)


def install(package: Package) -> None:
    """From now on the project can be imported."""
    library = list(sys.meta_path)
    sys.meta_path[:] = [*library[:2], Importer(package), *library[2:], NotHere(package)]
