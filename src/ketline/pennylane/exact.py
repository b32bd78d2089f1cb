"""Circuits without shots: what the service computes of them, and how measurements are read from that.

Expectation values and variances of Pauli operators are observables of a task; states and probabilities are outputs.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pennylane as qml
from pennylane.devices.qubit import measure
from pennylane.measurements import (
    DensityMatrixMP,
    ExpectationMP,
    MutualInfoMP,
    ProbabilityMP,
    PurityMP,
    StateMP,
    VarianceMP,
    VnEntropyMP,
)

from ketline.client.task_limits import CHARACTERS_OF_A_NUMBER
from ketline.domain.limits import MAX_OBSERVABLE_TERMS
from ketline.pennylane.gradients import Trained, jacobian_of
from ketline.pennylane.observables import coefficients_of, sentence_of
from ketline.pennylane.points import Point
from ketline.pennylane.requests import Request

# Read from the density matrix of their wires, if that is smaller than the whole state.
_OF_A_PART = (DensityMatrixMP, PurityMP, VnEntropyMP, MutualInfoMP)

Read = Callable[[Sequence[float], Mapping[str, Any]], Any]


class ExactCircuit:
    """A circuit without shots; `wires` are the qubits of its program, in order.

    Its expectation values are differentiated by the parameters of the angles `trained`. With `mixed` it ends in no pure
    state, because it has noise.
    """

    def __init__(
        self, tape: Any, wires: Sequence[Any], trained: Sequence[Trained] = (), *, mixed: bool = False
    ) -> None:
        self._wires = list(wires)
        self._mixed = mixed
        self._trained = trained
        self._places = {wire: place for place, wire in enumerate(wires)}
        self._observables: list[Mapping[str, float]] = []
        self._outputs: dict[str, dict[str, Any]] = {}
        self._reads = [self._read(each) for each in tape.measurements]
        self.requests = list(self._requests(tape.copy(measurements=[])))

    def _requests(self, tape: Any) -> Sequence[Request]:
        found: list[Request] = []
        if self._observables:
            numbers = len(self._observables) * (1 + 2 * len(self._trained))
            found.append(
                Request(
                    tape=tape,
                    wires=self._wires,
                    characters=numbers * CHARACTERS_OF_A_NUMBER,
                    observables=self._observables,
                    trained=[place for place, _ in self._trained],
                )
            )
        if self._outputs:
            characters = sum(self._characters(output) for output in self._outputs.values())
            options = {"outputs": list(self._outputs.values())}
            found.append(Request(tape=tape, wires=self._wires, characters=characters, options=options))
        return found

    def result(self, points: Sequence[Point]) -> Any:
        """The result as PennyLane's devices return it, from the points of the requests."""
        rest = list(points)
        values = rest.pop(0).expectation_values if self._observables else ()
        outputs = rest.pop(0).outputs if self._outputs else {}
        results = tuple(read(values, outputs) for read in self._reads)
        return results[0] if len(results) == 1 else results

    def jacobian(self, points: Sequence[Point]) -> Any:
        """The derivatives of all measurements, which are expectation values, as `compute_derivatives` returns them."""
        slopes = points[0].slopes if self._trained else [{} for _ in self._observables]
        return jacobian_of([[each[place] for place, _ in self._trained] for each in slopes], self._trained)

    def _read(self, measurement: Any) -> Read:
        """Request what the measurement is read from, and return how."""
        if isinstance(measurement, (ExpectationMP, VarianceMP)) and measurement.obs is not None:
            sentence = sentence_of(measurement.obs)
            if sentence is not None and isinstance(measurement, ExpectationMP):
                at = self._observable(sentence)
                return lambda values, _: np.float64(values[at])
            if sentence is not None and len(sentence) ** 2 <= MAX_OBSERVABLE_TERMS:
                return self._variance(sentence)
        if isinstance(measurement, ProbabilityMP) and measurement.obs is None and measurement.mv is None:
            name = self._output("probabilities", measurement.wires or self._wires)
            return lambda _, outputs: np.array(outputs[name].values)
        small = self._mixed or 2 * len(measurement.wires) <= len(self._wires)
        if isinstance(measurement, _OF_A_PART) and small:
            return self._part(measurement)
        return self._whole(measurement)

    def _variance(self, sentence: Any) -> Read:
        square, mean = self._observable(sentence @ sentence), self._observable(sentence)
        return lambda values, _: np.float64(values[square] - values[mean] ** 2)

    def _part(self, measurement: Any) -> Read:
        name = self._output("density_matrix", measurement.wires)
        places = {wire: place for place, wire in enumerate(measurement.wires)}
        mapped = measurement.map_wires(places)
        order = qml.wires.Wires(range(len(places)))
        return lambda _, outputs: mapped.process_density_matrix(np.array(outputs[name].values), order)

    def _whole(self, measurement: Any) -> Read:
        name = self._output("statevector", self._wires)
        if isinstance(measurement, StateMP) and not measurement.wires:
            measurement = StateMP(wires=self._wires)
        mapped = measurement.map_wires(self._places)
        return lambda _, outputs: measure(mapped, _state(outputs[name].values))

    def _observable(self, sentence: Any) -> int:
        self._observables.append(coefficients_of(sentence, self._wires))
        return len(self._observables) - 1

    def _output(self, kind: str, wires: Sequence[Any]) -> str:
        """Request an output of these wires, of which the first is the most significant bit of an index."""
        qubits = [self._places[wire] for wire in reversed(wires)]
        known = {"type": kind} if kind == "statevector" else {"type": kind, "qubits": qubits}
        for name, each in self._outputs.items():
            if {**known, "name": name} == each:
                return name
        name = f"output{len(self._outputs)}"
        self._outputs[name] = {**known, "name": name}
        return name

    def _characters(self, output: Mapping[str, Any]) -> float:
        numbers = 2.0 ** len(output.get("qubits", self._wires))
        if output["type"] == "density_matrix":
            numbers *= numbers
        return numbers * CHARACTERS_OF_A_NUMBER * (1 if output["type"] == "probabilities" else 2)


def _state(amplitudes: Sequence[complex]) -> Any:
    """A state of shape (2, …, 2) with an axis for each wire in order; qubit 0 is bit 0 of the amplitudes' indices."""
    qubits = len(amplitudes).bit_length() - 1
    return np.array(amplitudes).reshape((2,) * qubits).transpose()
