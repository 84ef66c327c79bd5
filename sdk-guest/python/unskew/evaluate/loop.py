"""The loop over the rows of a transform, made for its function.

A call in Python costs more than most of what a row computes. So where it
means the same, the function's own code stands in the loop, with every
`return value` turned into `append(value); continue`. The line numbers stay
those of the user's file, and so do the tracebacks. Elsewhere the loop calls
the function.

Where the output is a number there are more loops, for a few rows at a time:
their results are packed before there are more of them than Python keeps
memory ready for. They know of the arguments which ones are no nulls.
"""

import ast
import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any

from .known import WithoutNulls, is_bounded, is_never_none, is_plain

_CALLS, _APPEND, _FUNCTION = "_unskew_calls", "_unskew_append", "_unskew_function"
# Of the loops over numbers.
_OUT, _NULLS, _LENGTH = "_unskew_out", "_unskew_nulls", "_unskew_length"
_START, _BLANK, _VALUE, _FLAGS = "_unskew_start", "_unskew_blank", "_unskew_value", "_unskew_flags"
_OURS = {_CALLS, _APPEND, _FUNCTION, _OUT, _NULLS, _LENGTH, _START, _BLANK, _VALUE, _FLAGS}
# Code that looks at its own frame would see the loop's.
_LOOKS_AT_FRAMES = {"locals", "vars", "dir", "eval", "exec", "super", "_getframe", "currentframe"}
_PLAIN_FLAGS = 0x1FF0000  # those of `from __future__ import`
# Arguments of which every combination of nulls is looked at.
_MOST_FOLDED = 5


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
    """Loops `run(calls, out, out.append, nulls.append, start, blank, len)` over a part of the rows.

    They append a result for each of `calls` to the list `out`, which is
    empty; or they give a new list of results, and leave `out` as it is. A
    result of None is noted in `nulls` by its row, where `start` is that of
    the first call, and `blank` stands for it; so it is where
    `nullable_output` says so, elsewhere None stays. An exception is the
    function's: the rows that `out` does not have are to be evaluated again by
    `Loop.run`.
    """

    # `calls` are those of `Loop.run`, and no argument is null.
    full: Callable[..., list[Any] | None]
    # `calls` are tuples of the arguments and of an int, whose bit n says that
    # the n-th argument of `nullable_inputs` is null, whatever was passed for it.
    flagged: Callable[..., None] | None
    # Whether a null in any argument makes None of the result, and the function
    # does nothing but compute: then `full` may be given rows with nulls, too,
    # with any number in their place, and what it gives for them left out.
    strict: bool = False


def loop_of(
    function: Callable[..., Any],
    arguments: int,
    *,
    numbers: bool = False,
    nullable_output: bool = True,
    nullable_inputs: list[int] | None = None,
    number_inputs: list[int] | None = None,
) -> Loop:
    """The loop for a function of that many arguments.

    `numbers` asks for `Loop.numbers`; `nullable_inputs` are the positions of
    the arguments that can be null, `number_inputs` of those that are ints or
    floats where they are not null.
    """
    names = [f"_{at}" for at in range(arguments)]
    flagged = [names[at] for at in nullable_inputs or []]
    try:
        definition = _definition(function)
        if definition is not None:
            names = [argument.arg for argument in definition.args.args]
            flagged = [names[at] for at in nullable_inputs or []]
            number_names = {names[at] for at in number_inputs or []}
            inlined = _Inlined(names, definition)
            maker = _Maker(definition, names, flagged, function, None)
            general = inlined.body(number_names - {*flagged})
            number_loops = None
            if numbers:
                full = inlined.body(number_names, without_nulls=True)
                number_loops = maker.number_loops(full, general, nullable_output)
            return Loop(maker.loop(general.with_given(_appended)), function, number_loops)
    except (_Unlike, OSError, SyntaxError, ValueError):
        pass

    def through(*given: Any) -> Any:
        return function(*given)

    call = ast.parse(f"{_FUNCTION}({', '.join(names)})", mode="eval").body
    holder = ast.parse("def calling(): ...").body[0]
    assert isinstance(holder, ast.FunctionDef)
    maker = _Maker(holder, names, flagged, through, {_FUNCTION: function})
    body = _Body([ast.Return(call)], holder, set())
    number_loops = maker.number_loops(body, body, nullable_output) if numbers else None
    return Loop(maker.loop(body.with_given(_appended)), through, number_loops)


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


