"""What this service runs programs on: its methods, gates and limits."""

from collections.abc import Mapping
from dataclasses import dataclass

from ketline.domain.spec import Method

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
WITHDRAWN = "'extended_stabilizer' is no longer offered, because its counts were wrong"

# The built-in ones, those of stdgates.inc, and those of Qiskit's that its exporter writes without a definition.
# Nothing here can import what knows them: a test holds this list against the front end.
GATES = (
    "CX",
    "U",
    "c3sx",
    "ccx",
    "ccz",
    "ch",
    "cp",
    "cphase",
    "crx",
    "cry",
    "crz",
    "cs",
    "csdg",
    "cswap",
    "csx",
    "cu",
    "cu1",
    "cu3",
    "cx",
    "cy",
    "cz",
    "dcx",
    "ecr",
    "gphase",
    "h",
    "id",
    "iswap",
    "p",
    "phase",
    "r",
    "rcccx",
    "rccx",
    "rx",
    "rxx",
    "ry",
    "ryy",
    "rz",
    "rzx",
    "rzz",
    "s",
    "sdg",
    "swap",
    "sx",
    "sxdg",
    "t",
    "tdg",
    "u",
    "u1",
    "u2",
    "u3",
    "x",
    "xx_minus_yy",
    "xx_plus_yy",
    "y",
    "z",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendLimits:
    """What one task may ask for; `memory_bytes` is what its simulated state may take."""

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
