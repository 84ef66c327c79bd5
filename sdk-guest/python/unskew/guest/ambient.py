"""What a module does not have: a clock, randomness, files, an environment, threads, sockets,
and no identity of objects.

Whatever of these is asked for raises `AmbientError`, so that a row fails with
a reason. Where some way round is left, the component itself has nothing
behind it: every WASI function traps.

While the project is imported, the standard library may look at a clock that
stands still; the user's own code may read the files of the project.
"""

import builtins
import gc
import io
import numbers
import os
import random
import sys
import time
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from ..failure import AmbientError, AmbientFileError

_importing = True
_project = ""
# Whether there are files while the project is imported.
_has_files = True


def _caller_is_users() -> bool:
    """Whether the code that called a refused function lies in the project."""
    frame = sys._getframe(2)
    return frame.f_code.co_filename.startswith(_project)


def _refused(what: str, instead: str, kind: type[AmbientError] = AmbientError) -> AmbientError:
    return kind(f"{what} is not available in a module: {instead}")


_CLOCK = "the same row must yield the same value at any time; take the time as an argument"
_RANDOM = "the same row must yield the same value always; use random.Random(seed), with a seed from the row"
_FILES = (
    "it has no files; read data files with unskew.data(...), and list them in pyproject.toml "
    "under [tool.unskew] data"
)


def _clock(what: str, still: Any) -> Callable[..., Any]:
    def now(*_: object, **__: object) -> Any:
        if _importing and not _caller_is_users():
            return still
        raise _refused(what, _CLOCK)

    return now


def _never(what: str, instead: str) -> Callable[..., Any]:
    def refuse(*_: object, **__: object) -> Any:
        raise _refused(what, instead)

    return refuse


def _later(
    what: str,
    real: Callable[..., Any],
    instead: str,
    kind: type[AmbientError] = AmbientError,
) -> Callable[..., Any]:
    """The real function while the project is imported, and none after."""

    def guarded(*args: Any, **kwargs: Any) -> Any:
        if _importing and (_has_files or kind is not AmbientFileError):
            return real(*args, **kwargs)
        shown = f"{what}({args[0]!r})" if args and isinstance(args[0], (str, bytes)) else what
        raise _refused(shown, instead, kind)

    return guarded


def close(project: str, *, has_files: bool = True) -> None:
    """Takes it all away, before the project is imported."""
    global _project, _has_files
    _project = project.rstrip("/") + "/"
    _has_files = has_files
    _close_clocks()
    _close_randomness()
    _close_files()
    _close_the_rest()
    _close_identities()


def end_of_import() -> None:
    """The project is imported: nothing may look outside any more."""
    global _importing
    os.environ.clear()
    _importing = False
    close_what_was_imported()


def _close_clocks() -> None:
    for name in ("time", "monotonic", "perf_counter", "process_time", "thread_time"):
        if hasattr(time, name):
            setattr(time, name, _clock(f"time.{name}()", 0.0))
            setattr(time, f"{name}_ns", _clock(f"time.{name}_ns()", 0))
    for name in ("gmtime", "localtime", "ctime"):
        setattr(time, name, _of_given_time(name, getattr(time, name)))
    for name, given in (("strftime", 2), ("asctime", 1)):
        setattr(time, name, _with_time(name, getattr(time, name), given))
    time.sleep = _never("time.sleep()", "waiting changes no value; leave it out")
    for name in ("clock_gettime", "clock_gettime_ns"):
        if hasattr(time, name):
            setattr(time, name, _never(f"time.{name}()", _CLOCK))
    _replace_in_type(datetime, "now", classmethod(_never("datetime.now()", _CLOCK)))
    _replace_in_type(datetime, "utcnow", classmethod(_never("datetime.utcnow()", _CLOCK)))
    _replace_in_type(datetime, "today", classmethod(_never("datetime.today()", _CLOCK)))
    _replace_in_type(date, "today", classmethod(_never("date.today()", _CLOCK)))


