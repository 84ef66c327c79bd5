"""From the listed events of a source to its accepted rows: bad rows, watermarks, lateness, copies, ties (DESIGN section 5)."""

import dataclasses

from .values import canonical_bytes, parse_duration, parse_timestamp, parse_type, parse_value


class RunRefused(Exception):
    """What stops the whole run: `bad_rows: refuse`, `on_error: fail`."""


@dataclasses.dataclass(slots=True)
class Row:
    index: int
    values: dict
    event_ts: int
    created_ts: int | None
    broker_ts: int | None
    partition: int | None
    offset: int | None
    tie: tuple
    late_by_rule: bool = False


@dataclasses.dataclass
class Source:
    name: str
    fields: dict
    document: dict
    out_of_orderness: int
    max_future_skew: int
    allowed_lateness: int
    accepted: list = dataclasses.field(default_factory=list)
    dead_letters: list = dataclasses.field(default_factory=list)
    log: list = dataclasses.field(default_factory=list)

    @property
    def has_log(self):
        return "partition" in self.document


@dataclasses.dataclass(slots=True)
class Generated:
    """A time that a formula gave, in microseconds."""

    moment: int


class RowBytes:
    """The canonical bytes of a row in the order of its source's schema, made when two rows are compared by them."""

    def __init__(self, source, values):
        self.source, self.values = source, values

    def bytes(self):
        return b"".join(canonical_bytes(kind, self.values[name]) for name, kind in self.source.fields.items())

    def __eq__(self, other):
        return self.bytes() == other.bytes()

    def __lt__(self, other):
        return self.bytes() < other.bytes()


def listed_events(events, fields):
    """The rows of a case; `generate` stands for rows 0, 1, 2, ... of which each field is a formula of the row's number."""
    if isinstance(events, list):
        return events
    plan = events["generate"]

    def formula(name, spec):
        if not isinstance(spec, dict):
            return lambda i: spec
        modulo, every = spec.get("modulo"), spec.get("every", 1)
        if fields[name] == ("timestamp",):
            first, step = parse_timestamp(spec["first"]), parse_duration(spec["step"])
        else:
            first, step = spec.get("first", 0), spec.get("step", 1)
        prefix = spec.get("prefix")

        def value(i):
            k = i // every
            number = first + step * (k % modulo if modulo else k)
            if fields[name] == ("timestamp",):
                return Generated(number)
            return number if prefix is None else prefix + str(number)

        return value

    formulas = {name: formula(name, spec) for name, spec in plan["fields"].items()}
    return [{name: of(i) for name, of in formulas.items()} for i in range(plan["rows"])]


def read_time(plain):
    """A time, or None where it is null or unparsable. Generated rows bring microseconds."""
    try:
        return plain.moment if isinstance(plain, Generated) else parse_timestamp(plain)
    except ValueError:
        return None


def read_source(document, events):
    source = Source(
        name=document["name"],
        fields={field["name"]: parse_type(field["type"]) for field in document["fields"]},
        document=document,
        out_of_orderness=parse_duration(document.get("out_of_orderness", "5s")),
        max_future_skew=parse_duration(document.get("max_future_skew", "1m")),
        allowed_lateness=parse_duration(document.get("allowed_lateness", "1h")),
    )
    rows = read_rows(source, listed_events(events, source.fields))
    source.log = sorted((row for row in rows), key=lambda row: (row.partition, row.offset)) if source.has_log else []
    for row in too_late(source):
        row.late_by_rule = True
        source.dead_letters.append((row.index, "late"))
    kept = [row for row in rows if not row.late_by_rule]
    source.accepted = without_copies(source, kept)
    return source


def read_rows(source, events):
    """A row whose event or created time is null or unparsable is dead-lettered, or refused under `bad_rows: refuse`."""
    document, rows = source.document, []
    times = {name: document[name] for name in ("event_timestamp", "created_timestamp", "broker_timestamp") if name in document}
    for index, plain in enumerate(events):
        moments = {name: read_time(plain.get(field)) for name, field in times.items()}
        bad = [name for name in ("event_timestamp", "created_timestamp") if name in times and moments[name] is None]
        if bad:
            if document.get("bad_rows") == "refuse":
                raise RunRefused(f"{source.name}: row {index}: {times[bad[0]]}")
            source.dead_letters.append((index, bad[0]))
            continue
        by_field = {field: moments[name] for name, field in times.items()}
        values = {name: by_field[name] if name in by_field else parse_value(kind, plain.get(name)) for name, kind in source.fields.items()}
        broker = moments.get("broker_timestamp")
        # For a Kafka source the created time defaults to the broker's.
        created = moments["created_timestamp"] if "created_timestamp" in times else broker
        partition = values[document["partition"]] if source.has_log else None
        offset = values[document["offset"]] if source.has_log else None
        last = (partition, offset) if source.has_log else RowBytes(source, values)
        tie = (moments["event_timestamp"], created if created is not None else 0, last)
        rows.append(Row(index, values, moments["event_timestamp"], created, broker, partition, offset, tie))
    return rows


def reach(source, row):
    """How far a record moves the watermark: min(event_ts, broker_ts + max_future_skew) - out_of_orderness."""
    moment = row.event_ts
    if row.broker_ts is not None:
        moment = min(moment, row.broker_ts + source.max_future_skew)
    return moment - source.out_of_orderness


def too_late(source):
    """Record i of partition p is too late when event_ts < W(p,i) - allowed_lateness, W(p,i) being the max over all j < i."""
    late = []
    for partition in {row.partition for row in source.log}:
        watermark = None
        for row in (row for row in source.log if row.partition == partition):
            if watermark is not None and row.event_ts < watermark - source.allowed_lateness:
                late.append(row)
            watermark = reach(source, row) if watermark is None else max(watermark, reach(source, row))
    return late


def without_copies(source, rows):
    """Of rows with equal (event_id, event_timestamp) the first by (created_timestamp, partition, offset); null ids are never copies."""
    field = source.document.get("event_id")
    if field is None:
        return rows
    kept, seen = [], set()
    for row in sorted(rows, key=lambda row: row.tie):
        key = (row.values[field], row.event_ts)
        if row.values[field] is None or key not in seen:
            seen.add(key)
            kept.append(row)
        else:
            source.dead_letters.append((row.index, "duplicate"))
    return kept
