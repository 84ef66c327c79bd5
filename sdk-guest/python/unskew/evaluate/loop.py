"""The loop over the rows of a transform, made for its function.

A call in Python costs more than most of what a row computes. So where it
means the same, the function's own code stands in the loop, with every
`return value` turned into `append(value); continue`. The line numbers stay
those of the user's file, and so do the tracebacks. Elsewhere the loop calls
the function.
"""

import ast
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

_CALLS, _APPEND, _FUNCTION = "_unskew_calls", "_unskew_append", "_unskew_function"
# Code that looks at its own frame would see the loop's.
_LOOKS_AT_FRAMES = {"locals", "vars", "dir", "eval", "exec", "super", "_getframe", "currentframe"}
_PLAIN_FLAGS = 0x1FF0000  # those of `from __future__ import`


@dataclass(frozen=True)
class Loop:
    """The loop for one function.

    `run(calls, append)` appends a result for each element of `calls`, which
    are tuples of arguments, or the argument itself where there is only one.
    An exception leaves `calls` behind the row that failed, so that the loop
    can be entered again. `one(*arguments)` gives the result of a single row,
    and runs the user's code just as deep in the stack.
    """

    run: Callable[[Iterable[Any], Callable[[Any], None]], None]
    one: Callable[..., Any]


def loop_of(function: Callable[..., Any], arguments: int) -> Loop:
    """The loop for a function of that many arguments."""
    names = [f"_{at}" for at in range(arguments)]
    try:
        definition = _definition(function)
        if definition is not None:
            names = [argument.arg for argument in definition.args.args]
            body = _Inlined(names).body(definition)
            return Loop(_made(definition, names, body, function), function)
    except (_Unlike, OSError, SyntaxError, ValueError):
        pass

    def through(*given: Any) -> Any:
        return function(*given)

    call = ast.parse(f"{_APPEND}({_FUNCTION}({', '.join(names)}))").body
    holder = ast.parse("def calling(): ...").body[0]
    assert isinstance(holder, ast.FunctionDef)
    return Loop(_made(holder, names, call, through, {_FUNCTION: function}), through)


class _Unlike(Exception):
    """In a loop this code could mean something else."""


def _definition(function: Any) -> ast.FunctionDef | None:
    """The code of a plain function at the top of its file, if it is what the file says."""
    if type(function) is not FunctionType or function.__closure__:
        return None
    code = function.__code__
    if function.__qualname__ != code.co_name or code.co_kwonlyargcount:
        return None
    with open(code.co_filename, "rb") as file:
        tree = ast.parse(file.read())
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == code.co_name:
            if min([node.lineno, *(d.lineno for d in node.decorator_list)]) == code.co_firstlineno:
                node.decorator_list = []
                if _same(_compiled(node, function), code):
                    node.args.args = node.args.posonlyargs + node.args.args
                    return node
    return None


def _compiled(definition: ast.FunctionDef, function: FunctionType) -> CodeType:
    code = function.__code__
    module = ast.Module([definition], type_ignores=[])
    flags = code.co_flags & _PLAIN_FLAGS
    whole = compile(module, code.co_filename, "exec", flags=flags, dont_inherit=True)
    for constant in whole.co_consts:
        if isinstance(constant, CodeType) and constant.co_name == definition.name:
            return constant
    raise _Unlike


def _same(one: CodeType, other: CodeType) -> bool:
    return (one.co_code, one.co_consts, one.co_names, one.co_varnames) == (
        other.co_code,
        other.co_consts,
        other.co_names,
        other.co_varnames,
    )


def _made(
    definition: ast.FunctionDef,
    names: list[str],
    body: list[ast.stmt],
    function: Any,
    names_used: dict[str, Any] | None = None,
) -> Callable[..., None]:
    """`def NAME(calls, append): for NAMES in calls: BODY`, with the function's globals or others."""
    target: ast.expr = ast.Tuple([ast.Name(n, ast.Store()) for n in names], ast.Store())
    if len(names) == 1:
        target = ast.Name(names[0], ast.Store())
    loop = ast.For(target, ast.Name(_CALLS, ast.Load()), body, [])
    given = [ast.arg(_CALLS), ast.arg(_APPEND)]
    parameters = ast.arguments([], given, None, [], [], None, [])
    whole = ast.FunctionDef(definition.name, parameters, [loop], [], None)
    if hasattr(definition, "type_params"):
        whole.type_params = []
    ast.copy_location(whole, definition)
    ast.fix_missing_locations(whole)
    code = _compiled(whole, function)
    return FunctionType(code, function.__globals__ if names_used is None else names_used)


