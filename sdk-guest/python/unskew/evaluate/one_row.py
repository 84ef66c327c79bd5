"""A short cut for calls of a single row of numbers: one comparison, one unpack, one pack."""

from collections.abc import Callable
from dataclasses import dataclass
from struct import Struct
from typing import Any

from ..body import MAGIC, Layout
from ..column_type import NUMBER_FORMATS, Field, Scalar
from ..signature import Results

_SLOTS = 6


@dataclass(frozen=True)
class OneRow:
    """The constants of a one-row call whose columns all are numbers without nulls."""

    # How such a request begins: its header and table are always the same,
    # and a buffer of one number always fills 16 bytes.
    head: bytes
    unpack: Callable[[bytes], tuple[Any, ...]]
    # `pack(reply_head, value)` is the reply.
    pack: Callable[[bytes, Any], bytes]
    reply_head: bytes
    null_reply: bytes | None


def one_row_forms(inputs: tuple[Field, ...], results: Results) -> OneRow | None:
    """The short cut for a signature, where it has one."""
    formats = [_format(field) for field in inputs]
    if results.returned is not None or None in formats:
        return None
    output_format = _format(results.fields[0])
    # float32 is left out: Struct refuses what rounds to an infinity, array does not.
    if output_format is None or output_format == "f":
        return None

    layout = Layout([_SLOTS] * len(inputs), reply=False)
    entries: list[int] = []
    pattern = f"<{layout.buffers_at}x"
    at = layout.buffers_at
    for code in formats:
        size = Struct(f"<{code}").size
        entries += (1, 0, at, 0, at, size)
        pattern += f"{code}{16 - size}x"
        at += 16
    head = layout.table.pack(MAGIC, 1, 0, at, *entries)
    return OneRow(head, Struct(pattern).unpack, *_replies(output_format, results.fields[0]))


def _replies(code: str, field: Field) -> tuple[Callable[..., bytes], bytes, bytes | None]:
    size = Struct(f"<{code}").size

    def head_of(nulls: int, validity: int) -> bytes:
        layout = Layout([_SLOTS], reply=True)
        values_at = layout.buffers_at + (16 if validity else 0)
        end = values_at + 16
        entries = (1, nulls, layout.buffers_at, validity, values_at, size)
        no_errors = (end, 0, end, 4, end + 16, 0)
        table = layout.table.pack(MAGIC, 1, 0, end + 16, *entries, *no_errors)
        return table + bytes(values_at - len(table))

    head = head_of(0, 0)
    # The values, then the one offset (a zero) of no error messages.
    pack = Struct(f"<{len(head)}s{code}{16 - size}x16x").pack
    return pack, head, head_of(1, 1) + bytes(32) if field.nullable else None


def _none(*_: Any) -> Any:
    raise AssertionError("no body begins with the head of NO_ONE_ROW")


# The first byte of a body is never this one.
NO_ONE_ROW = OneRow(b"-", _none, _none, b"", None)


def _format(field: Field) -> str | None:
    if isinstance(field.type, Scalar):
        return NUMBER_FORMATS.get(field.type.name)
    return None
