"""The errors of a device: of its gates, from their average errors, durations, T1 and T2; and of its readout."""

from collections.abc import Mapping, Sequence
from functools import lru_cache, reduce
from itertools import product
from math import exp, inf, prod

from ketline.domain.devices.device import Device, DeviceQubit
from ketline.execution.circuit.idling import idle_ns
from ketline.execution.simulators.channels.channel import (
    LETTERS,
    Channel,
    ErrorOperation,
    Kind,
    Term,
    beside,
    pauli_channel,
)
from ketline.execution.simulators.channels.layer import NOT_GATES, Misreading, Operands
from ketline.execution.simulators.channels.named import relaxation

_NS_PER_US = 1000.0
_KEPT_CHANNELS = 4096
_RESET = "R"


class DeviceErrors:
    """The errors of a device as a layer of a model; each is computed when a circuit has it.

    Source: `NoiseModel.from_backend` of qiskit-aer 0.18 has the same channels.
    """

    def __init__(self, device: Device) -> None:
        self._qubits = device.qubits
        self._gates = {(gate.name, gate.qubits): gate for gate in device.gates}
        self._channel = lru_cache(_KEPT_CHANNELS)(self._new_channel)

    def channel(self, name: str, qubits: Operands) -> Channel | None:
        """The error of a gate on these qubits of the device, in order, or of a delay by the name of `idling.py`.

        None for what is no gate, and without errors.
        """
        return None if name in NOT_GATES else self._channel(name, qubits)

    def misreading(self, qubit: int) -> Misreading | None:
        """How a measurement of a qubit is misread."""
        return Misreading(self._qubits[qubit].p01, self._qubits[qubit].p10)

    def has_errors_on(self, name: str) -> bool:
        """Whether an operation of this name has an error on some qubits."""
        return name not in NOT_GATES and any(name == other for other, _ in self._gates)

    def _new_channel(self, name: str, qubits: Operands) -> Channel | None:
        if (idle := idle_ns(name)) is not None:
            return gate_error(0.0, [self._qubits[qubit] for qubit in qubits], idle / _NS_PER_US)
        gate = self._gates.get((name, qubits))
        if gate is None:
            return None
        time_us = (gate.duration_ns or 0.0) / _NS_PER_US
        return gate_error(gate.error or 0.0, [self._qubits[qubit] for qubit in qubits], time_us)


def gate_error(error: float, qubits: Sequence[DeviceQubit], time_us: float) -> Channel | None:
    """The error of a gate whose average error, one minus its average fidelity, is given; None if there is none.

    The qubits of the gate are depolarized, and then each relaxes for the time of the gate. With dimension d and average
    fidelity F of the relaxation alone, a state is replaced by the maximally mixed one with probability

        p = d (F - 1 + error) / (d F - 1),

    so that the average fidelity of both is 1 - error. Where the relaxation alone has a larger error, p is 0; where it
    leaves nothing of a state, p makes no difference.

    Source: `_device_depolarizing_error` of qiskit-aer 0.18; M. A. Nielsen, Physics Letters A 303, 249 (2002).
    """
    times = [_times(qubit) for qubit in qubits]
    dimension = 2 ** len(qubits)
    fidelity = _relaxation_fidelity(times, time_us)
    excess = min(error, dimension / (dimension + 1)) - (1 - fidelity)
    mixing = 0.0
    if excess > 0:
        most, left = dimension**2 / (dimension**2 - 1), dimension * fidelity - 1
        mixing = min(dimension * excess / left, most) if left > 0 else most
    relaxes = time_us > 0 and any(min(pair) < inf for pair in times)
    if not mixing and not relaxes:
        return None
    if not relaxes:
        return _mixing(mixing, len(qubits))
    if all(t2 <= t1 for t1, t2 in times):
        return _mixed_and_relaxed(mixing, [_Relaxed(*pair, time_us) for pair in times])
    relaxed = reduce(beside, [relaxation(*pair, time_us) for pair in times])
    return _mixing(mixing, len(qubits)).then(relaxed) if mixing else relaxed


def _times(qubit: DeviceQubit) -> tuple[float, float]:
    """T1 and T2 in microseconds, infinite where not known; of a qubit with T1 alone, T2 is at its limit."""
    t1 = inf if qubit.t1_us is None else qubit.t1_us
    return t1, 2 * t1 if qubit.t2_us is None else min(qubit.t2_us, 2 * t1)


def _relaxation_fidelity(times: Sequence[tuple[float, float]], time_us: float) -> float:
    """The average fidelity of the relaxation of several qubits.

    The process fidelity of one is (1 + exp(-t/T1) + 2 exp(-t/T2)) / 4, and those of several multiply.
    """
    process: float = prod((1 + exp(-time_us / t1) + 2 * exp(-time_us / t2)) / 4 for t1, t2 in times)
    dimension = float(2 ** len(times))
    return (dimension * process + 1) / (dimension + 1)


def _mixing(probability: float, qubits: int) -> Channel:
    """Qubits become maximally mixed with a probability; up to 4^n / (4^n - 1) that is a channel."""
    each = probability / 4**qubits
    probabilities = {"".join(letters): each for letters in product(LETTERS, repeat=qubits)}
    probabilities["I" * qubits] = max(0.0, 1 - probability + each)
    return pauli_channel(probabilities)


class _Relaxed:
    """The relaxation of a qubit with T2 up to T1, as probabilities of what happens to it: nothing, Z, or a reset."""

    def __init__(self, t1: float, t2: float, time_us: float) -> None:
        reset = 1 - exp(-time_us / t1)
        flip = max(0.0, 1 - reset - exp(-time_us / t2)) / 2
        self.of_state: Mapping[str, float] = {"I": 1 - reset - flip, "Z": flip, _RESET: reset}
        self.of_mixed: Mapping[str, float] = {**dict.fromkeys(LETTERS, (1 - reset) / 4), _RESET: reset}


def _mixed_and_relaxed(mixing: float, qubits: Sequence[_Relaxed]) -> Channel:
    """Depolarizing and then relaxation, as a mixture of Pauli operators and resets.

    A reset makes what happened to its qubit before of no account, so there are five cases for each qubit.
    """
    terms = []
    for cases in product((*LETTERS, _RESET), repeat=len(qubits)):
        pairs = list(zip(cases, qubits, strict=True))
        probability = (1 - mixing) * prod(qubit.of_state.get(case, 0.0) for case, qubit in pairs)
        probability += mixing * prod(qubit.of_mixed[case] for case, qubit in pairs)
        if probability > 0:
            terms.append(Term(probability, _operations(cases)))
    total = sum(term.probability for term in terms)
    return Channel(len(qubits), tuple(Term(term.probability / total, term.operations) for term in terms))


def _operations(cases: Sequence[str]) -> tuple[ErrorOperation, ...]:
    letters = "".join("I" if case == _RESET else case for case in cases)
    resets = [ErrorOperation(Kind.RESET, (qubit,)) for qubit, case in enumerate(cases) if case == _RESET]
    return (ErrorOperation(Kind.PAULI, tuple(range(len(cases))), letters), *resets)
