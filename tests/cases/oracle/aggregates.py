"""Every built-in aggregate of DESIGN section 6, over the whole list of its inputs, by fractions."""

import math
from fractions import Fraction

from .values import INTEGERS, identity, is_float, order_key


class DoesNotFit(Exception):
    """An exact total that its type cannot hold: an error of that feature."""


def output_type(function, kind):
    """Types: count int64; sum of intN int64, of uintN uint64, of floats float64, of decimals decimal128(38); and so on."""
    if function in ("count", "count_distinct", "approx_distinct"):
        return ("int64",)
    if function == "sum":
        if kind[0] == "decimal128":
            return ("decimal128", 38, kind[2])
        return ("float64",) if is_float(kind) else ("uint64",) if kind[0].startswith("u") else ("int64",)
    if function in ("avg", "variance", "variance_pop", "stddev", "stddev_pop", "percentile"):
        return ("float64",)
    if function in ("min", "max", "first", "last"):
        return kind
    if function in ("last_n", "top_k", "most_frequent"):
        return ("list", kind)
    raise ValueError(f"the oracle does not know the aggregate {function}")


def rounded(rational):
    """The exact rational rounded once; too large becomes an infinity, and zero results are +0."""
    try:
        value = float(rational)
    except OverflowError:
        return math.inf if rational > 0 else -math.inf
    return 0.0 if value == 0 else value


def rounded_root(rational):
    """The correctly rounded square root of a rational: enough bits of it, and one more that says whether any is missing."""
    if rational == 0:
        return 0.0
    shift = 0
    while rational * 4**shift < 2**140:
        shift += 16
    scaled = rational * 4**shift
    root = math.isqrt(scaled.numerator // scaled.denominator)
    missing = 0 if Fraction(root) ** 2 == scaled else 1
    return rounded(Fraction(2 * root + missing, 2 ** (shift + 1)))


def special(values):
    """NaN in gives NaN out, an infinity gives itself, both signs give NaN; None where all are finite."""
    if any(math.isnan(value) for value in values):
        return math.nan
    infinities = {value for value in values if math.isinf(value)}
    if len(infinities) == 2:
        return math.nan
    return infinities.pop() if infinities else None


def exact(kind, values):
    """The values as exact numbers."""
    return [Fraction(value) for value in values] if is_float(kind) else values


def total(kind, values):
    if is_float(kind):
        known = special(values)
        return rounded(sum(exact(kind, values))) if known is None else known
    whole = sum(values)
    if kind[0] == "decimal128":
        if abs(whole * 10 ** kind[2]) >= 10**38:
            raise DoesNotFit("sum: more than 38 digits")
        return whole
    low, high = INTEGERS[output_type("sum", kind)[0]]
    if not low <= whole <= high:
        raise DoesNotFit("sum: out of range")
    return whole


def mean(kind, values):
    known = special(values) if is_float(kind) else None
    return rounded(Fraction(sum(exact(kind, values)), len(values))) if known is None else known


def variance(kind, values, least, root):
    """`least` is 2 for the sample's and 1 for the population's; no variance below that many, even of NaN."""
    if len(values) < least:
        return None
    if is_float(kind) and special(values) is not None:
        return math.nan
    numbers, n = exact(kind, values), len(values)
    # Sum of (x - mean)^2, times n, with no division on the way.
    squares = n * sum(number * number for number in numbers) - sum(numbers) ** 2
    result = Fraction(squares, n * (n - least + 1))
    return rounded_root(result) if root else rounded(result)


def percentile(kind, values, q):
    """The value of nearest rank ceil(q*n); what is served lies within 1 % of it. q is the decimal that was written."""
    rank = math.ceil(Fraction(str(q)) * len(values))
    return float(sorted(values, key=lambda value: order_key(kind, value))[max(rank, 1) - 1])


def distinct_key(kind, value):
    """-0 = +0 and there is one NaN."""
    return identity(kind, 0.0 if is_float(kind) and value == 0 else value)


def most_frequent(kind, values, k):
    """By count, then by value ascending."""
    groups = {}
    for value in values:
        groups.setdefault(distinct_key(kind, value), []).append(0.0 if is_float(kind) and value == 0 else value)
    ranked = sorted(groups.values(), key=lambda group: (-len(group), order_key(kind, group[0])))
    return [group[0] for group in ranked[:k]]


def aggregate(function, kind, values, parameters):
    """`values` in tie order, nulls among them; `kind` is their type, None for `count` of rows. Gives the value or DoesNotFit."""
    if function == "count" and kind is None:
        return len(values)
    values = [value for value in values if value is not None]
    if function == "count":
        return len(values)
    if function in ("count_distinct", "approx_distinct"):
        return len({distinct_key(kind, value) for value in values})
    if function == "last_n":
        return values[-parameters["n"]:]
    if function == "top_k":
        return sorted(values, key=lambda value: order_key(kind, value), reverse=True)[: parameters["k"]]
    if function == "most_frequent":
        return most_frequent(kind, values, parameters["k"])
    if not values:
        return None
    if function == "sum":
        return total(kind, values)
    if function == "avg":
        return mean(kind, values)
    if function in ("variance", "stddev", "variance_pop", "stddev_pop"):
        return variance(kind, values, 1 if function.endswith("_pop") else 2, function.startswith("stddev"))
    if function == "percentile":
        return percentile(kind, values, parameters["q"])
    if function in ("min", "max"):
        return (min if function == "min" else max)(values, key=lambda value: order_key(kind, value))
    if function in ("first", "last"):
        return values[0 if function == "first" else -1]
    raise ValueError(f"the oracle does not know the aggregate {function}")
