"""The host's side of the boundary, written from wit/README.md alone.

It is slow and simple on purpose, and shares no code with the SDK, so that a
mistake there is not repeated here.
"""

import re
import struct
from typing import Any

FIXED = {
    "int8": "b", "int16": "h", "int32": "i", "int64": "q",
    "uint8": "B", "uint16": "H", "uint32": "I", "uint64": "Q",
    "float32": "f", "float64": "d", "date32": "i", "timestamp": "q",
}  # fmt: skip


def align(n: int) -> int:
    return n + (-n) % 16


def bitmap(flags: list[bool]) -> bytes:
    out = bytearray((len(flags) + 7) // 8)
    for i, flag in enumerate(flags):
        if flag:
            out[i // 8] |= 1 << (i % 8)
    return bytes(out)


def split_fields(text: str) -> list[tuple[str, str, bool]]:
    fields, depth, start = [], 0, 0
    for i, c in enumerate(text + ","):
        depth += (c in "<(") - (c in ">)")
        if c == "," and depth == 0:
            name, kind = text[start:i].split(":", 1)
            fields.append((name, kind.rstrip("?"), kind.endswith("?")))
            start = i + 1
    return fields


class Request:
    """Collects entries and buffers; values of structs are tuples, of decimals ints."""

    def __init__(self) -> None:
        self.entries: list[Any] = []

    def column(self, kind: str, values: list[Any]) -> "Request":
        nulls = sum(v is None for v in values)
        self.entries += [("node", len(values), nulls)]
        self.entries += [("buffer", bitmap([v is not None for v in values]) if nulls else b"")]
        if kind == "bool":
            self.entries += [("buffer", bitmap([bool(v) for v in values]))]
        elif kind in FIXED:
            packed = struct.pack(f"<{len(values)}{FIXED[kind]}", *(0 if v is None else v for v in values))
            self.entries += [("buffer", packed)]
        elif kind.startswith("decimal128"):
            packed = b"".join((v or 0).to_bytes(16, "little", signed=True) for v in values)
            self.entries += [("buffer", packed)]
        elif kind in ("utf8", "binary"):
            items = [b"" if v is None else v.encode() if kind == "utf8" else v for v in values]
            self.offsets([len(i) for i in items])
            self.entries += [("buffer", b"".join(items))]
        elif match := re.fullmatch(r"list<(.*?)(\??)>", kind):
            items = [[] if v is None else v for v in values]
            self.offsets([len(i) for i in items])
            self.column(match[1], [x for i in items for x in i])
        elif match := re.fullmatch(r"fixed_size_list<float32,(\d+)>", kind):
            blank = [0.0] * int(match[1])
            self.column("float32", [x for v in values for x in (v or blank)])
        else:
            fields = split_fields(re.fullmatch(r"struct<(.*)>", kind)[1])  # type: ignore[index]
            for at, (_, child, _) in enumerate(fields):
                blank = zero(child)
                self.column(child, [blank if v is None else v[at] for v in values])
        return self

    def offsets(self, lengths: list[int]) -> None:
        ends = [0]
        for n in lengths:
            ends.append(ends[-1] + n)
        self.entries += [("buffer", struct.pack(f"<{len(ends)}i", *ends))]

    def bytes(self, rows: int, groups: int = 0) -> bytes:
        at = start = align(16 + 8 * len(self.entries))
        table, buffers = b"", b""
        for entry in self.entries:
            if entry[0] == "node":
                table += struct.pack("<II", entry[1], entry[2])
            else:
                table += struct.pack("<II", at, len(entry[1]))
                buffers += entry[1] + bytes(-len(entry[1]) % 16)
                at = start + len(buffers)
        head = struct.pack("<4sIII", b"USB1", rows, groups, at)
        return (head + table).ljust(start, b"\0") + buffers


def zero(kind: str) -> Any:
    if kind == "utf8":
        return ""
    if kind == "binary":
        return b""
    return 0


def request(columns: list[tuple[str, list[Any]]], rows: int | None = None, groups: int = 0) -> bytes:
    """A request with columns of these types and values."""
    body = Request()
    for kind, values in columns:
        body.column(kind, values)
    return body.bytes(len(columns[0][1]) if rows is None else rows, groups)


class Reply:
    """Reads a reply, and refuses all that the host would refuse."""

    def __init__(self, body: bytes, kinds: list[tuple[str, bool]]) -> None:
        magic, self.rows, groups, length = struct.unpack_from("<4sIII", body)
        assert magic == b"USB1" and groups == 0, (magic, groups)
        assert length == len(body), (length, len(body))
        self.body, self.at, self.free = body, 16, 0
        self.columns = [self.column(kind, nullable, self.rows) for kind, nullable in kinds]
        rows = self.buffer()
        failed = list(struct.unpack(f"<{len(rows) // 4}I", rows))
        ends = struct.unpack(f"<{len(failed) + 1}i", self.buffer())
        text = self.buffer()
        assert ends[0] == 0 and ends[-1] == len(text)
        assert failed == sorted(set(failed)) and all(r < self.rows for r in failed)
        messages = [text[a:b].decode() for a, b in zip(ends, ends[1:])]
        self.errors = dict(zip(failed, messages))

    def two(self) -> tuple[int, int]:
        self.at += 8
        return struct.unpack_from("<II", self.body, self.at - 8)

    def buffer(self) -> bytes:
        start, length = self.two()
        if length == 0:
            return b""
        assert start % 16 == 0 and start >= self.free, (start, self.free)
        assert start + length <= len(self.body)
        self.free = start + length
        return self.body[start : start + length]

    def bits(self, data: bytes, rows: int) -> list[bool]:
        assert len(data) == (rows + 7) // 8, (len(data), rows)
        return [bool(data[i // 8] >> (i % 8) & 1) for i in range(rows)]

    def column(self, kind: str, nullable: bool, rows: int) -> list[Any]:
        length, nulls = self.two()
        assert length == rows, (kind, length, rows)
        validity = self.buffer()
        valid = self.bits(validity, rows) if nulls else [True] * rows
        assert nulls or not validity
        assert valid.count(False) == nulls
        assert nullable or not nulls
        values: list[Any]
        if kind == "bool":
            values = self.bits(self.buffer(), rows)
        elif kind in FIXED:
            values = list(struct.unpack(f"<{rows}{FIXED[kind]}", self.buffer()))
        elif kind.startswith("decimal128"):
            data = self.buffer()
            assert len(data) == 16 * rows
            values = [
                int.from_bytes(data[i : i + 16], "little", signed=True)
                for i in range(0, 16 * rows, 16)
            ]
            digits = int(re.match(r"decimal128\((\d+)", kind)[1])  # type: ignore[index]
            assert all(abs(v) < 10**digits for v in values)
        elif kind in ("utf8", "binary"):
            ends = self.ends(rows)
            data = self.buffer()
            assert ends[-1] == len(data)
            values = [data[a:b] for a, b in zip(ends, ends[1:])]
            if kind == "utf8":
                values = [v.decode() for v in values]
        elif match := re.fullmatch(r"list<(.*?)(\??)>", kind):
            ends = self.ends(rows)
            items = self.column(match[1], match[2] == "?", ends[-1])
            values = [items[a:b] for a, b in zip(ends, ends[1:])]
        elif match := re.fullmatch(r"fixed_size_list<float32,(\d+)>", kind):
            size = int(match[1])
            items = self.column("float32", False, rows * size)
            values = [items[i * size : (i + 1) * size] for i in range(rows)]
        else:
            fields = split_fields(re.fullmatch(r"struct<(.*)>", kind)[1])  # type: ignore[index]
            parts = [self.column(child, null, rows) for _, child, null in fields]
            values = list(zip(*parts)) if rows else []
        return [v if ok else None for v, ok in zip(values, valid)]

    def ends(self, rows: int) -> tuple[int, ...]:
        data = self.buffer()
        assert len(data) == 4 * (rows + 1), (len(data), rows)
        ends = struct.unpack(f"<{rows + 1}i", data)
        assert ends[0] == 0 and list(ends) == sorted(ends)
        return ends
