"""The base class of the simulation methods that run a whole circuit on Aer."""

from collections.abc import Sequence
from typing import Any, Self

from ketline.domain.circuits.method import Method
from ketline.domain.devices.backend import Engine
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.circuit.observables.pauli_sums import PauliSums
from ketline.execution.circuit.passes.inlining import restrict
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.bitstrings import Counted
from ketline.execution.simulators.engines import Engines, key_of


class AerMethod:
    """Rewrites a circuit into the gates of the method, and runs it on Aer.

    Subclasses say which circuits they can run, and at what cost.
    """

    name: Method
    gates: frozenset[str]
    gives_values = True

    def circuit(self, lowered: Lowered, max_operations: int) -> Any:
        return restrict(lowered, self.gates, max_operations).circuit

    def tried(self, engines: Engines, lowered: Lowered) -> Self:
        return self

    def engine(self, lowered: Lowered, shots: int, engines: Engines) -> Engine:
        return Engine.AER

    def run(
        self, engines: Engines, program: Program, shots: int, options: RunOptions, *, likely_repeated: bool
    ) -> Counted:
        circuit = self.circuit(program.lowered, engines.max_operations)
        return engines.counts(circuit, shots, self.name, options, key_of(program))

    def expect(self, engines: Engines, program: Program, sums: PauliSums) -> Sequence[float]:
        return engines.values(self.circuit(program.lowered, engines.max_operations), self.name, sums.operators)
