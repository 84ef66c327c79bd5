"""Sources: where events and request fields come from."""

import json
import linecache
import re
import sys
import typing
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, get_origin

from ..failure import shown_file
from ..hints import SUPPORTED, Unsupported, column_type, shown_hint, split_optional
from ..registry import registry
from .described import Described
from .duration import Duration, duration_text
from .place import kind_of, mistake, place
from .reference import Reference

# How far below its class a field's line is looked for.
_MOST_LINES = 2000


class SourceField:
    """One field of a source: its type, and the column that holds it in files."""

    def __init__(self, name: str, type_: str, nullable: bool, column: str | None, at: str) -> None:
        self.name = name
        self.type = type_
        self.nullable = nullable
        self.column = column
        self.at = at

    def document(self) -> dict[str, Any]:
        """As the manifest has it."""
        shown: dict[str, Any] = {"name": self.name, "type": self.type, "nullable": self.nullable}
        if self.column is not None:
            shown["column"] = self.column
        return shown | {"at": self.at}


class _Fields(Described):
    """What event and request sources share: fields read from a class's annotations."""

    fields: dict[str, SourceField]

    def _read(self, fields: Any, columns: Mapping[str, str] | None) -> None:
        self.fields = {}
        hints = self._hints(fields)
        lines = _field_lines(fields) if hints else {}
        renamed = dict(columns or {})
        for name, hint in hints.items():
            if get_origin(hint) is ClassVar or hint is ClassVar:
                continue
            try:
                inner, nullable = split_optional(hint)
                type_ = str(column_type(inner))
            except Unsupported as error:
                mistake(
                    lines.get(name, self.at),
                    f"{self.what}: field {name}: the type `{shown_hint(hint)}` is not supported: "
                    f"{error}. Supported are {SUPPORTED}.",
                )
                continue
            at = lines.get(name, self.at)
            self.fields[name] = SourceField(name, type_, nullable, renamed.pop(name, None), at)
        for name in renamed:
            mistake(self.at, f"{self.what}: columns: it has no field {name}; correct the name")

    def _hints(self, fields: Any) -> dict[str, Any]:
        if isinstance(fields, Mapping):
            return dict(fields)
        if not isinstance(fields, type):
            mistake(
                self.at,
                f"{self.what}: its fields are {kind_of(fields)}; give a class whose annotations "
                "are the fields, as in `class Order: user_id: str`",
            )
            return {}
        try:
            hints = typing.get_type_hints(fields, include_extras=True)
        except Exception as error:
            mistake(
                self.at,
                f"{self.what}: the annotations of {fields.__name__} cannot be evaluated: "
                f"{type(error).__name__}: {error}",
            )
            return {}
        if not hints:
            mistake(
                self.at,
                f"{self.what}: the class {fields.__name__} has no annotations; write its fields "
                "such as `amount: float | None`",
            )
        return hints

    def __getitem__(self, field: str) -> Reference:
        """A field, for whoever reads it: `checkout["amount"]`."""
        at = place()
        if field not in self.fields:
            known = ", ".join(self.fields) or "none"
            mistake(at, f"{self.what}: it has no field {field!r}; its fields are {known}")
        return Reference(self, field, at)


