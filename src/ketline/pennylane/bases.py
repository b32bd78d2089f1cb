"""Bases in which the wires of a circuit are measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pennylane as qml

_PAULIS = {"X": qml.X, "Y": qml.Y}
_LETTERS: Mapping[Any, str] = {qml.X: "X", qml.Y: "Y", qml.Z: "Z", qml.I: "Z"}


@dataclass(slots=True)
class Basis:
    """A basis in which some wires are measured: a letter for each, or gates that lead to it."""

    letters: dict[Any, str] = field(default_factory=dict)
    gates: list[Any] | None = None

    def take(self, letters: Mapping[Any, str]) -> bool:
        """Measure these wires too, if the basis allows it."""
        if self.gates is not None or any(self.letters.get(wire, letter) != letter for wire, letter in letters.items()):
            return False
        self.letters.update(letters)
        return True

    def operations(self) -> list[Any]:
        if self.gates is not None:
            return self.gates
        rotated = [(letter, wire) for wire, letter in self.letters.items() if letter != "Z"]
        return [gate for letter, wire in rotated for gate in _PAULIS[letter](wire).diagonalizing_gates()]


def letters_of(observable: Any) -> Mapping[Any, str] | None:
    """The basis of each wire for a product of Pauli operators on wires of their own, perhaps with a factor.

    Other observables have eigenvalues in an order that only their own diagonalizing gates lead to.
    """
    if isinstance(observable, qml.ops.SProd):
        return letters_of(observable.base)
    factors = observable.operands if isinstance(observable, qml.ops.Prod) else (observable,)
    letters = {wire: _LETTERS.get(type(each)) for each in factors for wire in each.wires}
    if None in letters.values() or len(letters) < sum(len(each.wires) for each in factors):
        return None
    return {wire: letter for wire, letter in letters.items() if letter is not None}
