"""Any bytes as a Python project's source give a manifest or a report of what is wrong, not a crash.

Mutates the sources under corpus/python_definitions and takes each through the
SDK's own entry, as a build does, and through the definer, as `unskew explain`
does, each in a child process of its own with little memory and time. A source
that ends the child by a signal, or without either a manifest or a report, is
kept under artifacts/python_definitions, and the run fails.

    python3 fuzz/python_definitions.py [SECONDS]
"""

import hashlib
import json
import os
import random
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CORPUS = HERE / "corpus" / "python_definitions"
ARTIFACTS = HERE / "artifacts" / "python_definitions"
SDK = HERE.parent / "sdk-guest" / "python"

MEMORY_BYTES = 1 << 30
CPU_SECONDS = 5
MOST_RUNS = 100_000

TOKENS = [
    b"@transform", b"@transform(batch=True)", b"@aggregate", b"def f(", b"x: int", b"-> float",
    b"| None", b"list[", b"Column[float]", b"Annotated[", b"class A:", b"async ", b"lambda: 0",
    b"*args", b"**kwargs", b"/, ", b"*, ", b"self", b"state: int = 0", b"\x00", b"\xff\xfe", b"\n",
    b"    ", b"\t", b"(" * 300, b"[" * 100, b"-" * 500, b"1" * 5000, b'"', b"'''", b"#", b"\\",
    b"from __future__ import annotations\n", b"import ", b"raise ", b"outputs=('a', 'a')",
    b"\xef\xbb\xbf", b"# coding: utf-16\n", "\u00e9\U0001f980".encode(), b"f'{x!r}'", b"embedding(0)",
    b"decimal128(99, 2)", b"@feature_view(entities=[user], source=orders)", b"Sum('amount')",
    b".over('7d', hop='1h')", b".where('amount > 1')", b"Feature(", b"default=", b"sql(a='b')",
    b"call(f)", b"FeatureService('s', features=[", b"timedelta(days=-1)", b"Entity('\xc3\xa9')",
    b"TumblingWindow(", b"version=1 << 80", b"tags={1: 2}", b"__unskew_view__", b"registry",
    b"import unskew.registry as r; r.registry = None\n", b"type X = list[X]", b"def update(self, x: float): ...",
]  # fmt: skip


def mutated(source: bytes, others: list[bytes], chance: random.Random) -> bytes:
    """The source after a few random edits."""
    text = bytearray(source)
    for _ in range(chance.randint(1, 6)):
        at = chance.randint(0, len(text))
        end = min(len(text), at + chance.randint(0, 12))
        match chance.randrange(6):
            case 0:
                text[at:end] = b""
            case 1:
                text[at:at] = chance.choice(TOKENS)
            case 2:
                text[at:end] = chance.choice(TOKENS)
            case 3:
                text[at:end] = chance.randbytes(chance.randint(1, 8))
            case 4:
                other = chance.choice(others)
                start = chance.randint(0, len(other))
                text[at:end] = other[start : start + chance.randint(1, 80)]
            case 5:
                text[at:at] = text[at:end] * chance.randint(1, 20)
    return bytes(text)


def in_a_small_child() -> None:
    """What the child may have, and nothing to say anything on."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)


def through_the_definer(source: bytes) -> None:
    """In the child: as far as `unskew explain` goes with it. Never returns."""
    in_a_small_child()
    from unskew.definer import entry
    from unskew.guest import ambient

    header = json.dumps(
        {
            "name": "fuzzed", "description": "", "module": "features", "source_root": "",
            "data": [], "missing": [], "files": [["/project/features.py", len(source)]],
        }
    ).encode()  # fmt: skip
    # Taken now: the SDK closes what a module does not have.
    code, leave, loads = 3, os._exit, json.loads
    try:
        ambient.close("/project")
        told = loads(entry.define(len(header).to_bytes(4, "little") + header + source))
        fine = told["manifest"] is not None or told["mistakes"]
        code = 0 if fine and all(one["message"] for one in told["mistakes"]) else 4
    finally:
        leave(code)


def take_through(source: bytes, folder: Path, report: Path) -> None:
    """In the child: as far as a build goes with it. Never returns."""
    in_a_small_child()
    from unskew.guest import ambient, entry

    # What comes behind the import needs the component's log; the rest is the same.
    entry._open_for_calls = lambda: None
    ambient.end_of_import = lambda: None
    (folder / "features.py").write_bytes(source)
    code, leave = 3, os._exit
    try:
        entry.start(
            name="fuzzed", description="", module="features", project=str(folder), source_root="",
            dependencies=str(folder / "none"), data=[], report=str(report),
        )  # fmt: skip
        manifest = json.loads(entry._manifest)
        code = 0 if manifest["name"] == "fuzzed" else 4
    except SystemExit:
        code = 0 if report.exists() else 5
    finally:
        leave(code)


def ended(child: int) -> str | None:
    """What was wrong with how a child ended."""
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        # A module that never ends its import is stopped by its fuel in the sandbox.
        endless = os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL)
        return None if endless else f"ended by signal {os.WTERMSIG(status)}"
    code = os.WEXITSTATUS(status)
    return None if code == 0 else f"neither a manifest nor a report (exit {code})"


def verdict(source: bytes) -> str | None:
    """What was wrong with how the source was taken; nothing if all was well."""
    child = os.fork()
    if child == 0:
        through_the_definer(source)
    if wrong := ended(child):
        return f"definer: {wrong}"
    with tempfile.TemporaryDirectory() as name:
        folder, report = Path(name), Path(name) / "report.json"
        child = os.fork()
        if child == 0:
            take_through(source, folder, report)
        wrong = ended(child)
        if not wrong and report.exists():
            message = json.loads(report.read_text("utf-8"))["message"]
            return None if message else "a report that says nothing"
        return wrong


def main() -> int:
    """Fuzzes for the seconds given, 60 if none are."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    sys.path.insert(0, str(SDK))
    sys.dont_write_bytecode = True
    # Imported once, here: children inherit it.
    import unskew.definer.entry  # noqa: F401
    seeds = [path.read_bytes() for path in sorted(CORPUS.iterdir())]
    seed = int(os.environ.get("FUZZ_SEED", time.time_ns() % (1 << 32)))
    chance = random.Random(seed)
    until = time.monotonic() + seconds
    runs = failures = 0
    pool = list(seeds)
    queue = list(seeds)
    while runs < MOST_RUNS and time.monotonic() < until:
        source = queue.pop() if queue else mutated(chance.choice(pool), pool, chance)
        wrong = verdict(source)
        runs += 1
        if wrong:
            failures += 1
            ARTIFACTS.mkdir(parents=True, exist_ok=True)
            kept = ARTIFACTS / hashlib.sha256(source).hexdigest()[:16]
            kept.write_bytes(source)
            print(f"{kept}: {wrong}", file=sys.stderr)
        elif chance.random() < 0.02 and len(source) < 5000:
            pool.append(source)
    print(f"python_definitions: {runs} sources, {failures} failures (FUZZ_SEED={seed})")
    return 1 if failures or runs < len(seeds) else 0


if __name__ == "__main__":
    sys.exit(main())
