"""One program, inspected and run: what was told, what it took, and whether they agree; the report counts by it."""

from dataclasses import dataclass

FACTOR = 2
# A task costs the service itself about as much processor time (docs/performance.md): less makes no difference to it.
MIN_SECONDS = 1e-3
# Reading, sampling and the answer take as much beside the state.
MIN_BYTES = 4 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Medians of several inspections and runs; None for what was not told.

    `seconds` is processor time of the simulator process, from a request to its response; `peak_bytes` is by how much
    its memory grew at most meanwhile, measured in a new process where it is more than `MIN_BYTES`.
    """

    name: str
    qubits: int
    told_method: str
    method: str
    told_seconds: float | None
    seconds: float
    told_bytes: int | None
    peak_bytes: int

    @property
    def method_is_right(self) -> bool:
        return self.told_method == self.method

    @property
    def time_is_right(self) -> bool:
        return _agree(self.told_seconds, self.seconds, MIN_SECONDS)

    @property
    def memory_is_right(self) -> bool:
        return _agree(self.told_bytes, self.peak_bytes, MIN_BYTES)

    @property
    def is_right(self) -> bool:
        return self.method_is_right and self.time_is_right and self.memory_is_right


def _agree(told: float | None, took: float, least: float) -> bool:
    """Whether both are within the factor of each other, where all up to `least` is the same."""
    if told is None:
        return False
    told, took = max(told, least), max(took, least)
    return told <= FACTOR * took and took <= FACTOR * told
