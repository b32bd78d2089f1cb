"""The context of a run: the request, the reader and the simulator of its program, and the limits."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from ketline.domain.errors import ExecutionFailed, ProgramUnsupported
from ketline.domain.results.outputs import OF_ONE_STATE, OutputType
from ketline.domain.tasks.inputs import InputValue
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.domain.tasks.sweep import first_point, number_of_points, points_of
from ketline.execution.child.reader import ProgramReader
from ketline.execution.child.soft_time_limit import Stopwatch
from ketline.execution.frontend.program import Program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Request
from ketline.execution.simulators.aer import Simulator
from ketline.execution.simulators.channels import NoiseModel
from ketline.execution.simulators.estimation import Calibration
from ketline.execution.simulators.noise import prepared


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """One run of one request."""

    request: Request
    reader: ProgramReader
    simulator: Simulator
    stopwatch: Stopwatch
    limits: ExecutionLimits

    @property
    def spec(self) -> TaskSpec:
        return self.request.spec

    @property
    def points(self) -> int | None:
        """The number of points of a sweep; None if the task is not a sweep."""
        return number_of_points(self.spec.inputs)

    def inputs(self) -> Sequence[Mapping[str, InputValue]] | Iterator[Mapping[str, InputValue]]:
        """The values of the inputs at each point, or those of a task that is not a sweep."""
        return [first_point(self.spec.inputs)] if self.points is None else points_of(self.spec.inputs)

    def at_point(self, number: int) -> AbstractContextManager[None]:
        """A context that adds the number of the point to the messages of failures, if the task is a sweep."""
        return nullcontext() if self.points is None else _point_in_failures(number)

    def calibration(self, noise: NoiseModel | None) -> Calibration | None:
        """The readout errors to correct; None for a task without their correction, or without noise."""
        mitigation = self.spec.options.mitigation
        if mitigation is None or not mitigation.readout or noise is None:
            return None
        return Calibration(self.simulator, noise, mitigation, self.spec.options.seed)

    def noise_model(self) -> NoiseModel | None:
        """The noise model of the task, checked against its options.

        Raises:
            NoiseInvalid: the noise is not a physical model.
            ProgramUnsupported: the task has outputs that only a single pure state has; or a device with a unitary, a
                statevector at a place, or noise of its own.
        """
        return noise_model_of(self.request, self.reader, self.simulator)


def noise_model_of(request: Request, reader: ProgramReader, simulator: Simulator) -> NoiseModel | None:
    """The noise of a request, or the errors of its device; see `RunContext.noise_model`."""
    noise, device, project = request.spec.options.noise, request.spec.options.device, request.project
    if device is not None:
        _require_possible_on_device(request.spec.options)
    if noise is not None or (device is not None and device.noise):
        _require_possible(request.spec.options)
    if device is None or not device.noise:
        return None if noise is None else simulator.noise_model(noise, project)
    if noise is not None:
        raise ProgramUnsupported("a task has the errors of its device or its own noise: leave one of the two out")
    return simulator.device_noise(reader.devices.device(device, project), project)


def _require_possible(options: RunOptions) -> None:
    if pure := next((one.type for one in options.outputs if one.type in OF_ONE_STATE), None):
        raise ProgramUnsupported(f"with noise there is no {pure}: ask for density_matrix, or leave the noise out")


def _require_possible_on_device(options: RunOptions) -> None:
    for one in options.outputs:
        if one.type is OutputType.UNITARY:
            raise ProgramUnsupported("a device has no unitary of the program's qubits: leave one of the two out")
        if one.type is OutputType.STATEVECTOR and one.at is not None:
            raise ProgramUnsupported(f"on a device there is no statevector at '{one.at}': ask for density_matrix")


def prepared_for(program: Program, noise: NoiseModel | None) -> Program:
    """The program as it is simulated with this noise."""
    return program if noise is None else prepared(program, noise)


@contextmanager
def _point_in_failures(number: int) -> Iterator[None]:
    try:
        yield
    except ExecutionFailed as error:
        raise type(error)(f"at point {number}: {error.message}", line=error.line, column=error.column) from error
