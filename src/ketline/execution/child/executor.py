"""Runs, converts, inspects or draws the program of a request, and always responds; for the child process only."""

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import lru_cache, partial
from types import FrameType

from ketline.domain.access import ProjectName
from ketline.domain.errors import (
    ExecutionFailed,
    MachineBusy,
    MemoryLimitExceeded,
    ProgramTooLarge,
    ProgramUnsupported,
    SimulationFailed,
    TimeLimitExceeded,
)
from ketline.domain.inspection import Inspection
from ketline.domain.observables import observables_at
from ketline.domain.outputs import RequestedOutput, gives_counts, states_of
from ketline.domain.quota_checks import require_qubits
from ketline.domain.seeds import SEED_SCHEME
from ketline.domain.spec import InputValue, ProgramFormat
from ketline.domain.sweep import first_point, number_of_points, points_of, seed_at
from ketline.domain.task import Point, Profile, Register, RunResult
from ketline.execution.child.conversion import convert_program
from ketline.execution.child.inspection import inspect_program
from ketline.execution.circuit import ancillas
from ketline.execution.circuit.final_state import final_state_of, numbers_in
from ketline.execution.circuit.observables import support_of
from ketline.execution.drawing import draw
from ketline.execution.frontend import scanner
from ketline.execution.frontend.openqasm2 import refuse_inputs
from ketline.execution.frontend.program import (
    Observed,
    Program,
    load_program,
    program_reader,
    read_program,
    with_inputs,
)
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol import Command, CommandResult, Request, Response
from ketline.execution.simulators.aer import Expectation, Saved, Simulation, Simulator
from ketline.execution.simulators.channels import NoiseModel
from ketline.execution.simulators.noise import prepared
from ketline.execution.simulators.quota import Admit, Quota, always_admit

# An exception that the alarm raises inside a callback can be lost there; so the alarm repeats.
_ALARM_REPEATS_SECONDS = 0.5
# Zero seconds would disable the alarm.
_LEAST_SECONDS = 1e-3
# A parsed program takes up to some megabytes for each 64 KiB of text.
_CACHED_PROGRAMS = 32
_LONGEST_CACHED_CHARACTERS = 1 << 14
_CHARACTERS_OF_A_VALUE = 25
_WARM_UP = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;'


class SoftTimeLimit(BaseException):
    """Raised by the alarm; no library's `except Exception` catches it."""


class Stopwatch:
    """Adds up the seconds of reading, which are limited, and of simulating."""

    def __init__(self, limit_seconds: float) -> None:
        self._limit_seconds = limit_seconds
        self.reading_seconds = 0.0
        self.simulating_seconds = 0.0

    @contextmanager
    def reading(self) -> Iterator[None]:
        started = time.perf_counter()
        with soft_time_limit(max(_LEAST_SECONDS, self._limit_seconds - self.reading_seconds)):
            yield
        self.reading_seconds += time.perf_counter() - started

    @contextmanager
    def simulating(self) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.simulating_seconds += time.perf_counter() - started


