"""Writes the operations of an unrolled program into a circuit, under the conditions that apply.

The interpreter and the modules it calls write with it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from qiskit.circuit import Clbit, QuantumCircuit, QuantumRegister, Qubit
from qiskit.circuit.classical import expr

from ketline.domain.errors import OutputsInvalid, ProgramInvalid, ProgramUnsupported
from ketline.execution.frontend.unroller.budget import Budget
from ketline.execution.frontend.unroller.values import MAX_ATOMS, Measured, lift


class CircuitWriter:
    """Appends operations to a circuit, inside the branches and loops that surround them.

    Every measurement has its own classical bit, so that earlier outcomes do not change; the bitstrings are computed
    from these bits at the end.
    """

    def __init__(self, budget: Budget) -> None:
        self.circuit = QuantumCircuit()
        self._main = self.circuit
        self._budget = budget
        self._dry_run_bits: int | None = None
        self._conditions = 0

    @property
    def operations(self) -> int:
        """The number of operations of the program's circuit outside of its branches and loops."""
        return len(self._main._data)  # noqa: SLF001 - `data` makes an object for each access

    @contextmanager
    def dry_run(self) -> Iterator[None]:
        """Discard the operations of the block, and the bits that it creates."""
        before, self._dry_run_bits = self._dry_run_bits, self._dry_run_bits or 0
        try:
            with self._budget.dry_run():
                yield
        finally:
            self._dry_run_bits = before

    def new_qubits(self, number: int, name: str | None = None) -> range:
        """Add qubits, as a register if they have a name, which drawings show."""
        self._budget.declare("qubits", number)
        first = self._main.num_qubits
        qubits = [Qubit() for _ in range(number)]
        if name is None:
            self._main.add_bits(qubits)
        else:
            self._main.add_register(QuantumRegister(name=name, bits=qubits))
        return range(first, first + number)

    def new_bit(self) -> int:
        self._budget.declare("bits", 1)
        if self._dry_run_bits is not None:
            self._dry_run_bits += 1
            return int(self._main.num_clbits) + self._dry_run_bits - 1
        self._main.add_bits([Clbit()])
        return int(self._main.num_clbits) - 1

    def append(self, gate: Any, qubits: Sequence[int]) -> None:
        if len(set(qubits)) != len(qubits):
            raise ProgramInvalid("a gate needs different qubits for its operands")
        self._budget.operations(1)
        if self._dry_run_bits is not None:
            return
        self.circuit.append(gate, [self.circuit.qubits[position] for position in qubits], copy=False)

    def add_phase(self, angle: Any) -> None:
        if self._dry_run_bits is None:
            self.circuit.global_phase += angle

    def place(self, make: Callable[[Any], Any]) -> None:
        """Write a named place, which `make` makes of the phase of the program until here.

        Raises:
            OutputsInvalid: it is inside of a branch or a loop that depends on measurements.
        """
        if self._conditions:
            raise OutputsInvalid(
                "a place must be where every shot passes once, and after a conditional 'end' not all do: move the "
                "pragma before it"
            )
        self._budget.operations(1)
        if self._dry_run_bits is None:
            self._main.append(make(self._main.global_phase), [])

    def measure(self, qubit: int, position: int) -> None:
        self._budget.operations(1)
        if self._dry_run_bits is None:
            self._main.measure(qubit, position)

    def reset(self, qubit: int) -> None:
        self._budget.operations(1)
        if self._dry_run_bits is None:
            self._main.reset(qubit)

    def store(self, position: int, value: Any) -> None:
        """Set a classical bit to a value."""
        self._budget.operations(1)
        if self._dry_run_bits is None:
            self._main.store(self._main.clbits[position], self._expression(value))

    def narrowed(self, value: Any) -> Any:
        """The value, written to new bits if these are fewer than the bits on which it depends."""
        if not isinstance(value, Measured):
            return value
        numbered = _Numbered([value])
        if numbered.width >= len(value.atoms):
            return value
        cells = [self.new_bit() for _ in range(numbered.width)]
        self._store_number(cells, numbered, value)
        return numbered.decoded(cells)

    def merged(self, condition: Measured, then: Any, otherwise: Any) -> Any:
        """`then` if the condition holds, otherwise `otherwise`, written to new bits.

        Raises:
            ProgramUnsupported: it needs too many bits.
        """
        numbered = _Numbered([then, otherwise])
        if numbered.width > MAX_ATOMS:
            raise ProgramUnsupported(f"a value that depends on more than {MAX_ATOMS} measured bits is not supported")
        cells = [self.new_bit() for _ in range(numbered.width)]
        self._store_number(cells, numbered, otherwise)
        with self.when(condition):
            self._store_number(cells, numbered, then)
        return numbered.decoded(cells)

    def _store_number(self, cells: Sequence[int], numbered: "_Numbered", value: Any) -> None:
        for rank, cell in enumerate(cells):
            self.store(cell, lift(lambda entry, rank=rank: bool(numbered.number(entry) >> rank & 1), value))

    @contextmanager
    def when(self, condition: Measured) -> Iterator[Any]:
        """Write the block's operations under the condition; yields the context of an `else`."""
        self._budget.operations(1)
        if self._dry_run_bits is not None:
            yield nullcontext()
            return
        with self._main.if_test(self._condition(condition)) as otherwise, self._conditional():
            yield otherwise

    @contextmanager
    def _conditional(self) -> Iterator[None]:
        self._conditions += 1
        try:
            yield
        finally:
            self._conditions -= 1

    @contextmanager
    def repeat_while(self, condition: Measured) -> Iterator[None]:
        self._budget.operations(1)
        if self._dry_run_bits is not None:
            yield
            return
        with self._main.while_loop(self._condition(condition)), self._conditional():
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
        """A Boolean value as an expression of Qiskit, expanded bit by bit."""
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


class _Numbered:
    """The possible combinations of some values, numbered."""

    def __init__(self, values: Sequence[Any]) -> None:
        entries = [entry for value in values for entry in (value.table if isinstance(value, Measured) else (value,))]
        self._distinct = list({(type(entry), entry): entry for entry in entries}.values())
        self._numbers = {(type(entry), entry): number for number, entry in enumerate(self._distinct)}
        self.width = (len(self._distinct) - 1).bit_length()

    def number(self, entry: Any) -> int:
        return self._numbers[type(entry), entry]

    def decoded(self, cells: Sequence[int]) -> Any:
        """The value whose number is in these bits."""
        if not cells:
            return self._distinct[0]
        last = len(self._distinct) - 1
        return Measured(tuple(cells), tuple(self._distinct[min(number, last)] for number in range(1 << len(cells))))


def _shrunk(atoms: tuple[int, ...], table: tuple[Any, ...]) -> Any:
    first = bool(table[0])
    return first if all(bool(one) == first for one in table) else Measured(atoms, tuple(table))
