"""ExactSum and pinned_hash: the same bytes as in Rust."""

import math
import random
import struct
from fractions import Fraction
from pathlib import Path

import pytest

from unskew import ExactSum, pinned_hash, state

# Written and tested by the runtime; this SDK has to give the same.
GOLDEN = Path(__file__).parents[3] / "runtime/aggregate/tests/golden/exact_sums.txt"


def of(floats: list[float]) -> ExactSum:
    total = ExactSum()
    for x in floats:
        total.add(x)
    return total


def bits(text: str) -> float:
    return struct.unpack(">d", bytes.fromhex(text))[0]


def test_the_bytes_are_those_of_the_runtime() -> None:
    lines = GOLDEN.read_text().splitlines()
    assert len(lines) > 50
    for line in lines:
        floats, value, written = line.split(";")
        total = of([bits(x) for x in floats.split(",") if x])
        assert total.to_bytes().hex() == written
        found = total.value()
        if math.isnan(found):
            assert math.isnan(bits(value))
        else:
            assert struct.pack(">d", found).hex() == value
        assert ExactSum.from_bytes(bytes.fromhex(written)) == total
        assert state.decode(state.encode(total)) == total


def test_means_are_rounded_once() -> None:
    generator = random.Random(3)
    for count in range(1, 60):
        floats = [generator.uniform(-1e6, 1e6) for _ in range(count)]
        assert of(floats).mean(count) == float(sum(map(Fraction, floats)) / count)
    assert of([]).mean(0) is None
    assert of([1e308, 1e308]).mean(2) == 1e308
    assert of([math.inf, 1.0]).mean(2) == math.inf
    assert math.copysign(1.0, of([-5e-324]).mean(3)) == 1.0
    with pytest.raises(ValueError, match="below 0"):
        of([]).mean(-1)


def test_other_bytes_are_refused() -> None:
    whole = of([0.1, -3.0, math.nan]).to_bytes()
    for end in range(len(whole)):
        with pytest.raises(ValueError, match="no ExactSum|too great"):
            ExactSum.from_bytes(whole[:end])
    for data in (
        whole + b"\0",
        b"\x41" + whole[1:],
        b"\x40\x02" + whole[2:],
        b"\x40\x01\x00\x02\x00\x00",
        b"\x40\x01\x00\x01",
        b"\x40\x01\x01\x00\x00\x00\x00",
        b"\x40\x01\x00\x02\x90\x02\x01",
        b"\x40\x01\x00\x82\x00\x00\x01",
    ):
        with pytest.raises(ValueError, match="no ExactSum|too great"):
            ExactSum.from_bytes(data)


def test_the_hash_is_pinned() -> None:
    assert pinned_hash(b"") == 0xEF46DB3751D8E999
    assert pinned_hash(b"abc") == 0x44BC2CF5AD770999
    data = bytes((i * 31 + 7) & 0xFF for i in range(300))
    folded = 0
    for length in range(300):
        folded = (folded * 31 + pinned_hash(data[:length])) & (1 << 64) - 1
    assert folded == 9524088045038541557  # as in runtime/aggregate/src/hash.rs
