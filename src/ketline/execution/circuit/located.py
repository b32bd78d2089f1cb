"""The location of a program's qubits on a device for which it was transpiled; `execution/transpiling` makes it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Converts gates on one qubit to gates of the device; the second argument is the number of the device's qubit.
NativeGates = Callable[[Sequence[Any], int], Sequence[Any]]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LocatedQubits:
    """The qubits of a device on which a program's qubits are, and the gates that the device has there.

    `qubits` maps each named place of the circuit, None for its end, to the device's qubits in the order in which the
    program declares its own: routing moves them. `native` converts gates on one qubit to gates of the device, and
    `has_gate` says whether the device has a gate of this name on these qubits, in this order.
    """

    qubits: Mapping[str | None, Sequence[int]]
    native: NativeGates
    has_gate: Callable[[str, tuple[int, ...]], bool]

    def declared(self, physical: Sequence[int]) -> Sequence[int | None]:
        """The program's qubit on each of these qubits of the device at the end; None where there is none of it."""
        found = {qubit: number for number, qubit in enumerate(self.qubits[None])}
        return [found.get(qubit) for qubit in physical]
