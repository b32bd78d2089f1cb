"""The engines that methods run their circuits on: one Aer simulator and Lightning, for the life of the process."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from qiskit_aer import AerSimulator
from qiskit_aer.library import SaveStatevector, SaveUnitary

from ketline.domain.circuits.method import Method
from ketline.domain.errors import MemoryLimitExceeded, SimulationFailed
from ketline.domain.tasks.seeds import derived_seed
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.circuit.observables.aer_instructions import saved_state, saved_values, saving_circuit
from ketline.execution.circuit.saving import SavingCircuit
from ketline.execution.frontend.program import Program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.bitstrings import Counted, KeyFormat, counts_of
from ketline.execution.simulators.memory import BYTES_PER_AMPLITUDE
from ketline.execution.simulators.outcome_cache import OutcomeCache
from ketline.execution.simulators.states.lightning_state import Lightning, load_lightning

# The method of Aer's that no task can request.
_UNITARY = "unitary"

# Below this many qubits starting threads costs more than they save; measured on QFTs, see specs/execution.md.
_THREADS_FROM_QUBITS = 15

# Lightning on one thread is 5 times as fast as Aer on one at 20 qubits, and twice as fast from 22 on; measured.
_LIGHTNING_BELOW_QUBITS = 22
_LIGHTNING_BEATS_THREADS = 2
# Programs of at least this many qubits have to be admitted, and have the whole machine; see `quota.py`.
_LARGE_FROM_QUBITS = 22
# Aer's name of the device.
_GPU = "GPU"
# For each amplitude, a complex number, and a copy or probabilities of them when results are read.
_LIGHTNING_BYTES = 2 * BYTES_PER_AMPLITUDE


class Resources(Protocol):
    """The memory and threads that the current program may use; `whole` where these are all of the machine's."""

    whole: bool

    @property
    def memory_bytes(self) -> int: ...

    @property
    def threads(self) -> int: ...


