"""Simulates programs on one Aer simulator, which lives as long as the process."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from qiskit_aer import AerSimulator

from ketline.domain.errors import MemoryLimitExceeded, SimulationFailed
from ketline.domain.gates import applied_by
from ketline.domain.seeds import derived_seed, fresh_seed
from ketline.domain.spec import Method, Observable, RunOptions
from ketline.execution.circuit.gate_runs import with_runs_multiplied
from ketline.execution.circuit.light_cone import rebuilt
from ketline.execution.circuit.lowering import restrict
from ketline.execution.circuit.observables import (
    MOST_QUBITS_SAVED,
    operator_of,
    saved_values,
    saving_circuit,
    values_in_state,
)
from ketline.execution.frontend.program import Program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators import stim
from ketline.execution.simulators.bitstrings import counts_of, key_format
from ketline.execution.simulators.methods import Choice, Engine, choose, choose_observed
from ketline.execution.simulators.quota import Quota
from ketline.execution.simulators.sampling import Distribution, distribution_of, sample
from ketline.execution.simulators.statevector import final_state

# Below this many qubits starting threads costs more than they save; measured on QFTs, see specs/execution.md.
_THREADS_FROM_QUBITS = 15
# Below this many Aer fuses no gates on a statevector. Source: `fusion_threshold` of qiskit-aer 0.18.
_FUSION_FROM_QUBITS = 15
_DISTRIBUTIONS_KEPT = 64
# Of methods that apply fewer gates than lowering leaves.
_GATES: Mapping[Method, frozenset[str]] = {
    method: applied_by(method) for method in (Method.DENSITY_MATRIX, Method.MATRIX_PRODUCT_STATE)
}


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
        self._backend = AerSimulator(
            max_memory_mb=_mebibytes(limits.share_bytes),
            # Lowering has left out what cannot be seen, and Aer's own way of doing so breaks `while` loops.
            enable_truncation=False,
            # What a fused gate does is not always what its gates do, see runs.py.
            fusion_enable=False,
        )
        # By program, not by text: what gives the same program again gives the same distribution.
        self._distribution = lru_cache(_DISTRIBUTIONS_KEPT)(self._find_distribution)

    def run(
        self, program: Program, shots: int, options: RunOptions | None = None, *, comes_again: bool = True
    ) -> Simulation:
        """Run a program. With `comes_again` its distribution is remembered for the next run of the same program.

        Raises:
            ProgramTooLarge: its state would not fit into the memory limit; nothing was allocated.
            ProgramUnsupported: the requested method has no such operation.
            MachineBusy: it is large, and another large one runs; nothing was allocated.
            MemoryLimitExceeded, SimulationFailed: Aer gave up.
        """
        options = _seeded(options or RunOptions())
        choice = choose(program.lowered, shots, options.method, self._limits.memory_bytes)
        self._quota.require(program.lowered, choice, shots)
        if choice.engine is Engine.EXACT:
            distribution = self._distribution(program) if comes_again else self._find_distribution(program)
            counts, memory = distribution.draw(shots, options.seed, _key(program), memory=options.memory)
        else:
            counts, memory = self._sample(program, shots, options, choice)
        return Simulation(counts, choice.method.value, choice.reason, memory)

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
        circuit = self._circuit(program, choice.method)
        whole = choice.method is Method.STATEVECTOR and circuit.num_qubits <= MOST_QUBITS_SAVED
        data = self._execute(saving_circuit(circuit, () if whole else operators), 1, choice.method, RunOptions())
        values = (values_in_state if whole else saved_values)(data, operators)
        return Expectation(values, choice.method.value, choice.reason)

    def plan(self, program: Program, shots: int, options: RunOptions) -> Choice:
        """How `run` would simulate a program; nothing is simulated.

        Raises:
            ProgramTooLarge, ProgramUnsupported: as `run` does.
        """
        if options.observables:
            choice = choose_observed(program.lowered, options.method, self._limits.memory_bytes)
        else:
            choice = choose(program.lowered, shots, options.method, self._limits.memory_bytes)
        if choice.engine is Engine.AER:
            self._circuit(program, choice.method)
        return choice

    def _sample(
        self, program: Program, shots: int, options: RunOptions, choice: Choice
    ) -> tuple[dict[str, int], Sequence[str] | None]:
        key = _key(program)
        if choice.engine is Engine.STIM:
            return stim.sample(program.lowered, shots, options.seed, key, memory=options.memory)
        if choice.method is Method.STATEVECTOR and (measured := self._measured_at_the_end(program)):
            return sample(_state(program), measured, shots, options.seed, key, memory=options.memory)
        circuit = self._circuit(program, choice.method)
        fusion = choice.method is Method.STATEVECTOR and _can_be_fused(program)
        if fusion:
            circuit = rebuilt(circuit, range(circuit.num_qubits), with_runs_multiplied(program.lowered.steps))
        data = self._execute(circuit, shots, choice.method, options, fusion=fusion)
        memory = [key(int(outcome, 16)) for outcome in data.memory] if options.memory else None
        return counts_of((key(int(outcome, 16)), int(count)) for outcome, count in data.counts.items()), memory

    def _find_distribution(self, program: Program) -> Distribution:
        measured = program.lowered.final_measurements or ()
        return distribution_of(_state(program).probabilities([qubit for qubit, _ in measured]), measured)

    def _measured_at_the_end(self, program: Program) -> Sequence[tuple[int, int]] | None:
        """The measurements of a program whose final state is computed here: on one thread."""
        lowered = program.lowered
        return lowered.final_measurements if self._threads(lowered.circuit.num_qubits) == 1 else None

    def _threads(self, qubits: int) -> int:
        return self._quota.threads if qubits >= _THREADS_FROM_QUBITS else 1

    def _circuit(self, program: Program, method: Method) -> Any:
        gates = _GATES.get(method)
        if gates is None:
            return program.lowered.circuit
        return restrict(program.lowered, gates, self._limits.max_operations).circuit

    def _execute(self, circuit: Any, shots: int, method: Method, options: RunOptions, *, fusion: bool = False) -> Any:
        job = self._backend.run(
            circuit,
            shots=shots,
            method=method.value,
            max_parallel_threads=self._threads(circuit.num_qubits),
            seed_simulator=None if options.seed is None else derived_seed(options.seed, "aer", bits=62),
            memory=options.memory,
            fusion_enable=fusion,
            **({"max_memory_mb": _mebibytes(self._quota.memory_bytes)} if self._quota.whole else {}),
        )
        result = job.result()
        if not result.success:
            raise _failure(result, self._quota)
        return result.results[0].data


def _seeded(options: RunOptions) -> RunOptions:
    """With a seed: Aer's own choice has 32 bits, and adds the number of the shot."""
    return options if options.seed is not None else replace(options, seed=fresh_seed())


