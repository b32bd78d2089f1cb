"""The protocol of a final state: what methods read from it, whichever engine built it."""

from collections.abc import Sequence
from typing import Any, Protocol


class StateSampler(Protocol):
    """Draws outcomes of some qubits of a state."""

    @property
    def reusable_bytes(self) -> int | None:
        """The memory that it takes to cache it for further draws; None if that is not possible."""
        ...

    def sample(self, shots: int, seed: int | None) -> tuple[Any, Sequence[int]]:
        """Indices, int64, that occur among as many shots, each once, and how often."""
        ...


class PureState(Protocol):
    """The state of qubits after gates; bit j of an index into it is qubit j."""

    def probabilities(self, qubits: Sequence[int]) -> Any:
        """The 2^m probabilities of m qubits in ascending order, float64: bit j of an index is the j-th of them."""
        ...

    def sampler(self, qubits: Sequence[int]) -> StateSampler:
        """Draws outcomes of these qubits, in the order of `probabilities`."""
        ...

    def amplitudes(self) -> Any:
        """The 2^n amplitudes, complex128, up to a global phase."""
        ...
