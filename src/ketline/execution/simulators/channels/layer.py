"""One of the models that a task's noise combines, as tables of errors."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ketline.execution.simulators.channels.channel import Channel

# Operations that are no gates: models by the number of qubits leave them alone.
NOT_GATES = frozenset({"measure", "reset", "break_loop", "continue_loop"})

Operands = tuple[int, ...]


class Misreading(NamedTuple):
    """The probabilities with which a 0 reads 1, and a 1 reads 0."""

    p01: float
    p10: float

    def then(self, other: "Misreading") -> "Misreading":
        """The misreading of a bit that is read with this one, and whose result is then read with another."""
        return Misreading(
            (1 - self.p01) * other.p01 + self.p01 * (1 - other.p10),
            (1 - self.p10) * other.p10 + self.p10 * (1 - other.p01),
        )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Layer:
    """Errors of gates by name and qubits, by name, and by the number of qubits; the first that there is applies.

    Errors of readout are by qubit, or the same for all others.
    """

    local: Mapping[tuple[str, Operands], Channel] = field(default_factory=dict)
    everywhere: Mapping[str, Channel] = field(default_factory=dict)
    by_width: Mapping[int, Channel] = field(default_factory=dict)
    local_readout: Mapping[int, Misreading] = field(default_factory=dict)
    readout: Misreading | None = None

    def channel(self, name: str, qubits: Operands) -> Channel | None:
        """The error of an operation on these qubits, in order."""
        found = self.local.get((name, qubits)) or self.everywhere.get(name)
        if found is None and name not in NOT_GATES:
            found = self.by_width.get(len(qubits))
        return found

    def misreading(self, qubit: int) -> Misreading | None:
        """How a measurement of a qubit is misread."""
        return self.local_readout.get(qubit, self.readout)

    def has_errors_on(self, name: str) -> bool:
        """Whether an operation of this name has an error on some qubits."""
        return name in self.everywhere or any(name == other for other, _ in self.local)
