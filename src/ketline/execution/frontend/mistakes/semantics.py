"""Finds mistakes in names, operands and indices of a program that was parsed, without running it.

`finder.py` calls it.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from openqasm3 import ast

from ketline.domain.errors import InputMissing, ProgramUnsupported
from ketline.execution.frontend import messages
from ketline.execution.frontend.braket import dialect_of
from ketline.execution.frontend.mistakes.characters import described, is_invisible
from ketline.execution.frontend.mistakes.expressions import Expressions, written
from ketline.execution.frontend.mistakes.gatecalls import GateCalls
from ketline.execution.frontend.mistakes.report import Report
from ketline.execution.frontend.mistakes.symbols import UNKNOWN, UNKNOWN_SIZE, Scopes, Symbol, line_of
from ketline.execution.frontend.mistakes.words import TYPES
from ketline.execution.frontend.unroller.gates import LibraryGate

_STANDARD_FILE = "stdgates.inc"


def check_names(
    program: Any,
    inputs: Collection[str] | None,
    report: Report,
    unknown: Collection[str] = (),
    *,
    included: bool = False,
) -> None:
    """Report mistakes; `inputs` are those that have values, None where that is not known.

    Nothing is reported about `unknown` names; with `included`, the standard gates are defined.
    """
    checker = SemanticChecker(inputs, report, unknown)
    if included:
        checker.include()
    else:
        checker.use_dialect(dialect_of(program).gates)
    checker.run(program)


class SemanticChecker:
    """Visits each statement of a program once, in the order of the text."""

    def __init__(self, inputs: Collection[str] | None, report: Report, unknown: Collection[str]) -> None:
        self._report = report
        self._inputs = inputs
        self._scopes = Scopes()
        for name in unknown:
            self._scopes.define(name, UNKNOWN)
        self._expressions = Expressions(self._scopes, report)
        self._gates = GateCalls(self._scopes, self._expressions, report)

    def include(self) -> None:
        self._gates.include()

    def use_dialect(self, gates: Mapping[str, LibraryGate]) -> None:
        self._gates.use_dialect(gates)

    def run(self, program: Any) -> None:
        for node in program.statements:
            identifier = _declared(node)
            if identifier is not None:
                self._expressions.later.setdefault(identifier.name, node.span.start_line)
        self.statements(program.statements)

    def statements(self, nodes: Sequence[Any]) -> None:
        for node in nodes:
            check: Callable[[Any], None] | None = getattr(self, f"_check_{type(node).__name__}", None)
            if check is not None:
                check(node)

    def _block(self, nodes: Sequence[Any]) -> None:
        with self._scopes.block():
            self.statements(nodes)

    def _declare(self, identifier: Any, symbol: Symbol) -> None:
        name = identifier.name
        before = self._scopes.declared_here(name)
        if before is not None and before.kind != "unknown":
            where = f", in line {before.line}" if before.line else ""
            self._report.invalid(identifier, f"'{name}' is already defined{where}: choose another name")
            return
        if self._scopes.at_global_scope and self._gates.is_library_gate(name):
            source = "the language" if name == "U" else _STANDARD_FILE
            self._report.invalid(identifier, f"'{name}' is already defined, as a gate of {source}: choose another name")
        self._scopes.define(name, symbol)

    def _check_Include(self, node: Any) -> None:  # noqa: N802
        if node.filename == _STANDARD_FILE:
            self._gates.include()
            return
        self._gates.include()  # whatever it would have held
        odd = next((one for one in node.filename if is_invisible(one)), None)
        if odd is not None:
            message = f"the name of this file holds an invisible character, {described(odd)}: delete it"
            self._report.invalid(node, message)
        elif node.filename == "qelib1.inc":
            message = f'qelib1.inc belongs to OpenQASM 2; include "{_STANDARD_FILE}" instead'
            self._report.add(ProgramUnsupported, node, message)
        else:
            self._report.add(ProgramUnsupported, node, f'only "{_STANDARD_FILE}" can be included')

    def _check_QubitDeclaration(self, node: Any) -> None:  # noqa: N802
        size = self._size(node.size)
        self._declare(node.qubit, Symbol("qubit", size, line=line_of(node)))

    def _size(self, node: Any) -> int | None:
        if node is None:
            return None
        self._expressions.check(node)
        size = self._expressions.integer(node)
        return UNKNOWN_SIZE if size is None or size < 0 else size

    def _check_ClassicalDeclaration(self, node: Any) -> None:  # noqa: N802
        symbol = self._typed(node.type, node)
        if node.init_expression is not None:
            self._value(node.init_expression, symbol, node.identifier.name)
        self._declare(node.identifier, symbol)

    def _check_ConstantDeclaration(self, node: Any) -> None:  # noqa: N802
        symbol = self._typed(node.type, node, constant=True)
        self._expressions.check(node.init_expression)
        if symbol.kind in ("int", "uint"):
            value = self._expressions.integer(node.init_expression)
            symbol = Symbol(symbol.kind, symbol.size, value, constant=True, line=symbol.line)
        self._declare(node.identifier, symbol)

    def _check_IODeclaration(self, node: Any) -> None:  # noqa: N802
        symbol = self._typed(node.type, node, constant=node.io_identifier is ast.IOKeyword.input)
        name = node.identifier.name
        is_input = node.io_identifier is ast.IOKeyword.input
        if is_input and self._inputs is not None and name not in self._inputs:
            self._report.add(InputMissing, node.identifier, messages.input_missing(name, _type_text(node.type)))
        self._declare(node.identifier, symbol)

    def _typed(self, kind: Any, node: Any, *, constant: bool = False) -> Symbol:
        name = type(kind).__name__.removesuffix("Type").lower()
        if isinstance(kind, ast.ArrayType):
            sizes = [self._size(one) for one in kind.dimensions]
            return Symbol("array", sizes[0] if sizes else UNKNOWN_SIZE, constant=constant, line=line_of(node))
        size = self._size(getattr(kind, "size", None))
        return Symbol(name, size, constant=constant, line=line_of(node))

    def _value(self, node: Any, target: Symbol, name: str) -> None:
        """Check an assigned value: a measurement must fit its bits, and qubits have no value."""
        if isinstance(node, ast.QuantumMeasurement):
            width = self._expressions.qubits(node.qubit)
            self._widths(node, width, target.size if target.kind == "bit" else UNKNOWN_SIZE, name)
        elif (found := self._expressions.qubit_name(node)) is not None:
            self._report.invalid(
                node, f"'{found}' is a qubit or a register of qubits: write '{name} = measure {found};'"
            )
        else:
            self._expressions.check(node)

    def _widths(self, place: Any, qubits: int | None, bits: int | None, name: str | None) -> None:
        if UNKNOWN_SIZE in (qubits, bits):
            return
        given, taken = (1 if width is None else width for width in (qubits, bits))
        if given != taken:
            self._report.invalid(place, messages.measured_widths(given, taken, name))

    def _check_QuantumMeasurementStatement(self, node: Any) -> None:  # noqa: N802
        if node.target is not None and self._is_swapped(node):
            return
        qubits = self._expressions.qubits(node.measure.qubit)
        if node.target is None:
            return
        kind, bits = self._expressions.target(node.target)
        whole = isinstance(node.target, ast.Identifier)
        if kind == "bit":
            self._widths(node.target, qubits, bits, node.target.name if whole else None)

    def _is_swapped(self, node: Any) -> bool:
        """`measure c -> q;`"""
        bits, qubits = (self._expressions.kind_of(one) for one in (node.measure.qubit, node.target))
        if (bits, qubits) != ("bit", "qubit"):
            return False
        bit, qubit = written(node.measure.qubit), written(node.target)
        message = f"'{bit}' is no qubit: qubits are measured into bits, so write '{bit} = measure {qubit};'"
        self._report.invalid(node.measure.qubit, message)
        return True

    def _check_ClassicalAssignment(self, node: Any) -> None:  # noqa: N802
        name = node.lvalue.name if isinstance(node.lvalue, ast.Identifier) else node.lvalue.name.name
        kind, size = self._expressions.target(node.lvalue, _declaring(node.rvalue))
        self._value(node.rvalue, Symbol(kind, size), name)

    def _check_AliasStatement(self, node: Any) -> None:  # noqa: N802
        symbol = self._expressions.aliased(node.value)
        self._declare(node.target, Symbol(symbol.kind, symbol.size, line=line_of(node)))

    def _check_QuantumGate(self, node: Any) -> None:  # noqa: N802
        if self._is_misspelt_declaration(node):
            return
        self._gates.call(node)

    def _is_misspelt_declaration(self, node: Any) -> bool:
        """`qbit q;` looks like a call of a gate."""
        if node.modifiers or node.arguments or len(node.qubits) != 1 or not isinstance(node.qubits[0], ast.Identifier):
            return False
        meant, operand = self._gates.type_meant(node.name.name), node.qubits[0].name
        if meant not in TYPES or self._scopes.get(operand) is not None:
            return False
        self._report.invalid(node.name, f"there is no type '{node.name.name}'{self._gates.hint(node.name.name, TYPES)}")
        self._scopes.define(operand, UNKNOWN)
        return True

    def _check_QuantumPhase(self, node: Any) -> None:  # noqa: N802
        self._gates.phase(node)

    def _check_QuantumReset(self, node: Any) -> None:  # noqa: N802
        self._expressions.qubits(node.qubits)

    def _check_QuantumBarrier(self, node: Any) -> None:  # noqa: N802
        for qubit in node.qubits:
            self._expressions.qubits(qubit)

    def _check_DelayInstruction(self, node: Any) -> None:  # noqa: N802
        self._check_QuantumBarrier(node)

    def _check_ExpressionStatement(self, node: Any) -> None:  # noqa: N802
        expression = node.expression
        match expression:
            case ast.FunctionCall() if self._gates.called_as_function(expression):
                return
            case ast.Identifier() if self._gates.is_gate(expression.name):
                self._gates.without_qubits(expression)
            case ast.BinaryExpression() if expression.op.name == "==":
                self._report.invalid(expression, "'==' compares and changes nothing: assign with '='")
            case _:
                self._expressions.check(expression)

    def _check_BranchingStatement(self, node: Any) -> None:  # noqa: N802
        self._expressions.check(node.condition)
        self._block(node.if_block)
        self._block(node.else_block)

    def _check_WhileLoop(self, node: Any) -> None:  # noqa: N802
        self._expressions.check(node.while_condition)
        self._block(node.block)

    def _check_ForInLoop(self, node: Any) -> None:  # noqa: N802
        self._expressions.check(node.set_declaration)
        with self._scopes.block():
            kind = self._typed(node.type, node)
            self._scopes.define(node.identifier.name, kind)
            self._block(node.block)

    def _check_SwitchStatement(self, node: Any) -> None:  # noqa: N802
        self._expressions.check(node.target)
        for values, block in node.cases:
            for value in values:
                self._expressions.check(value)
            self._block(block.statements)
        if node.default is not None:
            self._block(node.default.statements)

    def _check_CompoundStatement(self, node: Any) -> None:  # noqa: N802
        self._block(node.statements)

    def _check_Box(self, node: Any) -> None:  # noqa: N802
        self._block(node.body)

    def _check_QuantumGateDefinition(self, node: Any) -> None:  # noqa: N802
        symbols = {one.name: Symbol("float", constant=True) for one in node.arguments}
        symbols |= {one.name: Symbol("qubit", None) for one in node.qubits}
        self._twice(node.arguments)
        self._twice(node.qubits)
        with self._scopes.definition(symbols, node.name.name):
            self.statements(node.body)
        gate = Symbol("gate", parameters=len(node.arguments), qubits=len(node.qubits), line=line_of(node))
        self._declare(node.name, gate)

    def _twice(self, names: Sequence[Any]) -> None:
        seen: set[str] = set()
        for one in names:
            if one.name in seen:
                self._report.invalid(one, f"'{one.name}' is named twice: each needs a name of its own")
            seen.add(one.name)

    def _check_SubroutineDefinition(self, node: Any) -> None:  # noqa: N802
        self._twice([one.name for one in node.arguments])
        symbols = {one.name.name: self._parameter(one) for one in node.arguments}
        symbols[node.name.name] = Symbol("def")
        with self._scopes.definition(symbols):
            self.statements(node.body)
        self._declare(node.name, Symbol("def", line=line_of(node), parameters=len(node.arguments)))

    def _parameter(self, node: Any) -> Symbol:
        if isinstance(node, ast.QuantumArgument):
            return Symbol("qubit", self._size(node.size), line=line_of(node))
        if isinstance(node.type, ast.ArrayReferenceType):
            return Symbol("array", UNKNOWN_SIZE, line=line_of(node))
        return self._typed(node.type, node)

    def _check_ReturnStatement(self, node: Any) -> None:  # noqa: N802
        if isinstance(node.expression, ast.QuantumMeasurement):
            self._expressions.qubits(node.expression.qubit)
        elif node.expression is not None:
            self._expressions.check(node.expression)

    def _check_ExternDeclaration(self, node: Any) -> None:  # noqa: N802
        self._scopes.define(node.name.name, UNKNOWN)


def _declared(node: Any) -> Any:
    """The identifier that a statement declares."""
    match node:
        case ast.QubitDeclaration():
            return node.qubit
        case ast.ClassicalDeclaration() | ast.ConstantDeclaration() | ast.IODeclaration():
            return node.identifier
        case ast.QuantumGateDefinition() | ast.SubroutineDefinition():
            return node.name
    return None


def _type_text(node: Any) -> str:
    name = type(node).__name__.removesuffix("Type").lower()
    if isinstance(node, ast.ArrayType):
        return f"array[{', '.join([_type_text(node.base_type), *map(written, node.dimensions)])}]"
    size = getattr(node, "size", None)
    if isinstance(size, ast.IntegerLiteral):
        return f"{name}[{size.value}]"
    return name


def _declaring(node: Any) -> str:
    """An example of a declaration for a name to which a value is assigned."""
    match node:
        case ast.IntegerLiteral():
            return f"int {{name}} = {node.value};" if node.value < 1 << 31 else "int {name};"
        case ast.FloatLiteral():
            return f"float {{name}} = {node.value};"
        case ast.BooleanLiteral():
            return "bool {name} = " + ("true;" if node.value else "false;")
        case ast.QuantumMeasurement():
            return "bit[2] {name};"
    return "int {name};"
