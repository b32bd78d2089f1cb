"""The phases by which the specification's gates differ from Qiskit's of the same name, and the warnings about them.

The front ends correct phases by it; `program.py` adds the warnings.

The specification's `U(θ, φ, λ)` is e^{iθ/2} times Qiskit's, its `u2` and `u3` e^{-i(φ+λ)/2} times Qiskit's. The phase
matters only under `ctrl`, `negctrl` and `pow`. Source: OpenQASM 3 specification, "Gates", section "Built-in gates", and
its stdgates.inc; see docs/decisions/0022.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from openqasm3 import ast
from qiskit.circuit import QuantumCircuit

from ketline.domain.circuits.gates import GATE_TABLE
from ketline.domain.results.result import ProgramWarning, WarningCode

_MAX_WARNINGS = 20
PHASES_OVER_QISKIT: Mapping[str, Callable[..., Any]] = {
    gate.name: gate.phase_over_qiskit for gate in GATE_TABLE if gate.phase_over_qiskit is not None
}
_SEEN_UNDER = frozenset({ast.GateModifierName.ctrl, ast.GateModifierName.negctrl, ast.GateModifierName.pow})


def phase_over_qiskit(name: str, angles: Sequence[Any]) -> Any:
    """The phase of the specification's gate relative to Qiskit's of the same name, in radians; 0 for most gates."""
    phase = PHASES_OVER_QISKIT.get(name)
    return 0.0 if phase is None else phase(*angles)


def with_phase(gate: Any, phase: Any) -> Any:
    """A gate with a phase that takes effect under controls and powers."""
    if isinstance(phase, float) and not phase:
        return gate
    circuit = QuantumCircuit(gate.num_qubits, global_phase=phase)
    circuit.append(gate, range(gate.num_qubits))
    return circuit.to_gate()


def is_official_cx(definition: Any) -> bool:
    """Whether a definition is that of `CX` in the specification's stdgates.inc, which means the controlled NOT.

    Its text, `ctrl @ U(π, 0, π) a, b`, is older than the phase of `U`.
    """
    if definition.name.name != "CX" or definition.arguments or len(definition.body) != 1:
        return False
    (call,) = definition.body
    return (
        isinstance(call, ast.QuantumGate)
        and call.name.name == "U"
        and [one.modifier for one in call.modifiers] == [ast.GateModifierName.ctrl]
        and call.modifiers[0].argument is None
        and [getattr(qubit, "name", None) for qubit in call.qubits] == [one.name for one in definition.qubits]
        and [_word(argument) for argument in call.arguments] in (["π", 0, "π"], ["pi", 0, "pi"])
    )


def phase_warnings(program: Any) -> tuple[ProgramWarning, ...]:
    """A warning for each call of a parsed program whose meaning depends on these phases, 20 at most."""
    phased = set(PHASES_OVER_QISKIT)
    found: list[ProgramWarning] = []
    for statement in program.statements:
        calls = [] if _is_cx(statement) else list(_calls(statement))
        found += [_warning(call) for call in calls if call.name.name in phased and _is_seen(call)]
        if isinstance(statement, ast.QuantumGateDefinition):
            has_phase = any(_has_phase(call, phased) for call in calls)
            (phased.add if has_phase else phased.discard)(statement.name.name)
    return tuple(found[:_MAX_WARNINGS])


def _is_cx(statement: Any) -> bool:
    return isinstance(statement, ast.QuantumGateDefinition) and is_official_cx(statement)


def _calls(root: Any) -> Iterator[Any]:
    pending = [root]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.QuantumGate):
            yield node
        elif isinstance(node, (list, tuple)):
            pending += reversed(node)
        elif isinstance(node, (ast.Statement, ast.CompoundStatement)) and not isinstance(node, ast.Expression):
            pending += reversed(list(vars(node).values()))


def _has_phase(call: Any, phased: set[str]) -> bool:
    """Whether a call has a phase; `U` with an angle of 0 has none."""
    if call.name.name not in phased:
        return False
    # Other checks report a call without angles.
    return call.name.name != "U" or not call.arguments or _word(call.arguments[0]) != 0


def _is_seen(call: Any) -> bool:
    return any(one.modifier in _SEEN_UNDER for one in call.modifiers) and _has_phase(call, {call.name.name})


def _word(node: Any) -> Any:
    if isinstance(node, ast.Identifier):
        return node.name
    return node.value if isinstance(node, (ast.IntegerLiteral, ast.FloatLiteral)) else None


def _warning(call: Any) -> ProgramWarning:
    name = call.name.name[:40]
    what = f"'{name}'" if name in PHASES_OVER_QISKIT else f"'{name}', which is made of 'U', 'u2' or 'u3',"
    return ProgramWarning(
        code=WarningCode.GATE_PHASE,
        message=f"under this modifier the phase of {what} matters: here it is that of the OpenQASM 3 specification "
        "(for 'U' e^(iθ/2)); Qiskit, and drafts of the specification, have none, and give other results",
        line=call.span.start_line,
        column=call.span.start_column + 1,
    )
