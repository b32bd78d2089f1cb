"""Markers in the source, `# guard: NAME, NAME`: their lines, and the node of the syntax tree that each is about."""

import ast
import io
import re
import tokenize
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_MARKER = re.compile(r"#.*\bguard: (.+)$")
_BLANK = {tokenize.NL, tokenize.COMMENT, tokenize.INDENT, tokenize.DEDENT}


class NoLongerApplies(Exception):
    """The source has nothing of the kind that is to be removed at a marker."""


@dataclass(frozen=True, slots=True)
class Place:
    """A node, by the field of its parent that holds it; `link` tells that it is one call of a chain of calls."""

    parent: ast.AST
    field: str
    index: int | None
    node: ast.AST
    link: bool = False

    def put(self, *nodes: ast.AST) -> None:
        """Have other nodes instead of this one."""
        if self.index is None:
            [node] = nodes
            setattr(self.parent, self.field, node)
        else:
            siblings = getattr(self.parent, self.field)
            at = next(index for index, sibling in enumerate(siblings) if sibling is self.node)
            siblings[at : at + 1] = nodes


def marked_lines(source: str) -> Mapping[str, Sequence[int]]:
    """For each name, the lines of code that bear it: that of the comment, or the next where the comment is alone."""
    lines: dict[str, list[int]] = defaultdict(list)
    waiting: list[str] = []
    code_line = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        line = token.start[0]
        if token.type == tokenize.COMMENT and (found := _MARKER.match(token.string)):
            names = [name.strip() for name in found[1].split(",")]
            if code_line == line:
                for name in names:
                    lines[name].append(line)
            else:
                waiting += names
        elif token.type not in _BLANK:
            code_line = token.end[0]
            for name in waiting:
                lines[name].append(line)
            waiting = []
    return lines


def markers(directory: Path) -> Mapping[str, Path]:
    """The file in which each name is marked."""
    found: dict[str, Path] = {}
    for path in sorted(directory.rglob("*.py")):
        for name in marked_lines(path.read_text()):
            if name in found:
                raise NoLongerApplies(f"{name} is marked in {found[name]} and in {path}")
            found[name] = path
    return found


def marked_place(tree: ast.AST, line: int) -> Place:
    """The largest part of a tree that begins on a line and can be removed.

    That is a statement, an element of a list (an argument, an operand, a pair of a dictionary, an item of a `with`),
    or one call of a chain of calls.

    Raises:
        NoLongerApplies: none begins there.
    """
    for place in places(tree):
        if _begins(place, line):
            return place
        if _is_link(place.node, line):
            return Place(place.parent, place.field, place.index, place.node, link=True)
    raise NoLongerApplies(f"nothing that could be removed begins on line {line}")


def named_part(place: Place, name: str) -> Place:
    """The part of a place with a name: a call, a keyword argument, an attribute or a pair of a dictionary.

    Raises:
        NoLongerApplies: there is none, or there are several.
    """
    callees = {part.node.func for part in places(place.parent) if isinstance(part.node, ast.Call)}
    found = [part for part in places(place.node) if _name(part.node) == name and part.node not in callees]
    if len(found) != 1:
        raise NoLongerApplies(f"{len(found)} parts are called {name}: {ast.unparse(place.node)}")
    [part] = found
    return Place(part.parent, part.field, part.index, part.node, link=isinstance(part.node, ast.Call))


def places(root: ast.AST) -> Iterator[Place]:
    """Every node below a root, those that contain others first."""
    waiting = deque([root])
    while waiting:
        parent = waiting.popleft()
        for field, value in ast.iter_fields(parent):
            nodes = [(index, node) for index, node in enumerate(value)] if isinstance(value, list) else [(None, value)]
            for index, node in nodes:
                if isinstance(node, ast.AST):
                    waiting.append(node)
                    yield Place(parent, field, index, node)


def _begins(place: Place, line: int) -> bool:
    node = place.node.context_expr if isinstance(place.node, ast.withitem) else place.node
    removable = isinstance(node, (ast.stmt, ast.keyword, ast.expr)) and place.index is not None
    return removable and getattr(node, "lineno", 0) == line


def _is_link(node: ast.AST, line: int) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.end_lineno == line


def _name(node: ast.AST) -> str | None:
    match node:
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)):
            return name
        case ast.keyword(arg=name) | ast.Attribute(attr=name) | ast.Constant(value=str(name)):
            return name
    return None
