"""Checks the names and indices in expressions and operands, for `semantics.py` and `gatecalls.py`."""

from typing import Any

from openqasm3 import ast

from ketline.execution.frontend import messages
from ketline.execution.frontend.mistakes.report import Report
from ketline.execution.frontend.mistakes.suggestions import did_you_mean
from ketline.execution.frontend.mistakes.symbols import UNKNOWN, UNKNOWN_SIZE, Scopes, Symbol, described
from ketline.execution.frontend.mistakes.words import PYTHON_VALUES
from ketline.execution.frontend.ranges import positions
from ketline.execution.frontend.unroller.operators import is_function

CONSTANTS = frozenset({"pi", "π", "tau", "τ", "euler", "ℇ"})
FUNCTIONS = frozenset(
    {"arccos", "arcsin", "arctan", "ceiling", "cos", "exp", "floor", "log", "mod", "popcount", "pow", "rotl", "rotr"}
    | {"sin", "sqrt", "tan", "real", "imag"}
)
_INTEGERS = {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b}
_MAX_BITS = 64


class Expressions:
    """Reports the mistakes in expressions of a program that can be found without running it."""

    def __init__(self, scopes: Scopes, report: Report) -> None:
        self._scopes = scopes
        self._report = report
        self.later: dict[str, int] = {}  # names that are declared later in the text, with their lines

    def check_angle(self, node: Any) -> None:
        """Report mistakes in the argument of a gate."""
        if isinstance(node, ast.Identifier):
            self._check_value(node, "float {name} = 0.5;")
        elif isinstance(node, ast.IntegerLiteral) and node.value >= 1 << _MAX_BITS:
            self._report.invalid(node, f"this number is too large: integers have up to {_MAX_BITS} bits here")
        else:
            self.check(node)

    def check(self, node: Any) -> None:
        """Report mistakes in an expression that has a value."""
        match node:
            case ast.Identifier():
                self._check_value(node)
            case ast.IndexExpression():
                self._check_indexed(node)
            case ast.FunctionCall():
                self._check_call(node)
            case ast.QuantumMeasurement():
                self.qubits(node.qubit)
            case ast.QASMNode():
                for name, value in vars(node).items():
                    if name not in ("span", "op", "type"):
                        self.check(value)
            case list() | tuple():
                for one in node:
                    self.check(one)

    def integer(self, node: Any) -> int | None:
        """The value of an integer expression if it is known, otherwise None."""
        match node:
            case ast.IntegerLiteral():
                return int(node.value)
            case ast.Identifier():
                symbol = self._scopes.get(node.name)
                return None if symbol is None else symbol.value
            case ast.UnaryExpression() if node.op.name == "-":
                value = self.integer(node.expression)
                return None if value is None else -value
            case ast.BinaryExpression() if node.op.name in _INTEGERS:
                left, right = self.integer(node.lhs), self.integer(node.rhs)
                if left is None or right is None or max(left.bit_length(), right.bit_length()) > _MAX_BITS:
                    return None
                return int(_INTEGERS[node.op.name](left, right))
        return None

    def qubits(self, node: Any) -> int | None:
        """Check an operand, which must name qubits, and return their number, None for a single qubit."""
        if isinstance(node, ast.Identifier) and node.name.startswith("$"):
            return None
        name = node if isinstance(node, ast.Identifier) else getattr(node, "name", None)
        if not isinstance(name, ast.Identifier):
            return UNKNOWN_SIZE
        symbol = self._known(name, "qubit[2] {name};")
        if symbol.kind == "unknown":
            return UNKNOWN_SIZE
        if symbol.kind != "qubit":
            self._report.invalid(name, f"'{name.name}' is {described(symbol)}, and a qubit is needed here")
            return UNKNOWN_SIZE
        if isinstance(node, ast.Identifier):
            return symbol.size
        return self._selected(node, name.name, symbol, node.indices)

    def kind_of(self, node: Any) -> str | None:
        """The type of an operand, if it is known."""
        name = node if isinstance(node, ast.Identifier) else getattr(node, "name", None)
        symbol = self._scopes.get(name.name) if isinstance(name, ast.Identifier) else None
        return None if symbol is None else symbol.kind

    def target(self, node: Any, example: str = "bit[2] {name};") -> tuple[str, int | None]:
        """Check the target of an assignment, and return its type and size."""
        name = node if isinstance(node, ast.Identifier) else node.name
        symbol = self._known(name, example)
        if symbol.kind == "unknown":
            return "unknown", UNKNOWN_SIZE
        if symbol.kind == "qubit":
            message = f"'{name.name}' is {described(symbol)} and takes no value: 'reset {name.name};' sets it to 0"
            self._report.invalid(name, message)
            return "unknown", UNKNOWN_SIZE
        if symbol.kind in ("gate", "def"):
            self._report.invalid(name, f"'{name.name}' is {described(symbol)}: nothing can be assigned to it")
            return "unknown", UNKNOWN_SIZE
        if symbol.constant:
            self._report.invalid(name, f"'{name.name}' is a constant: its value cannot change")
        if isinstance(node, ast.Identifier):
            return symbol.kind, symbol.size
        size = self._selected(node, name.name, symbol, node.indices)
        return symbol.kind if symbol.kind == "bit" else "unknown", size

    def aliased(self, node: Any) -> Symbol:
        """Check the value of a `let`."""
        match node:
            case ast.Identifier():
                return self._known(node, "qubit[2] {name};")
            case ast.IndexExpression() if isinstance(node.collection, ast.Identifier):
                symbol = self._known(node.collection, "qubit[2] {name};")
                if symbol.kind not in ("qubit", "bit"):
                    return UNKNOWN
                size = self._selected(node, node.collection.name, symbol, [node.index])
                return Symbol(symbol.kind, UNKNOWN_SIZE if size is None else size)
            case ast.Concatenation():
                left, right = self.aliased(node.lhs), self.aliased(node.rhs)
                sizes = [1 if one.size is None else one.size for one in (left, right)]
                return Symbol(left.kind, UNKNOWN_SIZE if UNKNOWN_SIZE in sizes else sum(sizes))
        return UNKNOWN

    def qubit_name(self, node: Any) -> str | None:
        """The name of qubits with its index, if the expression is only that."""
        match node:
            case ast.Identifier():
                symbol = self._scopes.get(node.name)
                return node.name if symbol is not None and symbol.kind == "qubit" else None
            case ast.IndexExpression() if isinstance(node.collection, ast.Identifier):
                name = self.qubit_name(node.collection)
                return None if name is None else f"{name}[{written(node.index)}]"
            case ast.Concatenation():
                left, right = self.qubit_name(node.lhs), self.qubit_name(node.rhs)
                return None if left is None or right is None else f"{left} ++ {right}"
        return None

    def _known(self, name: Any, example: str) -> Symbol:
        """The symbol of a name; an unknown one for a name that is not defined, which is reported once."""
        symbol = self._scopes.get(name.name)
        if symbol is not None:
            return symbol
        self._report.invalid(name, self._undefined(name.name, example))
        self._scopes.define_globally(name.name, UNKNOWN)
        self._scopes.define(name.name, UNKNOWN)
        return UNKNOWN

    def _undefined(self, name: str, example: str) -> str:
        near = did_you_mean(name, self._scopes.names() | CONSTANTS)
        if self._scopes.gate is not None:
            what = "qubit" if example.startswith("qubit") else "parameter"
            return f"'{name}' is not a {what} of gate '{self._scopes.gate}'{near}"
        if self._scopes.hidden(name) is not None:
            return f"'{name}' is not defined in here: pass it as a parameter, or make it a global constant"
        if (later := self.later.get(name)) is not None:
            return f"'{name}' is defined only later, in line {later}: move its declaration before this line"
        if name in PYTHON_VALUES:
            return f"'{name}' is Python: write '{PYTHON_VALUES[name]}'"
        return f"'{name}' is not defined{near or ': declare it first, as in ' + repr(example.format(name=name))}"

    def _check_value(self, node: Any, example: str = "int {name} = 1;") -> None:
        if node.name in CONSTANTS and self._scopes.get(node.name) is None:
            return
        symbol = self._known(node, example)
        if symbol.kind == "qubit":
            example = f"'c = measure {node.name};'"
            message = f"'{node.name}' is {described(symbol)} and has no value: measure it first, as in {example}"
            self._report.invalid(node, message)
        elif symbol.kind in ("gate", "def"):
            self._report.invalid(node, f"'{node.name}' is {described(symbol)} and has no value")

    def _check_indexed(self, node: Any) -> None:
        if not isinstance(node.collection, ast.Identifier):
            self.check(node.collection)
            self.check(node.index)
            return
        self._check_value(node.collection)
        symbol = self._scopes.get(node.collection.name)
        if symbol is not None and symbol.kind in ("bit", "array"):
            self._selected(node, node.collection.name, symbol, [node.index])
        else:
            self.check(node.index)

    def _check_call(self, node: Any) -> None:
        name = node.name.name
        symbol = self._scopes.get(name)
        if symbol is None and not is_function(name) and name not in FUNCTIONS:
            functions = {one for one in self._scopes.names() if self._kind(one) == "def"} | FUNCTIONS
            self._report.invalid(node.name, f"function '{name}' is not defined{did_you_mean(name, functions)}")
            return
        if symbol is None or symbol.kind != "def":
            self.check(node.arguments)
            return
        for argument in node.arguments:
            if self.qubit_name(argument) is None:
                self.check(argument)

    def _kind(self, name: str) -> str:
        symbol = self._scopes.get(name)
        return "" if symbol is None else symbol.kind

    def _selected(self, node: Any, name: str, symbol: Symbol, indices: Any) -> int | None:
        """The number of elements that an index selects, None for a single one; `node` has the place of the indexed
        value.
        """
        if symbol.kind in ("qubit", "bit") and symbol.size is None:
            self._report.invalid(node, messages.no_index(name, symbol.kind))
            return None
        index = indices[0]
        index = index[0] if isinstance(index, list) and len(index) == 1 else index
        if len(indices) != 1 or isinstance(index, list):
            self.check(indices)
            return UNKNOWN_SIZE
        element = symbol.kind if symbol.kind in ("qubit", "bit") else "element"
        if isinstance(index, ast.DiscreteSet):
            for one in index.values:
                self._within(node, one, name, symbol.size, element)
            return len(index.values)
        if isinstance(index, ast.RangeDefinition):
            return self._range(node, index, name, symbol.size, element)
        self._within(node, index, name, symbol.size, element)
        return None

    def _within(self, node: Any, index: Any, name: str, size: int | None, element: str) -> None:
        self.check(index)
        value = self.integer(index)
        if value is None or size is None or size == UNKNOWN_SIZE or element == "element":
            return
        if not -size <= value < size:
            self._report.invalid(node, messages.index_outside(name, value, size, element))

    def _range(self, node: Any, index: Any, name: str, size: int | None, element: str) -> int:
        parts = (index.start, index.end, index.step)
        for part in parts:
            self.check(part)
        values = start, end, step = [None if part is None else self.integer(part) for part in parts]
        if size is None or size == UNKNOWN_SIZE or element == "element":
            return UNKNOWN_SIZE
        if any(value is None and part is not None for value, part in zip(values, parts, strict=True)):
            return UNKNOWN_SIZE
        try:
            return len(positions(size, *values))
        except (IndexError, OverflowError):
            self._report.invalid(node, messages.range_outside(name, (start, end, step), size, element))
            return UNKNOWN_SIZE


def written(node: Any) -> str:
    """An index as the program writes it, if it consists of numbers and names."""
    match node:
        case list() if len(node) == 1:
            return written(node[0])
        case ast.IntegerLiteral() | ast.FloatLiteral():
            return str(node.value)
        case ast.Identifier():
            return str(node.name)
        case ast.BinaryExpression():
            return f"{written(node.lhs)} {node.op.name} {written(node.rhs)}"
        case ast.UnaryExpression() if node.op.name == "-":
            return f"-{written(node.expression)}"
        case ast.RangeDefinition():
            parts = [node.start, node.step, node.end] if node.step is not None else [node.start, node.end]
            return ":".join("" if part is None else written(part) for part in parts)
        case ast.IndexedIdentifier():
            return f"{node.name.name}[{written(node.indices[0])}]" if len(node.indices) == 1 else node.name.name
        case ast.IndexExpression():
            return f"{written(node.collection)}[{written(node.index)}]"
    return "…"
