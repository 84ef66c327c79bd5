#!/usr/bin/env python3
"""Holds the contract to its versions: wit/unskew.wit and wit/manifest.schema.json may not change their meaning under the same one.

    wit_version.py check    exit 1 when one of them changed and its version did not
    wit_version.py bless    write wit/VERSION.lock and wit/MANIFEST.lock for versions that were raised

Comments and blank space may change freely: what is compared is the SHA-256 of the words and signs between them, and of the schema without its
descriptions, titles and examples.
"""

import argparse
import hashlib
import json
import pathlib
import re
import sys

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "wit"

TOKEN = re.compile(
    r"""(?P<blank>\s+|//[^\n]*)
      | (?P<comment>/\*)
      | (?P<token>->|%?[A-Za-z0-9][A-Za-z0-9.+-]*|[^\sA-Za-z0-9/])""",
    re.VERBOSE,
)
VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
LOCK_LINE = re.compile(r"(version|sha256) = (\S+)")


class Refused(Exception):
    """Says what is wrong and what to do."""


def tokens(wit: str) -> list[str]:
    """The words and signs of a WIT text, without comments (which nest) and blank space."""
    found = []
    at = 0
    while at < len(wit):
        match = TOKEN.match(wit, at)
        if match is None:
            line = wit.count("\n", 0, at) + 1
            raise Refused(f"unskew.wit, line {line}: {wit[at]!r} is no part of a WIT text")
        if match["comment"]:
            at = end_of_comment(wit, at)
            continue
        if match["token"]:
            found.append(match["token"])
        at = match.end()
    return found


def end_of_comment(wit: str, start: int) -> int:
    depth = 0
    for match in re.compile(r"/\*|\*/").finditer(wit, start):
        depth += 1 if match[0] == "/*" else -1
        if depth == 0:
            return match.end()
    line = wit.count("\n", 0, start) + 1
    raise Refused(f"unskew.wit, line {line}: the comment that begins here has no end")


def read_contract(folder: pathlib.Path) -> tuple[tuple[int, ...], str]:
    """The version of the package in unskew.wit, and the digest of its words and signs."""
    words = tokens((folder / "unskew.wit").read_text(encoding="utf-8"))
    head, rest = words[:7], words[7:]  # package unskew : module @ 1.0.0 ;
    version = VERSION.fullmatch(head[5]) if len(head) == 7 else None
    if version is None or [head[0], head[2], head[4], head[6]] != ["package", ":", "@", ";"]:
        raise Refused("unskew.wit does not begin with a line like `package unskew:module@1.0.0;`")
    # The version itself is left out of the digest: to raise it is not a change.
    kept = head[:5] + head[6:] + rest
    return tuple(map(int, version.groups())), hashlib.sha256("\n".join(kept).encode()).hexdigest()


