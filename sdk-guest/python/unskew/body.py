"""The layout of `wit/README.md`: reading the table of a request, writing a reply."""

from array import array
from itertools import accumulate
from struct import Struct

from .failure import as_utf8

MAGIC = b"USB1"
# How the body of a request begins that has no rows.
NO_ROWS = MAGIC + bytes(4)
HEADER_SIZE = 16
ERROR_SECTION_SLOTS = 6

_HEADER = Struct("<4sIII")
_PADDING = [bytes(n) for n in range(16)]
# The one offset that no messages have, and its padding.
_NO_ERRORS = bytes(16)
# The bits of each byte, least significant first, as eight bytes of 0 or 1.
_BITS = [bytes(byte >> bit & 1 for bit in range(8)) for byte in range(256)]
_TO_DIGITS = bytes([48, *[49] * 255])


def unpack_bits(bitmap: bytes | memoryview, rows: int) -> bytes:
    """A bitmap as one byte of 0 or 1 for each row."""
    return b"".join(map(_BITS.__getitem__, bitmap))[:rows]


def pack_bits(flags: bytes) -> bytes:
    """One byte of 0 or not 0 for each row as a bitmap."""
    # A text of binary digits is read in linear time, and by C.
    digits = flags.translate(_TO_DIGITS)[::-1]
    return int(digits, 2).to_bytes((len(flags) + 7) // 8, "little") if flags else b""


class Layout:
    """The table of a body: how many entries the columns have, and where they begin."""

    def __init__(self, slots: list[int], *, reply: bool) -> None:
        total = sum(slots) + (ERROR_SECTION_SLOTS if reply else 0)
        self.table = Struct(f"<4s{3 + total}I")
        self.buffers_at = HEADER_SIZE + 4 * total + (-4 * total & 15)
        # Indices into what `table` unpacks: magic, rows, groups and length come first.
        self.columns_at = list(accumulate(slots, initial=4))[:-1]

    def read(self, body: bytes) -> tuple[int, ...]:
        """The header and the table, in one tuple."""
        if len(body) < self.table.size or body[:4] != MAGIC:
            raise ValueError(
                f"a body of {len(body)} bytes that begins with {body[:4]!r} is no request "
                "of this module: host and module disagree on the layout"
            )
        return self.table.unpack_from(body)


class Writer:
    """Collects the table and the buffers of a reply."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.entries: list[int] = []
        self.parts: list[bytes | array] = []
        self.at = layout.buffers_at

    def node(self, rows: int, valid: bytes | None) -> None:
        """Begins a column; `valid` has a byte of 0 or 1 for each row, None means no nulls."""
        if valid is None:
            self.entries += (rows, 0, self.at, 0)
        else:
            self.entries += (rows, valid.count(0))
            self.buffer(pack_bits(valid))

    def bitmap(self, rows: int, valid: int) -> None:
        """Begins a column; bit n of `valid` says whether row n has a value."""
        self.entries += (rows, rows - valid.bit_count())
        self.buffer(valid.to_bytes((rows + 7) // 8, "little"))

    def buffer(self, data: bytes | array) -> None:
        """Adds one buffer."""
        size = len(data) if type(data) is bytes else len(data) * data.itemsize  # type: ignore[union-attr]
        self.entries += (self.at, size)
        self.parts.append(data)
        if padding := -size & 15:
            self.parts.append(_PADDING[padding])
        self.at += size + padding

    def finish(self, rows: int, errors: dict[int, str]) -> bytes:
        """The whole reply."""
        if errors:
            failed = sorted(errors)
            messages = [as_utf8(errors[row]) for row in failed]
            self.buffer(array("I", failed))
            self.buffer(offsets(map(len, messages)))
            self.buffer(b"".join(messages))
        else:
            self.entries += (self.at, 0, self.at, 4, self.at + 16, 0)
            self.parts.append(_NO_ERRORS)
            self.at += 16
        head = self.layout.table.pack(MAGIC, rows, 0, self.at, *self.entries)
        return b"".join((head, _PADDING[-len(head) & 15], *self.parts))


def offsets(lengths: object) -> array:
    """The int32 offsets of items of these lengths: one more than there are items."""
    return array("i", accumulate(lengths, initial=0))  # type: ignore[arg-type]
