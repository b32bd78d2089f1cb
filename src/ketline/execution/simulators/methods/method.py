"""The protocol of simulation methods: each is a class in a module beside this one, and `choice.py` chooses."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ketline.domain.circuits.method import Method
from ketline.domain.devices.backend import Engine
from ketline.domain.errors import ProgramUnsupported
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.circuit.observables.pauli_sums import PauliSums
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.frontend.program import Program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.bitstrings import Counted
from ketline.execution.simulators.engines import Engines

_NON_GATES = frozenset({"measure", "reset"})


class SimulationMethod(Protocol):
    """One way to simulate a lowered circuit: whether it can, what it costs, and the run itself. It has no state."""

    @property
    def name(self) -> Method:
        """Its name in tasks and profiles."""
        ...

    @property
    def uses_threads(self) -> bool:
        """Whether large circuits run on several threads."""
        ...

    @property
    def gives_values(self) -> bool:
        """Whether it gives expectation values; else `expect` raises `ProgramUnsupported`."""
        ...

    def require(self, lowered: Lowered, memory_bytes: int) -> None:
        """Compare a circuit with what this method can do; nothing is allocated.

        Raises:
            ProgramUnsupported: the method cannot apply an operation of the circuit.
            ProgramTooLarge: the state does not fit into the memory.
        """
        ...

    def circuit(self, lowered: Lowered, max_operations: int) -> Any:
        """The circuit, decomposed into operations that this method applies.

        Raises:
            ProgramUnsupported: a gate cannot be decomposed into them.
            ProgramTooLarge: the decomposed circuit has more than `max_operations` operations.
        """
        ...

    def state_bytes(self, lowered: Lowered) -> int | None:
        """The most that the state takes; None where that is not known before it is simulated."""
        ...

    def bytes_needed(self, lowered: Lowered) -> int:
        """The memory that is reserved for the state: `state_bytes`, or a bound that always holds."""
        ...

    def seconds(self, lowered: Lowered, shots: int, limits: ExecutionLimits) -> float | None:
        """An estimate for one core, of a circuit without loops; None where the cost follows the entanglement.

        It is that of the engine which these limits allow.
        """
        ...

    def engine(self, lowered: Lowered, shots: int, engines: Engines) -> Engine:
        """The engine that `run` and `expect` use for a circuit, with what the current program may use."""
        ...

    def tried(self, engines: Engines, lowered: Lowered) -> "SimulationMethod":
        """The method with what the state of a circuit took when it was simulated, where that cannot be told before.

        Raises:
            ProgramTooLarge: as `run` does.
        """
        ...

    def run(
        self, engines: Engines, program: Program, shots: int, options: RunOptions, *, likely_repeated: bool
    ) -> Counted:
        """Counts by key in the order of the keys, and with `options.memory` each shot's key; there is a seed.

        With `likely_repeated` the same program is likely to be run next.

        Raises:
            ProgramTooLarge, ProgramUnsupported: as `circuit` does.
            MemoryLimitExceeded, SimulationFailed: the library failed.
        """
        ...

    def expect(self, engines: Engines, program: Program, sums: PauliSums) -> Sequence[float]:
        """The expectation values of sums of Pauli operators in the final state of a program that measures nothing.

        Raises:
            ProgramTooLarge, ProgramUnsupported, MemoryLimitExceeded, SimulationFailed: as `run` does.
        """
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    """The method, the reason, a sentence for users, and what to do where the method gives up by `ProgramTooLarge`."""

    method: SimulationMethod
    reason: str
    alternative: "Choice | None" = None


def without_values(method: Method) -> ProgramUnsupported:
    """The error of a method that gives no expectation values."""
    return ProgramUnsupported(f"method '{method}' has no expectation values; choose another, or 'automatic'")


def require_gates(lowered: Lowered, method: Method, operations: frozenset[str]) -> None:
    """Reject a circuit with an operation other than these, measurements and resets; the error names the first.

    Raises:
        ProgramUnsupported: the circuit has such an operation.
    """
    missing = sorted(set(lowered.operations) - operations - _NON_GATES)
    if missing:
        raise ProgramUnsupported(
            f"method '{method}' has no '{missing[0]}', which this program needs; choose another, or 'automatic'"
        )