def _of_given_time(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
    def given(seconds: float | None = None) -> Any:
        if seconds is None:
            raise _refused(f"time.{name}() of the present", _CLOCK)
        return real(seconds)

    return given


def _with_time(name: str, real: Callable[..., Any], given: int) -> Callable[..., Any]:
    def formatted(*args: Any) -> Any:
        if len(args) < given:
            raise _refused(f"time.{name}() of the present", _CLOCK)
        return real(*args)

    return formatted


def _replace_in_type(cls: type, name: str, value: object) -> None:
    # A type made in C takes no assignment, but the dict behind it can be had.
    (names,) = gc.get_referents(cls.__dict__)
    names[name] = value
    if hasattr(sys, "_clear_internal_caches"):  # from Python 3.13 on
        sys._clear_internal_caches()
    sys._clear_type_cache()


def _close_randomness() -> None:
    hidden = random._inst  # type: ignore[attr-defined]
    for name in dir(hidden):
        if not name.startswith("_") and hasattr(random, name) and name != "Random":
            if getattr(random, name) == getattr(hidden, name):
                setattr(random, name, _never(f"random.{name}()", _RANDOM))
    real_seed = random.Random.seed

    def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
        if a is None:
            raise _refused("random.Random() without a seed", _RANDOM)
        real_seed(self, a, version)

    # It was seeded by chance when it was made, and is part of the snapshot.
    real_seed(hidden, 0)
    random.Random.seed = seed  # type: ignore[method-assign]
    for owner in (os, sys.modules["posix"]):
        for name in ("urandom", "getrandom"):
            if hasattr(owner, name):
                setattr(owner, name, _never(f"os.{name}()", _RANDOM))
    random._urandom = os.urandom  # type: ignore[attr-defined]


def _close_files() -> None:
    opened = _later("open", builtins.open, _FILES, AmbientFileError)
    builtins.open = opened  # type: ignore[assignment]
    io.open = opened  # type: ignore[assignment]
    posix = sys.modules["posix"]
    for name in (
        "access", "chdir", "getcwd", "getcwdb", "link", "listdir", "lstat", "mkdir", "open",
        "readlink", "remove", "rename", "replace", "rmdir", "scandir", "stat", "symlink",
        "truncate", "unlink", "utime",
    ):  # fmt: skip
        if hasattr(os, name):
            guarded = _later(f"os.{name}", getattr(os, name), _FILES, AmbientFileError)
            setattr(os, name, guarded)
            setattr(posix, name, guarded)


def _close_the_rest() -> None:
    instead = "it has no environment; make it a constant or an argument"
    # It will be empty, and componentize-py itself walks over it: that is left.
    for name in ("__getitem__", "__setitem__", "__delitem__"):
        setattr(os._Environ, name, _later("os.environ", getattr(os._Environ, name), instead))
    for name in ("putenv", "unsetenv"):
        if hasattr(os, name):
            setattr(os, name, _later(f"os.{name}", getattr(os, name), instead))
    for name in ("getpid", "getppid", "getlogin", "cpu_count", "system", "_exit", "abort", "kill"):
        if hasattr(os, name):
            setattr(os, name, _never(f"os.{name}()", "there is no process and no machine"))
    real_limit = sys.setrecursionlimit
    sys.setrecursionlimit = _later(
        "sys.setrecursionlimit()", real_limit, "it would change later rows; call it at the top"
    )
    thread = sys.modules["_thread"]
    no_threads = "it has one thread; call the function directly"
    for name in ("start_new_thread", "start_new", "start_joinable_thread"):
        if hasattr(thread, name):
            setattr(thread, name, _never("starting a thread", no_threads))


def _close_identities() -> None:
    """Where an object lies, and what its hash makes of that or of the build's seed."""
    real_id, real_hash = builtins.id, builtins.hash

    def identity(value: object, /) -> int:
        if not _importing and _caller_is_users():
            raise _refused("id()", "where an object lies differs from instance to instance")
        return real_id(value)

    def seedless(value: object) -> bool:
        if isinstance(value, (tuple, frozenset)):
            return all(seedless(item) for item in value)
        # A NaN's hash is its address.
        return isinstance(value, numbers.Number) and value == value

    def hashed(value: object, /) -> int:
        if not _importing and _caller_is_users() and not seedless(value):
            what = f"hash() of a {type(value).__name__}"
            instead = "it may differ from build to build; use zlib.crc32 or hashlib on its bytes"
            raise _refused(what, instead)
        return real_hash(value)

    builtins.id, builtins.hash = identity, hashed


def close_what_was_imported() -> None:
    """Modules that copied one of these functions, or that only some projects import."""
    threading = sys.modules.get("threading")
    if threading is not None:
        threading._start_joinable_thread = sys.modules["_thread"].start_joinable_thread  # type: ignore[attr-defined]
    uuid = sys.modules.get("uuid")
    if uuid is not None:
        instead = "it would differ each time; use uuid.uuid5 of the row's values"
        for name in ("uuid1", "uuid4", "uuid6", "uuid7", "getnode"):
            if hasattr(uuid, name):
                setattr(uuid, name, _never(f"uuid.{name}()", instead))
    socket = sys.modules.get("socket")
    if socket is not None:
        instead = "it has no network; take what is needed as an argument"
        socket.socket.__init__ = _never("socket.socket()", instead)  # type: ignore[method-assign]
        for name in (
            "create_connection", "create_server", "getaddrinfo", "gethostbyaddr", "gethostbyname",
            "gethostname", "getfqdn", "socketpair",
        ):  # fmt: skip
            if hasattr(socket, name):
                setattr(socket, name, _never(f"socket.{name}()", instead))
    subprocess = sys.modules.get("subprocess")
    if subprocess is not None:
        subprocess.Popen.__init__ = _never("subprocess", "there are no other programs")  # type: ignore[method-assign]
