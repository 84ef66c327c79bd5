"""PySpark, asked over a pipe to run the function of `kernels.py` as an Arrow-optimised UDF.

Arguments: the folder of kernels.py, and a Parquet file with the columns row, x and y. The first
line of output says the version, once the table is in memory and the workers are warm. Then each
line `run` is answered by the CPU nanoseconds of one query, of all processes; `answers FILE` by a
Parquet file with the rows in their order.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, sys.argv[1])
# Its workers run this very Python, and find the function.
os.environ["PYSPARK_PYTHON"] = sys.executable
os.environ["PYTHONPATH"] = sys.argv[1]
os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"

import pyspark  # noqa: E402
from kernels import light  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402
from pyspark.sql.functions import udf  # noqa: E402

TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
WARM_UPS = 3


def cpu_ns():
    """Of this process and all that descend from it, those that ended included."""
    used, parents = {}, {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        pid = int(folder.name)
        parents[pid] = int(fields[1])
        used[pid] = sum(int(field) for field in fields[11:15])
    total = 0
    for pid in used:
        ancestor = pid
        while ancestor not in (0, 1, os.getpid()):
            ancestor = parents.get(ancestor, 0)
        if ancestor == os.getpid():
            total += used[pid]
    return total * TICK_NS


session = (
    SparkSession.builder.master("local[1]")
    .config("spark.ui.enabled", "false")
    .config("spark.driver.bindAddress", "127.0.0.1")
    .config("spark.driver.host", "127.0.0.1")
    .config("spark.log.level", "ERROR")
    .getOrCreate()
)
table = session.read.parquet(sys.argv[2]).repartition(1).cache()
table.count()
function = udf(light, "double", useArrow=True)
query = table.select(function("x", "y").alias("z"))


def run():
    query.write.format("noop").mode("overwrite").save()


for _ in range(WARM_UPS):
    run()
print(pyspark.__version__, flush=True)
for line in sys.stdin:
    command, _, argument = line.strip().partition(" ")
    if command == "stop":
        break
    if command == "answers":
        rows = table.select("row", function("x", "y").alias("z")).toPandas().sort_values("row")
        rows[["z"]].to_parquet(argument, index=False)
        print("written", flush=True)
    else:
        before = cpu_ns()
        run()
        print(cpu_ns() - before, flush=True)
session.stop()
