"""Circuits with shots: in which bases they are measured, and how measurements are read from the outcomes.

Observables that share a basis are read from the same shots.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np
import pennylane as qml
from pennylane.measurements import CountsMP, ExpectationMP, ProbabilityMP, SampleMP
from pennylane.transforms.dynamic_one_shot import gather_mcm

from ketline.client.task_limits import CHARACTERS_OF_A_COUNT, portions
from ketline.pennylane.bases import Basis, letters_of
from ketline.pennylane.observables import real
from ketline.pennylane.points import Point
from ketline.pennylane.requests import Request
from ketline.pennylane.samples import Samples, no_outcomes, samples_of

Read = Callable[[Samples], Any]


# A factor, the basis, and how its value is read; the value of a measurement is the sum of such terms.
_Term = tuple[float, int, Read]


class SampledCircuit:
    """A circuit with shots; `wires` are the qubits of its program, in order.

    More than `most_shots` are spread over several tasks.
    """

    def __init__(
        self, tape: Any, wires: Sequence[Any], *, most_shots: int, random: np.random.Generator, postselect_mode: Any
    ) -> None:
        self._shots = tape.shots
        self._wires = list(wires)
        self._random = random
        self._postselect_mode = postselect_mode
        self._inside = [each for each in tape.operations if isinstance(each, qml.ops.MidMeasure)]
        self._bases: list[Basis] = []
        with qml.QueuingManager.stop_recording():
            self._terms = [self._terms_of(each) for each in tape.measurements]
            self._portions = [part.stop - part.start for part in portions(tape.shots.total_shots, most_shots)]
            self.requests = [request for basis in self._bases for request in self._requests(tape, basis)]

    def result(self, points: Sequence[Point]) -> Any:
        """The result as PennyLane's devices return it, from the points of the requests."""
        rest = iter(points)
        samples = [self._samples(basis, rest) for basis in self._bases]
        with qml.QueuingManager.stop_recording():
            results = tuple(self._results([one.part(*bounds) for one in samples]) for bounds in self._shots.bins())
        return results if self._shots.has_partitioned_shots else results[0]

    def _results(self, samples: Sequence[Samples]) -> Any:
        results = tuple(_sum([(factor, read(samples[basis])) for factor, basis, read in each]) for each in self._terms)
        return results[0] if len(results) == 1 else results

    def _terms_of(self, measurement: Any) -> list[_Term]:
        """The terms of a measurement; bases are added as they are needed."""
        if measurement.mv is not None:
            return [(1.0, self._basis({}), self._read_inside(measurement))]
        if measurement.obs is None:
            wires = measurement.wires or self._wires
            return [(1.0, self._basis(dict.fromkeys(wires, "Z")), self._read_wires(measurement))]
        sentence = measurement.obs.pauli_rep
        if isinstance(measurement, ExpectationMP) and sentence is not None:
            return [(real(factor, word), self._basis(word), self._read_word(word)) for word, factor in sentence.items()]
        if isinstance(measurement, ExpectationMP) and isinstance(measurement.obs, (qml.ops.Sum, qml.ops.SProd)):
            factors, parts = measurement.obs.terms()
            if len(parts) > 1 or factors[0] != 1:
                return [
                    (real(factor, part) * own, basis, read)
                    for factor, part in zip(factors, parts, strict=True)
                    for own, basis, read in self._terms_of(qml.expval(part))
                ]
        if sentence is not None and letters_of(measurement.obs) is None:
            # Its eigenvectors would be computed of a matrix; simplified it is a product of Pauli operators, or a sum.
            measurement = copy(measurement)
            measurement.obs = qml.simplify(measurement.obs)
        if (letters := letters_of(measurement.obs)) is not None:
            return [(1.0, self._basis(letters), self._read_wires(measurement))]
        self._bases.append(Basis(dict.fromkeys(measurement.wires, "Z"), measurement.diagonalizing_gates()))
        return [(1.0, len(self._bases) - 1, self._read_wires(measurement))]

    def _basis(self, letters: Mapping[Any, str]) -> int:
        for number, basis in enumerate(self._bases):
            if basis.take(letters):
                return number
        self._bases.append(Basis(dict(letters)))
        return len(self._bases) - 1

    def _measured(self, basis: Basis) -> list[Any]:
        """The wires that are measured in a basis, in the order of the program's qubits."""
        return [wire for wire in self._wires if wire in basis.letters]

    def _requests(self, tape: Any, basis: Basis) -> list[Request]:
        measured = self._measured(basis)
        bits = len(measured) + len(self._inside)
        if not bits:
            return []
        measurements = [qml.sample(wires=measured)] if measured else []
        circuit = tape.copy(operations=[*tape.operations, *basis.operations()], measurements=measurements)
        return [
            Request(
                tape=circuit,
                wires=self._wires,
                characters=min(shots, 1 << min(bits, 32)) * (bits + CHARACTERS_OF_A_COUNT),
                options={"shots": shots},
                portion=number,
            )
            for number, shots in enumerate(self._portions)
        ]

    def _samples(self, basis: Basis, points: Any) -> Samples:
        measured = self._measured(basis)
        if not measured and not self._inside:
            return no_outcomes(self._shots.total_shots)
        counts: Counter[str] = Counter()
        for _ in self._portions:
            counts.update(next(points).counts)
        return samples_of(counts, measured, self._inside, self._random)

    def _read_word(self, word: Mapping[Any, str]) -> Read:
        """The mean of a Pauli operator, each of whose wires is measured in its basis."""

        def read(samples: Samples) -> Any:
            places = [samples.wires.index(wire) for wire in word]
            signs = 1.0 - 2.0 * (samples.selected[:, places].sum(axis=1) % 2)
            return signs.mean() if len(signs) else np.nan

        return read

    def _read_wires(self, measurement: Any) -> Read:
        def read(samples: Samples) -> Any:
            if not len(samples.selected):
                return _without_shots(measurement)
            return measurement.process_samples(samples.selected, samples.wires)

        return read

    def _read_inside(self, measurement: Any) -> Read:
        def read(samples: Samples) -> Any:
            if not samples.valid.any():
                return _without_shots(measurement)
            return gather_mcm(measurement, samples.inside, samples.valid, postselect_mode=self._postselect_mode)

        return read


def _sum(terms: Sequence[tuple[float, Any]]) -> Any:
    if len(terms) == 1 and terms[0][0] == 1.0:
        return terms[0][1]
    return np.float64(sum(factor * value for factor, value in terms))


def _without_shots(measurement: Any) -> Any:
    """The result of a measurement if no shot is left by postselection, as PennyLane's own devices return it."""
    if isinstance(measurement, ProbabilityMP):
        return np.full(2 ** len(measurement.wires), np.nan)
    if isinstance(measurement, SampleMP):
        return np.zeros((0,), dtype=np.int64)
    return {} if isinstance(measurement, CountsMP) else np.nan
