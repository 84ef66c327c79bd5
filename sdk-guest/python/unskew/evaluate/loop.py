"""The loop over the rows of a transform, made for its function.

A call in Python costs more than most of what a row computes. So where it
means the same, the function's own code stands in the loop, with every
`return value` turned into `append(value); continue`. The line numbers stay
those of the user's file, and so do the tracebacks. Elsewhere the loop calls
the function.

Where the output is a number there are two loops more, which append to an
`array`: a list would keep all results alive as objects, and memory for them
costs more than all else that a short function does.
"""

import ast
import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

_CALLS, _APPEND, _FUNCTION = "_unskew_calls", "_unskew_append", "_unskew_function"
# Of the loops over numbers.
_OUT, _NULLS, _LENGTH = "_unskew_out", "_unskew_nulls", "_unskew_length"
_BLANK, _VALUE, _FLAGS = "_unskew_blank", "_unskew_value", "_unskew_flags"
_OURS = {_CALLS, _APPEND, _FUNCTION, _OUT, _NULLS, _LENGTH, _BLANK, _VALUE, _FLAGS}
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
    numbers: "NumberLoops | None" = None


@dataclass(frozen=True)
class NumberLoops:
    """Loops `run(calls, out, out.append, nulls.append, blank, len)` that append to an array.

    A result of None is noted in `nulls` by its row, and `blank` stands for
    it; so it is where `nullable_output` says so, elsewhere None fits no array.
    Any exception may be the function's, or that of a result that fits no
    array: the row that `out` does not have is to be evaluated again by
    `Loop.run`.
    """

    # `calls` are those of `Loop.run`.
    full: Callable[..., None]
    # `calls` are tuples of the arguments and of an int, whose bit n says that
    # the n-th argument of `nullable_inputs` is null, whatever was passed for it.
    flagged: Callable[..., None] | None


def loop_of(
    function: Callable[..., Any],
    arguments: int,
    *,
    numbers: bool = False,
    nullable_output: bool = True,
    nullable_inputs: list[int] | None = None,
) -> Loop:
    """The loop for a function of that many arguments.

    `numbers` asks for `Loop.numbers`; `nullable_inputs` are the positions of
    the arguments that can be null.
    """
    names = [f"_{at}" for at in range(arguments)]
    try:
        definition = _definition(function)
        if definition is not None:
            names = [argument.arg for argument in definition.args.args]
            inlined = _Inlined(names, definition)
            return Loop(
                _made(definition, names, inlined.body(_appended), function),
                function,
                _numbers(definition, names, inlined.body, function, None, numbers,
                         nullable_output, nullable_inputs or []),
            )
    except (_Unlike, OSError, SyntaxError, ValueError):
        pass

    def through(*given: Any) -> Any:
        return function(*given)

    def body(give: Callable[[ast.expr], list[ast.stmt]]) -> list[ast.stmt]:
        call = ast.parse(f"{_FUNCTION}({', '.join(names)})", mode="eval").body
        return give(call)

    holder = ast.parse("def calling(): ...").body[0]
    assert isinstance(holder, ast.FunctionDef)
    used = {_FUNCTION: function}
    return Loop(
        _made(holder, names, body(_appended), through, used),
        through,
        _numbers(holder, names, body, through, used, numbers, nullable_output,
                 nullable_inputs or []),
    )


