"""The gates that programs call and simulators apply: one row of `GATE_TABLE` for each.

The front ends, lowering, the simulators and drawings read what they know of gates from here. The API lists the gates
too, so nothing of Qiskit is imported; `tests/unit/execution/test_gates.py` compares each row with Qiskit, Aer and stim.
"""

from cmath import rect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from math import cos, pi, sin, sqrt
from typing import Any

from ketline.domain.circuits.method import Method
from ketline.domain.circuits.unitaries import (
    IDENTITY,
    SWAP,
    Dense,
    H,
    Matrix,
    PauliRotation,
    PhaseShift,
    Rotation,
    Unitary,
    X,
    Y,
    Z,
    controlled,
)


class Origin(Enum):
    """Where the name of a gate comes from."""

    LANGUAGE = "OpenQASM 3 has it built in"
    STANDARD = "stdgates.inc"
    QISKIT = "Qiskit's exporter writes it without a definition"
    LOWERED = "no program's text names it; circuits that are lowered, or come as QPY, have it"


# Operations of stim, in order, with the operands each takes, by their place among the gate's.
StimSteps = Sequence[tuple[str, Sequence[int]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One gate: its name in programs, what it does, and which methods apply it natively.

    The first of its qubits are controls, and `unitary` acts on the others. `qubits` is None where there may be any
    number of controls, and `unitary` None where the gate's parameter is its matrix. `qiskit_name` is its name in
    circuits. A gate that the chosen method does not apply is lowered by Qiskit's definition. With `rank_two` it is a
    sum of two products across any cut of its qubits: its operator Schmidt rank is two. `phase_over_qiskit` is the
    phase, in radians, of the specification's gate over Qiskit's, which is `unitary`; see
    `docs/decisions/0022-the-phase-of-u.md`.
    """

    name: str
    qubits: int | None
    parameters: int
    unitary: Unitary | None
    origin: Origin
    methods: frozenset[Method]
    stim: StimSteps
    rank_two: bool
    label: str | None
    qiskit_name: str
    phase_over_qiskit: Callable[..., Any] | None

    def matrix(self, *parameters: float, qubits: int | None = None) -> Matrix:
        """Qiskit's matrix of the gate, angles in radians; `qubits` is needed where there may be any number of them.

        Bit j of an index is the j-th qubit.
        """
        number = self.qubits if qubits is None else qubits
        assert self.unitary is not None, f"the matrix of '{self.name}' is its parameter"
        assert number is not None, f"'{self.name}' has any number of qubits"
        return controlled(self.unitary.matrix(*parameters), number - self.unitary.qubits)


def _gate(
    name: str,
    qubits: int | None,
    parameters: int,
    unitary: Unitary | None,
    origin: Origin,
    methods: frozenset[Method] = frozenset(),
    *,
    stim: str | StimSteps = (),
    rank_two: bool = False,
    label: str | None = None,
    qiskit_name: str | None = None,
    phase_over_qiskit: Callable[..., Any] | None = None,
) -> Gate:
    """A row; `stim` is the name of the operation that takes the gate's qubits in order, or several operations."""
    # C(U) = 1 + P (U - 1) with a projector P, however many qubits control.
    is_controlled = unitary is not None and unitary.qubits == 1 != qubits
    return Gate(
        name=name,
        qubits=qubits,
        parameters=parameters,
        unitary=unitary,
        origin=origin,
        methods=methods,
        stim=((stim, range(qubits or 0)),) if isinstance(stim, str) else stim,
        rank_two=rank_two or is_controlled or isinstance(unitary, PauliRotation),
        label=label,
        qiskit_name=qiskit_name or name,
        phase_over_qiskit=phase_over_qiskit,
    )


_STATEVECTOR = frozenset({Method.STATEVECTOR})
_PURE = _STATEVECTOR | {Method.MATRIX_PRODUCT_STATE}
_ALL = _PURE | {Method.DENSITY_MATRIX}
_CLIFFORD = _ALL | {Method.STABILIZER, Method.STIM}

_RX = Rotation(lambda theta: (theta, -pi / 2, pi / 2))
_RY = Rotation(lambda theta: (theta, 0.0, 0.0))
_RZ = PhaseShift(phase=lambda angle: -angle / 2)
_S, _SDG = PhaseShift(pi / 2), PhaseShift(-pi / 2)
_SX = Rotation(lambda: (pi / 2, -pi / 2, pi / 2), pi / 4)
_U = Rotation(lambda theta, phi, lam: (theta, phi, lam))
_CU = Rotation(lambda theta, phi, lam, _: (theta, phi, lam), lambda _theta, _phi, _lam, gamma: gamma)
# Source: the docstrings in `qiskit.circuit.library.standard_gates`.
_DCX = Dense(2, lambda: {(1, 1): 0, (1, 3): 1, (2, 1): 1, (2, 2): 0, (3, 2): 1, (3, 3): 0})
_ISWAP = Dense(2, lambda: {(1, 1): 0, (1, 2): 1j, (2, 1): 1j, (2, 2): 0})
_RCCX = Dense(3, lambda: {(3, 3): 0, (3, 7): -1j, (5, 5): -1, (7, 3): 1j, (7, 7): 0})
_RCCCX = Dense(4, lambda: {(3, 3): 1j, (7, 7): 0, (7, 15): 1, (11, 11): -1j, (15, 7): -1, (15, 15): 0})


def _ecr() -> Mapping[tuple[int, int], complex]:
    one = sqrt(0.5)
    diagonal = dict.fromkeys([(0, 0), (1, 1), (2, 2), (3, 3)], 0j)
    of_x = dict.fromkeys([(0, 1), (1, 0), (2, 3), (3, 2)], one)
    return diagonal | of_x | {(0, 3): one * 1j, (1, 2): -one * 1j, (2, 1): one * 1j, (3, 0): -one * 1j}


def _mixed(low: int, high: int, theta: float, beta: float) -> Mapping[tuple[int, int], complex]:
    """A rotation between two basis states."""
    diagonal, side = cos(theta / 2), -1j * sin(theta / 2)
    return {
        (low, low): diagonal,
        (low, high): side * rect(1, -beta),
        (high, low): side * rect(1, beta),
        (high, high): diagonal,
    }


# The standard ones in the order of stdgates.inc: where several clash with a program's names, the first is reported.
GATE_TABLE: Sequence[Gate] = (
    _gate("U", 1, 3, _U, Origin.LANGUAGE, qiskit_name="u", phase_over_qiskit=lambda theta, _phi, _lam: theta / 2),
    _gate(
        "gphase", 0, 1, Dense(0, lambda angle: {(0, 0): rect(1, angle)}), Origin.LANGUAGE, qiskit_name="global_phase"
    ),
    _gate("p", 1, 1, PhaseShift(), Origin.STANDARD, _ALL),
    _gate("x", 1, 0, X, Origin.STANDARD, _CLIFFORD, stim="X"),
    _gate("y", 1, 0, Y, Origin.STANDARD, _CLIFFORD, stim="Y"),
    _gate("z", 1, 0, Z, Origin.STANDARD, _CLIFFORD, stim="Z"),
    _gate("h", 1, 0, H, Origin.STANDARD, _CLIFFORD, stim="H"),
    _gate("s", 1, 0, _S, Origin.STANDARD, _CLIFFORD, stim="S"),
    _gate("sdg", 1, 0, _SDG, Origin.STANDARD, _CLIFFORD, stim="S_DAG", label="S†"),
    _gate("t", 1, 0, PhaseShift(pi / 4), Origin.STANDARD, _ALL),
    _gate("tdg", 1, 0, PhaseShift(-pi / 4), Origin.STANDARD, _ALL, label="T†"),
    _gate("sx", 1, 0, _SX, Origin.STANDARD, _CLIFFORD, stim="SQRT_X", label="√X"),
    _gate("rx", 1, 1, _RX, Origin.STANDARD, _ALL),
    _gate("ry", 1, 1, _RY, Origin.STANDARD, _ALL),
    _gate("rz", 1, 1, _RZ, Origin.STANDARD, _ALL),
    _gate("cx", 2, 0, X, Origin.STANDARD, _CLIFFORD, stim="CX"),
    _gate("cy", 2, 0, Y, Origin.STANDARD, _CLIFFORD, stim="CY"),
    _gate("cz", 2, 0, Z, Origin.STANDARD, _CLIFFORD, stim="CZ"),
    _gate("cp", 2, 1, PhaseShift(), Origin.STANDARD, _ALL),
    _gate("crx", 2, 1, _RX, Origin.STANDARD, _STATEVECTOR),
    _gate("cry", 2, 1, _RY, Origin.STANDARD, _STATEVECTOR),
    _gate("crz", 2, 1, _RZ, Origin.STANDARD, _STATEVECTOR),
    _gate("ch", 2, 0, H, Origin.STANDARD),
    _gate("swap", 2, 0, SWAP, Origin.STANDARD, _CLIFFORD, stim="SWAP"),
    _gate("ccx", 3, 0, X, Origin.STANDARD, _ALL),
    _gate("cswap", 3, 0, SWAP, Origin.STANDARD, _PURE),
    _gate("cu", 2, 4, _CU, Origin.STANDARD, _STATEVECTOR),
    _gate("CX", 2, 0, X, Origin.STANDARD, qiskit_name="cx"),
    _gate("phase", 1, 1, PhaseShift(), Origin.STANDARD, qiskit_name="p"),
    _gate("cphase", 2, 1, PhaseShift(), Origin.STANDARD, qiskit_name="cp"),
    _gate("id", 1, 0, IDENTITY, Origin.STANDARD),
    _gate("u1", 1, 1, PhaseShift(), Origin.STANDARD, _ALL),
    _gate(
        *("u2", 1, 2, Rotation(lambda phi, lam: (pi / 2, phi, lam)), Origin.STANDARD, _ALL),
        phase_over_qiskit=lambda phi, lam: (phi + lam) / -2,
    ),
    _gate("u3", 1, 3, _U, Origin.STANDARD, _ALL, phase_over_qiskit=lambda _theta, phi, lam: (phi + lam) / -2),
    _gate("c3sx", 4, 0, _SX, Origin.QISKIT),
    _gate("ccz", 3, 0, Z, Origin.QISKIT, _STATEVECTOR),
    _gate("cs", 2, 0, _S, Origin.QISKIT),
    _gate("csdg", 2, 0, _SDG, Origin.QISKIT),
    _gate("csx", 2, 0, _SX, Origin.QISKIT, _PURE),
    _gate("cu1", 2, 1, PhaseShift(), Origin.QISKIT, _ALL),
    _gate("cu3", 2, 3, _U, Origin.QISKIT, _STATEVECTOR),
    _gate("dcx", 2, 0, _DCX, Origin.QISKIT),
    _gate(
        *("ecr", 2, 0, Dense(2, _ecr), Origin.QISKIT, _CLIFFORD),
        stim=(("S", (0,)), ("SQRT_X", (1,)), ("CX", (0, 1)), ("X", (0,))),
        rank_two=True,
    ),
    _gate("iswap", 2, 0, _ISWAP, Origin.QISKIT),
    _gate("r", 1, 2, Rotation(lambda theta, phi: (theta, phi - pi / 2, pi / 2 - phi)), Origin.QISKIT, _ALL),
    _gate("rcccx", 4, 0, _RCCCX, Origin.QISKIT),
    _gate("rccx", 3, 0, _RCCX, Origin.QISKIT),
    _gate("rxx", 2, 1, PauliRotation("xx"), Origin.QISKIT, _ALL),
    _gate("ryy", 2, 1, PauliRotation("yy"), Origin.QISKIT, _ALL),
    _gate("rzx", 2, 1, PauliRotation("zx"), Origin.QISKIT, _ALL),
    _gate("rzz", 2, 1, PauliRotation("zz"), Origin.QISKIT, _ALL),
    _gate(
        *("sxdg", 1, 0, Rotation(lambda: (pi / 2, pi / 2, -pi / 2), -pi / 4), Origin.QISKIT, _CLIFFORD),
        stim="SQRT_X_DAG",
        label="√X†",
    ),
    _gate("u", 1, 3, _U, Origin.QISKIT, _ALL),
    _gate("xx_minus_yy", 2, 2, Dense(2, lambda theta, beta: _mixed(0, 3, theta, beta)), Origin.QISKIT),
    _gate("xx_plus_yy", 2, 2, Dense(2, lambda theta, beta: _mixed(1, 2, theta, beta)), Origin.QISKIT),
    _gate("mcphase", None, 1, PhaseShift(), Origin.LOWERED, _STATEVECTOR),
    _gate("mcx", None, 0, X, Origin.LOWERED, _STATEVECTOR),
    _gate("unitary", None, 1, None, Origin.LOWERED, _ALL, label="unitary"),
)


def applied_by(method: Method) -> frozenset[str]:
    """The names, in circuits, of the gates that a method applies natively."""
    return frozenset(gate.name for gate in GATE_TABLE if method in gate.methods)


def gates_from(*origins: Origin) -> Sequence[Gate]:
    """The gates with names from these origins, in the table's order."""
    return [gate for gate in GATE_TABLE if gate.origin in origins]


# The names that a program's text can call, as `GET /backends` lists them.
GATES: Sequence[str] = tuple(sorted(gate.name for gate in GATE_TABLE if gate.origin is not Origin.LOWERED))
