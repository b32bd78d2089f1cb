"""Recognises programs in Amazon Braket's dialect of OpenQASM 3, and rejects what has another meaning there.

A program in the dialect includes no file and calls gates that it does not define, by Braket's names. Such a program is
not valid in OpenQASM 3 itself, so nothing that is valid changes its meaning.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from openqasm3 import ast

from ketline.execution.frontend.braket.gates import BRAKET_GATES, BRAKET_U, matrix_gate
from ketline.execution.frontend.braket.names import BRAKET, ONLY_BRAKET
from ketline.execution.frontend.braket.pragmas import MatrixName
from ketline.execution.frontend.diagnosis import unsupported
from ketline.execution.frontend.unroller.gates import LibraryGate

_LANGUAGE = frozenset({"U", "gphase"})
_PHASE_MATTERS = (ast.GateModifierName.ctrl, ast.GateModifierName.negctrl, ast.GateModifierName.pow)


@dataclass(frozen=True, slots=True)
class Dialect:
    """The parts of the dialect that a program uses; a program of OpenQASM 3 uses only `gates` given by a matrix.

    `gates` are those that calls may name besides the program's own. `recognised`: the program is in the dialect;
    `certain`: by a name or a pragma that nothing but Braket has. `measures_all`: it has no measurement, and Braket then
    measures all qubits at the end.
    """

    gates: Mapping[str, LibraryGate] = field(default_factory=dict)
    recognised: bool = False
    certain: bool = False
    measures_all: bool = False


def dialect_of(program: Any, *, pragmas: bool = False) -> Dialect:
    """The dialect of a parsed program; `pragmas` tells whether pragmas of Braket were removed from it."""
    nodes = list(_nodes(program))
    calls = [node.name for node in nodes if isinstance(node, ast.QuantumGate)]
    matrices = {name.name: matrix_gate(name.matrix, name.qubits) for name in calls if isinstance(name, MatrixName)}
    if any(isinstance(node, ast.Include) for node in nodes):
        return Dialect(matrices)
    defined = {
        node.name.name for node in nodes if isinstance(node, (ast.QuantumGateDefinition, ast.SubroutineDefinition))
    }
    undefined = {name.name for name in calls} - defined - _LANGUAGE - matrices.keys()
    certain = pragmas or bool(undefined & ONLY_BRAKET)
    if not certain and not (undefined and undefined <= BRAKET):
        return Dialect(matrices)
    gates = {name: gate for name, gate in BRAKET_GATES.items() if name not in defined}
    measures_all = certain and not any(isinstance(node, ast.QuantumMeasurement) for node in nodes)
    return Dialect(gates | matrices | {"U": BRAKET_U}, True, certain, measures_all)


def check_dialect(program: Any, dialect: Dialect) -> None:
    """Reject what has another meaning in Braket than in OpenQASM 3.

    Raises:
        ProgramUnsupported: qubits are named in both ways, a measurement has no bit, or the phase of `U` is uncertain.
    """
    if not dialect.recognised:
        return
    nodes = list(_nodes(program))
    declares = any(isinstance(node, ast.QubitDeclaration) for node in nodes)
    calls_u = any(isinstance(node, ast.QuantumGate) and node.name.name == "U" for node in nodes)
    for node in nodes:
        if isinstance(node, ast.Identifier) and node.name.startswith("$") and declares:
            raise unsupported(
                node,
                f"in Amazon Braket's dialect '{node.name}' is one of the declared qubits, in OpenQASM 3 it is another: "
                "use declared qubits or physical ones, not both",
            )
        if isinstance(node, ast.QuantumMeasurementStatement) and node.target is None:
            raise unsupported(node, "the outcome of this measurement is not stored: write 'b = measure ...;'")
        if calls_u and not dialect.certain and isinstance(node, ast.QuantumGate) and _has_phase(node):
            raise unsupported(
                node,
                "the phase of 'U' matters under this modifier, and Amazon Braket's is another than that of OpenQASM 3: "
                "write 'include \"stdgates.inc\";' at the beginning to have that of OpenQASM 3",
            )


def _has_phase(call: Any) -> bool:
    return any(modifier.modifier in _PHASE_MATTERS for modifier in call.modifiers)


def _nodes(root: Any) -> Iterator[Any]:
    """All nodes of a tree in the order of its text."""
    pending = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.QASMNode):
            yield node
            pending.extend(value for name, value in reversed(vars(node).items()) if name != "span")
        elif isinstance(node, (list, tuple)):
            pending.extend(reversed(node))
