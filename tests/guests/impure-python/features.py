"""Transforms that break purity, each in a way of its own, and one that only looks as if it did."""

from array import array

from unskew import Column, transform

_seen = 0
_cache: dict[int, float] = {}
_memo: dict[int, int] = {}


@transform
def counts_rows(x: int) -> int:
    """Wrong only on every 1,000th row that it ever saw."""
    global _seen
    _seen += 1
    return 0 if _seen % 1000 == 0 else x


@transform(batch=True)
def subtracts_the_batch_mean(x: Column[float]) -> Column[float]:
    """Centres by the mean of whatever rows came along."""
    finite = [v for v in x if abs(v) < 1e6]
    mean = sum(finite) / max(len(finite), 1)
    return array("d", [v - mean for v in x])


@transform
def takes_an_identity(x: int) -> int:
    """Where an object happens to lie."""
    return id([x]) % 1_000_003


@transform
def hashes_text(x: str) -> int:
    """Differs from build to build, not from row to row."""
    return hash(x)


@transform
def caches_under_half_the_key(x: int, y: float) -> float:
    """Remembers by `x` what depends on `y`, too."""
    return _cache.setdefault(x, x + y)


@transform
def caches_rightly(x: int) -> int:
    """A cache that is right changes nothing."""
    return _memo.setdefault(x, x % 1000)
