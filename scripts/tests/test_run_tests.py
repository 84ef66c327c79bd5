"""The runner must not call a failure, or an empty run, a success."""

import pathlib
import signal
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import run_tests
from run_tests import Counts, Step, counts_of, run


@pytest.mark.parametrize(
    "line, counts",
    [
        ("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out", Counts(12, 0, 1)),
        ("test result: \x1b[31mFAILED\x1b[m. 3 passed; 2 failed; 0 ignored; 0 measured", Counts(3, 2, 0)),
        ("17 passed in 1.31s", Counts(17, 0, 0)),
        ("=== 1 failed, 4 passed, 2 skipped, 3 warnings in 0.52s ===", Counts(4, 1, 2)),
        ("\x1b[31m===== \x1b[31m\x1b[1m2 errors\x1b[0m in 61.00s (0:01:01) =====", Counts(0, 2, 0)),
        ("=== 1 xpassed, 1 xfailed in 1s ===", Counts(1, 1, 0)),
        ("5 passed, 1 failed", Counts(5, 1, 0)),
        ("test a::b ... ok", None),
        ("the last 5 passed, 1 failed", None),
    ],
)
def test_closing_lines_are_read(line, counts):
    assert counts_of(line) == counts


def python(code, **kwargs):
    return Step("step", [sys.executable, "-c", code], **kwargs)


@pytest.mark.parametrize(
    "step, failed",
    [
        (python("print('2 passed, 0 failed')"), 0),
        (python("print('2 passed, 3 failed')"), 3),
        (python("print('2 passed, 3 failed'); exit(1)"), 3),
        (python("print('2 passed, 0 failed'); exit(1)"), 1),
        (python("print('nothing')"), 1),
        (python("print('0 passed, 0 failed')"), 1),
        (python("", has_tests=False), 0),
        (python("exit(2)", has_tests=False), 1),
        (Step("step", ["/nowhere/program"]), 1),
    ],
)
def test_a_step_fails_when_it_should(step, failed):
    assert run(step)[0].failed == failed


def is_running(pid):
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_gone(pid):
    for _ in range(100):
        if not is_running(pid):
            return True
        time.sleep(0.05)
    return False


LEAVES_A_PROCESS = """
import pathlib, subprocess, sys
left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
pathlib.Path(sys.argv[1]).write_text(str(left.pid))
print("1 passed, 0 failed")
"""


def test_what_a_step_leaves_running_is_ended(tmp_path):
    file = tmp_path / "pid"
    step = Step("step", [sys.executable, "-c", LEAVES_A_PROCESS, str(file)])
    assert run(step)[0] == Counts(1, 0, 0)
    assert wait_until_gone(int(file.read_text()))


def test_a_runner_that_is_told_to_end_ends_its_step(tmp_path):
    file = tmp_path / "pid"
    step = "import pathlib, os, sys, time; pathlib.Path(sys.argv[1]).write_text(str(os.getpid())); time.sleep(60)"
    code = (
        f"import signal, sys; sys.path.insert(0, {str(pathlib.Path(run_tests.__file__).parent)!r}); import run_tests\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))\n"
        f"run_tests.run(run_tests.Step('step', [sys.executable, '-c', {step!r}, {str(file)!r}]))"
    )
    runner = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    for _ in range(200):
        if file.exists() and file.read_text():
            break
        time.sleep(0.05)
    pid = int(file.read_text())
    assert is_running(pid)
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(timeout=30) == 143
    assert wait_until_gone(pid)