class Engines:
    """Runs circuits on Aer, within the resources of the current program, and says when Lightning is faster.

    `outcomes` caches what repeated programs draw from.
    """

    def __init__(self, limits: ExecutionLimits, resources: Resources) -> None:
        self.max_operations = limits.max_operations
        self._resources = resources
        self._lightning = load_lightning() if limits.lightning else None
        self._gpu = limits.gpu
        self.outcomes = OutcomeCache()
        self.backend = AerSimulator(
            max_memory_mb=_mebibytes(limits.share_bytes),
            # Lowering has left out what no measurement depends on, and Aer's truncation breaks `while` loops.
            enable_truncation=False,
            # A fused gate does not always do the same as its gates, see gate_runs.py.
            fusion_enable=False,
        )

    @property
    def memory_bytes(self) -> int:
        """The memory that the state of the current program may take."""
        return self._resources.memory_bytes

    def threads(self, qubits: int) -> int:
        """The number of threads for a circuit of this many qubits."""
        return self._resources.threads if qubits >= _THREADS_FROM_QUBITS else 1

    def on_gpu(self, qubits: int) -> bool:
        """Whether a state of this many qubits is built on a GPU; such programs run one at a time."""
        return self._gpu and qubits >= _LARGE_FROM_QUBITS

    def lightning_for(self, qubits: int) -> Lightning | None:
        """Lightning, for a state of this many qubits; None where it cannot be used or Aer is to be used."""
        if self.on_gpu(qubits):
            return None
        return self.lightning_in_memory(qubits) if _beats_aer(qubits, self._resources.threads) else None

    def lightning_in_memory(self, qubits: int) -> Lightning | None:
        """Lightning, also where Aer simulates a state of this many qubits faster; None where it cannot be used."""
        return self._lightning if _LIGHTNING_BYTES << qubits <= self._resources.memory_bytes else None

    def counts(
        self,
        circuit: Any,
        shots: int,
        method: Method,
        options: RunOptions,
        key: KeyFormat,
        *,
        fusion: bool = False,
        noise: Any = None,
    ) -> Counted:
        """The counts of a circuit that measures, with a `noise` model of Aer or None; for the errors see `execute`."""
        data = self.execute(circuit, shots, method, options, fusion=fusion, noise=noise)
        memory = [key(int(outcome, 16)) for outcome in data.memory] if options.memory else None
        return counts_of((key(int(outcome, 16)), int(count)) for outcome, count in data.counts.items()), memory

    def values(self, circuit: Any, method: Method, operators: Sequence[Any]) -> Sequence[float]:
        """The expectation values of operators in a circuit's final state; for the errors see `execute`."""
        return saved_values(self.execute(saving_circuit(circuit, operators), 1, method, RunOptions()), operators)

    def amplitudes(self, circuit: Any) -> Any:
        """The 2^n amplitudes of a final state, complex128, with the global phase; for the errors see `execute`."""
        return saved_state(self.execute(saving_circuit(circuit, ()), 1, Method.STATEVECTOR, RunOptions()))

    def states(self, circuit: Any, places: Collection[str | None]) -> Mapping[str | None, Any]:
        """The 2^n amplitudes at named places, None for the end, complex128, with their phases; see `execute`."""
        saving = SavingCircuit(circuit, places, SaveStatevector)
        return saving.saved(self.execute(saving.circuit, 1, Method.STATEVECTOR, RunOptions()))

    def unitaries(self, circuit: Any, places: Collection[str | None]) -> Mapping[str | None, Any]:
        """The 2^n x 2^n unitary of a circuit until each place, as `states`."""
        saving = SavingCircuit(circuit, places, SaveUnitary)
        return saving.saved(self.execute(saving.circuit, 1, _UNITARY, RunOptions()))

    def execute(
        self,
        circuit: Any,
        shots: int,
        method: str,
        options: RunOptions,
        *,
        fusion: bool = False,
        noise: Any = None,
    ) -> Any:
        """The data of a run by a method of Aer's.

        Raises:
            MemoryLimitExceeded, SimulationFailed: Aer failed, or has no GPU where one is to be used.
        """
        on_gpu = method is Method.STATEVECTOR and self.on_gpu(circuit.num_qubits)
        if on_gpu and _GPU not in self.backend.available_devices():
            raise SimulationFailed(
                "this program is to run on a GPU (KETLINE_ENGINES), and Aer finds none on the worker"
            )
        job = self.backend.run(
            circuit,
            shots=shots,
            method=str(method),
            max_parallel_threads=self.threads(circuit.num_qubits),
            seed_simulator=None if options.seed is None else derived_seed(options.seed, "aer", bits=62),
            memory=options.memory,
            fusion_enable=fusion,
            noise_model=noise,
            **({"max_memory_mb": _mebibytes(self._resources.memory_bytes)} if self._resources.whole else {}),
            **({"device": _GPU} if on_gpu else {}),
        )
        result = job.result()
        if not result.success:
            raise _failure(result, self._resources)
        return result.results[0].data


@dataclass(frozen=True, slots=True)
class ExpectedEngines:
    """Whether Lightning can build a state, and whether it does because it is faster than Aer."""

    lightning: bool
    lightning_is_faster: bool


def expected_engines(qubits: int, limits: ExecutionLimits) -> ExpectedEngines:
    """As `Engines` will find it for a program of this many qubits that was admitted, where it has to be."""
    if not limits.lightning or load_lightning() is None:
        return ExpectedEngines(lightning=False, lightning_is_faster=False)
    whole = qubits >= _LARGE_FROM_QUBITS or BYTES_PER_AMPLITUDE << qubits > limits.share_bytes
    fits = _LIGHTNING_BYTES << qubits <= (limits.memory_bytes if whole else limits.share_bytes)
    threads = limits.threads if whole else limits.share_threads
    on_gpu = limits.gpu and qubits >= _LARGE_FROM_QUBITS
    return ExpectedEngines(lightning=fits, lightning_is_faster=fits and not on_gpu and _beats_aer(qubits, threads))


def _beats_aer(qubits: int, threads: int) -> bool:
    return qubits < _LIGHTNING_BELOW_QUBITS or threads <= _LIGHTNING_BEATS_THREADS


def key_of(program: Program) -> KeyFormat:
    """How the outcome of the measurements shows: as it is, or what the program computes from it."""
    return KeyFormat(program.groups, program.outcome)


def _mebibytes(size: int) -> int:
    return max(1, size >> 20)


def _failure(result: Any, resources: Resources) -> SimulationFailed | MemoryLimitExceeded:
    status = " ".join(str(entry.status) for entry in result.results) or str(result.status)
    if "memory" in status.lower():
        return MemoryLimitExceeded(f"the simulation needs more than {resources.memory_bytes >> 20} MiB of memory")
    return SimulationFailed(f"the simulator rejected the circuit: {status[:300]}")
