"""Simulates programs on one Aer simulator, which lives as long as the process."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from ketline.domain.seeds import fresh_seed
from ketline.domain.spec import Method, Observable, RunOptions
from ketline.execution.circuit.observables import operator_of
from ketline.execution.frontend.program import Program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.engine import AerEngine
from ketline.execution.simulators.methods import Choice, choose, choose_observed
from ketline.execution.simulators.quota import Quota


class Simulation(NamedTuple):
    """Counts by key, the method's name, why it was chosen, and with `memory` each shot's key in order."""

    counts: Mapping[str, int]
    method: str
    reason: str
    memory: Sequence[str] | None


class Expectation(NamedTuple):
    """Expectation values in the order of the observables, the method's name, and why it was chosen."""

    values: Sequence[float]
    method: str
    reason: str


class Simulator:
    """Runs lowered programs; picks the method for each, and has large ones admitted before they take memory."""

    def __init__(self, limits: ExecutionLimits, share: Quota | None = None) -> None:
        self._limits = limits
        self._quota = share or Quota(limits)
        self._engine = AerEngine(limits, self._quota)
        self._backend = self._engine.backend

    def run(
        self, program: Program, shots: int, options: RunOptions | None = None, *, likely_repeated: bool = True
    ) -> Simulation:
        """Run a program. With `likely_repeated` its distribution is remembered for the next run of the same program.

        Raises:
            ProgramTooLarge: its state would not fit into the memory limit; nothing was allocated.
            ProgramUnsupported: the requested method has no such operation.
            MachineBusy: it is large, and another large one runs; nothing was allocated.
            MemoryLimitExceeded, SimulationFailed: Aer gave up.
        """
        options = _seeded(options or RunOptions())
        choice = choose(program.lowered, shots, options.method, self._limits.memory_bytes)
        self._quota.require(program.lowered, choice, shots)
        counts, memory = choice.method.run(self._engine, program, shots, options, likely_repeated=likely_repeated)
        return Simulation(counts, choice.method.name.value, choice.reason, memory)

    def expect(
        self, program: Program, observables: Sequence[Observable], method: Method = Method.AUTOMATIC
    ) -> Expectation:
        """The expectation values of observables in a program's final state, and how they were found.

        Raises:
            ProgramTooLarge, ProgramUnsupported, MachineBusy, MemoryLimitExceeded, SimulationFailed: as `run` does.
        """
        choice = choose_observed(program.lowered, method, self._limits.memory_bytes)
        self._quota.require(program.lowered, choice, 1)
        operators = [operator_of(observable, program.kept_qubits) for observable in observables]
        values = choice.method.expect(self._engine, program, operators)
        return Expectation(values, choice.method.name.value, choice.reason)

    def plan(self, program: Program, shots: int, options: RunOptions) -> Choice:
        """How `run` would simulate a program; nothing is simulated.

        Raises:
            ProgramTooLarge, ProgramUnsupported: as `run` does.
        """
        if options.observables:
            choice = choose_observed(program.lowered, options.method, self._limits.memory_bytes)
        else:
            choice = choose(program.lowered, shots, options.method, self._limits.memory_bytes)
        choice.method.circuit(program.lowered, self._limits.max_operations)
        return choice


def _seeded(options: RunOptions) -> RunOptions:
    """With a seed: Aer's own choice has 32 bits, and adds the number of the shot."""
    return options if options.seed is not None else replace(options, seed=fresh_seed())
