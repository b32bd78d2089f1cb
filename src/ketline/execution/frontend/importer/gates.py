"""Gate calls: looked up, checked, and inlined where a program defines its own gates.

`convert.py` calls it; the unroller shares what adds controls to gates.

User-defined gates never become named instructions: Aer runs any instruction called `h` as its own `h`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from openqasm3 import ast
from qiskit.circuit import QuantumCircuit
from qiskit.circuit.library import MCPhaseGate, PhaseGate, XGate
from qiskit_qasm3_import import converter, types
from qiskit_qasm3_import.data import Scope, Symbol
from qiskit_qasm3_import.state import State, SymbolTable, SymbolTables

from ketline.domain.circuits.gates import Origin, gates_from
from ketline.execution.frontend.diagnosis import construct, invalid, unsupported

STANDARD_GATES = frozenset(gate.name for gate in gates_from(Origin.STANDARD))
STANDARD_IDENTITY = converter._STDGATES["id"][0]  # noqa: SLF001 - the importer has no public list of them
_CONSTANTS = frozenset({"pi", "π", "tau", "τ", "euler", "ℇ"})
_CONTROLS = (ast.GateModifierName.ctrl, ast.GateModifierName.negctrl)


@dataclass(frozen=True, slots=True)
class UserGate:
    """A gate defined in the program.

    `size` counts its operations when everything is inlined, `steps` the parts of expressions that are
    looked at on the way there.
    """

    definition: Any
    size: int
    steps: int


def look_up_gate(node: Any, context: Any) -> Any:
    """The symbol of the gate that a call names, its number of parameters checked."""
    name = node.name.name
    symbol = context.symbol_table.get(name, node)
    if symbol is None:
        hint = ' (is include "stdgates.inc"; missing?)' if name in STANDARD_GATES else ""
        raise invalid(node, f"gate '{name}' is not defined{hint}")
    if not isinstance(symbol.type, types.Gate):
        raise invalid(node, f"'{name}' is not a gate but a {symbol.type.pretty()}")
    takes, given = _count(symbol.type.n_classical), len(node.arguments)
    if takes != given:
        raise invalid(node, f"gate '{name}' takes {_plural(takes, 'parameter')}, not {given}")
    return symbol


def check_operand_count(node: Any, symbol: Any, controls: int) -> None:
    takes, given = _count(symbol.type.n_quantum) + controls, len(node.qubits)
    if takes != given:
        controlled = ", its controls included" if controls else ""
        raise invalid(node, f"gate '{node.name.name}' takes {_plural(takes, 'qubit')}{controlled}, not {given}")


def gate_size(symbol: Any) -> int:
    # Calls of gates without a body cost as well: definitions that double them would take for ever.
    return max(1, symbol.data.size) if isinstance(symbol.data, UserGate) else 1


def gate_steps(symbol: Any) -> int:
    return symbol.data.steps if isinstance(symbol.data, UserGate) else 0


def user_gate(node: Any, context: Any) -> UserGate:
    """Check the definition of a gate and count its operations, without expanding anything."""
    _check_names(node)
    parameters = {parameter.name for parameter in node.arguments}
    size, steps = 0, len(parameters)
    for statement in node.body:
        _check_statement(statement, node)
        steps += _check_expressions(statement, parameters, node.name.name)
        symbol = look_up_gate(statement, context) if isinstance(statement, ast.QuantumGate) else None
        size += 1 if symbol is None else gate_size(symbol)
        steps += 1 if symbol is None else 1 + gate_steps(symbol)
    return UserGate(node, size, steps)


def _check_statement(statement: Any, gate: Any) -> None:
    if not isinstance(statement, (ast.QuantumGate, ast.QuantumPhase, ast.QuantumBarrier)):
        raise unsupported(statement, f"{construct(statement)} cannot stand in a gate definition")
    qubits = {qubit.name for qubit in gate.qubits}
    for qubit in statement.qubits:
        if not isinstance(qubit, ast.Identifier):
            raise invalid(statement, "the qubits of a gate definition have no indices")
        if qubit.name not in qubits:
            raise invalid(qubit, f"'{qubit.name}' is not a qubit of gate '{gate.name.name}'")


def gate_scope(gate: UserGate, arguments: Sequence[Any], qubits: Sequence[Any], context: Any, circuit: Any) -> Any:
    """A scope for a gate's body in which its parameters and qubits are those of one call."""
    node = gate.definition
    symbols = SymbolTable(Scope.GATE)
    for name, value in zip(node.arguments, arguments, strict=True):
        # Parameters divide as real numbers, whatever a call gives for them.
        kind = types.Float(const=isinstance(value, float))
        symbols.symbols[name.name] = Symbol(name.name, value, kind, Scope.GATE, node)
    for name, qubit in zip(node.qubits, qubits, strict=True):
        symbols.symbols[name.name] = Symbol(name.name, qubit, types.Qubit(), Scope.GATE, node)
    scope = State.new_with_gate_scope(context)
    context.symbol_table.pop()  # the line above pushed a table that would let the body see its caller's names
    scope.circuit = circuit
    scope.symbol_table = SymbolTables()
    scope.symbol_table._stack = [context.symbol_table[0], symbols]  # noqa: SLF001 - globals, and nothing between
    return scope


