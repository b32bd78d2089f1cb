"""Final states on Aer's statevector, gate by gate: handing Aer a circuit takes longer than most simulations."""

from cmath import rect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import pi
from typing import Any

from qiskit_aer.backends.controller_wrappers import AerStateWrapper

from ketline.domain.errors import MemoryLimitExceeded
from ketline.execution.circuit.operations import Step

# From more qubits than any state has.
_NO_THREADS = "63"

Angles = tuple[float, ...]
_Apply = Callable[[Any, list[int], Any], None]

# Up to a global phase. Source: the matrices in `qiskit.circuit.library`; a test compares each gate with its own.
_TURNS: Mapping[str, Callable[..., Angles]] = {
    "r": lambda theta, phi: (theta, phi - pi / 2, pi / 2 - phi),
    "rx": lambda theta: (theta, -pi / 2, pi / 2),
    "ry": lambda theta: (theta, 0.0, 0.0),
    "sx": lambda: (pi / 2, -pi / 2, pi / 2),
    "sxdg": lambda: (pi / 2, pi / 2, -pi / 2),
    "u": lambda theta, phi, lam: (theta, phi, lam),
    "u2": lambda phi, lam: (pi / 2, phi, lam),
    "u3": lambda theta, phi, lam: (theta, phi, lam),
}
_CONTROLLED_TURNS: Mapping[str, Callable[..., Angles]] = {
    "crx": lambda theta: (theta, -pi / 2, pi / 2, 0.0),
    "cry": lambda theta: (theta, 0.0, 0.0, 0.0),
    "crz": lambda theta: (0.0, 0.0, theta, -theta / 2),
    "csx": lambda: (pi / 2, -pi / 2, pi / 2, pi / 4),
    "cu": lambda theta, phi, lam, gamma: (theta, phi, lam, gamma),
    "cu3": lambda theta, phi, lam: (theta, phi, lam, 0.0),
}
_PHASES = ("mcphase", "p", "rz", "u1")
_FIXED_PHASES: Mapping[str, float] = {"s": pi / 2, "sdg": -pi / 2, "t": pi / 4, "tdg": -pi / 4}


def final_state(steps: Sequence[Step], qubits: int, *, fusion: bool = False) -> Any:
    """The state of so many qubits, all 0 before, after these gates; measurements among them are passed over.

    It is one of Aer's, made on one thread: bit j of an index into it is the j-th qubit. With `fusion` Aer multiplies
    gates where that pays, from 15 qubits on: right only for steps `with_runs_multiplied`.

    Raises:
        MemoryLimitExceeded: there is no room for it.
    """
    state = AerStateWrapper()
    state.configure("method", "statevector")
    # A state minds no number of threads, only from how many qubits on it has some.
    state.configure("statevector_parallel_threshold", _NO_THREADS)
    state.configure("fusion_enable", str(fusion).lower())
    try:
        state.reallocate_qubits(qubits)
        state.initialize()
        for name, operands, _, instruction in steps:
            _APPLIED[name](state, operands, instruction)
        state.flush()
    except RuntimeError as error:
        if "memory" in str(error):
            raise MemoryLimitExceeded("the state of the simulation does not fit into the memory") from error
        raise
    return state


def _turn(angles: Callable[..., Angles], state: Any, qubits: list[int], instruction: Any) -> None:
    state.apply_u(qubits[0], *angles(*instruction.params))


def _controlled_turn(angles: Callable[..., Angles], state: Any, qubits: list[int], instruction: Any) -> None:
    state.apply_cu(qubits, *angles(*instruction.params))


def _phase(state: Any, qubits: list[int], instruction: Any) -> None:
    state.apply_mcphase(qubits, instruction.params[0])


def _controlled_phase(state: Any, qubits: list[int], instruction: Any) -> None:
    # Aer joins diagonals where it joins gates, and no phases: a Fourier transform takes two thirds of the time.
    state.apply_diagonal(qubits, [1.0, 1.0, 1.0, rect(1.0, instruction.params[0])])


def _fixed_phase(angle: float, state: Any, qubits: list[int], _instruction: Any) -> None:
    state.apply_mcphase(qubits, angle)


def _ising(state: Any, qubits: list[int], instruction: Any) -> None:
    turn = rect(1.0, instruction.params[0] / 2)
    state.apply_diagonal(qubits, [1 / turn, turn, turn, 1 / turn])


def _matrix(state: Any, qubits: list[int], instruction: Any) -> None:
    state.apply_unitary(qubits, instruction.operation.to_matrix())


_APPLIED: Mapping[str, _Apply] = {
    **{name: partial(_turn, angles) for name, angles in _TURNS.items()},
    **{name: partial(_controlled_turn, angles) for name, angles in _CONTROLLED_TURNS.items()},
    **dict.fromkeys(_PHASES, _phase),
    **dict.fromkeys(("cp", "cu1"), _controlled_phase),
    **{name: partial(_fixed_phase, angle) for name, angle in _FIXED_PHASES.items()},
    **dict.fromkeys(("ecr", "rxx", "ryy", "rzx", "unitary"), _matrix),
    **dict.fromkeys(("ccx", "cx", "mcx"), lambda state, qubits, _: state.apply_mcx(qubits)),
    **dict.fromkeys(("ccz", "cz"), lambda state, qubits, _: state.apply_mcz(qubits)),
    **dict.fromkeys(("cswap", "swap"), lambda state, qubits, _: state.apply_mcswap(qubits)),
    "cy": lambda state, qubits, _: state.apply_mcy(qubits),
    "h": lambda state, qubits, _: state.apply_h(qubits[0]),
    "measure": lambda _state, _qubits, _: None,
    "rzz": _ising,
    "x": lambda state, qubits, _: state.apply_x(qubits[0]),
    "y": lambda state, qubits, _: state.apply_y(qubits[0]),
    "z": lambda state, qubits, _: state.apply_z(qubits[0]),
}
