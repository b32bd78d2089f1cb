"""The saved data of a circuit in a result: the values of a task's outputs in the types that AerSimulator returns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from qiskit.quantum_info import DensityMatrix, Operator, Statevector
from qiskit.result import ProbDistribution

from ketline.client.models import Output

# Aer leaves out smaller entries of dictionaries.
_MIN_ENTRY = 1e-15


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedData:
    """A `save_*` instruction by name, and its label.

    `entries` are the indices of the amplitudes that `save_amplitudes` asks for.
    """

    kind: str
    label: str
    entries: Sequence[int] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """As tasks store it; `read_saved` is the inverse."""
        return {
            "kind": self.kind,
            "label": self.label,
            **({"entries": list(self.entries)} if self.entries else {}),
        }

    def value(self, output: Output) -> Any:
        """The value of an output as Aer returns what the instruction saves."""
        values = np.array(output.values)
        match self.kind:
            case "save_statevector" | "save_state":
                return Statevector(values)
            case "save_density_matrix":
                return DensityMatrix(values)
            case "save_unitary":
                return Operator(values)
            case "save_statevector_dict":
                return _dictionary(values)
            case "save_probabilities_dict":
                return ProbDistribution(_dictionary(values))
            case "save_expval":
                return values[0].item()
            case "save_expval_var":
                return values[0]
            case "save_amplitudes" | "save_amplitudes_sq":
                return values[list(self.entries)]
            case _:
                return values


def read_saved(document: Mapping[str, Any]) -> SavedData:
    """Read the output of `SavedData.as_json`."""
    return SavedData(**document)


def _dictionary(values: Any) -> dict[str, Any]:
    """The entries that are not 0, by index as Aer writes it."""
    return {hex(index): values[index].item() for index in np.flatnonzero(np.abs(values) > _MIN_ENTRY).tolist()}
