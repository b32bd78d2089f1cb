"""Where a run's time goes, by a profiler."""

import cProfile
import pstats
import time
from collections.abc import Callable, Mapping
from pathlib import Path

# The functions at the head of each part, by module and name; what they call counts as theirs.
_HEADS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "reading": (("reader.py", "load"),),
    "simulating": (("aer.py", "run"),),
    "state": (("statevector.py", "final_state"), ("engine.py", "execute")),
    "encoding": (("protocol.py", "encode_response"),),
}


def parts_of(run: Callable[[], object]) -> dict[str, float]:
    """The shares of reading, the state, sampling, encoding and the rest; a profiler makes Python's own look longer."""
    profile = cProfile.Profile(time.process_time)
    profile.runcall(run)
    stats = pstats.Stats(profile)
    found = {name: _cumulated(stats, heads) for name, heads in _HEADS.items()}
    shares = {
        "reading": found["reading"],
        "state": found["state"],
        "sampling": found["simulating"] - found["state"],
        "encoding": found["encoding"],
    }
    total = stats.total_tt  # type: ignore[attr-defined]
    shares = {name: seconds / total for name, seconds in shares.items()}
    return shares | {"rest": max(0.0, 1 - sum(shares.values()))}


def _cumulated(stats: pstats.Stats, heads: tuple[tuple[str, str], ...]) -> float:
    entries = stats.stats.items()  # type: ignore[attr-defined]
    return float(
        sum(entry[3] for (file, _, name), entry in entries if (Path(file).name, name) in heads and _ours(file))
    )


def _ours(file: str) -> bool:
    return Path(file).parent.name == "execution"
