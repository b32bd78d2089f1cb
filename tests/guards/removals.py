"""The ways to remove a guard from a syntax tree; each changes the tree in place."""

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tests.guards.markers import NoLongerApplies, Place, named_part

_SQL = '__import__("sqlalchemy")'


class Removal(Protocol):
    def apply(self, marked: Sequence[Place]) -> None:
        """Remove what is marked.

        Raises:
            NoLongerApplies: it is nothing that can be removed in this way.
        """


@dataclass(frozen=True, slots=True)
class Drop:
    """A statement does nothing; an argument, an operand, a call of a chain is left out. `part`: of what is marked."""

    part: str | None = None

    def apply(self, marked: Sequence[Place]) -> None:
        for place in _chosen(marked, self.part):
            node = place.node
            if isinstance(node, ast.stmt):
                place.put(ast.Pass())
            elif place.link and isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                place.put(node.func.value)
            elif place.index is not None:
                if isinstance(place.parent, ast.Dict):
                    del place.parent.values[place.index]
                place.put()
            else:
                raise NoLongerApplies(f"it cannot be dropped: {ast.unparse(node)}")


@dataclass(frozen=True, slots=True)
class Replace:
    """Something else stands there.

    For a condition it is another one, for an assignment, a return, a keyword or a pair another value, for a call of a
    chain other arguments, for anything else another statement or expression. `part`: of what is marked.
    """

    by: str
    part: str | None = None

    def apply(self, marked: Sequence[Place]) -> None:
        for place in _chosen(marked, self.part):
            if place.link and isinstance(place.node, ast.Call):
                call = ast.parse(f"f({self.by})", mode="eval").body
                assert isinstance(call, ast.Call)
                place.node.args, place.node.keywords = call.args, call.keywords
            else:
                statements = ast.parse(self.by).body
                if isinstance(statements[0], ast.Expr):
                    _value(place).put(statements[0].value)
                else:
                    place.put(*statements)


@dataclass(frozen=True, slots=True)
class Widen:
    """A condition of SQL holds for more rows, by default for every row, and still has its parameters."""

    to: str = f'{_SQL}.text("1 = 1")'

    def apply(self, marked: Sequence[Place]) -> None:
        for place in marked:
            value = _value(place)
            value.put(ast.parse(f"{_SQL}.or_({ast.unparse(value.node)}, {self.to})", mode="eval").body)


@dataclass(frozen=True, slots=True)
class Loop:
    """An `if` is a `while`."""

    def apply(self, marked: Sequence[Place]) -> None:
        for place in marked:
            if not isinstance(place.node, ast.If):
                raise NoLongerApplies(f"it is not an if: {ast.unparse(place.node)}")
            place.put(ast.While(test=place.node.test, body=place.node.body, orelse=[]))


@dataclass(frozen=True, slots=True)
class Call:
    """Another method is called."""

    method: str
    instead_of: str

    def apply(self, marked: Sequence[Place]) -> None:
        for place in _chosen(marked, self.instead_of):
            assert isinstance(place.node, ast.Call)
            assert isinstance(place.node.func, ast.Attribute)
            place.node.func.attr = self.method


@dataclass(frozen=True, slots=True)
class AfterImports:
    """The marked statements of a block are one, after the last import of the block."""

    def apply(self, marked: Sequence[Place]) -> None:
        first = marked[0]
        body = getattr(first.parent, first.field)
        for place in marked:
            place.put()
        last = max(index for index, node in enumerate(body) if isinstance(node, (ast.Import, ast.ImportFrom)))
        body.insert(last + 1, first.node)


def _chosen(marked: Sequence[Place], part: str | None) -> Sequence[Place]:
    return marked if part is None else [named_part(place, part) for place in marked]


def _value(place: Place) -> Place:
    """What stands for the value of a place, to be put another in its stead."""
    match place.node:
        case ast.If(test=value) | ast.While(test=value):
            return Place(place.node, "test", None, value)
        case ast.Assign(value=value) | ast.keyword(value=value):
            return Place(place.node, "value", None, value)
        case ast.AnnAssign(value=ast.expr() as value) | ast.Return(value=ast.expr() as value):
            return Place(place.node, "value", None, value)
        case ast.Expr(value=value):
            return Place(place.node, "value", None, value)
        case ast.Call(args=[value]) if place.link:
            return Place(place.node, "args", 0, value)
    if isinstance(place.parent, ast.Dict) and place.index is not None:
        return Place(place.parent, "values", place.index, place.parent.values[place.index])
    if isinstance(place.node, ast.expr):
        return place
    raise NoLongerApplies(f"it has no value: {ast.unparse(place.node)}")
