"""Gradients as a simulation method: what they take, and the run itself."""

from collections.abc import Sequence

from ketline.domain.devices.backend import Engine
from ketline.domain.results.gradients import GradientMethod
from ketline.domain.results.observable import Observable
from ketline.execution.circuit.derivatives.slopes import SlopedSteps
from ketline.execution.circuit.observables.pauli_images import PauliImage
from ketline.execution.circuit.observables.pauli_sums import PauliSums
from ketline.execution.circuit.operations import Step
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.costs import FIXED
from ketline.execution.simulators.engines import Engines, expected_engines
from ketline.execution.simulators.gradients.adjoint import AngleGradients, adjoint_gradients
from ketline.execution.simulators.gradients.shift import shifted_gradients
from ketline.execution.simulators.memory import BYTES_PER_AMPLITUDE, require_room
from ketline.execution.simulators.methods.statevector import Statevector, final_state
from ketline.execution.simulators.state_costs import seconds_of_gates
from ketline.execution.simulators.states.numpy_state import NumpyState

# Beside two for each observable: the state, its amplitudes, those of the final state, and copies of parts of two.
_STATES_BESIDE = 5
_STATES_OF_AN_OBSERVABLE = 2
# An angle of a gate with fewer other qubits than these takes its part of the amplitudes; by numpy, measured.
_PER_AMPLITUDE_OF_AN_ANGLE = 8e-9
_PER_ANGLE = 3e-5
# The seconds of one run of the shift rule, beside its gates.
_PER_RUN = 1e-4
# How much longer numpy takes for a gate than Lightning.
_NUMPY_OVER_LIGHTNING = 30.0
_MAX_BATCH = 16


class GradientOfState(Statevector):
    """A statevector with the derivatives of `observables` by `angles`, which takes `runs` with the shift rule."""

    def __init__(self, observables: int, angles: int, method: GradientMethod, runs: int = 0) -> None:
        self._observables = observables
        self._angles = angles
        self._runs = runs
        self._by_shifts = method is GradientMethod.PARAMETER_SHIFT

    @property
    def reason(self) -> str:
        """How the derivatives are computed, a sentence for users."""
        if self._by_shifts:
            return f"as requested: the parameter-shift rule for {self._angles} angles, {self._runs} simulations"
        return f"adjoint differentiation by {self._angles} angles: one pass forward, one backward for each observable"

    def require(self, lowered: Lowered, memory_bytes: int) -> None:
        require_room(lowered, self.state_bytes(lowered), memory_bytes, " with their gradient")

    def state_bytes(self, lowered: Lowered) -> int:
        """The states and the copies of them that exist at one time, at least."""
        states = 2 if self._by_shifts else _STATES_BESIDE + _STATES_OF_AN_OBSERVABLE
        return states * BYTES_PER_AMPLITUDE << int(lowered.num_qubits)

    def batch_size(self, lowered: Lowered, memory_bytes: int) -> int:
        """How many observables are differentiated at a time."""
        states = memory_bytes // (BYTES_PER_AMPLITUDE << int(lowered.num_qubits))
        return max(1, min(_MAX_BATCH, (states - _STATES_BESIDE) // _STATES_OF_AN_OBSERVABLE))

    def differentiate(
        self, engines: Engines, lowered: Lowered, sloped: SlopedSteps, observables: Sequence[Observable]
    ) -> AngleGradients:
        """The expectation values of observables after the steps of a program, and the derivatives by its open angles.

        `lowered` is the program's circuit, whose angles may be expressions.

        Raises:
            ProgramUnsupported: a gate with an open angle has no derivative.
            MemoryLimitExceeded: there is no room for the states.
        """
        qubits, lightning = lowered.num_qubits, engines.lightning_in_memory(lowered.num_qubits)
        if not self._by_shifts:
            images = [PauliImage(observable, lowered.kept_qubits) for observable in observables]
            new_state = NumpyState if lightning is None else lightning.new_state
            batch_size = self.batch_size(lowered, engines.memory_bytes)
            return adjoint_gradients(sloped, qubits, images, new_state, batch_size)
        sums = PauliSums(observables, lowered.kept_qubits)

        def values_of(steps: Sequence[Step]) -> Sequence[float]:
            return sums.values_in(final_state(lowered.with_steps(steps), engines).amplitudes())

        return shifted_gradients(sloped, values_of, len(observables))

    def seconds(self, lowered: Lowered, shots: int, limits: ExecutionLimits) -> float:
        expected = expected_engines(lowered.num_qubits, limits)
        if self._by_shifts:
            engine = Engine.LIGHTNING if expected.lightning_is_faster else Engine.AER
            return FIXED + self._runs * (seconds_of_gates(lowered, engine) - FIXED + _PER_RUN)
        passes = seconds_of_gates(lowered, Engine.LIGHTNING) - FIXED
        passes *= 1 if expected.lightning else _NUMPY_OVER_LIGHTNING
        reading = self._angles * (_PER_ANGLE + _PER_AMPLITUDE_OF_AN_ANGLE * 2.0**lowered.num_qubits)
        return FIXED + 2 * passes + self._observables * (passes + reading)

    def engine(self, lowered: Lowered, shots: int, engines: Engines) -> Engine:
        if self._by_shifts:
            return Engine.AER if engines.lightning_for(lowered.num_qubits) is None else Engine.LIGHTNING
        return Engine.NUMPY if engines.lightning_in_memory(lowered.num_qubits) is None else Engine.LIGHTNING
