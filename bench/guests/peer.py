"""Plain CPython, asked over a pipe to run what the modules run, and to time it itself.

The first line of input holds the columns as JSON; then each line names a
function and how often to run it. Each answer is one line: nanoseconds, or the
result where it runs `0` times.
"""

import json
import sys
from array import array
from time import perf_counter_ns

sys.path.insert(0, sys.argv[1])

from kernels import light, light_columns  # noqa: E402

xs, ys = json.loads(sys.stdin.readline())
view_x, view_y = (
    memoryview(array("d", [0.0 if v is None else v for v in column])) for column in (xs, ys)
)


def rows():
    return [light(x, y) for x, y in zip(xs, ys)]


def rows_with_nulls():
    return [None if x is None or y is None else light(x, y) for x, y in zip(xs, ys)]


def columns():
    return light_columns(view_x, view_y)


for line in sys.stdin:
    name, times = line.split()
    function = globals()[name]
    times = int(times)
    if times == 0:
        print(json.dumps(list(function())), flush=True)
        continue
    start = perf_counter_ns()
    for _ in range(times):
        function()
    print(perf_counter_ns() - start, flush=True)