def meaning(schema: object) -> object:
    """A schema without what only people read. Under `properties` and `$defs` the keys are names, which stay."""
    if isinstance(schema, list):
        return [meaning(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {}
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            kept[key] = {name: meaning(inner) for name, inner in value.items()}
        elif key not in ("$id", "title", "description", "examples"):
            kept[key] = meaning(value)
    return kept


def read_schema(folder: pathlib.Path) -> tuple[tuple[int, ...], str]:
    """The version in the schema's `$id`, and the digest of what it means."""
    try:
        schema = json.loads((folder / "manifest.schema.json").read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise Refused(f"manifest.schema.json, line {error.lineno}: {error.msg}") from None
    version = re.search(r"/manifest/(\d+)\.(\d+)/", schema.get("$id", ""))
    if version is None:
        raise Refused("the `$id` of manifest.schema.json has no version like `/manifest/1.1/`")
    canonical = json.dumps(meaning(schema), sort_keys=True, separators=(",", ":"))
    return tuple(map(int, version.groups())), hashlib.sha256(canonical.encode()).hexdigest()


def read_lock(folder: pathlib.Path, name: str = "VERSION.lock") -> tuple[tuple[int, ...], str] | None:
    path = folder / name
    if not path.exists():
        return None
    fields = dict(LOCK_LINE.findall(path.read_text(encoding="utf-8")))
    try:
        version = tuple(int(number) for number in fields["version"].split("."))
        return version, fields["sha256"]
    except (KeyError, ValueError):
        raise Refused(f"wit/{name} is damaged; take it from the last commit again") from None


def dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(number) for number in version)


def check(folder: pathlib.Path) -> str:
    version, digest = read_contract(folder)
    lock = read_lock(folder)
    if lock is None:
        raise Refused("there is no wit/VERSION.lock; write it by `make bless-wit`")
    locked_version, locked_digest = lock
    if version < locked_version:
        raise Refused(
            f"unskew.wit has version {dotted(version)}, older than {dotted(locked_version)} in wit/VERSION.lock"
        )
    if version == locked_version and digest != locked_digest:
        raise Refused(
            f"unskew.wit has changed, and its version is still {dotted(version)}. Modules in use were built for that "
            "version: take the change back, or raise the version in its `package` line and run `make bless-wit`"
        )
    if version != locked_version:
        raise Refused(
            f"unskew.wit has version {dotted(version)}, wit/VERSION.lock {dotted(locked_version)}; run `make bless-wit`"
        )
    return f"wit/unskew.wit is version {dotted(version)}, as locked"


def check_schema(folder: pathlib.Path) -> str:
    version, digest = read_schema(folder)
    lock = read_lock(folder, "MANIFEST.lock")
    if lock is None:
        raise Refused("there is no wit/MANIFEST.lock; write it by `make bless-wit`")
    if version == lock[0] and digest != lock[1]:
        raise Refused(
            f"manifest.schema.json has changed, and its version is still {dotted(version)}. Raise the version in its `$id`, "
            "let `manifest_version` take both, follow in runtime/definition and the SDKs, and run `make bless-wit`"
        )
    if version != lock[0]:
        raise Refused(
            f"manifest.schema.json has version {dotted(version)}, wit/MANIFEST.lock {dotted(lock[0])}; run `make bless-wit`"
        )
    return f"wit/manifest.schema.json is version {dotted(version)}, as locked"


def bless_schema(folder: pathlib.Path) -> str:
    version, digest = read_schema(folder)
    lock = read_lock(folder, "MANIFEST.lock")
    if lock == (version, digest):
        return f"wit/MANIFEST.lock is up to date: {dotted(version)}"
    if lock is not None and version <= lock[0]:
        raise Refused(
            f"manifest.schema.json has version {dotted(version)}, and {dotted(lock[0])} is locked already: raise the version in its `$id` first"
        )
    (folder / "MANIFEST.lock").write_text(
        "# The version of manifest.schema.json, and the SHA-256 of what it means. `make check` compares;\n"
        "# `make bless-wit` writes this file once the version was raised.\n"
        f"version = {dotted(version)}\n"
        f"sha256 = {digest}\n",
        encoding="utf-8",
    )
    return f"wit/MANIFEST.lock now holds {dotted(version)}"


def bless(folder: pathlib.Path) -> str:
    version, digest = read_contract(folder)
    lock = read_lock(folder)
    if lock is not None:
        if lock == (version, digest):
            return f"wit/VERSION.lock is up to date: {dotted(version)}"
        if version <= lock[0]:
            raise Refused(
                f"unskew.wit has version {dotted(version)}, and {dotted(lock[0])} is locked already: "
                "raise the version in its `package` line first"
            )
    (folder / "VERSION.lock").write_text(
        "# The version of unskew.wit, and the SHA-256 of its words and signs. `make check` compares;\n"
        "# `make bless-wit` writes this file once the version was raised.\n"
        f"version = {dotted(version)}\n"
        f"sha256 = {digest}\n",
        encoding="utf-8",
    )
    return f"wit/VERSION.lock now holds {dotted(version)}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["check", "bless"])
    parser.add_argument("--folder", type=pathlib.Path, default=FOLDER, help="where the contract and its locks lie")
    options = parser.parse_args()
    try:
        for step in (check, check_schema) if options.command == "check" else (bless, bless_schema):
            print(step(options.folder))
    except (Refused, OSError, UnicodeDecodeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
