"""A circuit that was lowered, and the names of the operations that stay in it."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ketline.domain.circuits.gates import applied_by
from ketline.domain.circuits.method import Method
from ketline.execution.circuit.derivatives.binding import StepTemplate, template_of
from ketline.execution.circuit.operations import (
    LOOPS_AND_BRANCHES,
    Step,
    count_operations,
    depth_of,
    final_measurements,
)
from ketline.execution.circuit.passes.light_cone import reduced
from ketline.execution.circuit.plain import PlainCircuit

# Gates whose name and meaning Qiskit and Aer share. Only library gates carry these names: see gates.py.
AER_GATES = applied_by(Method.STATEVECTOR)


NO_GATES = frozenset({"measure", "reset", "break_loop", "continue_loop", "store"})


JUMPS = frozenset({"break_loop", "continue_loop"})


BRANCHES = LOOPS_AND_BRANCHES | JUMPS


IsGenuine = Callable[[Any], bool]


@dataclass(eq=False)
class Lowered:
    """A circuit of operations that Aer applies, on the qubits that can affect its outcome.

    `operations` counts operations by name, those inside control-flow blocks once for each block. `origins` has, for
    each operation outside of such blocks, the index of the operation that it was made of, where that is recorded.
    `kept_qubits` are the indices that its qubits had before others were left out. `pattern` is a circuit of the same
    operations with other angles, from which this one was made.
    """

    plain: PlainCircuit
    operations: Counter[str] = field(default_factory=Counter)
    origins: Sequence[int] = ()
    kept_qubits: Sequence[int] = ()
    pattern: "Lowered | None" = None

    @property
    def circuit(self) -> Any:
        """Qiskit's circuit, which is made when it is first read."""
        return self.plain.circuit

    @property
    def num_qubits(self) -> int:
        return self.plain.num_qubits

    @property
    def num_clbits(self) -> int:
        return self.plain.num_clbits

    @property
    def steps(self) -> Sequence[Step]:
        return self.plain.steps

    @cached_property
    def depth(self) -> int:
        """The circuit's depth; control-flow blocks count as one operation."""
        if self.pattern is not None:
            return self.pattern.depth
        if self.has_control_flow or self.operations["store"]:
            return int(self.circuit.depth())
        return depth_of(self.steps, self.num_qubits, self.num_clbits)

    @property
    def has_control_flow(self) -> bool:
        return not LOOPS_AND_BRANCHES.isdisjoint(self.operations)

    @cached_property
    def final_measurements(self) -> Sequence[tuple[int, int]] | None:
        """The measured qubits with the bits they go to, as indices, if every measurement is final.

        That is: no reset, no control flow, no computing on bits, no operation on a qubit that was measured, and no bit
        written twice. Then the outcome is a sample of the final distribution. Otherwise None.
        """
        if self.pattern is not None:
            return self.pattern.final_measurements
        if self.has_control_flow or self.operations["reset"] or self.operations["store"]:
            return None
        measurements = self.operations["measure"]
        last = self.steps[-measurements:] if measurements else ()
        # If no other operation follows a measurement, what precedes them need not be searched.
        are_last = count_operations(last)["measure"] == measurements
        return final_measurements(last if are_last else self.steps)

    @cached_property
    def template(self) -> StepTemplate | None:
        """Gives the steps for values of the parameters; None if only Qiskit can bind them."""
        return template_of(self.steps)

    def with_steps(self, steps: Sequence[Step]) -> "Lowered":
        """The same operations with other angles."""
        plain = reduced(self.plain, range(self.num_qubits), steps)
        return Lowered(plain, self.operations, kept_qubits=self.kept_qubits, pattern=self)
