"""Writes the operations of an unrolled program into a circuit."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from qiskit.circuit import Clbit, QuantumCircuit, Qubit
from qiskit.circuit.classical import expr

from ketline.domain.errors import ProgramInvalid
from ketline.execution.unroller.budget import Budget
from ketline.execution.unroller.values import Measured


class CircuitWriter:
    """Appends to a circuit, under the conditions that surround each operation.

    Every measurement is kept in a classical bit of its own, so that values seen earlier stay what they were; which
    of them a counts key shows is decided at the end.
    """

    def __init__(self, budget: Budget) -> None:
        self.circuit = QuantumCircuit()
        self._main = self.circuit
        self._budget = budget

    def new_qubits(self, number: int) -> range:
        self._budget.declare("qubits", number)
        first = self._main.num_qubits
        self._main.add_bits([Qubit() for _ in range(number)])
        return range(first, first + number)

    def new_bit(self) -> int:
        self._budget.declare("bits", 1)
        self._main.add_bits([Clbit()])
        return int(self._main.num_clbits) - 1

    def append(self, gate: Any, qubits: Sequence[int]) -> None:
        if len(set(qubits)) != len(qubits):
            raise ProgramInvalid("a gate needs different qubits for its operands")
        self._budget.operations(1)
        self.circuit.append(gate, [self.circuit.qubits[position] for position in qubits], copy=False)

    def add_phase(self, angle: float) -> None:
        self.circuit.global_phase += angle

    def measure(self, qubit: int, position: int) -> None:
        self._budget.operations(1)
        self._main.measure(qubit, position)

    def reset(self, qubit: int) -> None:
        self._budget.operations(1)
        self._main.reset(qubit)

    def store(self, position: int, value: Any) -> None:
        """Set a classical bit to a value."""
        self._budget.operations(1)
        self._main.store(self._main.clbits[position], self._expression(value))

    @contextmanager
    def when(self, condition: Measured) -> Iterator[Any]:
        """What is written in the block happens where the condition holds; gives the context of an `else`."""
        self._budget.operations(1)
        with self._main.if_test(self._condition(condition)) as otherwise:
            yield otherwise

    @contextmanager
    def repeat_while(self, condition: Measured) -> Iterator[None]:
        self._budget.operations(1)
        with self._main.while_loop(self._condition(condition)):
            yield

    @contextmanager
    def into(self, circuit: QuantumCircuit) -> Iterator[None]:
        """Write gates into another circuit, whose qubits count from 0."""
        outer, self.circuit = self.circuit, circuit
        try:
            yield
        finally:
            self.circuit = outer

    def _condition(self, condition: Measured) -> Any:
        if len(condition.atoms) == 1:
            return self._main.clbits[condition.atoms[0]], condition.table[1]
        return self._expression(condition)

    def _expression(self, value: Any) -> Any:
        """A Boolean value as an expression of Qiskit's, expanded by one bit after the other."""
        if not isinstance(value, Measured):
            return expr.lift(bool(value))
        self._budget.step(len(value.table))
        bit = self._main.clbits[value.atoms[-1]]
        half = len(value.table) // 2
        low, high = (_shrunk(value.atoms[:-1], part) for part in (value.table[:half], value.table[half:]))
        if low is False and high is True:
            return expr.lift(bit)
        if low is True and high is False:
            return expr.bit_not(bit)
        where_set = expr.bit_and(bit, self._expression(high)) if high is not True else expr.lift(bit)
        where_clear = expr.bit_and(expr.bit_not(bit), self._expression(low)) if low is not True else expr.bit_not(bit)
        if low is False:
            return where_set
        return where_clear if high is False else expr.bit_or(where_set, where_clear)


def _shrunk(atoms: tuple[int, ...], table: tuple[Any, ...]) -> Any:
    first = bool(table[0])
    return first if all(bool(one) == first for one in table) else Measured(atoms, tuple(table))