def is_control(modifier: Any) -> bool:
    return modifier.modifier in _CONTROLS


def controlled(gate: Any, states: Sequence[bool]) -> Any:
    """A gate behind controls: by 1 (`ctrl`) or 0 (`negctrl`) of as many qubits before its own, first qubit first.

    All of them are put on at once: one by one they would make definitions of definitions, each ten times as long.
    """
    if not states:
        return gate
    state = sum(one << index for index, one in enumerate(states))
    return gate.control(len(states), ctrl_state=state, annotated=False)


def controlled_phase(angle: Any, states: Sequence[bool]) -> Any:
    """A phase on the one basis state of its qubits that `states` gives, first qubit first."""
    circuit = QuantumCircuit(len(states))
    qubits = range(len(states))
    negated = [qubit for qubit in qubits if not states[qubit]]
    for qubit in negated:
        circuit.append(XGate(), [qubit])
    phase = PhaseGate(angle) if len(states) == 1 else MCPhaseGate(angle, len(states) - 1)
    circuit.append(phase, list(qubits))
    for qubit in negated:
        circuit.append(XGate(), [qubit])
    return circuit.to_gate()


def _check_expressions(statement: Any, parameters: set[str], gate: str) -> int:
    """Reject names that the body of a gate cannot use, also where the gate is never called; count the parts."""
    roots = [*getattr(statement, "arguments", ()), getattr(statement, "argument", None)]
    pending = [*roots, *(modifier.argument for modifier in getattr(statement, "modifiers", ()))]
    parts = 0
    while pending:
        node = pending.pop()
        if not isinstance(node, ast.Expression):
            continue
        parts += 1
        if isinstance(node, ast.FunctionCall):
            # The importer cannot call it; the next front end can, or says that there is no such function.
            raise unsupported(node, "function calls are not supported")
        if isinstance(node, ast.Identifier) and node.name not in parameters | _CONSTANTS:
            raise invalid(node, f"'{node.name}' is not a parameter of gate '{gate}'")
        pending.extend(vars(node).values())
    return parts


def _check_names(node: Any) -> None:
    for kind, names in (("parameter", node.arguments), ("qubit", node.qubits)):
        seen: set[str] = set()
        for name in names:
            if name.name in seen:
                raise invalid(name, f"{kind} '{name.name}' is named twice")
            seen.add(name.name)


def _count(declared: Any) -> int:
    """The importer gives the built-in U's operands as lists, all others as numbers."""
    return declared if isinstance(declared, int) else len(declared)


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