class _Body:
    """What a loop does with one row: statements that return a value, or run out."""

    def __init__(self, statements: list[ast.stmt], place: ast.stmt, numbers: set[str]) -> None:
        self.statements = statements
        self.place = place
        # Names that always are ints or floats here.
        self.numbers = numbers

    def with_given(self, give: Callable[[ast.expr], list[ast.stmt]]) -> list[ast.stmt]:
        """The same, with `give(value)` for `return value`."""
        body = self._without_returns(copy.deepcopy(self.statements), give)
        if not isinstance(body[-1], ast.Continue):
            body += [ast.copy_location(part, self.place) for part in give(ast.Constant(None))]
        return body

    def with_numbers(self, nullable_output: bool) -> list[ast.stmt]:
        """The same for the loops over numbers."""

        def give(value: ast.expr) -> list[ast.stmt]:
            if not nullable_output or is_never_none(value, self.numbers):
                return _appended(value)
            return _appended_or_noted(value)

        return self.with_given(give)

    def where_null(self, nulls: set[str], others: set[str]) -> list[ast.stmt]:
        """What is left of the statements where these names are None, and the others are not."""
        return _folded(self.statements, WithoutNulls(others, nulls))

    def value(self, names: set[str]) -> ast.expr | None:
        """Its one expression, where it does nothing but compute that from these names."""
        match self.statements:
            case [ast.Return(ast.expr() as value), *_] if is_plain(value, names):
                return copy.deepcopy(value)
        return None

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


