"""Windows that emit: which row belongs where, when a window closes, and every row that it ever emits (DESIGN section 5).

A row of a view reaches its windows at its moment of sight, the greater of its created and its broker time. A window is
emitted when it has closed and holds a row; each row that reaches it later revises it.
"""

import dataclasses

from .log import reach
from .values import parse_duration


@dataclasses.dataclass
class Emission:
    start: int
    end: int
    created: int
    revision: int
    tombstone: bool
    rows: list


def sight(row):
    """For these windows a row is visible from the greater of its own created time and its broker time; None is from ever."""
    moments = [moment for moment in (row.created_ts, row.broker_ts) if moment is not None]
    return max(moments) if moments else None


def later(a, b):
    """The greater of two moments, of which None is from ever."""
    return b if a is None else a if b is None else max(a, b)


class Closing:
    """When windows close: W reaches their end, in every partition of the source."""

    def __init__(self, source):
        self.source = source
        self.partitions = {row.partition for row in source.log}
        self.has_broker = "broker_timestamp" in source.document

    def record(self, partition, end):
        """The first record j with min(event_ts_j, broker_ts_j + max_future_skew) - out_of_orderness >= end."""
        return next((row for row in self.source.log if row.partition == partition and reach(self.source, row) >= end), None)

    def created(self, end):
        """What a window that ends there carries as created_timestamp: the broker time of that record, and where there are no
        broker times end + out_of_orderness. None: it has not closed."""
        if not self.has_broker:
            return end + self.source.out_of_orderness
        records = [self.record(partition, end) for partition in self.partitions]
        return None if None in records or not records else max(record.broker_ts for record in records)

    def closed_before(self, row, end):
        """Whether a window that ends there was emitted before the row reached it."""
        moment, seen = self.created(end), sight(row)
        if moment is None:
            return False
        if seen is not None and seen > moment:
            return True
        if not self.source.has_log:
            return False
        if len(self.partitions) == 1:
            record = self.record(row.partition, end)
            return record is not None and (row.partition, row.offset) > (record.partition, record.offset)
        # Across partitions the log has no order but that of broker times; the cases keep those distinct.
        return self.has_broker and row.broker_ts > moment


def arrivals(rows):
    """The rows of an entity in the order in which they are seen: by their moment of sight, then as they lie in the log."""
    return sorted(rows, key=lambda row: (sight(row) is not None, sight(row) or 0, row.tie if row.offset is None else (row.partition, row.offset)))


def aligned_windows(window, event_ts):
    """The half-open [start, end) of a tumbling or sliding window that hold a moment, aligned to the epoch plus offset."""
    kind, spec = next(iter(window.items()))
    size = parse_duration(spec["size"])
    hop = size if kind == "tumbling" else parse_duration(spec["hop"])
    offset = parse_duration(spec.get("offset", "0s"))
    start = (event_ts - offset) // hop * hop + offset
    found = []
    while start + size > event_ts:
        found.append((start, start + size))
        start -= hop
    return found


def emissions(window, source, rows):
    """All that the windows over one entity's rows ever emit."""
    closing = Closing(source)
    if "session" in window:
        found = session_emissions(parse_duration(window["session"]["gap"]), closing, rows)
    else:
        found = aligned_emissions(window, closing, rows)
    # Of several with one (end, created) an upsert leaves the last.
    last = {}
    for emission in found:
        key = (emission.end, emission.created)
        if key not in last or last[key].revision <= emission.revision:
            last[key] = emission
    return sorted(last.values(), key=lambda emission: (emission.end, emission.revision))


def aligned_emissions(window, closing, rows):
    members = {}
    for row in rows:
        for bounds in aligned_windows(window, row.event_ts):
            members.setdefault(bounds, []).append(row)
    found = []
    for (start, end), own in members.items():
        created = closing.created(end)
        if created is None:
            continue
        own = arrivals(own)
        held = [row for row in own if not closing.closed_before(row, end)]
        revision = 0
        if held:
            found.append(Emission(start, end, created, 0, False, list(held)))
        for row in (row for row in own if closing.closed_before(row, end)):
            revision += 1 if held else 0
            held = held + [row]
            found.append(Emission(start, end, later(sight(row), created), revision, False, list(held)))
    return found


@dataclasses.dataclass
class Session:
    rows: list
    numbers: list  # of its rows, in order of arrival
    end: int
    emitted_as: Emission | None  # what stands for it
    first_emitted_before: int | None  # the arrival before which it, or the first of its parts, was first emitted

    def revision(self):
        return sum(number >= self.first_emitted_before for number in self.numbers)


def session_emissions(gap, closing, rows):
    """[first, last + gap): an event at last + gap begins a new one; a late event may bridge, and leaves a tombstone."""
    sessions, found = [], []

    def emit(session, before, moment):
        if session.first_emitted_before is None:
            session.first_emitted_before = before
        created = later(moment, closing.created(session.end))
        start = min(row.event_ts for row in session.rows)
        session.emitted_as = Emission(start, session.end, created, session.revision(), False, list(session.rows))
        found.append(session.emitted_as)

    def moment_of(session):
        return None if not session.rows else later_of(session.rows)

    for number, row in enumerate(arrivals(rows)):
        for session in sessions:
            if session.emitted_as is None and closing.closed_before(row, session.end):
                emit(session, number, moment_of(session))
        parts = [s for s in sessions if s.end > row.event_ts and row.event_ts + gap > min(r.event_ts for r in s.rows)]
        sessions = [session for session in sessions if session not in parts]
        merged_rows = [r for part in parts for r in part.rows] + [row]
        firsts = [part.first_emitted_before for part in parts if part.first_emitted_before is not None]
        merged = Session(
            rows=merged_rows,
            numbers=[n for part in parts for n in part.numbers] + [number],
            end=max(r.event_ts for r in merged_rows) + gap,
            emitted_as=None,
            first_emitted_before=min(firsts) if firsts else None,
        )
        for part in parts:
            old = part.emitted_as
            if old is not None and old.end != merged.end:
                part.numbers.append(number)
                found.append(Emission(old.start, old.end, later(sight(row), old.created), part.revision(), True, []))
        if closing.closed_before(row, merged.end):
            emit(merged, number if merged.first_emitted_before is not None else number + 1, sight(row))
        sessions.append(merged)
    for session in sessions:
        if session.emitted_as is None and closing.created(session.end) is not None:
            emit(session, len(rows), moment_of(session))
    return found


def later_of(rows):
    moment = None
    for row in rows:
        moment = later(moment, sight(row))
    return moment
