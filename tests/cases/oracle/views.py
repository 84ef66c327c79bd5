"""A feature view over its source's accepted rows: its own rows, and the value of each feature as of a moment."""

import dataclasses

from .aggregates import DoesNotFit, aggregate, output_type
from .log import RunRefused
from .sql import Expression, RowError
from .values import format_value, identity, parse_duration, parse_type, parse_value
from .windows import emissions

DAY = parse_duration("1d")
PRESENT, NULL_VALUE, NOT_FOUND, OUTSIDE_MAX_AGE, ERROR = "PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE", "ERROR"


class Failed:
    """Stands in a row for a value whose making failed; whoever reads it sees null."""


FAILED = Failed()


def seen(value):
    return None if value is FAILED else value


def run_steps(steps, columns):
    """The typed expressions of transforms in sequence; those of one step see only what was before it. Extends `columns`."""
    compiled = []
    for step in steps or []:
        if "sql" not in step:
            raise ValueError("the oracle knows no modules")
        expressions = {name: Expression(str(text), dict(columns)) for name, text in step["sql"].items()}
        columns.update({name: expression.kind for name, expression in expressions.items()})
        compiled.append(expressions)
    return compiled


def apply_steps(compiled, row, view):
    """A failing expression leaves FAILED in its output; `on_error: fail` stops the run."""
    for expressions in compiled:
        before = {name: seen(value) for name, value in row.items()}
        for name, expression in expressions.items():
            try:
                row[name] = expression.evaluate(before)
            except RowError as error:
                if view.on_error == "fail":
                    raise RunRefused(f"{view.name}: {name}: {error}") from error
                row[name] = FAILED


@dataclasses.dataclass
class Feature:
    name: str
    column: str
    kind: tuple
    default: object


def features_of(document, columns, offered):
    """What is served: the listed features, else all that the view makes."""
    listed = document.get("features") or [{"name": name} for name in offered]
    found = []
    for feature in listed:
        kind = columns[feature.get("column", feature["name"])]
        if "type" in feature and parse_type(feature["type"]) != kind:
            raise ValueError(f"{document['name']}: {feature['name']} is {kind}, not {feature['type']}")
        default = parse_value(kind, feature.get("default"))
        found.append(Feature(feature["name"], feature.get("column", feature["name"]), kind, default))
    return found


def served(feature, value, on_error):
    """The value and its true status: under `on_error: default` an error gets the default; a null that was made stays null."""
    if value is FAILED:
        return (feature.default if on_error == "default" else None), ERROR
    return value, NULL_VALUE if value is None else PRESENT


def served_features(view, row):
    """{feature: (value, status)} of one evaluated row."""
    return {feature.name: served(feature, row[feature.column], view.on_error) for feature in view.features}