class _Inlined:
    """Checks a function's code, and turns it into that of a loop.

    What counts is that nothing is left over from the row before: every local
    name must have been given a value before it is read, whatever way the code
    took there. Statements that make this hard to see are left to the call.
    """

    def __init__(self, arguments: list[str]) -> None:
        self.arguments = arguments

    def body(self, definition: ast.FunctionDef) -> list[ast.stmt]:
        """The loop's body."""
        if _words(definition) & {*_LOOKS_AT_FRAMES, _CALLS, _APPEND}:
            raise _Unlike
        self.locals = {*self.arguments, *_stored(definition.body)}
        statements = definition.body
        if ast.get_docstring(definition) is not None:
            statements = statements[1:]
        ends = self._check(statements, set(self.arguments)) is None
        body = self._without_returns(statements)
        if not ends:
            end = _appended(ast.Constant(None))
            body.append(ast.copy_location(end, definition))
        return body

    def _check(self, statements: list[ast.stmt], assigned: set[str]) -> set[str] | None:
        """The names that have a value behind these statements; none if no way leads there."""
        for statement in statements:
            match statement:
                case ast.Return() | ast.Expr() | ast.Assert():
                    self._check_reads(statement, assigned)
                    if isinstance(statement, ast.Return):
                        return None
                case ast.Raise():
                    self._check_reads(statement, assigned)
                    return None
                case ast.Assign(targets):
                    self._check_reads(statement.value, assigned)
                    assigned = assigned | self._given(targets, assigned)
                case ast.AnnAssign(target=target, value=value) if value is not None:
                    self._check_reads(value, assigned)
                    assigned = assigned | self._given([target], assigned)
                case ast.AugAssign(target=target, value=value):
                    self._check_reads(value, assigned)
                    if isinstance(target, ast.Name) and target.id not in assigned:
                        raise _Unlike
                    self._check_reads(target, assigned)
                case ast.If(test, body, orelse):
                    self._check_reads(test, assigned)
                    ways = [self._check(body, assigned), self._check(orelse, assigned)]
                    open_ways = [way for way in ways if way is not None]
                    if not open_ways:
                        return None
                    assigned = set.intersection(*open_ways)
                case ast.For(target=target, iter=source, body=body, orelse=[]):
                    self._check_reads(source, assigned)
                    _refuse_returns(body)
                    self._check(body, assigned | self._given([target], assigned))
                case ast.While(test=test, body=body, orelse=[]):
                    self._check_reads(test, assigned)
                    _refuse_returns(body)
                    self._check(body, assigned)
                case ast.Break() | ast.Continue():
                    return None
                case ast.Pass():
                    pass
                case _:
                    raise _Unlike
        return assigned

    def _given(self, targets: list[ast.expr], assigned: set[str]) -> set[str]:
        names = set()
        for target in targets:
            if isinstance(target, ast.Name):
                names.add(target.id)
            elif isinstance(target, (ast.Tuple, ast.List)):
                names |= self._given(target.elts, assigned)
            elif isinstance(target, (ast.Attribute, ast.Subscript)):
                self._check_reads(target, assigned)
            else:
                raise _Unlike
        return names

    def _check_reads(self, node: ast.AST, assigned: set[str]) -> None:
        inner = set()
        for part in ast.walk(node):
            if isinstance(part, (ast.Lambda, ast.GeneratorExp, ast.NamedExpr)):
                raise _Unlike
            if isinstance(part, (ast.Yield, ast.YieldFrom, ast.Await)):
                raise _Unlike
            if isinstance(part, ast.comprehension):
                inner |= {n.id for n in ast.walk(part.target) if isinstance(n, ast.Name)}
        if inner & self.locals:
            raise _Unlike
        for part in ast.walk(node):
            if isinstance(part, ast.Name) and part.id in self.locals and part.id not in assigned:
                raise _Unlike

    def _without_returns(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        changed: list[ast.stmt] = []
        for statement in statements:
            if isinstance(statement, ast.Return):
                append = _appended(statement.value or ast.Constant(None))
                changed.append(ast.copy_location(append, statement))
                changed.append(ast.copy_location(ast.Continue(), statement))
                return changed  # what follows is never reached
            if isinstance(statement, ast.If):
                statement.body = self._without_returns(statement.body)
                statement.orelse = self._without_returns(statement.orelse)
            changed.append(statement)
        return changed or [ast.Pass()]


def _appended(value: ast.expr) -> ast.stmt:
    return ast.Expr(ast.Call(ast.Name(_APPEND, ast.Load()), [value], []))


def _refuse_returns(body: list[ast.stmt]) -> None:
    # `continue` would go on with the inner loop.
    if any(isinstance(node, ast.Return) for statement in body for node in ast.walk(statement)):
        raise _Unlike


def _words(definition: ast.FunctionDef) -> set[str]:
    """All names and attributes."""
    nodes = list(ast.walk(definition))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return names | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def _stored(body: list[ast.stmt]) -> set[str]:
    """Names that are given a value, but not by comprehensions, which keep theirs to themselves."""
    stored: set[str] = set()
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop()
        if isinstance(node, ast.comprehension):
            pending += [node.iter, *node.ifs]
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, (ast.Store, ast.Del)):
            stored.add(node.id)
        pending += ast.iter_child_nodes(node)
    return stored
