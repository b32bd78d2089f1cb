"""Writes conditions, assignments and operations into a circuit whose classical data are single bits.

`rewrite.py` writes operations with it, and `values.py` conditions and assignments.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from qiskit.circuit import Clbit, QuantumCircuit
from qiskit.circuit.classical import expr, types

from ketline.domain.errors import ProgramTooLarge, ProgramUnsupported
from ketline.execution.circuit.dynamic.arithmetic import word_of
from ketline.execution.circuit.dynamic.terms import Formula, Logic, Term, bit_term, node_of
from ketline.execution.limits import ExecutionLimits


class BitWriter:
    """Writes the circuit, with bits for its variables and for intermediate results.

    `forbidden` maps the error of a shot to the bit that is set in shots with this error.
    """

    def __init__(self, circuit: Any, limits: ExecutionLimits) -> None:
        self.result = QuantumCircuit(circuit.qubits, circuit.clbits)
        self.forbidden: dict[str, Any] = {}
        self.logic = Logic(self._in_scratch_bit)
        self.operations = 0
        self._limits = limits
        self._variables: dict[Any, list[Any]] = {}
        self._scratch: list[Any] = []
        self._scratch_used = 0
        self._anchor = _measured_qubit(circuit)

    def append(self, operation: Any, qubits: Sequence[Any], clbits: Sequence[Any]) -> None:
        self.spend(1)
        self.result.append(operation, qubits, clbits, copy=False)

    def bits_of(self, variable: Any) -> Sequence[Any]:
        """The bits of a declared variable."""
        if variable not in self._variables:
            raise ProgramUnsupported(f"variable '{variable.name}' is not declared in the circuit")
        return self._variables[variable]

    def declare(self, variable: Any) -> None:
        """Allocate the bits of a variable, which are 0 at first."""
        if variable not in self._variables:
            width = width_of(variable.type, variable.name)
            self._variables[variable] = [self.new_bit() for _ in range(width)]

    def set_variable(self, variable: Any, value: int) -> None:
        self.declare(variable)
        bits = self._variables[variable]
        if not 0 <= value < 1 << len(bits):
            raise ProgramUnsupported(f"variable '{variable.name}' cannot hold {value}")
        for bit, term in zip(bits, word_of(value, len(bits)), strict=True):
            self.store(bit, term)

    def forbid(self, condition: Term, what: str) -> None:
        """Record this error for the shots in which the condition holds here."""
        if condition is False:
            return
        if what not in self.forbidden:
            self.forbidden[what] = self.new_bit()
        bit = self.forbidden[what]
        self.store(bit, self.logic.either(bit_term(bit), condition))

    @contextmanager
    def where(self, condition: Formula) -> Iterator[Any]:
        """Write the block's operations under the condition; yields the context of an `else`."""
        self.spend(1)
        with self.result.if_test(_as_condition(condition)) as alternative:
            self.begin_block()
            yield alternative

    @contextmanager
    def repeated(self, condition: Formula) -> Iterator[None]:
        """Write the block's operations into a loop that runs while the condition holds."""
        self.spend(1)
        with self.result.while_loop(_as_condition(condition)):
            self.begin_block()
            yield

    def begin_block(self) -> None:
        """Begin a block with a barrier."""
        # Aer orders operations by the qubits that they share: a block with only assignments would be split.
        if self._anchor is not None:
            self.result.barrier(self._anchor)

    def store(self, bit: Any, term: Term) -> None:
        """Assign a term to a bit."""
        if isinstance(term, Formula) and term.is_bit and term.node.var == bit:
            return
        self.spend(1)
        self.result.store(expr.Var(bit, types.Bool()), node_of(term))

    def _in_scratch_bit(self, term: Formula) -> Formula:
        bit = self.new_scratch()
        self.store(bit, term)
        return bit_term(bit)

    def copied(self, term: Term) -> Term:
        """A term with the current value, whatever is written later to the bits that it reads."""
        return self._in_scratch_bit(term) if isinstance(term, Formula) else term

    @contextmanager
    def scratch_bits(self) -> Iterator[None]:
        """Free the scratch bits of the block after it."""
        before = self._scratch_used
        yield
        self._scratch_used = before

    def new_scratch(self) -> Any:
        """A bit for the rest of the block; its initial value is undefined."""
        if self._scratch_used == len(self._scratch):
            self._scratch.append(self.new_bit())
        self._scratch_used += 1
        return self._scratch[self._scratch_used - 1]

    def new_bit(self) -> Any:
        if self.result.num_clbits >= self._limits.max_bits:
            raise ProgramTooLarge(f"the classical part of the circuit needs more than {self._limits.max_bits} bits")
        bit = Clbit()
        self.result.add_bits([bit])
        return bit

    def spend(self, operations: int) -> None:
        self.operations += operations
        if self.operations > self._limits.max_operations:
            raise ProgramTooLarge(f"the program expands to more than {self._limits.max_operations} operations")


def width_of(kind: Any, name: str = "") -> int:
    if isinstance(kind, types.Bool):
        return 1
    if isinstance(kind, types.Uint):
        return int(kind.width)
    raise ProgramUnsupported(f"variable '{name}' of type {kind} is not supported")


def _as_condition(term: Formula) -> Any:
    if term.is_bit:
        return term.node.var, True
    if isinstance(term.node, expr.Unary) and isinstance(term.node.operand, expr.Var):
        return term.node.operand.var, False
    return term.node


def _measured_qubit(circuit: Any) -> Any:
    """A qubit that will not be left out: a measured one, if possible."""
    measured = (one.qubits[0] for one in circuit.data if one.operation.name == "measure" and one.qubits)
    return next(measured, circuit.qubits[0] if circuit.qubits else None)