class Executor:
    """Runs programs one after another on one simulator.

    Projects share no cached programs, nor what was cached under these: a program that is read or run faster than
    others would tell a project that another one ran the same. The scanner's caches are of one project at a time.
    `load` reads a program.
    """

    def __init__(self, limits: ExecutionLimits, load: Callable[..., Program] = load_program) -> None:
        self._limits = limits
        self._quota = Quota(limits)
        self._simulator = Simulator(limits, self._quota)
        self._read = partial(load, limits=limits)
        self._read_for = partial(_read_for, self._read)
        self._cached_read = lru_cache(_CACHED_PROGRAMS)(self._read_for)
        self._project: ProjectName | None = None

    def warm_up(self) -> None:
        """Run one program without a time limit, so that caches and lazy imports are ready for the first request."""
        self._simulator.run(load_program(_WARM_UP, self._limits), 16)

    def run(self, request: Request) -> RunResult:
        stopwatch = Stopwatch(self._soft_limit_seconds(request))
        if request.spec.options.observables:
            return self._expect(request, stopwatch)
        if states_of(request.spec.options.outputs):
            return self._save(request, stopwatch)
        if number_of_points(request.spec.inputs) is None:
            return self._run_once(request, stopwatch)
        return self._sweep(request, stopwatch)

    def _expect(self, request: Request, stopwatch: Stopwatch) -> RunResult:
        """Compute expectation values, for a sweep at each point."""
        points = number_of_points(request.spec.inputs)
        requested = observables_at(request.spec.options.observables, points or 1)
        self._check_values(sum(map(len, requested)))
        with stopwatch.reading():
            self._noise_model(request)
            read = self._reader(request, _observed(request)) if points else None
        runs: list[tuple[Program, Expectation]] = []
        each = points_of(request.spec.inputs) if points else [first_point(request.spec.inputs)]
        for number, (inputs, observables) in enumerate(zip(each, requested, strict=True)):
            with _point_in_failures(number) if points else nullcontext():
                with stopwatch.reading():
                    program = read(inputs) if read else self._load(request, _observed(request))
                require_qubits(program.declared_qubits, request.spec)
                with stopwatch.simulating():
                    found = self._simulator.expect(program, observables, request.spec.options.method)
            runs.append((program, found) if not runs else (runs[0][0], found))
        values = [found.values for _, found in runs]
        return RunResult(
            counts={},
            shots=request.spec.shots,
            profile=_profile(*runs[0], stopwatch),
            expectation_values=values if points else values[0],
        )

    def _save(self, request: Request, stopwatch: Stopwatch) -> RunResult:
        """Compute outputs, for a sweep at each point, and counts if they are among them."""
        options, points = request.spec.options, number_of_points(request.spec.inputs)
        outputs, counted = states_of(options.outputs), gives_counts(options.outputs)
        with stopwatch.reading():
            self._noise_model(request)
            read_state = self._loader(request, final_state_of(outputs))
            read = self._loader(request, None) if counted else None
        runs: list[tuple[Program, Saved | Simulation]] = []
        found: list[Point] = []
        for number, inputs in enumerate(points_of(request.spec.inputs) if points else [{}]):
            with _point_in_failures(number) if points else nullcontext():
                with stopwatch.reading():
                    state, program = read_state(inputs), read(inputs) if read else None
                require_qubits(state.declared_qubits, request.spec)
                self._check_outputs(outputs, state, points or 1)
                with stopwatch.simulating():
                    saved = self._simulator.save(state, outputs, options.method)
                point = Point(counts={}, outputs=saved.outputs)
                if program is not None:
                    at_point = replace(options, seed=seed_at(options.seed, number)) if points else options
                    with stopwatch.simulating():
                        simulation = self._simulator.run(program, request.spec.shots, at_point)
                    self._check_size((points or 1) * _characters(simulation), simulation)
                    point = replace(point, counts=simulation.counts, memory=simulation.memory)
            found.append(point)
            runs = runs or [(state, saved) if program is None else (program, simulation)]
        profile, shots = _profile(*runs[0], stopwatch), request.spec.shots
        if points:
            return RunResult(counts={}, shots=shots, profile=profile, points=found)
        [one] = found
        return RunResult(counts=one.counts, shots=shots, profile=profile, memory=one.memory, outputs=one.outputs)

    def _loader(self, request: Request, observed: Observed) -> Callable[[Mapping[str, InputValue]], Program]:
        """A function that gives the program for values of its inputs; one without a sweep is read with its own."""
        if number_of_points(request.spec.inputs) is None:
            return lambda _: self._load(request, observed)
        return self._reader(request, observed)

    def _run_once(self, request: Request, stopwatch: Stopwatch) -> RunResult:
        with stopwatch.reading():
            noise = self._noise_model(request)
            program = _prepared(self._load(request, None), noise)
        require_qubits(program.declared_qubits, request.spec)
        with stopwatch.simulating():
            simulation = self._simulator.run(program, request.spec.shots, request.spec.options, noise=noise)
        self._check_size(_characters(simulation), simulation)
        profile = _profile(program, simulation, stopwatch)
        return RunResult(counts=simulation.counts, shots=request.spec.shots, memory=simulation.memory, profile=profile)

    def _sweep(self, request: Request, stopwatch: Stopwatch) -> RunResult:
        with stopwatch.reading():
            read, noise = self._reader(request, None), self._noise_model(request)
        runs: list[tuple[Program, Simulation]] = []
        characters = 0
        for number, inputs in enumerate(points_of(request.spec.inputs)):
            options = replace(request.spec.options, seed=seed_at(request.spec.options.seed, number))
            with _point_in_failures(number):
                with stopwatch.reading():
                    program = _prepared(read(inputs), noise)
                require_qubits(program.declared_qubits, request.spec)
                with stopwatch.simulating():
                    simulation = self._simulator.run(
                        program, request.spec.shots, options, likely_repeated=False, noise=noise
                    )
                characters += _characters(simulation)
                self._check_size(characters, simulation)
            runs.append((program, simulation) if not runs else (runs[0][0], simulation))
        return RunResult(
            counts={},
            shots=request.spec.shots,
            profile=_profile(*runs[0], stopwatch),
            points=[Point(counts=simulation.counts, memory=simulation.memory) for _, simulation in runs],
        )

    def inspect(self, request: Request) -> Inspection:
        """Inspect the program, or the first point of a sweep; the estimated time is that of all points."""
        started = time.process_time()  # the estimate must not depend on the current load
        with soft_time_limit(self._soft_limit_seconds(request)):
            noise = self._noise_model(request)
            program = _prepared(self._inspected(request), noise)
            reading = time.process_time() - started
            runs = number_of_points(request.spec.inputs) or 1
            return inspect_program(program, self._simulator, request.spec, reading, runs, noise)

    def _inspected(self, request: Request) -> Program:
        """The program as it is read for counts, if the request is for some; but it must have the outputs as well."""
        options = request.spec.options
        if not (outputs := states_of(options.outputs)):
            return self._load(request, _observed(request))
        state = self._load(request, final_state_of(outputs))
        self._check_outputs(outputs, state, number_of_points(request.spec.inputs) or 1)
        return self._load(request, None) if gives_counts(options.outputs) else state

    def draw(self, request: Request) -> str:
        inputs = first_point(request.spec.inputs)
        with soft_time_limit(self._soft_limit_seconds(request)):
            reading = read_program(request.spec.circuit, self._limits, inputs, request.spec.options.format)
            return draw(reading, request.drawing, self._limits)

    def _load(self, request: Request, observed: Observed) -> Program:
        """Read the program, or return it from the cache of the last short programs of the project without inputs."""
        if request.spec.options.format is ProgramFormat.QPY:
            return with_inputs(self._load_qpy(request, observed), first_point(request.spec.inputs))
        form, noisy = request.spec.options.format, _is_noisy(request)
        if request.spec.inputs or len(request.spec.circuit) > _LONGEST_CACHED_CHARACTERS:
            inputs = first_point(request.spec.inputs)
            return self._read(request.spec.circuit, inputs=inputs, form=form, observed=observed, noisy=noisy)
        return self._cached_read(
            request.project,  # guard: project.cache
            request.spec.circuit,
            form,
            observed,
            noisy=noisy,
        )

    def _load_qpy(self, request: Request, observed: Observed) -> Program:
        read = self._cached_read if len(request.spec.circuit) <= _LONGEST_CACHED_CHARACTERS else self._read_for
        return read(
            request.project,  # guard: project.cache
            request.spec.circuit,
            ProgramFormat.QPY,
            observed,
            noisy=_is_noisy(request),
        )

    def _reader(self, request: Request, observed: Observed) -> Callable[[Mapping[str, InputValue]], Program]:
        """Parse the program, and return a function that completes reading it for given values of its inputs."""
        if request.spec.options.format is ProgramFormat.QPY:
            return partial(with_inputs, self._load_qpy(request, observed))
        if request.spec.options.format is ProgramFormat.OPENQASM2:
            refuse_inputs(request.spec.inputs)
        return program_reader(request.spec.circuit, self._limits, observed, noisy=_is_noisy(request))

    def _noise_model(self, request: Request) -> NoiseModel | None:
        """The noise of the task, checked.

        Raises:
            NoiseInvalid: it is not a physical model.
            ProgramUnsupported: the task has observables or outputs of the state as well.
        """
        noise = request.spec.options.noise
        if noise is None:
            return None
        if request.spec.options.observables:
            raise ProgramUnsupported("expectation values with noise are not supported: leave one of the two out")
        if states_of(request.spec.options.outputs):
            raise ProgramUnsupported("outputs of the state with noise are not supported: leave one of the two out")
        return self._simulator.noise_model(noise, request.project)

    def respond(self, request: Request, admit: Admit = always_admit) -> Response:
        """Respond to a request; after an outcome that may have damaged the process, the response retires it.

        Before it runs a large program it calls `admit` for admission.

        Raises:
            MachineBusy: admission was denied; the program has not begun.
        """
        if request.project != self._project:
            scanner.clear_caches()  # guard: project.scanner
            ancillas.clear_caches()  # guard: project.gates
            self._project = request.project
        self._quota.begin(admit, number_of_points(request.spec.inputs) or 1)
        try:
            return Response(self._outcome(request))
        except MachineBusy:
            raise
        except ExecutionFailed as error:
            return Response(error, retiring=isinstance(error, MemoryLimitExceeded))
        except SoftTimeLimit:
            limit = self._soft_limit_seconds(request)
            late = TimeLimitExceeded(f"reading the program took longer than the soft time limit of {limit:g} s")
            return Response(late, retiring=True)
        except MemoryError:
            return Response(_out_of_memory(self._quota), retiring=True)
        except Exception as error:
            # The edge of this process. The response contains only the name of the class, because messages may contain
            # paths.
            return Response(SimulationFailed(f"the simulator failed on this program ({type(error).__name__})"))

    def _outcome(self, request: Request) -> CommandResult:
        match request.command:
            case Command.RUN:
                return self.run(request)
            case Command.CONVERT:
                with soft_time_limit(self._soft_limit_seconds(request)):
                    return convert_program(request.spec, self._limits)
            case Command.INSPECT:
                return self.inspect(request)
            case Command.DRAW:
                return self.draw(request)

    def _soft_limit_seconds(self, request: Request) -> float:
        soft = self._limits.soft_time_limit.total_seconds()
        return soft if request.spec.time_limit_seconds is None else min(soft, request.spec.time_limit_seconds)

    def _check_values(self, values: int) -> None:
        if values * _CHARACTERS_OF_A_VALUE > self._limits.max_result_bytes:
            most = self._limits.max_result_bytes // _CHARACTERS_OF_A_VALUE
            raise ProgramTooLarge(
                f"{values} expectation values are more than {most}: ask for fewer, or for fewer points"
            )

    def _check_outputs(self, outputs: Sequence[RequestedOutput], program: Program, points: int) -> None:
        """Compare the size of outputs with that of a result, before anything is simulated."""
        numbers = points * sum(numbers_in(one, program.declared_qubits) for one in outputs)
        most = self._limits.max_result_bytes // _CHARACTERS_OF_A_VALUE
        if numbers > most:
            raise ProgramTooLarge(
                f"the outputs have more numbers than the {most} that a result may have: ask for the probabilities or "
                "the density matrix of fewer qubits, or for fewer points"
            )

    def _check_size(self, characters: int, simulation: Simulation) -> None:
        if characters <= self._limits.max_result_bytes:
            return
        width, outcomes, shots = _dimensions(simulation)
        memory = f" and {shots} shots" if shots else ""
        raise ProgramTooLarge(
            f"{outcomes} different outcomes{memory} of {width} characters are more than "
            f"{self._limits.max_result_bytes / 2**20:g} MiB: measure fewer bits or take fewer shots"
        )


