"""Functions whose code may or may not stand in the loop over the rows."""

TABLE = {"a": 1.0}


def arithmetic(x, y):
    "A docstring."
    return x * y + 1


def guarded(x, y):
    if x is None or y is None:
        return None
    if x < 0:
        raise ValueError(f"negative: {x}")
    elif y > 10:
        return "big"
    return x / y


def falls_off_the_end(x, y):
    if x == y:
        return "same"


def with_locals(x, y):
    total, other = x or 0, y
    total += 1
    if other:
        share = total / other
    else:
        share = -1
    x = share * 2
    return [x, total, [i * 2 for i in range(3)]]


def with_a_loop(x, y):
    count = 0
    for i in range(int(x or 0)):
        if i == 3:
            break
        count += i
    while count > 2:
        count -= 1
    return count


def asserts(x, y):
    assert x, "no x"
    return x


def nothing(x, y):
    pass


INLINED = [arithmetic, guarded, falls_off_the_end, with_locals, with_a_loop, asserts, nothing]


def maybe_unset(x, y):
    if x:
        kept = x
    return kept


def set_in_a_loop(x, y):
    for i in range(int(y or 0)):
        found = i
    return found


def returns_from_a_loop(x, y):
    for i in range(5):
        if i == x:
            return i
    return None


def tries(x, y):
    try:
        return x / y
    except ZeroDivisionError:
        return None
    finally:
        x = 0


def looks_at_locals(x, y):
    return sorted(locals())


def makes_a_function(x, y):
    return (lambda: x)()


def generates(x, y):
    return sum(i for i in (x, y) if i)


def walrus(x, y):
    if (z := x) is not None:
        return z


def imports(x, y):
    import math

    return math.floor(x)


def uses_global(x, y):
    global TABLE
    return TABLE["a"] + x


def has_default(x, y=3):
    return x + y


def deep(x, y):
    return deep(x, y)


CALLED = [
    maybe_unset,
    set_in_a_loop,
    returns_from_a_loop,
    tries,
    looks_at_locals,
    makes_a_function,
    generates,
    walrus,
    imports,
    uses_global,
]
EITHER = [has_default, deep]
