"""Expectation values of circuits that measure, reset, branch and loop, over all outcomes, by Qiskit's density matrices.

The second opinion on exact values: every history of outcomes is followed through Qiskit's own circuit, one after
another, and its state is a `DensityMatrix` whose trace is its probability. Nothing here is of Ketline.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from qiskit.circuit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.quantum_info import DensityMatrix, Kraus, Operator, SparsePauliOp, SuperOp

_PROJECTORS = (Operator([[1, 0], [0, 0]]), Operator([[0, 0], [0, 1]]))
_RESET = Kraus([np.array([[1, 0], [0, 0]]), np.array([[0, 1], [0, 0]])])
# Histories that are rarer end here; a `while` loop has no last one.
_RAREST = 1e-13
_LIBRARY = get_standard_gate_name_mapping()
_GATES = ("h", "s", "sx", "t", "x", "rx", "ry", "p", "u", "cx", "cz", "cp", "swap", "rzz")

# Qiskit's errors by the name of an operation, and the probabilities that a 0 reads 1 and a 1 reads 0.
Errors = Mapping[str, Any]
History = tuple[dict[Any, bool], Any]


def values_over_outcomes(
    circuit: QuantumCircuit,
    operators: Sequence[Any],
    errors: Errors | None = None,
    misread: tuple[float, float] = (0, 0),
) -> list[float]:
    """The expectation values at the end of a circuit, added up over all histories."""
    start = DensityMatrix.from_label("0" * circuit.num_qubits)
    reader = _Reader(circuit, errors or {}, misread)
    histories = list(reader.follow(circuit, [(dict.fromkeys(circuit.clbits, False), start)], {}, {}))
    total = sum(state.data for _, state in histories)
    return [float(np.trace(operator.to_matrix() @ total).real) for operator in operators]


class _Reader:
    def __init__(self, circuit: QuantumCircuit, errors: Errors, misread: tuple[float, float]) -> None:
        self._indices = {qubit: index for index, qubit in enumerate(circuit.qubits)}
        self._errors = errors
        self._misread = misread

    def follow(
        self, circuit: Any, histories: list[History], qubits: Mapping[Any, Any], bits: Mapping[Any, Any]
    ) -> list[History]:
        """The histories after a circuit or block, whose qubits and bits these map to the outermost ones."""
        for instruction in circuit.data:
            operands = [self._indices[qubits.get(qubit, qubit)] for qubit in instruction.qubits]
            written = [bits.get(bit, bit) for bit in instruction.clbits]
            histories = [
                after
                for history in histories
                for after in self._after(instruction, history, operands, written, qubits, bits)
            ]
        return histories

    def _after(
        self,
        instruction: Any,
        history: History,
        operands: list[int],
        written: list[Any],
        qubits: Mapping[Any, Any],
        bits: Mapping[Any, Any],
    ) -> Iterator[History]:
        values, state = history
        operation, name = instruction.operation, instruction.operation.name
        if state.trace().real < _RAREST:
            return
        if name == "measure":
            yield from self._measured(values, self._with_error(state, name, operands), operands, written[0])
        elif name == "reset":
            yield values, self._with_error(state.evolve(_RESET, operands), name, operands)
        elif name in ("if_else", "while_loop", "for_loop"):
            inner = [
                (
                    block,
                    {
                        own: qubits.get(outer, outer)
                        for own, outer in zip(block.qubits, instruction.qubits, strict=True)
                    },
                    {own: bits.get(outer, outer) for own, outer in zip(block.clbits, instruction.clbits, strict=True)},
                )
                for block in operation.blocks
            ]
            yield from self._branched(operation, history, inner, bits)
        elif name != "barrier":
            yield values, self._with_error(state.evolve(Operator(operation), operands), name, operands)

    def _measured(self, values: dict[Any, bool], state: Any, operands: list[int], bit: Any) -> Iterator[History]:
        for outcome, projector in enumerate(_PROJECTORS):
            projected = state.evolve(projector, operands)
            wrong = self._misread[outcome]
            yield {**values, bit: bool(outcome)}, DensityMatrix(projected.data * (1 - wrong))
            if wrong:
                yield {**values, bit: not outcome}, DensityMatrix(projected.data * wrong)

    def _branched(self, operation: Any, history: History, inner: list[Any], bits: Mapping[Any, Any]) -> list[History]:
        if operation.name == "for_loop":
            values, parameter, body = operation.params
            found = [history]
            for value in values:
                bound = body.assign_parameters({parameter: value}) if parameter in body.parameters else body
                found = self.follow(bound, found, *inner[0][1:])
            return found
        if operation.name == "if_else":
            holds = _holds(operation.condition, history[0], bits)
            chosen = inner[0] if holds else inner[1] if len(inner) > 1 else None
            return [history] if chosen is None else self.follow(chosen[0], [history], *chosen[1:])
        waiting = [history]
        ended: list[History] = []
        while waiting:
            going: list[History] = []
            for one in waiting:
                (going if _holds(operation.condition, one[0], bits) else ended).append(one)
            going = [one for one in going if one[1].trace().real >= _RAREST]
            waiting = self.follow(inner[0][0], going, *inner[0][1:])
        return ended

    def _with_error(self, state: Any, name: str, operands: list[int]) -> Any:
        error = self._errors.get(name)
        return state if error is None else state.evolve(SuperOp(error), operands)


def _holds(condition: Any, values: Mapping[Any, bool], bits: Mapping[Any, Any]) -> bool:
    target, value = condition
    if isinstance(target, ClassicalRegister):
        return bool(value == sum(values[bits.get(bit, bit)] << place for place, bit in enumerate(target)))
    return bool(values[bits.get(target, target)] == bool(value))


def random_dynamic(seed: int, qubits: int, operations: int = 12, *, branches: bool = True) -> QuantumCircuit:
    """Gates, measurements and resets in random order, and branches on what was measured."""
    choose = random.Random(seed)
    circuit = QuantumCircuit(QuantumRegister(qubits), ClassicalRegister(3, "c"))
    for _ in range(operations):
        kind = choose.random()
        if kind < 0.15:
            circuit.measure(choose.randrange(qubits), choose.randrange(3))
        elif kind < 0.25:
            circuit.reset(choose.randrange(qubits))
        elif kind < 0.45 and branches:
            _add_branch(circuit, choose)
        else:
            _add_gate(circuit, choose)
    return circuit


def _add_branch(circuit: QuantumCircuit, choose: random.Random) -> None:
    register = circuit.cregs[0]
    condition = (register, choose.randrange(8)) if choose.random() < 0.4 else (register[choose.randrange(3)], 1)
    with circuit.if_test(condition) as otherwise:
        _add_gate(circuit, choose)
        if choose.random() < 0.3:
            circuit.measure(choose.randrange(circuit.num_qubits), choose.randrange(3))
    if choose.random() < 0.5:
        with otherwise:
            _add_gate(circuit, choose)


def _add_gate(circuit: QuantumCircuit, choose: random.Random) -> None:
    gate: Any = _LIBRARY[choose.choice([name for name in _GATES if _LIBRARY[name].num_qubits <= circuit.num_qubits])]
    angles = [choose.uniform(-3, 3) for _ in gate.params]
    circuit.append(type(gate)(*angles), choose.sample(range(circuit.num_qubits), gate.num_qubits))


def random_observables(seed: int, qubits: int, number: int = 3) -> list[Any]:
    """Sums of up to four Pauli operators with random coefficients."""
    choose = random.Random(seed)
    found = []
    for _ in range(number):
        labels = ["".join(choose.choices("IXYZ", k=qubits)) for _ in range(choose.randint(1, 4))]
        found.append(SparsePauliOp.from_list([(label, choose.uniform(-2, 2)) for label in labels]).simplify())
    return found
