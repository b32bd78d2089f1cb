"""One Aer simulator, which lives as long as the process; methods run their circuits on it."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from qiskit_aer import AerSimulator

from ketline.domain.errors import MemoryLimitExceeded, SimulationFailed
from ketline.domain.seeds import derived_seed
from ketline.domain.spec import Method, RunOptions
from ketline.execution.circuit.observables import saved_values, saving_circuit
from ketline.execution.frontend.program import Program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.bitstrings import counts_of, key_format

# Below this many qubits starting threads costs more than they save; measured on QFTs, see specs/execution.md.
_THREADS_FROM_QUBITS = 15

# Counts by key in the order of the keys, and each shot's key in order where that was asked for.
Counted = tuple[dict[str, int], Sequence[str] | None]


class Resources(Protocol):
    """The memory and threads that the current program may use; `whole` where these are all of the machine's."""

    whole: bool

    @property
    def memory_bytes(self) -> int: ...

    @property
    def threads(self) -> int: ...


class AerEngine:
    """Runs circuits on Aer, within the resources of the current program."""

    def __init__(self, limits: ExecutionLimits, resources: Resources) -> None:
        self.max_operations = limits.max_operations
        self._resources = resources
        self.backend = AerSimulator(
            max_memory_mb=_mebibytes(limits.share_bytes),
            # Lowering has left out what cannot be seen, and Aer's own way of doing so breaks `while` loops.
            enable_truncation=False,
            # What a fused gate does is not always what its gates do, see gate_runs.py.
            fusion_enable=False,
        )

    def threads(self, qubits: int) -> int:
        """How many threads a circuit of so many qubits runs on."""
        return self._resources.threads if qubits >= _THREADS_FROM_QUBITS else 1

    def counts(
        self,
        circuit: Any,
        shots: int,
        method: Method,
        options: RunOptions,
        key: Callable[[int], str],
        *,
        fusion: bool = False,
    ) -> Counted:
        """What a circuit that measures gives; for the errors see `execute`."""
        data = self.execute(circuit, shots, method, options, fusion=fusion)
        memory = [key(int(outcome, 16)) for outcome in data.memory] if options.memory else None
        return counts_of((key(int(outcome, 16)), int(count)) for outcome, count in data.counts.items()), memory

    def values(self, circuit: Any, method: Method, operators: Sequence[Any]) -> Sequence[float]:
        """The expectation values of operators in a circuit's final state; for the errors see `execute`."""
        return saved_values(self.execute(saving_circuit(circuit, operators), 1, method, RunOptions()), operators)

    def execute(self, circuit: Any, shots: int, method: Method, options: RunOptions, *, fusion: bool = False) -> Any:
        """The data of a run.

        Raises:
            MemoryLimitExceeded, SimulationFailed: Aer gave up.
        """
        job = self.backend.run(
            circuit,
            shots=shots,
            method=method.value,
            max_parallel_threads=self.threads(circuit.num_qubits),
            seed_simulator=None if options.seed is None else derived_seed(options.seed, "aer", bits=62),
            memory=options.memory,
            fusion_enable=fusion,
            **({"max_memory_mb": _mebibytes(self._resources.memory_bytes)} if self._resources.whole else {}),
        )
        result = job.result()
        if not result.success:
            raise _failure(result, self._resources)
        return result.results[0].data


def key_of(program: Program) -> Callable[[int], str]:
    """How the outcome of the measurements shows: as it is, or what the program computes from it."""
    key, shown = key_format(program.groups), program.outcome
    return key if shown is None else lambda measured: key(shown(measured))


def _mebibytes(size: int) -> int:
    return max(1, size >> 20)


def _failure(result: Any, resources: Resources) -> SimulationFailed | MemoryLimitExceeded:
    status = " ".join(str(entry.status) for entry in result.results) or str(result.status)
    if "memory" in status.lower():
        return MemoryLimitExceeded(f"the simulation needs more than {resources.memory_bytes >> 20} MiB of memory")
    return SimulationFailed(f"the simulator refused the circuit: {status[:300]}")
