"""Simulates programs on engines that each simulator process creates once. Used by the executor."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ketline.domain.circuits.method import Method
from ketline.domain.devices.backend import Engine
from ketline.domain.devices.device import Device
from ketline.domain.devices.noise_layers import Noise
from ketline.domain.errors import ObservablesInvalid, ProgramTooLarge
from ketline.domain.results.observable import Observable
from ketline.domain.results.outputs import RequestedOutput, states_of
from ketline.domain.tasks.seeds import fresh_seed
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.circuit.derivatives.slopes import SlopedSteps
from ketline.execution.circuit.observables.pauli_sums import PauliSums
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.frontend.program import Program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.channels import NoiseModel, NoiseModels
from ketline.execution.simulators.durations import simulating_seconds
from ketline.execution.simulators.engines import Engines
from ketline.execution.simulators.ensembles import acts_on_bits, choose_exact, is_unitary
from ketline.execution.simulators.gradients import GradientChoice, choose_gradient
from ketline.execution.simulators.methods import Choice, choose, choose_observed
from ketline.execution.simulators.noise import CircuitErrors, choose_with_noise
from ketline.execution.simulators.quota import Quota
from ketline.execution.simulators.saving import Saved, choose_for_outputs, saved_outputs


class Simulation(NamedTuple):
    """Counts by key, the method's name, why it was chosen, the engine, and with `memory` each shot's key in order."""

    counts: Mapping[str, int]
    method: str
    reason: str
    engine: Engine
    memory: Sequence[str] | None


class CalibrationErrors(NamedTuple):
    """The contributions to the standard errors of values that were corrected with measured readout errors.

    `of_shots` has the contribution of the shots to each value, in the order of the observables. A key of `by_reading`
    is a measured readout probability: a qubit of the noise, and the state that was misread. Its value is the signed
    change of each observable's value by one standard error of that probability: float64 in the same order. Values at
    several scale factors share these probabilities.
    """

    of_shots: Sequence[float]
    by_reading: Mapping[tuple[int, int], Any]


class Expectation(NamedTuple):
    """Expectation values in the order of the observables, the method's name, why it was chosen, and the engine.

    `errors` are the standard errors of estimated values, None for exact values. `calibration` has their contributions
    if readout errors were measured.
    """

    values: Sequence[float]
    method: str
    reason: str
    engine: Engine
    errors: Sequence[float] | None = None
    calibration: CalibrationErrors | None = None


class Differentiated(NamedTuple):
    """Expectation values, their derivatives by angle, the method's name, why it was chosen, and the engine.

    `slopes` is float64 of shape (observables, angles), in the order of both.
    """

    values: Sequence[float]
    slopes: Any
    method: str
    reason: str
    engine: Engine


class Simulator:
    """Runs lowered programs: chooses the method, and checks large programs against the quota before they use memory."""

    def __init__(self, limits: ExecutionLimits, share: Quota | None = None) -> None:
        self._limits = limits
        self._quota = share or Quota(limits)
        self._engines = Engines(limits, self._quota)
        self._sums = PauliSums((), ())
        self._noise_models = NoiseModels()

    def noise_model(self, noise: Noise, project: str = "") -> NoiseModel:
        """The noise model of a task; projects share no cached models, for the reason that `ProgramReader` documents.

        Raises:
            NoiseInvalid: the noise is not physical, or does not match the gates that it names.
        """
        return self._noise_models.get(noise, project)

    def device_noise(self, device: Device, project: str = "") -> NoiseModel:
        """The noise model of a device, for programs that were transpiled for it; projects share no cached models."""
        return self._noise_models.of_device(device, project)

    def repeat(self, runs: int) -> None:
        """Set how often the current program runs its circuit; the predicted time is multiplied by `runs`."""
        self._quota.repeat(runs)

    def run(
        self,
        program: Program,
        shots: int,
        options: RunOptions | None = None,
        *,
        likely_repeated: bool = True,
        noise: NoiseModel | None = None,
    ) -> Simulation:
        """Run a program. With `likely_repeated`, its distribution is cached for the next run of the same program.

        With `noise`, the operations of the program have errors; the program must have been read as `noisy` and
        `prepared` for them.

        Raises:
            ProgramTooLarge: the state of the program would not fit into the memory limit; nothing was allocated.
            ProgramUnsupported: the requested method cannot apply an operation of the program.
            MachineBusy: the program is large, and another large one runs; nothing was allocated.
            MemoryLimitExceeded, SimulationFailed: Aer failed.
        """
        options = _seeded(options or RunOptions())
        choice = self._choice(program, shots, options, noise)
        self._quota.require(program.lowered, choice, shots)
        try:
            counts, memory = choice.method.run(self._engines, program, shots, options, likely_repeated=likely_repeated)
        except ProgramTooLarge as error:
            choice = self._alternative(program, choice, error)
            self._quota.require(program.lowered, choice, shots)
            counts, memory = choice.method.run(self._engines, program, shots, options, likely_repeated=likely_repeated)
        engine = choice.method.engine(program.lowered, shots, self._engines)
        return Simulation(counts, choice.method.name.value, choice.reason, engine, memory)

    def _choice(self, program: Program, shots: int, options: RunOptions, noise: NoiseModel | None) -> Choice:
        lowered, requested = program.lowered, options.method
        if options.observables:
            return self._choice_of_values(lowered, requested, noise)
        if noise is not None:
            return choose_with_noise(lowered, shots, requested, self._limits, noise)
        return choose(lowered, shots, requested, self._limits)

    def _choice_of_values(self, lowered: Lowered, requested: Method, noise: NoiseModel | None) -> Choice:
        errors = None if noise is None else CircuitErrors(lowered, noise)
        if errors is not None:
            errors.require_widths()
            if not errors.channels and not (errors.misreadings and acts_on_bits(lowered)):
                errors = None  # readout errors change no value unless operations depend on bits
        if errors is None and is_unitary(lowered):
            return choose_observed(lowered, requested, self._limits)
        return choose_exact(lowered, requested, self._limits, errors)

    def expect(
        self,
        program: Program,
        observables: Sequence[Observable],
        method: Method = Method.AUTOMATIC,
        noise: NoiseModel | None = None,
    ) -> Expectation:
        """The exact expectation values of observables at a program's end, over all outcomes, and how they were found.

        `noise` has the same meaning as for `run`.

        Raises:
            ProgramTooLarge, ProgramUnsupported, MachineBusy, MemoryLimitExceeded, SimulationFailed: as `run` does.
        """
        choice = self._choice_of_values(program.lowered, method, noise)
        self._quota.require(program.lowered, choice, 1)
        sums = self._sums_of(observables, program)
        try:
            values = choice.method.expect(self._engines, program, sums)
        except ProgramTooLarge as error:
            choice = self._alternative(program, choice, error)
            self._quota.require(program.lowered, choice, 1)
            values = choice.method.expect(self._engines, program, sums)
        engine = choice.method.engine(program.lowered, 1, self._engines)
        return Expectation(values, choice.method.name.value, choice.reason, engine)

    def differentiate(
        self, program: Program, sloped: SlopedSteps, observables: Sequence[Observable], options: RunOptions
    ) -> Differentiated:
        """The expectation values of observables after the steps of a program, and their derivatives by its angles.

        Raises:
            ProgramTooLarge, ProgramUnsupported, MachineBusy, MemoryLimitExceeded, SimulationFailed: as `run` does.
        """
        method, choice = self.plan_gradient(program, sloped, len(observables), options)
        self._quota.require(program.lowered, choice, 1)
        found = method.differentiate(self._engines, program.lowered, sloped, observables)
        engine = method.engine(program.lowered, 1, self._engines)
        return Differentiated(found.values, found.slopes, method.name.value, choice.reason, engine)

    def plan_gradient(
        self, program: Program, sloped: SlopedSteps, observables: int, options: RunOptions
    ) -> GradientChoice:
        """How `differentiate` would compute a gradient; nothing is simulated.

        Raises:
            ObservablesInvalid: the program measures, resets or branches.
            ProgramTooLarge, ProgramUnsupported: as `differentiate` does.
        """
        if program.dephased or not is_unitary(program.lowered):
            raise ObservablesInvalid(
                "gradients are those of one pure state, and this program measures, resets or branches: leave that out, "
                "or the gradient"
            )
        return choose_gradient(program.lowered, sloped, observables, options, self._limits)

    def save(
        self,
        program: Program,
        outputs: Sequence[RequestedOutput],
        method: Method = Method.AUTOMATIC,
        noise: NoiseModel | None = None,
    ) -> Saved:
        """The requested outputs, from the states of a program that was read for them; `noise` as for `run`.

        Raises:
            ProgramTooLarge, ProgramUnsupported, MachineBusy, MemoryLimitExceeded, SimulationFailed: as `run` does.
        """
        choice = choose_for_outputs(program, outputs, method, self._limits, noise)
        self._quota.require(program.lowered, choice, 1)
        return saved_outputs(self._engines, program, outputs, choice)

    def _sums_of(self, observables: Sequence[Observable], program: Program) -> PauliSums:
        """The observables as sums on a program's qubits; reuses the last program's sums if they fit, as in a sweep."""
        if not self._sums.is_of(observables, program.kept_qubits, program.dephased):
            self._sums = PauliSums(observables, program.kept_qubits, program.dephased)
        return self._sums

    def _alternative(self, program: Program, tried: Choice, error: ProgramTooLarge) -> Choice:
        """The choice to use after the first method has failed with `error`.

        Raises:
            ProgramTooLarge: no other method fits; the message contains the reason for each method.
        """
        if tried.alternative is None:
            raise error
        try:
            tried.alternative.method.require(program.lowered, self._limits.memory_bytes)
        except ProgramTooLarge as too_large:
            hint = f"name method '{tried.method.name}' to try that up to the time limit"
            raise ProgramTooLarge(f"{too_large.message}; {error.message}; {hint}") from error
        return replace(tried.alternative, reason=f"{tried.alternative.reason}; {error.message}")

    def plan(self, program: Program, shots: int, options: RunOptions, noise: NoiseModel | None = None) -> Choice:
        """How `run` would simulate a program.

        Simulates only if the bond dimensions of a matrix product state cannot be predicted.

        Raises:
            ProgramTooLarge, ProgramUnsupported: as `run` does.
        """
        if program.has_phase:
            return choose_for_outputs(program, states_of(options.outputs), options.method, self._limits, noise)
        choice = self._choice(program, shots, options, noise)
        choice.method.circuit(program.lowered, self._limits.max_operations)
        if choice.alternative is None:
            return choice
        try:
            return replace(choice, method=choice.method.tried(self._engines, program.lowered))
        except ProgramTooLarge as error:
            return self._alternative(program, choice, error)

    def seconds(self, program: Program, choice: Choice, shots: int) -> float | None:
        """The estimated seconds that `run` takes on one core with this choice; None if they cannot be predicted."""
        return simulating_seconds(program.lowered, choice, shots, self._limits)


def _seeded(options: RunOptions) -> RunOptions:
    """The options with a seed: a seed chosen by Aer has only 32 bits, and Aer adds the shot number to it."""
    return options if options.seed is not None else replace(options, seed=fresh_seed())
