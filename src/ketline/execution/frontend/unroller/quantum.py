"""Runs the quantum statements of a program: gates, measurements, resets. Used by `statements.py`."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from openqasm3 import ast
from qiskit.circuit import QuantumCircuit
from qiskit.circuit.library import IGate

from ketline.domain.errors import ProgramInvalid, ProgramUnsupported
from ketline.execution.circuit.derivatives.dual import real
from ketline.execution.frontend import messages
from ketline.execution.frontend.importer.gates import STANDARD_IDENTITY, controlled_phase
from ketline.execution.frontend.phases import is_official_cx, phase_over_qiskit, with_phase
from ketline.execution.frontend.unroller.budget import Budget, error_location
from ketline.execution.frontend.unroller.concatenation import checked_concatenation
from ketline.execution.frontend.unroller.expressions import Evaluator
from ketline.execution.frontend.unroller.gates import (
    BUILTIN_GATES,
    CNOT,
    FURTHER_GATES,
    STANDARD_GATES,
    LibraryGate,
    Modifier,
    applications,
    check_angles,
    check_controls,
    control_states,
    modified,
    phase_angle,
)
from ketline.execution.frontend.unroller.kinds import FLOAT
from ketline.execution.frontend.unroller.memory import BitAlias, Definition, NameScopes, Qubits, Variable
from ketline.execution.frontend.unroller.traced_angles import TracedAngles
from ketline.execution.frontend.unroller.values import Measured, assuming, atom, lift
from ketline.execution.frontend.unroller.writer import CircuitWriter

_MAX_NESTED_GATES = 200
_WITH_STANDARD_GATES = BUILTIN_GATES | STANDARD_GATES | FURTHER_GATES


class QuantumStatements:
    """Writes gate calls, measurements and resets as operations.

    `run_body` runs the statements of a gate's definition. `gates` are those of the program's dialect. `angles` are
    those that have derivatives.
    """

    def __init__(
        self,
        scopes: NameScopes,
        budget: Budget,
        evaluator: Evaluator,
        writer: CircuitWriter,
        run_body: Callable[[Sequence[Any]], None],
        gates: Mapping[str, LibraryGate],
    ) -> None:
        self._scopes = scopes
        self._budget = budget
        self._evaluator = evaluator
        self._writer = writer
        self._run_body = run_body
        self._dialect_gates = gates
        self._included = False
        self._physical: list[int] = []
        self._in_gate = 0
        self.angles = TracedAngles()

    def include_standard_gates(self) -> None:
        if self._included:
            raise ProgramInvalid("'stdgates.inc' is included twice")
        clash = next((name for name in STANDARD_GATES if self._scopes.get(name) is not None), None)
        if clash is not None:
            raise ProgramInvalid(f"'{clash}' is already defined")
        self._included = True

    def check_free(self, name: str) -> None:
        """Reject names of the language and of the standard gates."""
        if name in BUILTIN_GATES or (self._included and name in STANDARD_GATES):
            raise ProgramInvalid(f"'{name}' is already defined")

    def check_calls(self, definition: Any) -> None:
        """Reject a definition that calls gates which are not defined before it, even if it is never called."""
        pending = list(definition.body)
        while pending:
            node = pending.pop()
            if isinstance(node, ast.QuantumGate):
                symbol = self._scopes.get(node.name.name)
                if not (isinstance(symbol, Definition) and isinstance(symbol.node, ast.SubroutineDefinition)):
                    with error_location(node):
                        self._look_up(node)
            for value in vars(node).values():
                pending += [one for one in _listed(value) if isinstance(one, ast.QASMNode)]

    def check_names(self, gate: Any) -> None:
        """Reject a gate whose body uses qubits or values that are not in its scope, even if it is never called."""
        for statement in gate.body:
            if not isinstance(statement, (ast.QuantumGate, ast.QuantumPhase, ast.QuantumBarrier)):
                continue
            for qubit in statement.qubits:
                with error_location(qubit):
                    if not isinstance(qubit, ast.Identifier):
                        raise ProgramInvalid("the qubits of a gate definition have no indices")
                    if qubit.name not in {one.name for one in gate.qubits}:
                        raise ProgramInvalid(f"'{qubit.name}' is not a qubit of gate '{gate.name.name}'")

    def gate(self, node: Any) -> None:
        if node.duration is not None:
            raise ProgramUnsupported("gates with durations are not supported")
        gate = self._look_up(node)
        takes = gate.parameters if isinstance(gate, LibraryGate) else len(gate.node.arguments)
        if takes != len(node.arguments):
            raise ProgramInvalid(
                f"gate '{node.name.name}' takes {_plural(takes, 'parameter')}, not {len(node.arguments)}"
            )
        modifiers = self._modifiers(node)
        controls = len(control_states(modifiers))
        takes = controls + (gate.qubits if isinstance(gate, LibraryGate) else len(gate.node.qubits))
        if takes != len(node.qubits):
            note = ", its controls included" if controls else ""
            raise ProgramInvalid(
                f"gate '{node.name.name}' takes {_plural(takes, 'qubit')}{note}, not {len(node.qubits)}"
            )
        arguments = [self._evaluator.angle(argument) for argument in node.arguments]
        operands = [self.operand(qubit) for qubit in node.qubits]
        for angles, chosen in self._cases(arguments, operands):
            with error_location(node):
                check_angles(angles)
                for qubits in applications(chosen):
                    self._apply(gate, angles, qubits, modifiers)

    def phase(self, node: Any) -> None:
        modifiers = self._modifiers(node)
        states = control_states(modifiers)
        if len(states) != len(node.qubits):
            raise ProgramInvalid(f"this 'gphase' takes {_plural(len(states), 'qubit')}, not {len(node.qubits)}")
        operands = [self.operand(qubit) for qubit in node.qubits]
        for (angle,), chosen in self._cases([self._evaluator.angle(node.argument)], operands):
            check_angles([angle])
            turned = self.angles.traced(phase_angle(angle, modifiers))
            if not states:
                self._writer.add_phase(turned)
                continue
            for qubits in applications(chosen):
                self._writer.append(controlled_phase(turned, states), qubits)

    def measure(self, node: Any) -> tuple[Any, ...]:
        """Measure a qubit or register, and return the outcomes, each as a value."""
        self._reject_in_gate(node, "measure")
        operand = self.operand(node.qubit)
        width = lift(lambda chosen: len(chosen) if isinstance(chosen, tuple) else 1, operand)
        if isinstance(width, Measured):
            raise ProgramUnsupported("the width of a measurement cannot depend on a measurement")
        atoms = [self._writer.new_bit() for _ in range(width)]
        for _, (chosen,) in self._cases([], [operand]):
            for qubit, position in zip(members(chosen), atoms, strict=True):
                self._writer.measure(qubit, position)
        return tuple(atom(position) for position in atoms)

    def reset(self, node: Any) -> None:
        self._reject_in_gate(node, "reset")
        for _, (chosen,) in self._cases([], [self.operand(node.qubits)]):
            for qubit in members(chosen):
                self._writer.reset(qubit)

    def operand(self, node: Any) -> Any:
        """The position of a qubit, or the positions of several; they may depend on measurements."""
        self._budget.step()
        with error_location(node):
            match node:
                case ast.Identifier():
                    return self._qubits_named(node)
                case ast.IndexedIdentifier():
                    chosen = self._qubits_named(node.name)
                    for depth, index in enumerate(node.indices):
                        chosen = self._selected(chosen, index, None if depth else node.name.name)
                    return chosen
                case ast.IndexExpression():
                    name = node.collection.name if isinstance(node.collection, ast.Identifier) else None
                    return self._selected(self.operand(node.collection), node.index, name)
                case ast.Concatenation():
                    joined = members(self.operand(node.lhs)) + members(self.operand(node.rhs))
                    return checked_concatenation(joined, joined)
            raise ProgramInvalid("a qubit or a register of qubits is needed here")

    def is_quantum(self, node: Any) -> bool:
        """Whether an expression names qubits."""
        match node:
            case ast.Identifier():
                return node.name.startswith("$") or isinstance(self._scopes.get(node.name), Qubits)
            case ast.IndexedIdentifier():
                return self.is_quantum(node.name)
            case ast.IndexExpression():
                return self.is_quantum(node.collection)
            case ast.Concatenation():
                return self.is_quantum(node.lhs)
        return False

    def _qubits_named(self, node: Any) -> Any:
        if node.name.startswith("$"):
            return self._physical_qubit(int(node.name[1:]))
        symbol = self._evaluator.looked_up(node)
        if not isinstance(symbol, Qubits):
            raise ProgramInvalid(f"'{node.name}' is not a qubit")
        return symbol.selection

    def _physical_qubit(self, number: int) -> int:
        """The position of a physical qubit. Naming one creates all with lower numbers, as if they were a register."""
        if self._in_gate:
            raise ProgramInvalid("physical qubits cannot be used in a gate definition: give the gate a parameter")
        if number >= len(self._physical):
            self._physical += self._writer.new_qubits(number + 1 - len(self._physical))
        return self._physical[number]

    def _selected(self, chosen: Any, index: Any, name: str | None) -> Any:
        if not isinstance(chosen, tuple):
            raise ProgramInvalid(messages.no_index(name, "qubit"))
        positions = self._evaluator.selected(self._evaluator.one_index(index), len(chosen), "qubit", name)
        if isinstance(positions, tuple):
            return tuple(chosen[position] for position in positions)
        return lift(lambda position: chosen[position], positions)

    def _cases(self, values: Sequence[Any], operands: Sequence[Any]) -> Iterator[tuple[Sequence[Any], Sequence[Any]]]:
        """Yield all possible values and operands; what the caller writes for each applies only in that case."""
        both = lift(lambda *row: row, *values, *operands)
        if not isinstance(both, Measured):
            yield both[: len(values)], both[len(values) :]
            return
        for case in dict.fromkeys(both.table):
            condition = lift(lambda row, case=case: row == case, both)
            with self._writer.when(condition), assuming(condition):
                yield case[: len(values)], case[len(values) :]

    def _apply(self, gate: Any, angles: Sequence[Any], qubits: Sequence[int], modifiers: Sequence[Modifier]) -> None:
        if len(set(qubits)) != len(qubits):
            raise ProgramInvalid("one qubit is given twice: a gate needs different qubits for its operands")
        if isinstance(gate, Definition) and not modifiers:
            self._inline(gate.node, angles, qubits)
            return
        if isinstance(gate, Definition):
            circuit = QuantumCircuit(len(gate.node.qubits))
            with self._writer.into(circuit):
                self._inline(gate.node, angles, range(circuit.num_qubits))
            built = circuit.to_gate()
        elif gate.build is None and not modifiers:
            built = IGate()
        else:
            angles = [self.angles.traced(angle) for angle in angles]
            phase = phase_over_qiskit(gate.name, angles)
            built = with_phase((gate.build or STANDARD_IDENTITY)(*angles), phase if modifiers else 0.0)
            if not modifiers:
                self._writer.add_phase(phase)
        modifiers = [replace(one, number=self.angles.traced(one.number)) for one in modifiers]
        self._writer.append(modified(built, modifiers, self._budget), qubits)

    def _inline(self, node: Any, angles: Sequence[Any], qubits: Sequence[int]) -> None:
        self._budget.operations(1)  # calls of gates without a body cost as well
        if self._scopes.depth_of_calls > _MAX_NESTED_GATES:
            raise ProgramUnsupported("the program nests too deeply")
        symbols: dict[str, Any] = {
            name.name: Variable(FLOAT, angle, constant=True) for name, angle in zip(node.arguments, angles, strict=True)
        }
        symbols |= {name.name: Qubits(qubit) for name, qubit in zip(node.qubits, qubits, strict=True)}
        with self._scopes.call(symbols), self._inside_gate():
            self._run_body(node.body)

    @contextmanager
    def _inside_gate(self) -> Iterator[None]:
        self._in_gate += 1
        try:
            yield
        finally:
            self._in_gate -= 1

    def _reject_in_gate(self, node: Any, what: str) -> None:
        if self._in_gate:
            with error_location(node):
                raise ProgramInvalid(f"'{what}' cannot stand in a gate definition")

    def _look_up(self, node: Any) -> Any:
        name = node.name.name
        symbol = self._scopes.get(name)
        if isinstance(symbol, Definition) and isinstance(symbol.node, ast.QuantumGateDefinition):
            return CNOT if is_official_cx(symbol.node) else symbol
        if symbol is not None and not isinstance(symbol, BitAlias):
            raise ProgramInvalid(f"'{name}' is not a gate")
        if name in self._dialect_gates:
            return self._dialect_gates[name]
        known = _WITH_STANDARD_GATES if self._included else BUILTIN_GATES
        if name not in known:
            hint = ' (is include "stdgates.inc"; missing?)' if name in STANDARD_GATES else ""
            raise ProgramInvalid(f"gate '{name}' is not defined{hint}")
        return known[name]

    def _modifiers(self, node: Any) -> list[Modifier]:
        found = []
        for modifier in node.modifiers:
            number: Any = 1
            if modifier.modifier is ast.GateModifierName.pow:
                number = self._exponent(modifier)
            elif modifier.argument is not None:
                number = check_controls(modifier, self._evaluator.integer(modifier.argument), len(node.qubits))
            found.append(Modifier(modifier.modifier, number))
        return found

    def _exponent(self, modifier: Any) -> Any:
        value = self._evaluator.evaluate(modifier.argument)
        if value.kind.name not in ("int", "uint", "float") or isinstance(value.value, Measured):
            raise ProgramUnsupported("the exponent of 'pow' must be a number that no measurement decides")
        return real(value.value)


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else (value,)


def members(chosen: Any) -> tuple[Any, ...]:
    return chosen if isinstance(chosen, tuple) else (chosen,)


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
