"""The programs of a round of load, for the bare Aer loop and for the service alike."""

from collections.abc import Callable, Mapping, Sequence

from benchmarks.execution.families import fourier_transform, ghz
from benchmarks.programs import BELL, turned_bell

BELL_ONLY = "Bell"
# More than simulators cache.
_ANGLES = 500
_QUBITS, _GHZ_QUBITS, _SEED = 16, 20, 3

# The texts of each workload; clients submit them in turns.
WORKLOADS: Mapping[str, Callable[[], Sequence[str]]] = {
    BELL_ONLY: lambda: [BELL],
    "QFT 16": lambda: [fourier_transform(_QUBITS, _SEED)],
    "QFT 16, other angles each time": lambda: [fourier_transform(_QUBITS, seed) for seed in range(_ANGLES)],
    "Bell, GHZ 20, QFT 16": lambda: [BELL, ghz(_GHZ_QUBITS), fourier_transform(_QUBITS, _SEED)],
    "Bell, GHZ 20, QFT 16, other angles each time": lambda: [
        text
        for seed in range(_ANGLES)
        for text in (turned_bell(seed), ghz(_GHZ_QUBITS), fourier_transform(_QUBITS, seed))
    ],
}
