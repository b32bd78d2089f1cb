"""The method `stim` with noise: Clifford circuits with Pauli errors, thousands of qubits wide."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ketline.domain.circuits.gates import applied_by
from ketline.domain.circuits.method import Method
from ketline.domain.errors import ProgramUnsupported
from ketline.domain.tasks.seeds import derived_seed
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.circuit.operations import Step
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.frontend.program import Program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.bitstrings import Counted
from ketline.execution.simulators.channels import Channel, Misreading
from ketline.execution.simulators.engines import Engines, key_of
from ketline.execution.simulators.methods.method import require_gates
from ketline.execution.simulators.methods.stim import Stim, drawn, stim_lines, translated
from ketline.execution.simulators.noise.circuit_errors import CircuitErrors

_GATES = applied_by(Method.STIM) | {"id"}
# Seconds of an error, once and in each shot, and of a misread bit in a shot; see `costs.py`.
_PER_LINE = 4.5e-6
_PER_ERROR = 5e-10
_PER_MISREADING = 1.2e-8
# Some of stim's probabilities have a bound that rounding must not exceed.
_MAX_DEPOLARIZED = {1: 0.75, 2: 0.9375}
_AGREEMENT = 1e-12


class StimWithNoise(Stim):
    """Samples Clifford circuits with Pauli errors by Pauli frames; made for one circuit."""

    def __init__(self, errors: CircuitErrors) -> None:
        self._errors = errors

    def require(self, lowered: Lowered, memory_bytes: int) -> None:
        require_gates(lowered, self.name, _GATES)
        if not self._errors.are_pauli:
            raise ProgramUnsupported(
                f"method '{self.name}' has errors of Pauli operators only; choose another, or 'automatic'"
            )

    def seconds(self, lowered: Lowered, shots: int, limits: ExecutionLimits) -> float:
        errors = sum(number for _, number in self._errors.occurrences)
        each = errors * _PER_ERROR + len(self._errors.misreadings) * _PER_MISREADING
        return super().seconds(lowered, shots, limits) + errors * _PER_LINE + shots * each

    def run(
        self, engines: Engines, program: Program, shots: int, options: RunOptions, *, likely_repeated: bool
    ) -> Counted:
        lowered, readings = program.lowered, self._errors.misreadings
        text, records = translated(lowered, self._lines)
        measured = [step[1][0] for step in lowered.steps if step[0] == "measure"]
        uneven = {
            record: readings[qubit]
            for record, qubit in enumerate(measured)
            if qubit in readings and not _is_even(readings[qubit])
        }
        return drawn(
            lowered,
            text,
            records,
            shots,
            options.seed,
            key_of(program),
            memory=options.memory,
            misread=_misreader(uneven, options.seed) if uneven else None,
        )

    def _lines(self, step: Step) -> list[str]:
        name, qubits, _, _, _ = step
        channel = self._errors.of_step(step)
        errors = [] if channel is None else [_error_line(channel, qubits)]
        if name == "id":
            return errors
        if name != "measure":
            return [*stim_lines(step), *errors]
        reading = self._errors.misreadings.get(qubits[0])
        even = reading is not None and _is_even(reading)
        return [*errors, f"M({reading.p01}) {qubits[0]}"] if reading and even else [*errors, *stim_lines(step)]


def _is_even(reading: Misreading) -> bool:
    """Whether a 0 is misread as often as a 1, which stim does itself."""
    return reading.p01 == reading.p10


def _misreader(readings: Mapping[int, Misreading], seed: int | None) -> Callable[[Any], None]:
    """Flips bits of records, a row for each shot, by the probabilities of their columns."""
    random = np.random.default_rng(None if seed is None else derived_seed(seed, "misreading", bits=64))

    def misread(recorded: Any) -> None:
        for column, (p01, p10) in readings.items():
            bits = recorded[:, column]
            recorded[:, column] = bits ^ (random.random(len(bits)) < np.where(bits, p10, p01))

    return misread


def _error_line(channel: Channel, qubits: Sequence[int]) -> str:
    probabilities = channel.pauli_probabilities
    assert probabilities is not None, "the method requires Pauli errors"
    _, *weights = [min(1.0, weight) for weight in probabilities.values()]
    if max(weights) - min(weights) <= _AGREEMENT:
        name, arguments = f"DEPOLARIZE{channel.qubits}", [min(sum(weights), _MAX_DEPOLARIZED[channel.qubits])]
    else:
        total = max(1.0, sum(weights))
        name, arguments = f"PAULI_CHANNEL_{channel.qubits}", [weight / total for weight in weights]
    return f"{name}({', '.join(map(repr, map(float, arguments)))}) {' '.join(map(str, qubits))}"
