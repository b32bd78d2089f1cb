"""States on the native core of PennyLane-Lightning, without PennyLane: several times as fast as Aer's on one thread.

The binding of the core is not documented, so `pyproject.toml` bounds its version, and `load_lightning` tests every gate
before the first program runs on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ketline.domain.errors import MemoryLimitExceeded
from ketline.domain.tasks.seeds import derived_seed
from ketline.execution.circuit.operations import Step
from ketline.execution.circuit.passes.gate_runs import product_of, runs_of
from ketline.execution.simulators.states.lightning_calls import LIGHTNING_CALLS
from ketline.execution.simulators.states.lightning_test import gates_differ
from ketline.execution.simulators.states.totals import Totals, totals_of

# From here on a pass over the amplitudes takes longer than multiplying the matrices of a run of gates; measured.
_MULTIPLIED_FROM_QUBITS = 16


class LightningState:
    """A `PureState`, built on one thread."""

    def __init__(self, core: Any, qubits: int) -> None:
        """All qubits are 0; `core` is the module of the binding.

        Raises:
            MemoryLimitExceeded: there is no room for the state.
        """
        self._core = core
        self._qubits = qubits
        try:
            self._state = core.StateVectorC128(qubits)
        except MemoryError as error:
            raise MemoryLimitExceeded("the state of the simulation does not fit into the memory") from error

    def load(self, amplitudes: Any) -> None:
        """Take 2^n amplitudes, complex128, as the state."""
        self._state.updateData(amplitudes)

    def apply(self, steps: Sequence[Step]) -> None:
        """Apply gates in order; measurements among them are ignored."""
        state, top = self._state, self._qubits - 1
        if self._qubits >= _MULTIPLIED_FROM_QUBITS:
            self._apply_in_runs(steps)
            return
        for name, qubits, _, parameters, _ in steps:
            # Wire 0 is the most significant bit of an index.
            LIGHTNING_CALLS[name](state, [top - qubit for qubit in qubits], parameters)

    def _apply_in_runs(self, steps: Sequence[Step]) -> None:
        """The same, where the gates of a run on one qubit are multiplied first."""
        state, top = self._state, self._qubits - 1
        for run in runs_of(steps):
            name, qubits, _, parameters, _ = run[0]
            wires = [top - qubit for qubit in qubits]
            if len(run) == 1:
                LIGHTNING_CALLS[name](state, wires, parameters)
            else:
                state.applyMatrix(product_of(run), wires, False)

    def probabilities(self, qubits: Sequence[int]) -> Any:
        measurements = self._core.MeasurementsC128(self._state)
        if len(qubits) == self._qubits:
            return measurements.probs()
        return measurements.probs([self._qubits - 1 - qubit for qubit in reversed(qubits)])

    def sampler(self, qubits: Sequence[int]) -> "LightningSampler":
        return LightningSampler(totals_of(self.probabilities(qubits)))

    def amplitudes(self) -> Any:
        found = np.empty(1 << self._qubits, dtype=np.complex128)
        self._state.getState(found)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class LightningSampler:
    """A `StateSampler` on the totals of the probabilities."""

    totals: Totals

    @property
    def reusable_bytes(self) -> int:
        return int(self.totals.values.nbytes)

    def sample(self, shots: int, seed: int | None) -> tuple[Any, Sequence[int]]:
        random = np.random.default_rng(None if seed is None else derived_seed(seed, "lightning", bits=64))
        return self.totals.draw(shots, random)


class Lightning:
    """The core, loaded and tested."""

    def __init__(self, core: Any) -> None:
        self._core = core

    def new_state(self, qubits: int) -> LightningState:
        """A state of qubits that are all 0.

        Raises:
            MemoryLimitExceeded: there is no room for it.
        """
        return LightningState(self._core, qubits)

    def final_state(self, steps: Sequence[Step], qubits: int) -> LightningState:
        """The state of qubits, all 0 before, after these gates; measurements among them are ignored.

        Raises:
            MemoryLimitExceeded: there is no room for it.
        """
        state = self.new_state(qubits)
        state.apply(steps)
        return state

    def applied(self, steps: Sequence[Step], amplitudes: Any) -> Any:
        """A state after gates, as 2^n amplitudes, complex128; it is given in that form.

        Raises:
            MemoryLimitExceeded: there is no room for it.
        """
        state = LightningState(self._core, len(amplitudes).bit_length() - 1)
        state.load(amplitudes)
        state.apply(steps)
        return state.amplitudes()


@lru_cache(1)
def load_lightning() -> Lightning | None:
    """The core; None where it is not installed, does not run here, or a gate does not what its matrix says."""
    try:
        from pennylane_lightning import lightning_qubit_ops as core
    except ImportError:
        return None
    return None if gates_differ(lambda qubits: LightningState(core, qubits)) else Lightning(core)
