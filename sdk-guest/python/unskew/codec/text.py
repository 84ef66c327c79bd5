"""Text and bytes."""

from array import array
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from ..body import Writer, offsets
from ..failure import WrongValue
from .base import Codec, Unreadable, buffer, only


class Utf8Codec(Codec):
    """`str`, as UTF-8."""

    slots = 8
    blank = ""
    expected = "a str"

    def values(
        self, body: memoryview, table: tuple[int, ...], at: int, bad: list[Unreadable]
    ) -> list[str]:
        ends = buffer(body, table, at + 4).cast("i")
        data = bytes(buffer(body, table, at + 6))
        text = data.decode()
        if len(text) == len(data):  # only ASCII, so characters lie where their bytes lie
            return [text[a:b] for a, b in pairwise(ends)]
        return [data[a:b].decode() for a, b in pairwise(ends)]

    def put_values(self, values: Sequence[Any], writer: Writer) -> None:
        only(values, str)
        text = "".join(values)
        if text.isascii():
            writer.buffer(offsets(map(len, values)))
            writer.buffer(text.encode())
        else:
            encoded = [value.encode() for value in values]
            writer.buffer(offsets(map(len, encoded)))
            writer.buffer(b"".join(encoded))

    def clean(self, value: Any) -> str:
        if not isinstance(value, str):
            raise self.wrong(value)
        try:
            str.encode(value)
        except UnicodeEncodeError as error:
            raise WrongValue(
                f"the text holds a lone surrogate at character {error.start}, "
                "which UTF-8 cannot carry; encode it with errors='replace'"
            ) from None
        return str.__str__(value)  # a plain str also of a subclass


class BinaryCodec(Codec):
    """`bytes`."""

    slots = 8
    blank = b""
    expected = "bytes"

    def values(
        self, body: memoryview, table: tuple[int, ...], at: int, bad: list[Unreadable]
    ) -> list[bytes]:
        ends = buffer(body, table, at + 4).cast("i")
        data = bytes(buffer(body, table, at + 6))
        return [data[a:b] for a, b in pairwise(ends)]

    def put_values(self, values: Sequence[Any], writer: Writer) -> None:
        only(values, bytes)
        writer.buffer(offsets(map(len, values)))
        writer.buffer(b"".join(values))

    def clean(self, value: Any) -> bytes:
        if not isinstance(value, (bytes, bytearray, memoryview, array)):
            raise self.wrong(value)
        return bytes(memoryview(value))
