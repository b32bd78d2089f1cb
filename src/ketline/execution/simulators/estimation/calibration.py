"""Provides the readout errors to correct: taken from the noise model, or measured with calibration circuits.

A calibration circuit prepares one qubit in 0 or, by `x`, in 1, with the errors of its gates, and measures it. Qubits
are misread independently, so circuits of one qubit each give the same errors as a circuit of all qubits.
"""

from collections import Counter
from dataclasses import replace
from math import sqrt

from qiskit.circuit import QuantumCircuit
from qiskit.circuit.library import XGate

from ketline.domain.results.mitigation import Mitigation
from ketline.domain.tasks.seeds import derived_seed
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.circuit.operations import count_operations, steps_of
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.circuit.plain import plain_of
from ketline.execution.frontend.program import Program
from ketline.execution.simulators.aer import Simulator
from ketline.execution.simulators.channels import Misreading, NoiseModel
from ketline.execution.simulators.estimation.readout import Misread


class Calibration:
    """The readout errors of qubits, by their numbers in the noise model; each qubit is measured at most once."""

    def __init__(self, simulator: Simulator, noise: NoiseModel, mitigation: Mitigation, seed: int | None) -> None:
        self._simulator = simulator
        self._noise = noise
        self._shots = mitigation.calibration_shots
        self._seed = seed
        self._measured: dict[int, Misreading] = {}

    @property
    def how(self) -> str:
        """A clause for the profile about the source of the readout errors."""
        return "" if self._shots is None else f", as {self._shots} shots of each state of a qubit measure them"

    def of(self, program: Program) -> Misread:
        """The readout errors of each declared qubit of a program at its end."""
        return lambda qubit: self.misreading(program, program.device_qubit(qubit))

    def misreading(self, program: Program, number: int) -> Misreading | None:
        """The readout errors of the qubit that has this number in the model of noise.

        Raises:
            ProgramTooLarge, ProgramUnsupported, MachineBusy, MemoryLimitExceeded, SimulationFailed: as
                `Simulator.run` does, if the qubit is measured.
        """
        if self._shots is None:
            return self._noise.misreading(number)
        if number not in self._measured:
            ones = [self._share_of_ones(program, number, state, self._shots) for state in (0, 1)]
            self._measured[number] = Misreading(ones[0], 1 - ones[1])
        return self._measured[number]

    def deviations(self, number: int) -> Misreading | None:
        """The standard errors of the measured readout errors of a qubit; None if its readout errors were not measured.

        They are computed from Laplace's estimate, so that an error that occurred in no shot has a standard error > 0.
        """
        if self._shots is None or number not in self._measured:
            return None
        smooth = [(share * self._shots + 1) / (self._shots + 2) for share in self._measured[number]]
        return Misreading(*[sqrt(share * (1 - share) / self._shots) for share in smooth])

    def _share_of_ones(self, program: Program, number: int, state: int, shots: int) -> float:
        """The share of shots in which the qubit, prepared in a state, reads 1."""
        seed = None if self._seed is None else derived_seed(self._seed, f"calibration of {state}", number)
        circuit = _calibration_circuit(program, number, state)
        found = self._simulator.run(circuit, shots, RunOptions(seed=seed), likely_repeated=False, noise=self._noise)
        return found.counts.get("1", 0) / shots


def _calibration_circuit(program: Program, number: int, state: int) -> Program:
    circuit = QuantumCircuit(1, 1)
    gates = [XGate()] * state
    for gate in gates if program.located is None else program.located.native(gates, number):
        circuit.append(gate, [0])
    circuit.measure(0, 0)
    lowered = Lowered(plain_of(circuit), Counter(count_operations(steps_of(circuit))), kept_qubits=[number])
    return replace(
        program, lowered=lowered, groups=(1,), names=(None,), outcome=None, checked_bits=frozenset(), located=None
    )
