"""A small, typed reading of SQL expressions: enough for the cases, one row at a time, errors as Python exceptions.

Integer arithmetic fails on overflow, integer division truncates and fails on zero, floats follow IEEE 754, AND and OR are
three-valued and look no further than a row alone needs, CAST fails where the value does not fit.
"""

import math
import re

from .values import INTEGERS, is_float, order_key, parse_timestamp, to_float32

TOKEN = re.compile(r"""\s*(?:(?P<ref>\{\{[^}]+\}\})|(?P<number>\d+\.\d+(?:[eE][+-]?\d+)?|\d+)|(?P<text>'(?:[^']|'')*')
    |(?P<quoted>"[^"]+")|(?P<word>[A-Za-z_]\w*)|(?P<sign><>|!=|<=|>=|\|\||[-+*/%=<>(),]))""", re.X)
CAST_TYPES = {"tinyint": "int8", "smallint": "int16", "int": "int32", "integer": "int32", "bigint": "int64", "real": "float32",
              "double": "float64", "varchar": "utf8", "text": "utf8", "boolean": "bool", "timestamp": "timestamp", "date": "date32"}


class RowError(Exception):
    """What one row alone fails with."""


def tokens_of(text):
    position, tokens = 0, []
    while text[position:].strip():
        match = TOKEN.match(text, position)
        if not match:
            raise ValueError(f"the oracle cannot read {text[position:]!r}")
        tokens.append((match.lastgroup, match[match.lastgroup]))
        position = match.end()
    return tokens + [("end", "")]


class Expression:
    """`kind` is its type, `evaluate(row)` its value for a row (a map of names to values) or a RowError."""

    def __init__(self, text, columns):
        self.columns, self.tokens, self.at = columns, tokens_of(text), 0
        self.kind, self.evaluate = self.either()
        if self.tokens[self.at][0] != "end":
            raise ValueError(f"the oracle cannot read {text!r} from {self.tokens[self.at][1]!r} on")

    # --- reading ---------------------------------------------------------
    def peek(self, *words):
        kind, text = self.tokens[self.at]
        return kind in ("word", "sign") and text.lower() in words

    def take(self, *words):
        if self.peek(*words):
            self.at += 1
            return self.tokens[self.at - 1][1].lower()
        return None

    def need(self, word):
        if not self.take(word):
            raise ValueError(f"the oracle expects {word!r} before {self.tokens[self.at][1]!r}")

    def either(self):
        left = self.both()
        while self.take("or"):
            left = logical(left, self.both(), True)
        return left

    def both(self):
        left = self.negated()
        while self.take("and"):
            left = logical(left, self.negated(), False)
        return left

    def negated(self):
        if self.take("not"):
            _, inner = self.negated()
            return ("bool",), lambda row: None if (value := inner(row)) is None else not value
        return self.comparison()

    def comparison(self):
        left = self.sum()
        if sign := self.take("=", "<>", "!=", "<", "<=", ">", ">="):
            return compared(sign, left, self.sum())
        if self.take("is"):
            wanted = not self.take("not")
            self.need("null")
            return ("bool",), lambda row: (left[1](row) is None) == wanted
        turned = bool(self.take("not"))
        if self.take("between"):
            low = self.sum()
            self.need("and")
            found = logical(compared(">=", left, low), compared("<=", left, self.sum()), False)
        elif self.take("in"):
            self.need("(")
            found = compared("=", left, self.sum())
            while self.take(","):
                found = logical(found, compared("=", left, self.sum()), True)
            self.need(")")
        else:
            return left
        return ("bool",), (lambda row: None if (value := found[1](row)) is None else not value) if turned else found[1]

    def sum(self):
        left = self.product()
        while sign := self.take("+", "-", "||"):
            left = arithmetic(sign, left, self.product()) if sign != "||" else joined(left, self.product())
        return left

    def product(self):
        left = self.unary()
        while sign := self.take("*", "/", "%"):
            left = arithmetic(sign, left, self.unary())
        return left

    def unary(self):
        if self.take("-"):
            kind, inner = self.unary()
            return kind, lambda row: None if (value := inner(row)) is None else fitted(kind, -value)
        return self.primary()

    def primary(self):
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            value = float(text) if "." in text else int(text)
            return ("float64",) if "." in text else ("int64",), lambda row: value
        if kind == "text":
            value = text[1:-1].replace("''", "'")
            return ("utf8",), lambda row: value
        if kind == "sign" and text == "(":
            inner = self.either()
            self.need(")")
            return inner
        word = text.lower()
        if kind == "word" and word in ("true", "false", "null"):
            value = {"true": True, "false": False, "null": None}[word]
            return ("null",) if value is None else ("bool",), lambda row: value
        if kind == "word" and word == "case":
            return self.case()
        if kind == "word" and word == "cast":
            return self.cast()
        if kind == "word" and self.take("("):
            arguments = [] if self.peek(")") else [self.either()]
            while self.take(","):
                arguments.append(self.either())
            self.need(")")
            return called(word, arguments)
        if kind in ("word", "quoted", "ref"):
            name = re.sub(r"\s", "", text) if kind == "ref" else text[1:-1] if kind == "quoted" else text
            if name not in self.columns:
                raise ValueError(f"there is no column {name}")
            return self.columns[name], lambda row: row[name]
        raise ValueError(f"the oracle cannot read {text!r}")

    def case(self):
        subject = None if self.peek("when") else self.either()
        arms, otherwise = [], (("null",), lambda row: None)
        while self.take("when"):
            condition = self.either()
            if subject:
                condition = compared("=", subject, condition)
            self.need("then")
            arms.append((condition[1], self.either()))
        if self.take("else"):
            otherwise = self.either()
        self.need("end")
        kind = common([arm[0] for _, arm in arms] + [otherwise[0]])

        def evaluate(row):
            for condition, arm in arms:
                if condition(row) is True:
                    return widened(kind, arm[1](row))
            return widened(kind, otherwise[1](row))

        return kind, evaluate

    def cast(self):
        self.need("(")
        kind, inner = self.either()
        self.need("as")
        wanted = (CAST_TYPES[self.tokens[self.at][1].lower()],)
        self.at += 1
        self.need(")")
        return wanted, lambda row: None if (value := inner(row)) is None else cast(kind, wanted, value)


