"""A hash that never changes."""

_MASK = (1 << 64) - 1
_PRIME_1 = 0x9E3779B185EBCA87
_PRIME_2 = 0xC2B2AE3D27D4EB4F
_PRIME_3 = 0x165667B19E3779F9
_PRIME_4 = 0x85EBCA77C2B2AE63
_PRIME_5 = 0x27D4EB2F165667C5


def _rotate(value: int, by: int) -> int:
    return (value << by | value >> (64 - by)) & _MASK


def _round(lane: int, word: int) -> int:
    return _rotate((lane + word * _PRIME_2) & _MASK, 31) * _PRIME_1 & _MASK


def pinned_hash(data: bytes) -> int:
    """A hash of bytes in 64 bits, the same in every module, run and release.

    It is XXH64 with the seed 0, as in the Rust SDK; `hash()` of a text differs
    from run to run outside of a module.
    """
    view = memoryview(data).cast("B")
    stripes = len(view) // 32
    at = 32 * stripes
    if stripes:
        lanes = [(_PRIME_1 + _PRIME_2) & _MASK, _PRIME_2, 0, -_PRIME_1 & _MASK]
        for start in range(0, at, 32):
            for lane in range(4):
                word = view[start + 8 * lane : start + 8 * lane + 8]
                lanes[lane] = _round(lanes[lane], int.from_bytes(word, "little"))
        value = sum(_rotate(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18))) & _MASK
        for lane in lanes:
            value = ((value ^ _round(0, lane)) * _PRIME_1 + _PRIME_4) & _MASK
    else:
        value = _PRIME_5
    value = (value + len(view)) & _MASK
    while len(view) - at >= 8:
        value ^= _round(0, int.from_bytes(view[at : at + 8], "little"))
        value = (_rotate(value, 27) * _PRIME_1 + _PRIME_4) & _MASK
        at += 8
    if len(view) - at >= 4:
        value ^= int.from_bytes(view[at : at + 4], "little") * _PRIME_1 & _MASK
        value = (_rotate(value, 23) * _PRIME_2 + _PRIME_3) & _MASK
        at += 4
    for byte in view[at:]:
        value ^= byte * _PRIME_5 & _MASK
        value = _rotate(value, 11) * _PRIME_1 & _MASK
    value = (value ^ value >> 33) * _PRIME_2 & _MASK
    value = (value ^ value >> 29) * _PRIME_3 & _MASK
    return value ^ value >> 32


__all__ = ["pinned_hash"]
