"""Types and values: what the text of a case stands for, how values are written, and when two are the same bits."""

import base64
import binascii
import datetime
import math
import re
import struct
from fractions import Fraction

EPOCH_DAY = datetime.date(1970, 1, 1).toordinal()
INTEGERS = {f"{sign}int{bits}": (0 if sign else -(2 ** (bits - 1)), 2 ** (bits if sign else bits - 1) - 1)
            for sign in ("", "u") for bits in (8, 16, 32, 64)}
UNITS = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000, "w": 604_800_000_000}
TIMESTAMP = re.compile(r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)?")


def parse_type(text):
    """`decimal128(10,2)` -> ("decimal128", 10, 2), `list<int64?>` -> ("list", ("int64",)); a scalar is a tuple of its name."""
    text = text.strip()
    if match := re.fullmatch(r"decimal128\((\d+),\s*(\d+)\)", text):
        return ("decimal128", int(match[1]), int(match[2]))
    if match := re.fullmatch(r"list<(.+)>", text):
        return ("list", parse_type(match[1].removesuffix("?")))
    if match := re.fullmatch(r"fixed_size_list<float32,\s*(\d+)>", text):
        return ("list", ("float32",), int(match[1]))
    if match := re.fullmatch(r"struct<(.+)>", text):
        fields = [field.split(":") for field in match[1].split(",")]
        return ("struct", tuple((name.strip(), parse_type(kind.removesuffix("?"))) for name, kind in fields))
    if text in INTEGERS or text in ("bool", "float32", "float64", "utf8", "binary", "date32", "timestamp"):
        return (text,)
    raise ValueError(f"the oracle does not know the type {text}")


def parse_duration(text):
    """`1h30m` -> microseconds."""
    text = str(text)
    parts = re.findall(r"(\d+)(us|ms|s|m|h|d|w)", text)
    if "".join(number + unit for number, unit in parts) != text or not parts:
        raise ValueError(f"{text!r} is not a duration")
    return sum(int(number) * UNITS[unit] for number, unit in parts)


def parse_timestamp(text):
    """Microseconds since 1970 in UTC. A naive text is UTC, an offset is honoured, finer than a microsecond is floored."""
    match = TIMESTAMP.fullmatch(text) if isinstance(text, str) else None
    if not match:
        raise ValueError(f"{text!r} is not a timestamp")
    year, month, day, hour, minute, second = map(int, match.groups()[:6])
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"{text!r} is not a timestamp")
    days = datetime.date(year, month, day).toordinal() - EPOCH_DAY
    moment = ((days * 24 + hour) * 60 + minute) * 60 + second
    if match[8] and match[8] != "Z":
        sign = -1 if match[8][0] == "-" else 1
        moment -= sign * (int(match[8][1:3]) * 3600 + int(match[8][4:6]) * 60)
    # A fraction counts upward from its second, so cutting digits off is the floor, before 1970 too.
    return moment * 1_000_000 + int(((match[7] or "") + "000000")[:6])


def format_timestamp(moment):
    days, rest = divmod(moment, UNITS["d"])
    date = datetime.date.fromordinal(EPOCH_DAY + days).isoformat()
    seconds, micros = divmod(rest, 1_000_000)
    text = f"{date}T{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return text + (f".{micros:06}" if micros else "") + "Z"


