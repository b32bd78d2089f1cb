"""Runs, converts, inspects or draws the program of a request, and always responds; for the child process only."""

import time
from collections.abc import Callable
from functools import partial

from ketline.domain.errors import (
    ExecutionFailed,
    MachineBusy,
    MemoryLimitExceeded,
    SimulationFailed,
    TimeLimitExceeded,
)
from ketline.domain.results.outputs import gives_counts, states_of
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.inspection import Inspection
from ketline.domain.tasks.sweep import first_point, number_of_points
from ketline.execution.child.conversion import convert_program
from ketline.execution.child.inspection import Planned, inspect_program
from ketline.execution.child.reader import ProgramReader, observed_by
from ketline.execution.child.result_size import check_outputs
from ketline.execution.child.runs.context import RunContext, noise_model_of, prepared_for
from ketline.execution.child.runs.counts import draw_counts
from ketline.execution.child.runs.expectation_values import compute_expectation_values
from ketline.execution.child.runs.gradients import compute_gradients, planned_gradient
from ketline.execution.child.runs.outputs import compute_outputs
from ketline.execution.child.runs.shifted_gradients import compute_shifted_gradients, is_shifted, planned_shifts
from ketline.execution.child.soft_time_limit import SoftTimeLimit, Stopwatch, soft_time_limit
from ketline.execution.child.sweep_inspection import inspect_sweep
from ketline.execution.circuit.observables.final_state import final_state_of
from ketline.execution.drawing import draw
from ketline.execution.frontend.program import Program, load_program
from ketline.execution.frontend.readers import read_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command, Request
from ketline.execution.protocol.responses import CommandResult, Response
from ketline.execution.simulators.aer import Simulator
from ketline.execution.simulators.channels import NoiseModel
from ketline.execution.simulators.estimation import planned_run
from ketline.execution.simulators.quota import Admit, Quota, always_admit
from ketline.execution.transpiling import drawn_program

_WARM_UP = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;'


class Executor:
    """Runs programs one after another on one simulator; `load` reads a program."""

    def __init__(self, limits: ExecutionLimits, load: Callable[..., Program] = load_program) -> None:
        self._limits = limits
        self._quota = Quota(limits)
        self._simulator = Simulator(limits, self._quota)
        self._reader = ProgramReader(limits, load)

    def warm_up(self) -> None:
        """Run one program without a time limit, so that caches and lazy imports are ready for the first request."""
        self._simulator.run(load_program(_WARM_UP, self._limits), 16)

    def respond(self, request: Request, admit: Admit = always_admit) -> Response:
        """Respond to a request; after an outcome that may have damaged the process, the response retires it.

        Calls `admit` before it runs a large program.

        Raises:
            MachineBusy: admission was denied; the program has not started.
        """
        self._reader.begin(request.project)
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

    def run(self, request: Request) -> RunResult:
        run = RunContext(
            request=request,
            reader=self._reader,
            simulator=self._simulator,
            stopwatch=Stopwatch(self._soft_limit_seconds(request)),
            limits=self._limits,
        )
        if request.spec.options.gradient is not None:
            return compute_shifted_gradients(run) if is_shifted(request.spec.options) else compute_gradients(run)
        if request.spec.options.observables:
            return compute_expectation_values(run)
        return compute_outputs(run) if states_of(request.spec.options.outputs) else draw_counts(run)

    def inspect(self, request: Request) -> Inspection:
        """Inspect the program; of a sweep, as many points as time allows. The estimated time covers all points."""
        points = number_of_points(request.spec.inputs)
        with soft_time_limit(self._soft_limit_seconds(request)):
            return self._inspect(request) if points is None else inspect_sweep(request, self._inspect, points)

    def _inspect(self, request: Request) -> Inspection:
        started = time.process_time()  # the estimate must not depend on the current load
        program, plan = self._planned(request)
        return inspect_program(program, self._simulator, request.spec, time.process_time() - started, plan)

    def _planned(self, request: Request) -> tuple[Program, Callable[[], Planned]]:
        """The program of a request without a sweep, and a function that plans its simulation."""
        noise = noise_model_of(request, self._reader, self._simulator)
        if request.spec.options.gradient is not None and is_shifted(request.spec.options):
            return planned_shifts(request, self._reader, self._simulator, self._limits)
        if request.spec.options.gradient is not None:
            program, plan = planned_gradient(request, self._reader, self._simulator)
            return program, lambda: Planned(plan(), program, request.spec.shots)
        read = prepared_for(self._inspected(request), noise)
        return read, partial(self._plan_of, read, request, noise)

    def _plan_of(self, program: Program, request: Request, noise: NoiseModel | None) -> Planned:
        run = planned_run(program, request.spec, noise, self._limits.max_operations)
        choice = self._simulator.plan(run.program, run.shots, run.options, noise)
        return Planned(choice, run.program, run.shots, run.repeats)

    def _inspected(self, request: Request) -> Program:
        """The program read for counts if the request includes counts; the state outputs are checked in any case."""
        options = request.spec.options
        if not (outputs := states_of(options.outputs)):
            return self._reader.load(request, observed_by(request))
        state = self._reader.load(request, final_state_of(outputs))
        check_outputs(outputs, state.declared_qubits, number_of_points(request.spec.inputs) or 1, self._limits)
        return self._reader.load(request, None) if gives_counts(options.outputs) else state

    def draw(self, request: Request) -> str:
        spec, inputs = request.spec, first_point(request.spec.inputs)
        with soft_time_limit(self._soft_limit_seconds(request)):
            if spec.options.device is None:
                reading = read_program(spec.circuit, self._limits, inputs, spec.options.format)
            else:
                reading = drawn_program(self._reader.devices.placer(spec, request.project)(inputs))
            return draw(reading, request.drawing, self._limits, timed=spec.options.device is not None)

    def _soft_limit_seconds(self, request: Request) -> float:
        soft = self._limits.soft_time_limit.total_seconds()
        return soft if request.spec.time_limit_seconds is None else min(soft, request.spec.time_limit_seconds)


def _out_of_memory(quota: Quota) -> MemoryLimitExceeded:
    return MemoryLimitExceeded(f"the program needs more than {quota.memory_bytes >> 20} MiB of memory")