class _Maker:
    """Makes functions `NAME(calls, ...)` with a function's file, lines and globals, or others."""

    def __init__(
        self,
        definition: ast.FunctionDef,
        names: list[str],
        flagged: list[str],
        function: Any,
        names_used: dict[str, Any] | None,
    ) -> None:
        self.definition = definition
        self.names = names
        # Those of the names that a call's flags make None.
        self.flagged = flagged
        self.function = function
        self.names_used = names_used

    def loop(self, body: list[ast.stmt]) -> Callable[..., None]:
        """`def NAME(calls, append): for NAMES in calls: BODY`."""
        return self._made(self._for(self.names, body), (_CALLS, _APPEND))

    def number_loops(self, full: _Body, general: _Body, nullable_output: bool) -> NumberLoops:
        """The loops for calls without nulls, and for calls with flags."""
        value = full.value(full.numbers)
        if value is not None and nullable_output and not is_never_none(value, full.numbers):
            value = None
        flagged = None
        if self.flagged:
            flagged = self._more(
                self._for([*self.names, _FLAGS], self._flagged_body(full, general, nullable_output))
            )
        if value is not None:
            # Numbers alone: operators of other types may be the user's own code.
            numbers_alone = nullable_output and full.numbers == {*self.names}
            strict = numbers_alone and is_bounded(value) and self._is_none_of_nulls(general)
            return NumberLoops(self._more(self._list(value, self.names)), flagged, strict)
        loop = self._for(self.names, full.with_numbers(nullable_output))
        return NumberLoops(self._more(loop), flagged)

    def _is_none_of_nulls(self, general: _Body) -> bool:
        """Whether nothing but None comes of a call with a null."""
        for bits in range(1, 1 << min(len(self.flagged), _MOST_FOLDED)):
            nulls = {name for bit, name in enumerate(self.flagged) if bits >> bit & 1}
            match general.where_null(nulls, {*self.names} - nulls):
                case [ast.Return(None | ast.Constant(None)), *_]:
                    pass
                case _:
                    return False
        return 0 < len(self.flagged) <= _MOST_FOLDED

    def _flagged_body(
        self, full: _Body, general: _Body, nullable_output: bool
    ) -> list[ast.stmt]:
        """`if flags: ...`, where names become None whose bit is set."""
        nulls: list[ast.stmt] = []
        for bit, name in enumerate(self.flagged):
            is_set = ast.BinOp(ast.Name(_FLAGS, ast.Load()), ast.BitAnd(), ast.Constant(1 << bit))
            none = ast.Assign([ast.Name(name, ast.Store())], ast.Constant(None))
            nulls.append(ast.If(is_set, [none], []))
        nulls += general.with_numbers(nullable_output)
        return [ast.If(ast.Name(_FLAGS, ast.Load()), nulls, full.with_numbers(nullable_output))]

    def _for(self, names: list[str], body: list[ast.stmt]) -> ast.stmt:
        return ast.For(_target(names), ast.Name(_CALLS, ast.Load()), body, [])

    def _list(self, value: ast.expr, names: list[str]) -> ast.stmt:
        """`return [VALUE for NAMES in calls]`."""
        rows = ast.comprehension(_target(names), ast.Name(_CALLS, ast.Load()), [], 0)
        return ast.Return(ast.ListComp(value, [rows]))

    def _more(self, statement: ast.stmt) -> Callable[..., Any]:
        return self._made(statement, (_CALLS, _OUT, _APPEND, _NULLS, _START, _BLANK, _LENGTH))

    def _made(self, statement: ast.stmt, parameters: tuple[str, ...]) -> Callable[..., Any]:
        given = ast.arguments([], [ast.arg(name) for name in parameters], None, [], [], None, [])
        whole = ast.FunctionDef(self.definition.name, given, [statement], [], None)
        if hasattr(self.definition, "type_params"):
            whole.type_params = []
        ast.copy_location(whole, self.definition)
        ast.fix_missing_locations(whole)
        code = _compiled(whole, self.function)
        globals_ = self.function.__globals__ if self.names_used is None else self.names_used
        return FunctionType(code, globals_)


def _folded(statements: list[ast.stmt], fold: WithoutNulls) -> list[ast.stmt]:
    whole = fold.visit(ast.Module(copy.deepcopy(statements), []))
    left = [statement for statement in whole.body if not isinstance(statement, ast.Pass)]
    # Where nothing is left the function runs out, and gives None.
    return left or [ast.copy_location(ast.Return(None), one) for one in statements[:1]]


def _target(names: list[str]) -> ast.expr:
    if len(names) == 1:
        return ast.Name(names[0], ast.Store())
    return ast.Tuple([ast.Name(name, ast.Store()) for name in names], ast.Store())


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
        self._check(self.statements, set(arguments))
        self.unchanged = {*arguments} - _stored(definition.body)

    def body(self, numbers: set[str], *, without_nulls: bool = False) -> _Body:
        """The loop's body; `numbers` are arguments that are ints or floats.

        `without_nulls` says that no argument is null.
        """
        statements = self.statements
        if without_nulls:
            statements = _folded(statements, WithoutNulls(self.unchanged))
        return _Body(statements, self.definition, numbers & self.unchanged)

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


def _appended(value: ast.expr) -> list[ast.stmt]:
    """`append(value)`."""
    return [ast.Expr(ast.Call(ast.Name(_APPEND, ast.Load()), [value], []))]


def _appended_or_noted(value: ast.expr) -> list[ast.stmt]:
    """`append(value)`; for None the row is noted, and a blank appended."""
    if isinstance(value, ast.IfExp):
        ways = _appended_or_noted(value.body), _appended_or_noted(value.orelse)
        return [ast.If(value.test, *ways)]
    length = ast.Call(ast.Name(_LENGTH, ast.Load()), [ast.Name(_OUT, ast.Load())], [])
    row = ast.BinOp(ast.Name(_START, ast.Load()), ast.Add(), length)
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
