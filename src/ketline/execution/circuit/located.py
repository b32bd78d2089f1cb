"""Where the qubits of a program are in a circuit that was transpiled for a device; `execution/transpiling` finds it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# The same gates in those of a device on one of its qubits, by number.
NativeGates = Callable[[Sequence[Any], int], Sequence[Any]]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LocatedQubits:
    """The device's qubits of a program's qubits, which routing moves, and how a gate is written on them.

    `qubits` has them in the order of declaration, by place: None is the end. `native` writes gates on one qubit in
    gates of the device, and `has_gate` says whether it has a gate of a name on some qubits, in order.
    """

    qubits: Mapping[str | None, Sequence[int]]
    native: NativeGates
    has_gate: Callable[[str, tuple[int, ...]], bool]

    def declared(self, physical: Sequence[int]) -> Sequence[int | None]:
        """The program's qubit on each of these qubits of the device at the end; None where there is none of it."""
        found = {qubit: number for number, qubit in enumerate(self.qubits[None])}
        return [found.get(qubit) for qubit in physical]
