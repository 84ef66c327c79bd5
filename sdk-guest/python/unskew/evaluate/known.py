"""What follows for a function's code from what is known of its arguments."""

import ast


class WithoutNulls(ast.NodeTransformer):
    """Leaves out of the code what only a null in one of these names would need.

    Likewise for names that always are None.
    """

    def __init__(self, never_none: set[str], always_none: set[str] | None = None) -> None:
        self.never_none = never_none
        self.always_none = always_none or set()

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        """`x is None` is false."""
        self.generic_visit(node)
        match node:
            case ast.Compare(ast.Name(name), [ast.Is() | ast.IsNot() as way], [ast.Constant(None)]):
                if name in self.never_none:
                    return ast.copy_location(ast.Constant(isinstance(way, ast.IsNot)), node)
                if name in self.always_none:
                    return ast.copy_location(ast.Constant(isinstance(way, ast.Is)), node)
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        """`not False` is true."""
        self.generic_visit(node)
        if isinstance(node.op, ast.Not) and (known := _truth(node.operand)) is not None:
            return ast.copy_location(ast.Constant(not known), node)
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        """`False or x` is `x`."""
        self.generic_visit(node)
        decides = isinstance(node.op, ast.Or)
        kept: list[ast.expr] = []
        for value in node.values:
            known = _truth(value)
            # The last value is the result if none before it is.
            if known is None or known == decides or value is node.values[-1]:
                kept.append(value)
            if known == decides:
                break
        node.values = kept
        return kept[0] if len(kept) == 1 else node

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        """Of `a if False else b` only `b` is left."""
        self.generic_visit(node)
        known = _truth(node.test)
        return node if known is None else node.body if known else node.orelse

    def visit_If(self, node: ast.If) -> ast.stmt | list[ast.stmt]:
        """The same for statements."""
        self.generic_visit(node)
        known = _truth(node.test)
        if known is None:
            return node
        return (node.body if known else node.orelse) or [ast.copy_location(ast.Pass(), node)]


def _truth(node: ast.expr) -> bool | None:
    match node:
        case ast.Constant(True | False as known):
            return known
    return None


def is_plain(node: ast.expr, names: set[str]) -> bool:
    """Whether it does nothing but compute a value from these names and constants."""
    match node:
        case ast.Name(name):
            return name in names
        case ast.Constant():
            return True
        case ast.BinOp(left, _, right):
            return is_plain(left, names) and is_plain(right, names)
        case ast.UnaryOp(_, operand):
            return is_plain(operand, names)
        case ast.Compare(left, _, others):
            return is_plain(left, names) and all(is_plain(other, names) for other in others)
        case ast.BoolOp(_, values):
            return all(is_plain(value, names) for value in values)
        case ast.IfExp(test, body, orelse):
            return all(is_plain(part, names) for part in (test, body, orelse))
    return False


def is_never_none(node: ast.expr, numbers: set[str]) -> bool:
    """Whether no values of these names, which are numbers, make None of it."""
    match node:
        case ast.Name(name):
            return name in numbers
        case ast.Constant(value):
            return value is not None
        case ast.BinOp() | ast.Compare() | ast.UnaryOp():
            # Operators of anything but numbers are whatever their class says.
            return is_plain(node, numbers) and _has_only_numbers(node)
        case ast.BoolOp(_, values):
            return all(is_never_none(value, numbers) for value in values)
        case ast.IfExp(_, body, orelse):
            return is_never_none(body, numbers) and is_never_none(orelse, numbers)
    return False


def is_bounded(node: ast.expr) -> bool:
    """Whether it takes little time and memory for any numbers; it may raise."""
    # Powers and shifts of ints grow without bounds, and so does text that is multiplied.
    grows = any(isinstance(part, (ast.Pow, ast.LShift)) for part in ast.walk(node))
    return not grows and _has_only_numbers(node)


def _has_only_numbers(node: ast.expr) -> bool:
    constants = (part.value for part in ast.walk(node) if isinstance(part, ast.Constant))
    return all(isinstance(value, (int, float)) for value in constants)
