"""Estimates expectation values and their standard errors from shots in several measurement bases."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ketline.domain.results.estimation import shots_of_basis
from ketline.domain.results.observable import Observable
from ketline.domain.tasks.seeds import derived_seed
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.circuit.observables.pauli_bases import Basis, MeasuredSums, Term, measured_sums
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.aer import Expectation, Simulation, Simulator
from ketline.execution.simulators.channels import NoiseModel
from ketline.execution.simulators.estimation.calibration import Calibration
from ketline.execution.simulators.estimation.measured import measured_in
from ketline.execution.simulators.estimation.reading_errors import ReadingErrors, with_calibration
from ketline.execution.simulators.estimation.readout import corrected_signs

# The value of Z by the bit that a qubit reads.
_SIGNS = (1.0, -1.0)


class Estimator:
    """Estimates on a simulator; caches the bases of the last observables, which the points of a sweep share."""

    def __init__(self, simulator: Simulator, calibration: Calibration | None = None) -> None:
        """With a `calibration`, estimated values are corrected for readout errors."""
        self._simulator = simulator
        self._calibration = calibration
        self._last: tuple[Sequence[Observable], frozenset[int], MeasuredSums] | None = None

    def sums_of(self, observables: Sequence[Observable], program: Program) -> MeasuredSums:
        """The bases and terms to measure on a program for these observables."""
        last = self._last
        if last is None or last[0] is not observables or last[1] != program.dephased:
            last = observables, program.dephased, measured_sums(observables, program.dephased)
            self._last = last
        return last[2]

    def estimate(
        self,
        program: Program,
        observables: Sequence[Observable],
        shots: int,
        options: RunOptions,
        noise: NoiseModel | None,
    ) -> Expectation:
        """The values of observables from `shots` shots in each basis, or from fewer if `options.precision` allows.

        Raises:
            ProgramTooLarge, ProgramUnsupported, MachineBusy, MemoryLimitExceeded, SimulationFailed: as
                `Simulator.run` does.
        """
        sums = self.sums_of(observables, program)
        if not sums.bases:
            found = self._simulator.expect(program, observables, options.method, noise)
            return found._replace(values=sums.constants, errors=[0.0] * len(observables))
        calibration = self._calibration
        corrected = {} if calibration is None else corrected_signs(calibration.of(program), qubits_of(sums))
        readings = None if calibration is None else ReadingErrors(calibration, program, corrected, len(observables))
        values, errors = np.array(sums.constants, dtype=np.float64), np.zeros(len(observables))
        total, first = 0, None
        for number, basis in enumerate(sums.bases):
            number_of_shots = shots_in(basis, sums, shots, options.precision)
            simulation = self._run(program, basis, number_of_shots, options, noise, number)
            _add(values, errors, basis, simulation.counts, corrected, readings)
            total, first = total + number_of_shots, first or simulation
        assert first is not None
        bases = "1 basis" if len(sums.bases) == 1 else f"{len(sums.bases)} bases"
        readout = (
            "" if calibration is None else f", readout errors of {len(corrected)} qubits corrected{calibration.how}"
        )
        reason = f"{total} shots in {bases}{readout}: {first.reason}"
        of_readings = None if readings is None else readings.of_shots(errors)
        all_errors = errors if of_readings is None else with_calibration(errors, of_readings.by_reading.values())
        return Expectation(values.tolist(), first.method, reason, first.engine, all_errors.tolist(), of_readings)

    def _run(
        self,
        program: Program,
        basis: Basis,
        shots: int,
        options: RunOptions,
        noise: NoiseModel | None,
        number: int,
    ) -> Simulation:
        seed = None if options.seed is None else derived_seed(options.seed, "basis", number)
        of_counts = replace(options, seed=seed, observables=(), memory=False, mitigation=None)
        measured = measured_in(program, basis.letters)
        return self._simulator.run(measured, shots, of_counts, likely_repeated=False, noise=noise)


def shots_in(basis: Basis, sums: MeasuredSums, shots: int, precision: float | None) -> int:
    """The number of shots in a basis: `shots`, or with a `precision` the most that an observable needs, if fewer."""
    if precision is None:
        return shots
    needed = [shots_of_basis(sums.weights[number], basis.weight(number), precision) for number in basis.terms]
    return min(shots, max(needed))


def qubits_of(sums: MeasuredSums) -> frozenset[int]:
    """The declared qubits that are measured in at least one basis."""
    return frozenset(qubit for basis in sums.bases for qubit in basis.letters)


def _add(
    values: Any,
    errors: Any,
    basis: Basis,
    counts: Mapping[str, int],
    corrected: Mapping[int, tuple[float, float]],
    readings: ReadingErrors | None,
) -> None:
    """Add the contribution of a basis to the value of each observable, and to its standard error from shots, in place.

    `corrected` maps a declared qubit to its values of Z for the readings 0 and 1, where they are not 1 and -1.
    """
    bits = np.frombuffer("".join(counts).encode(), np.uint8).reshape(len(counts), -1)[:, ::-1] & 1
    columns = {qubit: column for column, qubit in enumerate(basis.letters)}
    of_qubits = np.array([corrected.get(qubit, _SIGNS) for qubit in basis.letters])
    signs, largest = of_qubits[np.arange(len(columns)), bits], np.abs(of_qubits).max(axis=1)[np.newaxis]
    times = np.array(list(counts.values()), dtype=np.float64)
    shots = times.sum()
    products = {}
    for number, terms in basis.terms.items():
        of_terms = [_values_of(term, signs, columns) for term in terms]
        products[number] = [values_of_term * times / shots for values_of_term in of_terms]
        each = sum(of_terms)
        mean = float(times @ each / shots)
        values[number] += mean
        # One shot gives no estimate of the deviation, so use its upper bound: the sum of the largest terms.
        most = sum(abs(float(_values_of(term, largest, columns)[0])) for term in terms)
        # Divide by the largest difference before squaring, because its square could overflow.
        unit = float(np.abs(each - mean).max()) or 1.0
        spread = unit * float(times @ ((each - mean) / unit) ** 2 / (shots - 1)) ** 0.5 if shots > 1 else most
        errors[number] = np.hypot(errors[number], spread / shots**0.5)
    if readings is not None:
        readings.add(basis, bits, products)


def _values_of(term: Term, signs: Any, columns: Mapping[int, int]) -> Any:
    """The value of a term for each outcome."""
    return term.factor * np.prod(signs[:, [columns[qubit] for qubit in term.qubits]], axis=1)