class Source(_Fields):
    """A named stream of events.

        class Order:
            user_id: str | None
            amount: float | None
            ordered_at: datetime

        orders = Source("orders", Order, event_timestamp="ordered_at", files=["data/orders/*.parquet"])

    * `fields`: a class whose annotations are the fields, in their order.
    * `columns`: the column that holds a field in files, where it has another name.
    * `event_timestamp`, `created_timestamp`, `broker_timestamp`, `partition`,
      `offset`, `event_id`: the fields that say when an event happened, when it
      was known, where it stood in its log, and which it is.
    * `out_of_orderness`, `max_future_skew`, `allowed_lateness`: durations, by
      default 5 s, 1 min and 1 h.
    * `bad_rows`: `dead_letter` (default) or `refuse`.
    * `files`: paths, folders, patterns or URLs, from the project's folder.
    * `kafka`: the topic's name, or a mapping with more settings.
    * `push`: whether events may be pushed to it.
    """

    def __init__(
        self,
        name: str,
        fields: type | Mapping[str, Any],
        *,
        event_timestamp: str = "event_timestamp",
        created_timestamp: str | None = None,
        broker_timestamp: str | None = None,
        partition: str | None = None,
        offset: str | None = None,
        event_id: str | None = None,
        columns: Mapping[str, str] | None = None,
        out_of_orderness: Duration | None = None,
        max_future_skew: Duration | None = None,
        allowed_lateness: Duration | None = None,
        bad_rows: str | None = None,
        files: str | Sequence[str] | None = None,
        kafka: str | Mapping[str, Any] | None = None,
        push: bool = False,
        description: str = "",
        owner: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__("source", name, place(), description, owner, tags)
        self._read(fields, columns)
        self._settings: dict[str, Any] = {}
        for key, value in (
            ("event_timestamp", event_timestamp),
            ("created_timestamp", created_timestamp),
            ("broker_timestamp", broker_timestamp),
            ("partition", partition),
            ("offset", offset),
            ("event_id", event_id),
        ):
            self._set(key, value, str, "the name of a field")
        for key, length in (
            ("out_of_orderness", out_of_orderness),
            ("max_future_skew", max_future_skew),
            ("allowed_lateness", allowed_lateness),
        ):
            if length is not None:
                text = duration_text(length, self.at, f"{self.what}: {key}")
                self._set(key, text, str, "a duration")
        self._set("bad_rows", bad_rows, str, "dead_letter or refuse")
        if files is not None:
            listed = [files] if isinstance(files, str) else files
            if isinstance(listed, Sequence) and all(isinstance(file, str) for file in listed):
                self._settings["files"] = list(listed)
            else:
                mistake(self.at, f"{self.what}: files is {kind_of(files)}; give a list of texts")
        if isinstance(kafka, str):
            self._settings["kafka"] = {"topic": kafka}
        elif kafka is not None and not _is_json(kafka):
            mistake(
                self.at,
                f"{self.what}: kafka is {kind_of(kafka)}; give the topic, or a mapping of texts such "
                "as {'topic': 'orders'}",
            )
        elif kafka is not None:
            self._settings["kafka"] = dict(kafka)
        if push:
            self._set("push", push, bool, "True or False")
        registry.sources.append(self)

    def _set(self, key: str, value: Any, kind: type, wanted: str) -> None:
        if isinstance(value, kind):
            self._settings[key] = value
        elif value is not None:
            mistake(self.at, f"{self.what}: {key} is {kind_of(value)}; give {wanted}")

    def document(self) -> dict[str, Any]:
        """As the manifest has it."""
        fields = [field.document() for field in self.fields.values()]
        return self.head() | {"fields": fields} | self._settings | self.tail()


class RequestSource(_Fields):
    """Fields that arrive with an online request.

        class Checkout:
            amount: float

        checkout = RequestSource("checkout", Checkout)
    """

    def __init__(
        self,
        name: str,
        fields: type | Mapping[str, Any],
        *,
        description: str = "",
        owner: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__("request source", name, place(), description, owner, tags)
        self._read(fields, None)
        registry.sources.append(self)

    def document(self) -> dict[str, Any]:
        """As the manifest has it."""
        fields = [field.document() for field in self.fields.values()]
        return self.head() | {"kind": "request", "fields": fields} | self.tail()


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return isinstance(value, Mapping)


def _field_lines(fields: Any) -> dict[str, str]:
    """Where each annotation of a class stands, as far as its source can be read."""
    found: dict[str, str] = {}
    if not isinstance(fields, type):
        return found
    for cls in reversed(fields.__mro__):
        file = getattr(sys.modules.get(cls.__module__), "__file__", None)
        first = getattr(cls, "__firstlineno__", None)
        if file is None or first is None:
            continue
        lines = linecache.getlines(file, vars(sys.modules[cls.__module__]))
        wanted = set(_own(cls))
        for number, line in enumerate(lines[first - 1 : first + _MOST_LINES], first):
            if not wanted:
                break
            match = re.match(r"\s+([A-Za-z_]\w*)\s*:", line)
            if match and match[1] in wanted:
                wanted.discard(match[1])
                found[match[1]] = f"{shown_file(file)}:{number}"
    return found


def _own(cls: type) -> list[str]:
    try:
        return list(cls.__annotations__)
    except Exception:
        return []
