"""Reads the programs of requests, and caches short programs for later requests."""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial

from ketline.domain.access.principals import ProjectName
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.tasks.inputs import InputValue
from ketline.domain.tasks.sweep import first_point, number_of_points
from ketline.execution.circuit.observables.aer_instructions import support_of
from ketline.execution.circuit.passes import ancillas
from ketline.execution.frontend import scanner
from ketline.execution.frontend.openqasm2 import reject_inputs
from ketline.execution.frontend.program import Observed, Program, load_program, program_reader, with_inputs
from ketline.execution.frontend.sloped_programs import SlopedReader, sloped_reader
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Request
from ketline.execution.transpiling import DevicePrograms

# A parsed program takes up to some megabytes for each 64 KiB of text.
_CACHED_PROGRAMS = 32
_MAX_CACHED_CHARACTERS = 1 << 14


class ProgramReader:
    """Reads programs one after another.

    Projects share neither cached programs nor the results cached for them: otherwise a project could tell, from how
    fast a program is read or run, that another project ran the same program. The scanner's caches contain data of only
    one project at a time. `load` reads a program; `devices` reads programs for devices.
    """

    def __init__(self, limits: ExecutionLimits, load: Callable[..., Program] = load_program) -> None:
        self._limits = limits
        self._read = partial(load, limits=limits)
        self._read_for = partial(_read_for, self._read)
        self._cached_read = lru_cache(_CACHED_PROGRAMS)(self._read_for)
        self.devices = DevicePrograms(limits)
        self._project: ProjectName | None = None

    def begin(self, project: ProjectName) -> None:
        """Switch to a project; clears the caches that are not keyed by project. Called before each request."""
        if project != self._project:
            scanner.clear_caches()  # guard: project.scanner
            ancillas.clear_caches()  # guard: project.gates
            self._project = project

    def load(self, request: Request, observed: Observed) -> Program:
        """Read the program, or return it from the cache of the last short programs of the project without inputs."""
        if request.spec.options.device is not None:
            return self.devices.load(request.spec, request.project, observed)
        if request.spec.options.format is ProgramFormat.QPY:
            return with_inputs(self._load_qpy(request, observed), first_point(request.spec.inputs))
        form, noisy = request.spec.options.format, is_noisy(request)
        if request.spec.inputs or len(request.spec.circuit) > _MAX_CACHED_CHARACTERS:
            inputs = first_point(request.spec.inputs)
            return self._read(request.spec.circuit, inputs=inputs, form=form, observed=observed, noisy=noisy)
        return self._cached_read(
            request.project,  # guard: project.cache
            request.spec.circuit,
            form,
            observed,
            noisy=noisy,
        )

    def loader(self, request: Request, observed: Observed) -> Callable[[Mapping[str, InputValue]], Program]:
        """A function that returns the program for given input values; without a sweep, it uses those of the request."""
        if number_of_points(request.spec.inputs) is None:
            return lambda _: self.load(request, observed)
        return self.at_points(request, observed)

    def at_points(self, request: Request, observed: Observed) -> Callable[[Mapping[str, InputValue]], Program]:
        """Parse the program, and return a function that completes reading it for given values of its inputs."""
        if request.spec.options.device is not None:
            return self.devices.reader(request.spec, request.project, observed)
        if request.spec.options.format is ProgramFormat.QPY:
            return partial(with_inputs, self._load_qpy(request, observed))
        if request.spec.options.format is ProgramFormat.OPENQASM2:
            reject_inputs(request.spec.inputs)
        return program_reader(request.spec.circuit, self._limits, observed, noisy=is_noisy(request))

    def sloped(self, request: Request) -> SlopedReader:
        """Parse the program of a task with a gradient, and return a function that reads it for values of its inputs.

        With noise or shots, the program keeps the gates that it is written in, because errors attach to these.

        Raises:
            GradientInvalid: the program does not have the inputs to differentiate by; the function raises it too.
        """
        spec, observables = request.spec, request.spec.options.observables
        if spec.options.device is not None:
            return self.devices.sloped(spec, request.project, support_of(observables))
        names = spec.options.gradient.inputs if spec.options.gradient else None
        noisy = is_noisy(request) or spec.options.sampled
        return sloped_reader(
            spec.circuit, self._limits, support_of(observables), names, spec.options.format, noisy=noisy
        )

    def _load_qpy(self, request: Request, observed: Observed) -> Program:
        read = self._cached_read if len(request.spec.circuit) <= _MAX_CACHED_CHARACTERS else self._read_for
        return read(
            request.project,  # guard: project.cache
            request.spec.circuit,
            ProgramFormat.QPY,
            observed,
            noisy=is_noisy(request),
        )


def observed_by(request: Request) -> Observed:
    """The qubits that the observables of a task act on; None if the task has no observables."""
    observables = request.spec.options.observables
    return support_of(observables) if observables else None


def is_noisy(request: Request) -> bool:
    return request.spec.options.noise is not None


def _read_for(
    read: Callable[..., Program],
    _project: ProjectName,
    text: str,
    form: ProgramFormat | None,
    observed: Observed,
    *,
    noisy: bool = False,
) -> Program:
    """Read a program without inputs; the project is only part of the cache key."""
    return read(text, form=form, observed=observed, noisy=noisy)
