"""States on Aer, built gate by gate: handing Aer a circuit takes longer than most simulations."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit_aer.backends.controller_wrappers import AerStateWrapper

from ketline.domain.errors import MemoryLimitExceeded
from ketline.domain.tasks.seeds import derived_seed
from ketline.execution.circuit.operations import Step
from ketline.execution.simulators.states.aer_calls import AER_CALLS

# From more qubits than any state has.
_NO_THREADS = "63"


class AerState:
    """A `PureState`, built on one thread."""

    def __init__(self, state: AerStateWrapper) -> None:
        self._state = state

    def probabilities(self, qubits: Sequence[int]) -> Any:
        return np.asarray(self._state.probabilities(list(qubits)), dtype=np.float64)

    def sampler(self, qubits: Sequence[int]) -> "AerSampler":
        return AerSampler(self._state, list(qubits))

    def amplitudes(self) -> Any:
        """As in the protocol, but it moves them: nothing else can be read from the state afterwards."""
        return np.asarray(self._state.move_to_ndarray())


@dataclass(frozen=True, slots=True)
class AerSampler:
    """A `StateSampler` that holds a whole state, so it is not worth keeping."""

    state: AerStateWrapper
    qubits: list[int]
    reusable_bytes: None = None

    def sample(self, shots: int, seed: int | None) -> tuple[Any, Sequence[int]]:
        if seed is not None:
            self.state.set_seed(derived_seed(seed, "aer", bits=62))
        drawn = self.state.sample_counts(self.qubits, shots)
        return np.fromiter(drawn, dtype=np.int64, count=len(drawn)), list(drawn.values())


def aer_final_state(steps: Sequence[Step], qubits: int, *, fusion: bool = False) -> AerState:
    """The state of qubits, all 0 before, after these gates; measurements among them are ignored.

    With `fusion` Aer multiplies gates where that pays, from 15 qubits on: right only for steps `with_runs_multiplied`.

    Raises:
        MemoryLimitExceeded: there is no room for it.
    """
    state = AerStateWrapper()
    state.configure("method", "statevector")
    # A state has no setting for the number of threads, only for the number of qubits from which it uses them.
    state.configure("statevector_parallel_threshold", _NO_THREADS)
    state.configure("fusion_enable", str(fusion).lower())
    try:
        state.reallocate_qubits(qubits)
        state.initialize()
        for name, operands, _, parameters, _ in steps:
            AER_CALLS[name](state, operands, parameters)
        state.flush()
    except RuntimeError as error:
        if "memory" in str(error):
            raise MemoryLimitExceeded("the state of the simulation does not fit into the memory") from error
        raise
    return AerState(state)