# --- meaning ---------------------------------------------------------------
def common(kinds):
    """The type that several expressions meet in."""
    kinds = [kind for kind in kinds if kind != ("null",)]
    if len(set(kinds)) <= 1:
        return kinds[0] if kinds else ("null",)
    if all(kind[0] in INTEGERS or is_float(kind) for kind in kinds):
        if any(is_float(kind) for kind in kinds):
            return ("float64",)
        if not any(kind[0].startswith("u") for kind in kinds):
            return (f"int{max(int(kind[0][3:]) for kind in kinds)}",)
    raise ValueError(f"the oracle does not mix {kinds}")


def widened(kind, value):
    return float(value) if is_float(kind) and type(value) is int else value


def fitted(kind, value):
    """An integer that does not fit is an error; a float is kept, with one NaN."""
    if kind[0] in INTEGERS:
        low, high = INTEGERS[kind[0]]
        if not low <= value <= high:
            raise RowError("overflow")
    return to_float32(value) if kind[0] == "float32" else value


def logical(left, right, decisive):
    """AND (`decisive` false) and OR (`decisive` true): a left side that decides is not looked past."""

    def evaluate(row):
        first = left[1](row)
        if first is decisive:
            return decisive
        second = right[1](row)
        if second is decisive:
            return decisive
        return None if first is None or second is None else not decisive

    return ("bool",), evaluate


def compared(sign, left, right):
    kind = common([left[0], right[0]])

    def evaluate(row):
        a, b = left[1](row), right[1](row)
        if a is None or b is None:
            return None
        a, b = (order_key(kind, widened(kind, value)) for value in (a, b))
        return {"=": a == b, "<>": a != b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[sign]

    return ("bool",), evaluate


def arithmetic(sign, left, right):
    kind = common([left[0], right[0]])
    if not (kind[0] in INTEGERS or is_float(kind)):
        raise ValueError(f"the oracle does not know {sign} on {kind}")

    def evaluate(row):
        a, b = left[1](row), right[1](row)
        if a is None or b is None:
            return None
        a, b = widened(kind, a), widened(kind, b)
        if sign in "+-*":
            return fitted(kind, {"+": a + b, "-": a - b, "*": a * b}[sign])
        if is_float(kind):
            return fitted(kind, divided(a, b) if sign == "/" else math.fmod(a, b))
        if b == 0:
            raise RowError("division by zero")
        quotient = abs(a) // abs(b) * (1 if (a < 0) == (b < 0) else -1)
        return fitted(kind, quotient if sign == "/" else a - b * quotient)

    return kind, evaluate


def divided(a, b):
    """IEEE 754: division by zero is an infinity, or NaN."""
    if b != 0:
        return a / b
    if a == 0 or math.isnan(a):
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def joined(left, right):
    def evaluate(row):
        a, b = left[1](row), right[1](row)
        return None if a is None or b is None else a + b

    return ("utf8",), evaluate


def cast(kind, wanted, value):
    if wanted[0] in INTEGERS:
        if kind == ("utf8",):
            if not re.fullmatch(r"[+-]?\d+", value):
                raise RowError(f"cannot cast {value!r}")
            value = int(value)
        if isinstance(value, float) and not math.isfinite(value):
            raise RowError("cannot cast")
        return fitted(wanted, int(value))
    if is_float(wanted):
        if kind == ("utf8",) and not re.fullmatch(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", value):
            raise RowError(f"cannot cast {value!r}")
        return fitted(wanted, float(value))
    if wanted == ("utf8",) and kind[0] in INTEGERS:
        return str(value)
    if wanted == ("timestamp",) and kind == ("utf8",):
        try:
            return parse_timestamp(value)
        except ValueError as error:
            raise RowError("cannot cast") from error
    if wanted == kind or (wanted, kind) == (("timestamp",), ("int64",)):
        return value
    raise ValueError(f"the oracle does not cast {kind} to {wanted}")


def called(name, arguments):
    kinds = [kind for kind, _ in arguments]
    if name == "coalesce":
        kind = common(kinds)
        return kind, lambda row: next((widened(kind, v) for _, f in arguments if (v := f(row)) is not None), None)
    if name == "nullif":
        same = compared("=", *arguments)[1]
        return kinds[0], lambda row: None if same(row) else arguments[0][1](row)
    simple = {
        "abs": (kinds[0], lambda v: fitted(kinds[0], abs(v))),
        "unix_micros": (("int64",), int),
        "upper": (("utf8",), str.upper),
        "lower": (("utf8",), str.lower),
        "floor": (("float64",), lambda v: float(math.floor(v)) if math.isfinite(v) else v),
        "ceil": (("float64",), lambda v: float(math.ceil(v)) if math.isfinite(v) else v),
        "sqrt": (("float64",), lambda v: math.nan if v < 0 else math.sqrt(v)),
    }
    if name not in simple or len(arguments) != 1:
        raise ValueError(f"the oracle does not know the function {name}")
    kind, function = simple[name]
    return kind, lambda row: None if (value := arguments[0][1](row)) is None else function(value)