def _numbers(
    definition: ast.FunctionDef,
    names: list[str],
    body: Callable[[Callable[[ast.expr], list[ast.stmt]]], list[ast.stmt]],
    function: Any,
    names_used: dict[str, Any] | None,
    wanted: bool,
    nullable_output: bool,
    nullable_inputs: list[int],
) -> NumberLoops | None:
    if not wanted:
        return None
    give = _appended_or_noted if nullable_output else _appended

    def made(flags: list[str]) -> Callable[..., None]:
        return _made(definition, names, body(give), function, names_used, _MORE, flags)

    flagged = made([names[at] for at in nullable_inputs]) if nullable_inputs else None
    return NumberLoops(made([]), flagged)


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
    parameters_used: tuple[str, ...] = (_CALLS, _APPEND),
    flagged: list[str] | None = None,
) -> Callable[..., None]:
    """`def NAME(calls, append): for NAMES in calls: BODY`, with the function's globals or others.

    With `flagged` names the last item of each call has a bit for each of
    them, which makes it None.
    """
    if flagged:
        names = [*names, _FLAGS]
        body = [_none_where_flagged(flagged), *body]
    target: ast.expr = ast.Tuple([ast.Name(n, ast.Store()) for n in names], ast.Store())
    if len(names) == 1:
        target = ast.Name(names[0], ast.Store())
    loop = ast.For(target, ast.Name(_CALLS, ast.Load()), body, [])
    given = [ast.arg(name) for name in parameters_used]
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

    def __init__(self, arguments: list[str], definition: ast.FunctionDef) -> None:
        if _words(definition) & {*_LOOKS_AT_FRAMES, *_OURS}:
            raise _Unlike
        self.definition = definition
        self.locals = {*arguments, *_stored(definition.body)}
        self.statements = definition.body
        if ast.get_docstring(definition) is not None:
            self.statements = definition.body[1:]
        self.ends = self._check(self.statements, set(arguments)) is None

    def body(self, give: Callable[[ast.expr], list[ast.stmt]]) -> list[ast.stmt]:
        """The loop's body, in which `give(value)` stands for `return value`."""
        body = self._without_returns(copy.deepcopy(self.statements), give)
        if not self.ends:
            body += [ast.copy_location(part, self.definition) for part in give(ast.Constant(None))]
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

    def _without_returns(
        self, statements: list[ast.stmt], give: Callable[[ast.expr], list[ast.stmt]]
    ) -> list[ast.stmt]:
        changed: list[ast.stmt] = []
        for statement in statements:
            if isinstance(statement, ast.Return):
                given = [*give(statement.value or ast.Constant(None)), ast.Continue()]
                changed += [ast.copy_location(part, statement) for part in given]
                return changed  # what follows is never reached
            if isinstance(statement, ast.If):
                statement.body = self._without_returns(statement.body, give)
                statement.orelse = self._without_returns(statement.orelse, give)
            changed.append(statement)
        return changed or [ast.Pass()]


_MORE = (_CALLS, _OUT, _APPEND, _NULLS, _BLANK, _LENGTH)


def _none_where_flagged(names: list[str]) -> ast.stmt:
    """`if flags: ...`, where each of these names becomes None if its bit is set."""
    flags = ast.Name(_FLAGS, ast.Load())
    nulls: list[ast.stmt] = []
    for bit, name in enumerate(names):
        is_set = ast.BinOp(ast.Name(_FLAGS, ast.Load()), ast.BitAnd(), ast.Constant(1 << bit))
        none = ast.Assign([ast.Name(name, ast.Store())], ast.Constant(None))
        nulls.append(ast.If(is_set, [none], []))
    return ast.If(flags, nulls, [])


def _appended(value: ast.expr) -> list[ast.stmt]:
    """`append(value)`."""
    return [ast.Expr(ast.Call(ast.Name(_APPEND, ast.Load()), [value], []))]


def _appended_or_noted(value: ast.expr) -> list[ast.stmt]:
    """`append(value)`; for None the row is noted, and a blank appended."""
    if isinstance(value, ast.IfExp):
        ways = _appended_or_noted(value.body), _appended_or_noted(value.orelse)
        return [ast.If(value.test, *ways)]
    row = ast.Call(ast.Name(_LENGTH, ast.Load()), [ast.Name(_OUT, ast.Load())], [])
    note = ast.Expr(ast.Call(ast.Name(_NULLS, ast.Load()), [row], []))
    noted = [note, *_appended(ast.Name(_BLANK, ast.Load()))]
    if isinstance(value, ast.Constant) and value.value is None:
        return noted
    is_none = ast.Compare(ast.Name(_VALUE, ast.Load()), [ast.Is()], [ast.Constant(None)])
    return [
        ast.Assign([ast.Name(_VALUE, ast.Store())], value),
        ast.If(is_none, noted, _appended(ast.Name(_VALUE, ast.Load()))),
    ]


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