def tail_hop(over):
    """Default hop: 1 day for sizes from 12 days, 1 hour from 12 hours, else the smaller of 5 minutes and a twelfth of the size."""
    size = parse_duration(over["size"])
    if "hop" in over:
        return parse_duration(over["hop"])
    if size >= 12 * DAY:
        return DAY
    if size >= DAY // 2:
        return DAY // 24
    return min(DAY // 288, size // 12)


class View:
    def __init__(self, document, entities, source, default_ttl=None):
        self.document, self.source, self.name = document, source, document["name"]
        self.version = document.get("version", 1)
        self.on_error = document.get("on_error") or "null"
        ttl = document.get("ttl", default_ttl)
        self.ttl = None if ttl is None else parse_duration(ttl)
        self.keys = [(key["name"], parse_type(key["type"])) for name in document["entities"] for key in entities[name]["join_keys"]]
        mapping = document.get("join_keys", {})
        self.key_fields = [mapping.get(name, name) for name, _ in self.keys]
        columns = dict(source.fields)
        self.filter = Expression(document["filter"], columns) if "filter" in document else None
        self.steps = run_steps(document.get("transforms"), columns)
        self.aggregates = document.get("aggregates") or []
        self.window = document.get("window")
        self.wheres = {a["name"]: Expression(a["where"], columns) for a in self.aggregates if "where" in a}
        self.columns = columns
        after = dict(self.keys) if self.aggregates else {**dict(self.keys), **columns}
        for a in self.aggregates:
            after[a["name"]] = output_type(a["function"], columns[a["column"]] if "column" in a else None)
        made = [a["name"] for a in self.aggregates] or [name for step in self.steps for name in step]
        self.post_steps = run_steps(document.get("post_transforms"), after)
        made += [name for step in self.post_steps for name in step]
        self.features = features_of(document, after, made)
        self.key_errors = []
        self.rows = self.make_rows()
        self.emitted = self.make_emissions() if self.window else {}

    def feature(self, name):
        return next(feature for feature in self.features if feature.name == name)

    def make_rows(self):
        """A null join key dead-letters the row for this view alone; `filter` decides which rows exist for it."""
        rows = {}
        for row in sorted(self.source.accepted, key=lambda row: row.tie):
            key = tuple(identity(kind, row.values[field]) for field, (_, kind) in zip(self.key_fields, self.keys))
            if None in key:
                self.key_errors.append(row.index)
                continue
            values = dict(row.values)
            if self.filter:
                try:
                    kept = self.filter.evaluate(values)
                except RowError as error:
                    if self.on_error == "fail":
                        raise RunRefused(f"{self.name}: filter: {error}") from error
                    kept = None
                if kept is not True:
                    continue
            apply_steps(self.steps, values, self)
            rows.setdefault(key, []).append(dataclasses.replace(row, values=values))
        return rows

    # --- values of a set of rows -------------------------------------------
    def folded(self, name, rows):
        """One aggregate over rows in tie order; `where` is what this feature alone sees."""
        spec = next(a for a in self.aggregates if a["name"] == name)
        values = []
        for row in sorted(rows, key=lambda row: row.tie):
            visible = row.values
            if name in self.wheres:
                visible = {column: seen(value) for column, value in row.values.items()}
                try:
                    if self.wheres[name].evaluate(visible) is not True:
                        continue
                except RowError as error:
                    if self.on_error == "fail":
                        raise RunRefused(f"{self.name}: where: {error}") from error
                    continue
            values.append(seen(visible[spec["column"]]) if "column" in spec else True)
        try:
            return aggregate(spec["function"], self.columns[spec["column"]] if "column" in spec else None, values, spec)
        except DoesNotFit as error:
            if self.on_error == "fail":
                raise RunRefused(f"{self.name}: {name}: {error}") from error
            return FAILED

    def served_row(self, row):
        """Post-transforms per evaluated row, then the features: {name: (value, status)}."""
        apply_steps(self.post_steps, row, self)
        return served_features(self, row)

    def of_rows(self, key_values, rows_of):
        """The features over aggregates; `rows_of(aggregate)` gives the rows that it folds."""
        row = dict(zip((name for name, _ in self.keys), key_values))
        row.update({a["name"]: self.folded(a["name"], rows_of(a)) for a in self.aggregates})
        return self.served_row(row)

    def make_emissions(self):
        found = {}
        for key, rows in self.rows.items():
            found[key] = emissions(self.window, self.source, rows)
        return found

    # --- as of a moment -------------------------------------------------------
    def absent(self, status):
        """The default replaces NOT_FOUND and OUTSIDE_MAX_AGE; the status stays the true one."""
        return {feature.name: (feature.default, status) for feature in self.features}

    def answer(self, key_values, t):
        """{feature: (value, status)} for the entity with these join keys, as of t."""
        if None in key_values:
            return self.absent(NOT_FOUND)
        key = tuple(identity(kind, value) for value, (_, kind) in zip(key_values, self.keys))
        if self.window:
            return self.latest_window(key, key_values, t)
        # The rule of sight.
        rows = [row for row in self.rows.get(key, []) if row.event_ts <= t and (row.created_ts is None or row.created_ts <= t)]
        return self.trailing(key_values, rows, t) if self.aggregates else self.latest(rows, t)

    def has_event_at(self, question):
        """Whether an accepted event of the question's entity stands at the very time of the question."""
        if not all(name in question.entity for name, _ in self.keys):
            return False
        key = tuple(identity(kind, parse_value(kind, question.entity[name])) for name, kind in self.keys)
        return any(row.event_ts == question.t for row in self.rows.get(key, []))

    def too_old(self, event_ts, t):
        """age = ttl is still served."""
        return self.ttl is not None and t - event_ts > self.ttl

    def latest(self, rows, t):
        if not rows:
            return self.absent(NOT_FOUND)
        row = max(rows, key=lambda row: row.tie)
        if self.too_old(row.event_ts, t):
            return self.absent(OUTSIDE_MAX_AGE)
        return self.served_row(dict(row.values))

    def trailing(self, key_values, rows, t):
        """floor(t - size, hop) <= ts <= t, for each aggregate its own; absence and age by the one whose tail begins earliest."""
        begins = {}
        for a in self.aggregates:
            hop = tail_hop(a["over"])
            begins[a["name"]] = (t - parse_duration(a["over"]["size"])) // hop * hop
        longest = [row for row in rows if row.event_ts >= min(begins.values())]
        if not longest:
            return self.absent(NOT_FOUND)
        if self.too_old(max(row.event_ts for row in longest), t):
            return self.absent(OUTSIDE_MAX_AGE)
        return self.of_rows(key_values, lambda a: [row for row in rows if row.event_ts >= begins[a["name"]]])

    def latest_window(self, key, key_values, t):
        """That of the visible window with the greatest end, until its ttl."""
        standing = {}
        for emission in self.emitted.get(key, []):
            if emission.end <= t and emission.created <= t:
                standing[emission.end] = emission  # listed by (end, revision)
        ends = [end for end, emission in standing.items() if not emission.tombstone]
        if not ends:
            return self.absent(NOT_FOUND)
        if self.too_old(max(ends), t):
            return self.absent(OUTSIDE_MAX_AGE)
        return self.of_rows(key_values, lambda _: standing[max(ends)].rows)

    def emitted_rows(self):
        """All that the view's windows emit, as a case lists it, by (entity, end, revision)."""
        listed = []
        for key in sorted(self.emitted, key=repr):
            example = self.rows[key][0]
            key_values = [example.values[field] for field in self.key_fields]
            entity = {name: format_value(kind, value) for (name, kind), value in zip(self.keys, key_values)}
            for emission in self.emitted[key]:
                values = {} if emission.tombstone else {
                    name: format_value(self.feature(name).kind, value)
                    for name, (value, _) in self.of_rows(key_values, lambda _, e=emission: e.rows).items()
                }
                listed.append((entity, emission, values))
        return listed
