#!/usr/bin/env python3
"""Runs the tests of the whole repository, or the quick ones, and closes with one line: `N passed, N failed`.

    run_tests.py all      what `make test` runs: all crates, the Python SDK, these scripts, the cases' oracle, every example
    run_tests.py quick    what `make quick` runs: what needs no guest toolchain, no Python environment and no server

A step that ends in failure, or that should run tests and runs none, counts as a failed test. The exit code is 0 only
when something passed and nothing failed. A step runs in a process group of its own, of which nothing is left behind.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
STEP_LIMIT_SECONDS = 75 * 60
CARGO = ["cargo", "test", "--release", "--no-fail-fast"]

ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
CARGO_LINE = re.compile(r"test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;")
PYTEST_LINE = re.compile(r"^=*\s*((?:\d+ \w+(?:, )?)+) in [\d.]+s\b")
PLAIN_LINE = re.compile(r"^(\d+) passed, (\d+) failed$")


@dataclasses.dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def add(self, other: "Counts") -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


@dataclasses.dataclass
class Step:
    """One command. Where `has_tests` is false, its success is what counts."""

    name: str
    command: list[str]
    folder: pathlib.Path = ROOT
    environment: dict[str, str] = dataclasses.field(default_factory=dict)
    has_tests: bool = True


def counts_of(line: str) -> Counts | None:
    """What a test runner's closing line says; none for any other line."""
    line = ANSI.sub("", line).strip()
    if match := CARGO_LINE.search(line):
        return Counts(*map(int, match.groups()))
    if match := PLAIN_LINE.match(line):
        return Counts(int(match[1]), int(match[2]))
    if match := PYTEST_LINE.match(line):
        words = {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", match[1])}
        return Counts(
            passed=sum(words.get(word, 0) for word in ("passed", "xfailed")),
            failed=sum(words.get(word, 0) for word in ("failed", "error", "errors", "xpassed")),
            skipped=words.get("skipped", 0),
        )
    return None


def verdict(step: Step, status: int, counted: Counts) -> tuple[Counts, str]:
    """What a step counts for, and why where that is not plain."""
    if not step.has_tests:
        return (Counts(passed=1), "") if status == 0 else (Counts(failed=1), f"exit code {status}")
    if status != 0 and counted.failed == 0:
        return dataclasses.replace(counted, failed=1), f"exit code {status}, though no test failed"
    if counted.passed + counted.failed == 0:
        return dataclasses.replace(counted, failed=1), "it ran no test"
    return counted, ""


def end_group(process: subprocess.Popen, sig: int) -> None:
    """Signals what a step started, itself and all that it left running."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, sig)


def run(step: Step) -> tuple[Counts, str]:
    print(f"\n--- {step.name}: {' '.join(step.command)}", flush=True)
    counted = Counts()
    try:
        process = subprocess.Popen(
            step.command,
            cwd=step.folder,
            env={**os.environ, **step.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
    except OSError as error:
        print(f"error: {error}", flush=True)
        return verdict(step, 127, counted)
    # Ends the step also when it is we who are told to end.
    limit = threading.Timer(STEP_LIMIT_SECONDS, end_group, (process, signal.SIGKILL))
    limit.daemon = True
    limit.start()
    # A program that outlives its step may hold the pipe open, so the step's own end is watched for, not the pipe's.
    threading.Thread(target=lambda: (process.wait(), end_group(process, signal.SIGKILL)), daemon=True).start()
    try:
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            if found := counts_of(line):
                counted.add(found)
        status = process.wait()
    finally:
        limit.cancel()
        end_group(process, signal.SIGKILL)
    return verdict(step, status, counted)


def quick_targets() -> list[str]:
    """Options for cargo that leave out the test files whose names begin with guest_ or server_, and the doc tests."""
    done = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--format-version", "1"], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    targets = [target for package in json.loads(done.stdout)["packages"] for target in package["targets"]]
    names = {target["name"] for target in targets if "test" in target["kind"]}
    kept = sorted(name for name in names if not name.startswith(("guest_", "server_")))
    return ["--lib", "--bins", *(word for name in kept for word in ("--test", name))]


def quick_steps() -> list[Step]:
    return [Step("crates", [*CARGO, "--workspace", *quick_targets()])]


def all_steps(cache: pathlib.Path, target: pathlib.Path) -> list[Step]:
    python = str(cache / "python" / "bin" / "python")
    pytest = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    sdk = ROOT / "sdk-guest" / "python"
    seed = os.environ.get("UNSKEW_SEED", "1")
    random = target / "random-cases" / seed
    steps = [
        Step("crates", [*CARGO, "--workspace"]),
        Step("scripts", [*pytest, "scripts/tests"]),
        Step("Python SDK", pytest, folder=sdk),
        Step("cases against the oracle", [python, "tests/cases/check.py"]),
        # UNSKEW_SEED tries others.
        Step("random cases, written", [python, "tests/cases/random_cases.py", seed, "300", "--folder", str(random / "all")], has_tests=False),
        Step(
            "random cases, answered",
            [*CARGO, "--workspace", "--test", "cases"],
            environment={"UNSKEW_CASES": str(random)},
        ),
    ]
    unskew = str(target / "release" / "unskew")
    for folder in sorted(path for path in (ROOT / "examples").iterdir() if path.is_dir()):
        name = f"examples/{folder.name}"
        if (folder / "unskew.toml").exists():
            steps.append(Step(f"{name}, explained", [unskew, "explain", name], has_tests=False))
            continue
        if (folder / "Cargo.toml").exists():
            # Locked: a test must not change what is committed.
            native = Step(f"{name}, natively", [*CARGO, "--locked"], folder=folder)
        else:
            native = Step(f"{name}, natively", pytest, folder=folder)
        # Built first: that puts the SDK beside the code, which the unit tests need.
        steps += [
            Step(f"{name}, built", [unskew, "build", name], has_tests=False),
            Step(f"{name}, golden cases", [unskew, "test", name]),
            native,
        ]
    return steps


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("selection", choices=["all", "quick"])
    options = parser.parse_args()
    for name in ("CARGO_TARGET_DIR", "UNSKEW_CACHE_DIR"):
        if not os.path.isabs(os.environ.get(name, "")):
            print(f"error: {name} is not set to an absolute path; run the tests by `make test`", file=sys.stderr)
            return 1
    if shutil.which("cargo") is None:
        print("error: there is no cargo; ./setup.sh says how to get it", file=sys.stderr)
        return 1
    # SIGTERM is to end the step under way, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if sys.stdout.isatty():
        os.environ.setdefault("CARGO_TERM_COLOR", "always")
    if options.selection == "quick":
        steps = quick_steps()
    else:
        steps = all_steps(pathlib.Path(os.environ["UNSKEW_CACHE_DIR"]), pathlib.Path(os.environ["CARGO_TARGET_DIR"]))

    total, report = Counts(), []
    for step in steps:
        begin = time.monotonic()
        counts, why = run(step)
        total.add(counts)
        seconds = time.monotonic() - begin
        report.append(f"{step.name:<40} {str(counts):<32} {seconds:6.1f} s  {why}".rstrip())
    print("\n" + "\n".join(report) + f"\n\n{total}", flush=True)
    return 0 if total.passed and not total.failed else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
