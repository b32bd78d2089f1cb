"""What a simulation method is. Each is one class, in a module of its own beside this one; `choice.py` chooses."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ketline.domain.errors import ProgramUnsupported
from ketline.domain.spec import Method, RunOptions
from ketline.execution.circuit.lowering import Lowered
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.engine import AerEngine, Counted

_NON_GATES = frozenset({"measure", "reset"})


class SimulationMethod(Protocol):
    """One way to simulate a lowered circuit: whether it can, what it costs, and the run itself. It has no state."""

    @property
    def name(self) -> Method:
        """What it is called in tasks and profiles."""
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
            ProgramUnsupported: it does not have an operation of the circuit.
            ProgramTooLarge: the state does not fit into the memory.
        """
        ...

    def circuit(self, lowered: Lowered, max_operations: int) -> Any:
        """The circuit in operations that this method applies.

        Raises:
            ProgramUnsupported: a gate cannot be made of them.
            ProgramTooLarge: it comes to more than `max_operations` operations.
        """
        ...

    def state_bytes(self, lowered: Lowered) -> int | None:
        """The most that the state takes; None where that is not known before it is simulated."""
        ...

    def bytes_needed(self, lowered: Lowered) -> int:
        """What is reserved for the state: `state_bytes`, or a bound that always holds."""
        ...

    def seconds(self, lowered: Lowered, shots: int) -> float | None:
        """An estimate for one core, of a circuit without loops; None where the cost follows the entanglement."""
        ...

    def run(
        self, engine: AerEngine, program: Program, shots: int, options: RunOptions, *, likely_repeated: bool
    ) -> Counted:
        """Counts by key in the order of the keys, and with `options.memory` each shot's key; there is a seed.

        With `likely_repeated` the same program is likely to be run next.

        Raises:
            ProgramTooLarge, ProgramUnsupported: as `circuit` does.
            MemoryLimitExceeded, SimulationFailed: the library gave up.
        """
        ...

    def expect(self, engine: AerEngine, program: Program, operators: Sequence[Any]) -> Sequence[float]:
        """The expectation values of operators in the final state of a program that measures nothing.

        Raises:
            ProgramTooLarge, ProgramUnsupported, MemoryLimitExceeded, SimulationFailed: as `run` does.
        """
        ...


@dataclass(frozen=True, slots=True)
class Choice:
    """The method and the reason, a sentence for users."""

    method: SimulationMethod
    reason: str


def without_values(method: Method) -> ProgramUnsupported:
    """The error of a method that gives no expectation values."""
    return ProgramUnsupported(f"method '{method}' has no expectation values; choose another, or 'automatic'")


def require_gates(lowered: Lowered, method: Method, operations: frozenset[str]) -> None:
    """Refuse a circuit with others than these operations, measurements and resets, by the name of the first.

    Raises:
        ProgramUnsupported: it has one.
    """
    missing = sorted(set(lowered.operations) - operations - _NON_GATES)
    if missing:
        raise ProgramUnsupported(
            f"method '{method}' has no '{missing[0]}', which this program comes to; choose another, or 'automatic'"
        )
