"""DuckDB, Polars and Feast beside us: the same questions over the same files.

Started with the folder of the files; then each line of input names a function and the file that it shall write.
Each answer is one line: how long that took, in nanoseconds by this process's own clock, imports not counted; or what
the function answers. Contenders read Parquet and write Parquet: the label's number and the features.
"""

import sys
from pathlib import Path
from time import perf_counter_ns

FOLDER = Path(sys.argv[1])
EVENTS = FOLDER / "events.parquet"
LABELS = FOLDER / "labels.parquet"
# (name, size, hop) in microseconds, as the module's own project defines them.
MINUTE = 60_000_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
WINDOWS = [
    ("1h", HOUR, 5 * MINUTE),
    ("6h", 6 * HOUR, 5 * MINUTE),
    ("1d", DAY, HOUR),
    ("7d", 7 * DAY, HOUR),
    ("30d", 30 * DAY, DAY),
]


def duckdb_connection():
    import duckdb

    # As its documentation advises for data that fits: all cores, and no order to keep.
    connection = duckdb.connect()
    connection.execute("SET preserve_insertion_order = false")
    return connection


def copy(query, output):
    return f"COPY ({query}) TO '{output}' (FORMAT parquet)"


def asof_duckdb(output):
    query = f"""
        SELECT l.label, e.amount
        FROM '{LABELS}' l ASOF LEFT JOIN '{EVENTS}' e
        ON l.user_id = e.user_id AND l.event_timestamp >= e.event_timestamp"""
    duckdb_connection().execute(copy(query, output))


def asof_polars(output):
    import polars as pl

    events = pl.scan_parquet(EVENTS).select("user_id", "event_timestamp", "amount").sort("event_timestamp")
    labels = pl.scan_parquet(LABELS).sort("event_timestamp")
    joined = labels.join_asof(events, on="event_timestamp", by="user_id", strategy="backward")
    joined.select("label", "amount").sink_parquet(output)


def tail(size, hop, time):
    return f"(({time} - {size}) // {hop}) * {hop}"


def trailing_range_join(output):
    """One join over the longest window; shorter ones are filters of its rows."""
    columns, bounds = [], []
    for name, size, hop in WINDOWS:
        bounds.append(f"{tail(size, hop, 'epoch_us(event_timestamp)')} AS tail_{name}")
        seen = f"FILTER (e.time >= l.tail_{name})"
        columns.append(
            f"count(e.amount) {seen} AS count_{name}, sum(e.amount) {seen} AS sum_{name}, "
            f"avg(e.amount) {seen} AS avg_{name}, max(e.amount) {seen} AS max_{name}"
        )
    longest = WINDOWS[-1][0]
    query = f"""
        WITH l AS (SELECT label, user_id, epoch_us(event_timestamp) AS time, {", ".join(bounds)} FROM '{LABELS}'),
        e AS (SELECT user_id, epoch_us(event_timestamp) AS time, amount FROM '{EVENTS}')
        SELECT l.label, {", ".join(columns)}
        FROM l LEFT JOIN e
        ON l.user_id = e.user_id AND e.time <= l.time AND e.time >= l.tail_{longest}
        GROUP BY l.label"""
    duckdb_connection().execute(copy(query, output))


def trailing_union(output):
    """Labels among the events, and a RANGE frame for each window."""
    columns = []
    for name, size, hop in WINDOWS:
        frame = (
            f"OVER (PARTITION BY user_id ORDER BY time "
            f"RANGE BETWEEN (time - {tail(size, hop, 'time')}) PRECEDING AND CURRENT ROW)"
        )
        columns.append(
            f"count(amount) {frame} AS count_{name}, sum(amount) {frame} AS sum_{name}, "
            f"avg(amount) {frame} AS avg_{name}, max(amount) {frame} AS max_{name}"
        )
    query = f"""
        WITH rows AS (
            SELECT NULL AS label, user_id, epoch_us(event_timestamp) AS time, amount FROM '{EVENTS}'
            UNION ALL
            SELECT label, user_id, epoch_us(event_timestamp), NULL FROM '{LABELS}')
        SELECT * FROM (SELECT label, {", ".join(columns)} FROM rows) WHERE label IS NOT NULL"""
    duckdb_connection().execute(copy(query, output))


FEAST = FOLDER / "feast"


def feast_apply():
    """Makes the repository: the latest amount of a user, from the same file."""
    from datetime import timedelta

    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
    from feast.types import Float64

    FEAST.mkdir(exist_ok=True)
    (FEAST / "feature_store.yaml").write_text(
        "project: bench\nprovider: local\nregistry: registry.db\noffline_store: {type: duckdb}\n"
        "online_store: {type: sqlite, path: online.db}\nentity_key_serialization_version: 3\n"
    )
    user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
    source = FileSource(name="events", path=str(EVENTS), timestamp_field="event_timestamp")
    latest = FeatureView(
        name="latest",
        entities=[user],
        ttl=timedelta(days=3650),
        schema=[Field(name="amount", dtype=Float64)],
        source=source,
    )
    FeatureStore(repo_path=str(FEAST)).apply([user, latest])


def feast_historical(output):
    """Feast's `get_historical_features` on its DuckDB offline store, which takes labels as a frame of pandas."""
    import pandas as pd
    from feast import FeatureStore

    store = FeatureStore(repo_path=str(FEAST))
    labels = pd.read_parquet(LABELS)
    found = store.get_historical_features(entity_df=labels, features=["latest:amount"])
    found.to_df()[["label", "amount"]].to_parquet(output)


def count_labels(labels):
    import pyarrow.parquet as pq

    return (pq.read_metadata(labels).num_rows,)


def same_latest(ours, theirs):
    """Whether two files hold the same `amount` for each label, to the bit."""
    import duckdb

    query = f"""
        SELECT count(*), count(*) FILTER (a.amount IS DISTINCT FROM b.amount)
        FROM '{ours}' a JOIN '{theirs}' b USING (label)"""
    return duckdb.sql(query).fetchall()[0]


def same_trailing(ours, theirs):
    """Counts and maxima to the bit; sums as closely as floats added in some order allow. On nothing ours is absent
    or has null sums."""
    import duckdb

    differs = []
    for name, _, _ in WINDOWS:
        differs.append(f"coalesce(a.count_{name}, 0) <> b.count_{name}")
        differs.append(f"a.max_{name} IS DISTINCT FROM b.max_{name}")
        for sum_ in ("sum", "avg"):
            a, b = f"a.{sum_}_{name}", f"b.{sum_}_{name}"
            # The totals are those of amounts above zero.
            differs.append(f"({a} IS NULL) <> ({b} IS NULL) OR abs({a} - {b}) > 1e-9 * abs({a})")
    query = f"""
        SELECT count(*), count(*) FILTER ({" OR ".join(f"({d})" for d in differs)})
        FROM '{ours}' a JOIN '{theirs}' b USING (label)"""
    return duckdb.sql(query).fetchall()[0]


def main():
    # Loaded before the clock runs; a service or a notebook has them loaded, too.
    for module in sys.argv[2:]:
        __import__(module)
    for line in sys.stdin:
        name, *arguments = line.split()
        function = globals()[name]
        start = perf_counter_ns()
        answer = function(*arguments)
        # What answers nothing is timed.
        print(*(answer or [perf_counter_ns() - start]), flush=True)


if __name__ == "__main__":
    main()
