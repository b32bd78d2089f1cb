"""A circuit for Aer that saves its state at named places and at its end; `engines.py` runs it."""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from ketline.execution.circuit.named_places import PLACE

# Makes an instruction that saves, from a number of qubits and a label.
_Instruction = Callable[..., Any]


class SavingCircuit:
    """A lowered circuit with an instruction that saves at each of these places, until the last; None is the end.

    Aer applies the phase of a circuit before its first operation, so the phases of the places are applied to what was
    saved.
    """

    def __init__(self, circuit: Any, places: Collection[str | None], instruction: _Instruction) -> None:
        self._phases: dict[str | None, float] = {}
        self.circuit = circuit.copy_empty_like()
        self.circuit.global_phase = 0
        for one in circuit.data:
            if len(self._phases) == len(places):
                return
            if one.name != PLACE:
                self.circuit.append(one, copy=False)
            elif one.label in places:
                self._save(one.label, float(one.params[0]), instruction)
        if None in places:
            self._save(None, float(circuit.global_phase), instruction)

    def _save(self, place: str | None, phase: float, instruction: _Instruction) -> None:
        number = len(self._phases)
        self._phases[place] = phase
        self.circuit.append(instruction(self.circuit.num_qubits, label=_label(number)), self.circuit.qubits)

    def saved(self, data: Any) -> Mapping[str | None, Any]:
        """The states that a run of the circuit saved at each place, complex128."""
        found: dict[str | None, Any] = {}
        for number, (place, phase) in enumerate(self._phases.items()):
            value = np.require(getattr(data, _label(number)), np.complex128, "W")
            if phase:
                np.multiply(value, np.exp(1j * phase), out=value)
            found[place] = value
        return found


def _label(number: int) -> str:
    return f"state{number}"