def to_float32(value):
    try:
        return struct.unpack("<f", struct.pack("<f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)


def parse_value(kind, plain):
    """What a case writes -> the value. None is null for every type."""
    if plain is None:
        return None
    name = kind[0]
    if name == "bool" and isinstance(plain, bool):
        return plain
    if name in INTEGERS and not isinstance(plain, (bool, float)):
        value = int(plain)
        low, high = INTEGERS[name]
        if low <= value <= high:
            return value
    if name in ("float32", "float64") and not isinstance(plain, bool):
        if isinstance(plain, str) and plain not in ("NaN", "inf", "-inf"):
            raise ValueError(f"{plain!r} is not a {name}")
        value = float(plain)
        return to_float32(value) if name == "float32" else value
    if name == "decimal128" and isinstance(plain, str):
        scaled = Fraction(plain) * 10 ** kind[2]
        if scaled.denominator == 1 and abs(scaled) < 10 ** kind[1]:
            return Fraction(plain)
    if name == "utf8" and isinstance(plain, str):
        return plain
    if name == "binary" and isinstance(plain, str):
        try:
            return base64.b64decode(plain, validate=True)
        except binascii.Error as error:
            raise ValueError(f"{plain!r} is not base64") from error
    if name == "date32" and isinstance(plain, str):
        return datetime.date.fromisoformat(plain).toordinal() - EPOCH_DAY
    if name == "timestamp":
        return parse_timestamp(plain)
    if name == "struct" and isinstance(plain, dict) and list(plain) == [field for field, _ in kind[1]]:
        return {field: parse_value(inner, plain[field]) for field, inner in kind[1]}
    if name == "list" and isinstance(plain, list) and len(plain) == (kind[2] if len(kind) > 2 else len(plain)):
        return [parse_value(kind[1], item) for item in plain]
    raise ValueError(f"{plain!r} is not a value of type {name}")


def format_value(kind, value):
    """The value as a case writes it."""
    if value is None:
        return None
    name = kind[0]
    if name in ("float32", "float64"):
        if math.isnan(value):
            return "NaN"
        return {math.inf: "inf", -math.inf: "-inf"}.get(value, value)
    if name in INTEGERS:
        return value if abs(value) <= 2**53 else str(value)
    if name == "decimal128":
        scaled = int(value * 10 ** kind[2])
        sign, digits = "-" if scaled < 0 else "", str(abs(scaled)).rjust(kind[2] + 1, "0")
        return sign + (f"{digits[: -kind[2]]}.{digits[-kind[2]:]}" if kind[2] else digits)
    if name == "binary":
        return base64.b64encode(value).decode()
    if name == "date32":
        return datetime.date.fromordinal(EPOCH_DAY + value).isoformat()
    if name == "timestamp":
        return format_timestamp(value)
    if name == "list":
        return [format_value(kind[1], item) for item in value]
    if name == "struct":
        return {field: format_value(inner, value[field]) for field, inner in kind[1]}
    return value


def is_float(kind):
    return kind[0] in ("float32", "float64")


def order_key(kind, value):
    """For floats the total order -inf < ... < -0 < +0 < ... < inf < NaN; text and binary by their bytes."""
    if is_float(kind):
        if math.isnan(value):
            return (1, 0.0, 0)
        return (0, value, 0 if math.copysign(1.0, value) < 0 else 1)
    return value.encode() if kind[0] == "utf8" else value


def identity(kind, value):
    """What two values share exactly when they are the same: floats by their bits, with one NaN."""
    if value is None:
        return None
    if kind[0] == "list":
        return tuple(identity(kind[1], item) for item in value)
    if kind[0] == "struct":
        return tuple(identity(inner, value[field]) for field, inner in kind[1])
    return order_key(kind, value)


def canonical_bytes(kind, value):
    """A presence byte, then the value big-endian, floats by their total-order bits, text and binary prefixed by a length."""
    if value is None:
        return b"\x00"
    name = kind[0]
    if name == "bool":
        body = bytes([value])
    elif name in INTEGERS:
        body = (value % 2**64).to_bytes(8, "big")[-int(name.lstrip("uint")) // 8:]
    elif name in ("float32", "float64"):
        size = 4 if name == "float32" else 8
        bits = int.from_bytes(struct.pack(">f" if size == 4 else ">d", math.nan if math.isnan(value) else value), "big")
        top = 1 << (8 * size - 1)
        body = (bits ^ (2 * top - 1) if bits & top else bits | top).to_bytes(size, "big")
    elif name == "decimal128":
        body = (int(value * 10 ** kind[2]) % 2**128).to_bytes(16, "big")
    elif name in ("utf8", "binary"):
        body = value.encode() if name == "utf8" else value
        body = len(body).to_bytes(4, "big") + body
    elif name == "date32":
        body = (value % 2**32).to_bytes(4, "big")
    elif name == "timestamp":
        body = (value % 2**64).to_bytes(8, "big")
    else:
        raise ValueError(f"the oracle knows no canonical bytes of {name}")
    return b"\x01" + body
