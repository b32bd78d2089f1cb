"""The service's own simulators: their methods and limits; their gates are in `gates.py`."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ketline.domain.circuits.method import Method

BACKEND_NAME = "ketline-aer"
OPENQASM_VERSIONS = ("3.0", "3.1")

# Those offered. Aer's extended stabilizer is not: it samples 1:1 for 0.854:0.146 after h, t, h, cx.
# Source: https://github.com/Qiskit/qiskit-aer/issues/2315.
METHODS: Mapping[Method, str] = {
    Method.AUTOMATIC: "Chooses one of the others: exact probabilities for few qubits measured at the end, a stabilizer "
    "method for Clifford circuits, a statevector where it fits into memory, else a matrix product state",
    Method.STATEVECTOR: "Every amplitude: any program, 16 bytes x 2^n for n qubits",
    Method.DENSITY_MATRIX: "The density matrix: 16 bytes x 4^n; cannot compute on bits",
    Method.STABILIZER: "Clifford gates only, with branches: hundreds of qubits",
    Method.MATRIX_PRODUCT_STATE: "Many qubits with little entanglement: memory follows the bonds, not 2^n",
    Method.STIM: "Clifford gates only, without branches, by stim: a thousand qubits",
}


class Engine(StrEnum):
    """The library that simulated a program; `aer_gpu` is Aer on a GPU."""

    AER = "aer"
    AER_GPU = "aer_gpu"
    LIGHTNING = "lightning"
    STIM = "stim"
    NUMPY = "numpy"


# Those that an operator can allow or not; Aer runs everything.
CHOSEN_ENGINES = (Engine.AER, Engine.LIGHTNING, Engine.AER_GPU)
WITHDRAWN = "'extended_stabilizer' is no longer offered, because its counts were wrong"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendLimits:
    """The limits of one task; `memory_bytes` is the most that its simulated state may take."""

    max_qubits: int
    max_operations: int
    max_shots: int
    max_program_bytes: int
    max_result_bytes: int
    memory_bytes: int
    default_time_limit_seconds: float
    max_time_limit_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """This service's limits, and the versions of what it is made of."""

    limits: BackendLimits
    versions: Mapping[str, str]