def _read_for(
    read: Callable[..., Program],
    _project: ProjectName,
    text: str,
    form: ProgramFormat | None,
    observed: Observed,
    *,
    noisy: bool = False,
) -> Program:
    """Read a program without inputs; the project is a part of the key under which it is cached."""
    return read(text, form=form, observed=observed, noisy=noisy)


def _observed(request: Request) -> Observed:
    observables = request.spec.options.observables
    return support_of(observables) if observables else None


def _prepared(program: Program, noise: NoiseModel | None) -> Program:
    return program if noise is None else prepared(program, noise)


def _is_noisy(request: Request) -> bool:
    return request.spec.options.noise is not None


def _dimensions(simulation: Simulation) -> tuple[int, int, int]:
    """The number of characters of an outcome, of outcomes, and of shots in `memory`."""
    return len(next(iter(simulation.counts), "")), len(simulation.counts), len(simulation.memory or ())


def _characters(simulation: Simulation) -> int:
    """The approximate size of a result as JSON."""
    width, outcomes, shots = _dimensions(simulation)
    # Quotes, colon, comma and a count of up to six digits take about 12 characters; 3 of them in a list.
    return outcomes * (width + 12) + shots * (width + 3)


def _profile(program: Program, simulation: Simulation | Expectation | Saved, stopwatch: Stopwatch) -> Profile:
    return Profile(
        method=simulation.method,
        method_reason=simulation.reason,
        engine=simulation.engine,
        qubits=program.lowered.num_qubits,
        depth=program.lowered.depth,
        operations=dict(program.lowered.operations),
        parsing_seconds=round(stopwatch.reading_seconds, 6),
        simulating_seconds=round(stopwatch.simulating_seconds, 6),
        tier=program.front_end,
        seed_scheme=SEED_SCHEME if isinstance(simulation, Simulation) else None,
        registers=_registers(program),
        warnings=program.warnings,
    )


def _registers(program: Program) -> Sequence[Register]:
    return tuple(Register(bits=bits, name=name) for bits, name in zip(program.groups, program.names, strict=True))


@contextmanager
def _point_in_failures(number: int) -> Iterator[None]:
    """Add the number of the point to the message of a failure in the block."""
    try:
        yield
    except ExecutionFailed as error:
        raise type(error)(f"at point {number}: {error.message}", line=error.line, column=error.column) from error


@contextmanager
def soft_time_limit(seconds: float) -> Iterator[None]:
    """Raise `SoftTimeLimit` in the block after `seconds`. That interrupts only Python code, not Aer."""
    signal.signal(signal.SIGALRM, _raise_soft_time_limit)
    signal.setitimer(signal.ITIMER_REAL, seconds, _ALARM_REPEATS_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _raise_soft_time_limit(_signal: int, _frame: FrameType | None) -> None:
    raise SoftTimeLimit


def _out_of_memory(quota: Quota) -> MemoryLimitExceeded:
    return MemoryLimitExceeded(f"the program needs more than {quota.memory_bytes >> 20} MiB of memory")