def _state(program: Program) -> Any:
    lowered, fusion = program.lowered, _can_be_fused(program)
    steps = with_runs_multiplied(lowered.steps) if fusion else lowered.steps
    return final_state(steps, lowered.circuit.num_qubits, fusion=fusion)


def _can_be_fused(program: Program) -> bool:
    """Whether runs of gates on one qubit can be multiplied before Aer does it, and it would."""
    lowered = program.lowered
    flat = not lowered.has_control_flow and not lowered.operations["store"]
    return flat and lowered.circuit.num_qubits >= _FUSION_FROM_QUBITS


def _key(program: Program) -> Callable[[int], str]:
    """How the outcome of the measurements shows: as it is, or what the program computes from it."""
    key, shown = key_format(program.groups), program.outcome
    return key if shown is None else lambda measured: key(shown(measured))


def _mebibytes(size: int) -> int:
    return max(1, size >> 20)


def _failure(result: Any, share: Quota) -> SimulationFailed | MemoryLimitExceeded:
    status = " ".join(str(entry.status) for entry in result.results) or str(result.status)
    if "memory" in status.lower():
        return MemoryLimitExceeded(f"the simulation needs more than {share.memory_bytes >> 20} MiB of memory")
    return SimulationFailed(f"the simulator refused the circuit: {status[:300]}")
