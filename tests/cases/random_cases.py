#!/usr/bin/env python3
"""Makes random cases and lets the oracle answer them, in the form of the case files: a runner is held against thousands.

    random_cases.py SEED N [--folder DIR]     writes DIR/SEED-00000.yaml ...; the same seed gives the same files

Times lie on a coarse grid, now and then a microsecond off, so that edges are hit. What the design leaves open is kept away:
broker times grow strictly over the whole log, windows that emit over a log have broker times, percentiles see plain numbers.
"""

import argparse
import json
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from oracle.answers import Answers  # noqa: E402
from oracle.values import format_timestamp, format_value, parse_timestamp  # noqa: E402

MINUTE = 60_000_000
BASES = ["2026-01-01T00:00:00Z", "1969-12-31T20:00:00Z", "2024-02-28T12:00:00Z"]
KEYS = {"utf8": ["u1", "u2", "it's", "a\0b", "", "é"], "int64": [0, 1, -1, "9007199254740993"]}
FLOATS = [0.0, -0.0, 1.0, 0.1, 0.2, -0.3, 2.5, 1e16, -1e16, 1e308, -1e308, 5e-324, "NaN", "inf", "-inf"]
PLAIN_FLOATS = [0.0, 1.0, 0.1, 0.25, 3.75, 12.5, 100.0, 1e6, -2.5, -40.0]
INTEGERS = [0, 1, 2, 3, 4, 5, 7, 10, 100]
EXTREMES = ["9223372036854775807", "-9223372036854775808", -3, -7]
TEXTS = ["", "a", "b", "ab", "B", "é", "7", "-12", "x"]
DURATIONS = {"size": ["10m", "15m", "1h", "2h", "6h"], "hop": ["1m", "5m", "10m"], "gap": ["5m", "10m", "30m"], "offset": ["0s", "3m", "7m30s"]}
DEFAULTS = {"int64": -1, "float64": -1.5, "utf8": "none", "bool": True, "decimal128(10,2)": "-0.01"}
ORDERLESS = ["sum", "avg", "min", "max", "variance", "stddev", "variance_pop", "stddev_pop"]
COLUMNS = {"i": "int64", "j": "int64", "x": "float64", "y": "float64", "s": "utf8", "b": "bool", "d": "decimal128(10,2)"}


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.base = parse_timestamp(self.random.choice(BASES))
        self.has_log = self.chance(0.5)
        self.has_broker = self.has_log and self.chance(0.7)
        self.has_created = self.chance(0.4)
        self.has_id = self.chance(0.3)
        self.in_use = {}

    def chance(self, share):
        return self.random.random() < share

    def pick(self, options):
        return self.random.choice(options)

    def moment(self, minutes=720):
        """A moment on the grid, or a microsecond beside it."""
        grid = self.pick([MINUTE, 5 * MINUTE, 30 * MINUTE])
        off = self.pick([0, 0, 0, 0, 1, -1])
        return self.base + self.random.randrange(0, minutes * MINUTE // grid) * grid + off

    # --- events ----------------------------------------------------------------
    def value(self, column):
        if self.chance(0.12):
            return None
        if column in ("i", "j"):
            return self.without_negatives(EXTREMES) if self.chance(0.05) else self.pick(INTEGERS)
        if column == "d":
            return self.without_negatives(["0.10", "0.20", "-1.50", "99999999.99"])
        return self.pick({"x": FLOATS, "y": PLAIN_FLOATS, "s": TEXTS, "b": [True, False]}[column])

    def key_value(self, kind):
        """Two or three entities to a case, so that they meet."""
        if kind not in self.in_use:
            self.in_use[kind] = [self.without_negatives(KEYS[kind]) for _ in range(3 if len(self.keys) == 1 else 2)]
        return None if self.chance(0.03) else self.pick(self.in_use[kind])

    def without_negatives(self, options):
        """Negative integers and decimals only where there is a log: without one their bytes decide ties, of which the design says
        no more than big-endian."""
        return self.pick(options if self.has_log else [value for value in options if not str(value).startswith("-")])

    def events(self):
        rows, broker, wild = [], self.base, self.chance(0.1)
        moment = self.base
        positions = {0: 0, 1: 0}
        partitions = self.pick([1, 1, 2])
        for _ in range(self.random.randrange(0, 45)):
            row = {name: self.key_value(kind) for name, kind in self.keys}
            row.update({column: self.value(column) for column in COLUMNS})
            if self.has_log:
                # A log mostly goes forward; late, early and far-off records are mixed in.
                moment += self.pick([0, MINUTE, MINUTE, 5 * MINUTE, 5 * MINUTE, 20 * MINUTE])
                event = moment + self.pick([0, 0, 0, 1, -1, -MINUTE, -5 * MINUTE, -10 * MINUTE, -20 * MINUTE, -40 * MINUTE, -90 * MINUTE, 10 * MINUTE])
                event += self.pick([0] * 30 + [300 * 24 * 60 * MINUTE])
                broker = max(broker + 1, moment + self.pick([0, 1, 2 * MINUTE]))
                partition = self.random.randrange(partitions)
                positions[partition] += self.pick([1, 1, 3])
                row.update(part=partition, pos=positions[partition])
                if self.has_broker:
                    row["broker_at"] = format_timestamp(broker)
            else:
                event = self.moment()
            row["ts"] = format_timestamp(event)
            if self.has_created:
                late = self.pick([0, 0, 1, MINUTE, 15 * MINUTE, 120 * MINUTE])
                created = event + late
                if self.has_broker:
                    created = broker + (late if wild else -min(late, MINUTE))
                row["created_at"] = format_timestamp(created)
            if self.has_id:
                row["id"] = self.pick([None, "o1", "o2", "o3"])
            if self.chance(0.03):
                row["ts"] = self.pick([None, "never"])
            elif self.has_created and not self.has_log and self.chance(0.03):
                row["created_at"] = self.pick([None, "2026-02-30T00:00:00Z"])
            rows.append(row)
            if self.has_id and self.chance(0.2) and not self.has_log:
                rows.append({**row, "i": self.value("i")})
        if not self.has_log and rows:
            rows += [dict(self.pick(rows)) for _ in range(self.random.randrange(3))]
        self.random.shuffle(rows)
        return rows

    # --- definition --------------------------------------------------------------
    def source(self):
        fields = [(name, kind) for name, kind in self.keys] + list(COLUMNS.items()) + [("ts", "timestamp")]
        source = {"name": "orders", "fields": [], "event_timestamp": "ts"}
        if self.has_created:
            fields.append(("created_at", "timestamp"))
            source["created_timestamp"] = "created_at"
        if self.has_broker:
            fields.append(("broker_at", "timestamp"))
            source["broker_timestamp"] = "broker_at"
        if self.has_log:
            fields += [("part", "int32"), ("pos", "int64")]
            source.update(partition="part", offset="pos")
        if self.has_id:
            fields.append(("id", "utf8"))
            source["event_id"] = "id"
        source["fields"] = [{"name": name, "type": kind, "nullable": True} for name, kind in fields]
        for setting, options in {"out_of_orderness": ["0s", "5s", "2m"], "max_future_skew": ["0s", "1m", "10m"], "allowed_lateness": ["0s", "10m", "1h"]}.items():
            if self.chance(0.5):
                source[setting] = self.pick(options)
        return source

    def condition(self):
        return self.pick(["i > 2", "i >= 0 AND s <> 'a'", "b", "NOT b", "s IN ('a', 'b', '7')", "s IS NOT NULL", "i BETWEEN 1 AND 5 OR b", "y > 0.5"])

    def transforms(self):
        """Independent outputs in one step: what a default does to an output that another reads is left open."""
        options = {
            "ratio": "i / j", "whole": "i * 3 + j", "number": "CAST(s AS BIGINT)", "worth": "y * 2.0 + 1.0", "label": "upper(s)",
            "chosen": "CASE WHEN b THEN i WHEN j > 3 THEN j ELSE -1 END", "filled": "coalesce(i, -5)", "turned": "-i", "missing": "x IS NULL",
        }
        names = self.random.sample(sorted(options), self.random.randrange(1, 4))
        return [{"sql": {name: options[name] for name in names}}], names

    def aggregate(self, number, made):
        kinds = dict(COLUMNS, ratio="int64", whole="int64", number="int64", worth="float64", label="utf8", chosen="int64", filled="int64", turned="int64", missing="bool")
        column = self.pick([*COLUMNS, *made])
        kind = kinds[column]
        options = ["count", "min", "max", "first", "last", "last_n", "top_k", "most_frequent", "count_distinct"]
        if kind in ("int64", "float64", "decimal128(10,2)"):
            options += ORDERLESS
        if column == "y":
            options += ["percentile"] * 4
        spec = {"name": f"a{number}", "function": self.pick(options), "column": column}
        if spec["function"] == "count" and self.chance(0.5):
            del spec["column"]
        if spec["function"] == "last_n":
            spec["n"] = self.pick([1, 2, 5])
        if spec["function"] in ("top_k", "most_frequent"):
            spec["k"] = self.pick([1, 3])
        if spec["function"] == "percentile":
            spec["q"] = self.pick([0.1, 0.25, 0.5, 0.9, 0.95, 1.0])
        if self.chance(0.3):
            spec["where"] = self.condition()
        return spec

    def view(self, number):
        view = {"name": f"v{number}", "entities": ["user"], "source": "orders"}
        if self.chance(0.3):
            view["filter"] = self.condition()
        made = []
        if self.chance(0.5):
            view["transforms"], made = self.transforms()
        if self.chance(0.4):
            view["ttl"] = self.pick(["5m", "1h", "3h"])
        view["on_error"] = self.pick(["null", "default"])
        kinds = ["latest", "trailing", "trailing", "trailing"]
        if self.has_broker or not self.has_log:
            kinds += ["tumbling", "sliding", "session", "session"]
        kind = self.pick(kinds)
        if kind == "latest":
            view["features"] = [{"name": name} for name in [*self.random.sample(sorted(COLUMNS), 2), *made]]
            return view
        view["aggregates"] = [self.aggregate(i, made) for i in range(self.random.randrange(1, 5))]
        size, offset = self.pick(DURATIONS["size"]), self.pick(DURATIONS["offset"])
        if kind == "trailing":
            for spec in view["aggregates"]:
                spec["over"] = {"size": self.pick([*DURATIONS["size"], "1d"])}
                if self.chance(0.6):
                    spec["over"]["hop"] = self.pick(DURATIONS["hop"])
        elif kind == "tumbling":
            view["window"] = {"tumbling": {"size": size, "offset": offset}}
        elif kind == "sliding":
            view["window"] = {"sliding": {"size": size, "hop": self.pick(DURATIONS["hop"]), "offset": offset}}
        else:
            view["window"] = {"session": {"gap": self.pick(DURATIONS["gap"])}}
        if self.chance(0.3):
            view["aggregates"].append({"name": "n", "function": "count", **({"over": {"size": "1h"}} if kind == "trailing" else {})})
            view["post_transforms"] = [{"sql": {"per": "100 / (n - 2)", "more": "n + 1"}}]
        view["features"] = [{"name": spec["name"]} for spec in view["aggregates"]] + [{"name": "per"}, {"name": "more"}] * ("post_transforms" in view)
        return view

    def add_defaults(self, definition, events):
        """A default needs its feature's type, which the oracle knows."""
        answers = Answers(definition, events)
        for view in definition["feature_views"]:
            for feature in view["features"]:
                kind = answers.view(view["name"]).feature(feature["name"]).kind[0]
                if kind in DEFAULTS and self.chance(0.4):
                    feature["default"] = DEFAULTS[kind]

    def on_demand(self, definition, events):
        answers = Answers(definition, events)
        numbers = [(view.name, f.name) for view in answers.views.values() for f in view.features if f.kind == ("int64",)]
        if not numbers or not self.chance(0.4):
            return
        view, feature = self.pick(numbers)
        definition["sources"].append({"name": "checkout", "kind": "request", "fields": [{"name": "price", "type": "int64", "nullable": True}]})
        definition["on_demand_feature_views"] = [{
            "name": "derived",
            "inputs": {"seen": f"{view}:{feature}", "price": "checkout:price"},
            "transforms": [{"sql": {"rate": "seen / price", "known": "seen IS NOT NULL"}}],
            "features": [{"name": "rate", "default": -9}, {"name": "known"}],
            "on_error": self.pick(["null", "default"]),
        }]

    def case(self):
        self.keys = self.pick([[("user_id", "utf8")], [("user_id", "int64")], [("user_id", "utf8"), ("shop", "int64")]])
        definition = {
            "entities": [{"name": "user", "join_keys": [{"name": name, "type": kind} for name, kind in self.keys]}],
            "sources": [self.source()],
            "feature_views": [self.view(number) for number in range(self.random.randrange(1, 4))],
        }
        events = {"orders": self.events()}
        self.add_defaults(definition, events)
        self.on_demand(definition, events)
        return answered(definition, events, [self.question() for _ in range(self.random.randrange(4, 13))], "checkout" in str(definition), self)

    def question(self):
        return {"at": format_timestamp(self.moment(self.pick([120, 300, 900]))), "entity": {name: self.key_value(kind) for name, kind in self.keys}}


def answered(definition, events, questions, asks_price, maker):
    answers = Answers(definition, events)
    for question in questions:
        if asks_price:
            question["request"] = {"price": maker.pick([None, 0, 1, 3, 10])}
        wanted = [f"{view.name}:{feature.name}" for view in answers.views.values() for feature in view.features]
        question["expect"] = {}
        for name, kind, value, status in answers.answers(question, wanted):
            question["expect"][name] = {"value": format_value(kind, value), "status": status}
            view, _, feature = name.partition(":")
            specs = answers.view(view).document.get("aggregates") or []
            if any(spec["name"] == feature and spec["function"] == "percentile" for spec in specs):
                question["expect"][name]["tolerance"] = 0.01
    case = {"definition": definition, "events": events, "questions": questions}
    emitted = {}
    for view in answers.views.values():
        if getattr(view, "window", None) and not any(spec["function"] == "percentile" for spec in view.aggregates):
            emitted[view.name] = [
                {
                    "entity": entity, "window_start": format_timestamp(e.start), "window_end": format_timestamp(e.end),
                    "event_timestamp": format_timestamp(e.end), "created_timestamp": format_timestamp(e.created),
                    "revision": e.revision, "tombstone": e.tombstone, "values": values,
                }
                for entity, e, values in view.emitted_rows()
            ]
    if emitted:
        case["emitted"] = emitted
    if letters := answers.dead_letters():
        case["dead_letters"] = {source: [{"row": row, "reason": reason} for row, reason in listed] for source, listed in letters.items()}
    return case


def written(value, depth=0):
    """JSON is YAML; the outer levels are broken into lines, all of them indented."""
    if depth < 2 and isinstance(value, (dict, list)) and value:
        indent = "  " * (depth + 1)
        if isinstance(value, dict):
            inner = [f"{indent}{json.dumps(key)}: {written(item, depth + 1)}" for key, item in value.items()]
        else:
            inner = [indent + written(item, depth + 1) for item in value]
        begin, end = "{}" if isinstance(value, dict) else "[]"
        return begin + "\n" + ",\n".join(inner) + "\n" + indent + end
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seed", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("random-cases"))
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    for number in range(options.count):
        case = Maker(options.seed * 1_000_003 + number).case()
        lines = [f"# Oracle: random_cases.py, seed {options.seed}, case {number}.", 'guards: "DESIGN 5: The rule of sight"']
        lines += [f"{key}: {written(value)}" for key, value in case.items()]
        (options.folder / f"{options.seed}-{number:05}.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{options.count} cases in {options.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
