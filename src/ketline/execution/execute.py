"""Takes one program from its text to its counts, or to what else is asked of it; always has an answer.

For the child process only.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from types import FrameType

from ketline.domain.errors import (
    ExecutionFailed,
    MemoryLimitExceeded,
    ProgramTooLarge,
    SimulationFailed,
    TimeLimitExceeded,
)
from ketline.domain.inspection import Inspection
from ketline.domain.task import Profile, RunResult
from ketline.execution.aer import Simulation, Simulator
from ketline.execution.drawing import draw
from ketline.execution.inspecting import inspect_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.program import Program, load_program, read_program
from ketline.execution.wire import Answer, Order, Outcome, Purpose

# An alarm that goes off inside a callback can be lost there; then it goes off again.
_ALARM_REPEATS_SECONDS = 0.5
# A reading takes up to some megabytes for each 64 KiB of text.
_PROGRAMS_KEPT = 32
_KEPT_CHARACTERS = 1 << 14
_WARM_UP = 'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;'


class SoftTimeLimit(BaseException):
    """Raised by the alarm; no library's `except Exception` can take it for one of its own."""


class Executor:
    """Runs programs one after another on one simulator."""

    def __init__(self, limits: ExecutionLimits) -> None:
        self._limits = limits
        self._simulator = Simulator(limits)
        self._kept = lru_cache(_PROGRAMS_KEPT)(partial(load_program, limits=limits))

    def warm_up(self) -> None:
        """Run one program without time limit, so that the first real one finds caches and lazy imports filled."""
        self._simulator.run(load_program(_WARM_UP, self._limits), 16)

    def run(self, order: Order) -> RunResult:
        started = time.perf_counter()
        with soft_time_limit(self._soft_limit_seconds(order)):
            program = self._load(order)
        parsed = time.perf_counter()
        simulation = self._simulator.run(program, order.shots, order.options)
        finished = time.perf_counter()
        self._check_size(simulation)
        profile = Profile(
            method=simulation.method,
            method_reason=simulation.reason,
            qubits=program.lowered.circuit.num_qubits,
            depth=program.lowered.depth,
            operations=dict(program.lowered.operations),
            parsing_seconds=round(parsed - started, 6),
            simulating_seconds=round(finished - parsed, 6),
            tier=program.tier,
        )
        return RunResult(counts=simulation.counts, shots=order.shots, memory=simulation.memory, profile=profile)

    def inspect(self, order: Order) -> Inspection:
        started = time.process_time()  # an estimate is not to depend on what else this machine does now
        with soft_time_limit(self._soft_limit_seconds(order)):
            program = self._load(order)
            reading = time.process_time() - started
            return inspect_program(program, self._simulator, order.shots, order.options, reading)

    def draw(self, order: Order) -> str:
        with soft_time_limit(self._soft_limit_seconds(order)):
            return draw(read_program(order.circuit, self._limits, order.inputs), order.drawing, self._limits)

    def _load(self, order: Order) -> Program:
        """Programs come again and again: the last short ones without inputs are kept as they were read."""
        if order.inputs or len(order.circuit) > _KEPT_CHARACTERS:
            return load_program(order.circuit, self._limits, order.inputs)
        return self._kept(order.circuit)

    def answer(self, order: Order) -> Answer:
        """An answer to any order; one that may have left its mark on the process makes the process retire."""
        try:
            return Answer(self._outcome(order))
        except ExecutionFailed as error:
            return Answer(error, retiring=isinstance(error, MemoryLimitExceeded))
        except SoftTimeLimit:
            limit = self._soft_limit_seconds(order)
            late = TimeLimitExceeded(f"reading the program took longer than the soft time limit of {limit:g} s")
            return Answer(late, retiring=True)
        except MemoryError:
            return Answer(_out_of_memory(self._limits), retiring=True)
        except Exception as error:
            # The edge of this process. Only the name of the class leaves it, since texts may hold paths.
            return Answer(SimulationFailed(f"the simulator failed on this program ({type(error).__name__})"))

    def _outcome(self, order: Order) -> Outcome:
        match order.purpose:
            case Purpose.RUN:
                return self.run(order)
            case Purpose.INSPECT:
                return self.inspect(order)
            case Purpose.DRAW:
                return self.draw(order)

    def _soft_limit_seconds(self, order: Order) -> float:
        soft = self._limits.soft_time_limit.total_seconds()
        return soft if order.time_limit_seconds is None else min(soft, order.time_limit_seconds)

    def _check_size(self, simulation: Simulation) -> None:
        width = len(next(iter(simulation.counts), ""))
        outcomes, shots = len(simulation.counts), len(simulation.memory or ())
        # Quotes, colon, comma and a count of up to six digits come to about 12 characters; 3 of them in a list.
        if outcomes * (width + 12) + shots * (width + 3) <= self._limits.max_result_bytes:
            return
        memory = f" and {shots} shots" if shots else ""
        raise ProgramTooLarge(
            f"{outcomes} different outcomes{memory} of {width} characters are more than "
            f"{self._limits.max_result_bytes / 2**20:g} MiB: measure fewer bits or take fewer shots"
        )


@contextmanager
def soft_time_limit(seconds: float) -> Iterator[None]:
    """Raise `SoftTimeLimit` in the block when it runs over; Python's own code only, it cannot interrupt Aer."""
    signal.signal(signal.SIGALRM, _raise_soft_time_limit)
    signal.setitimer(signal.ITIMER_REAL, seconds, _ALARM_REPEATS_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _raise_soft_time_limit(_signal: int, _frame: FrameType | None) -> None:
    raise SoftTimeLimit


def _out_of_memory(limits: ExecutionLimits) -> MemoryLimitExceeded:
    return MemoryLimitExceeded(f"the program needs more than {limits.memory_bytes >> 20} MiB of memory")
