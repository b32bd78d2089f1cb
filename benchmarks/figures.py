"""What the benchmark measures: plain values, written to JSON as they are."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Median, 99th percentile and largest of some durations, in milliseconds."""

    samples: int
    p50_ms: float
    p99_ms: float
    max_ms: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self:
        """The spread of at least one duration; percentiles are observed values (nearest rank)."""
        ranked = sorted(1000 * second for second in seconds)
        last = ranked[math.ceil(0.99 * len(ranked)) - 1]
        return cls(samples=len(ranked), p50_ms=median(ranked), p99_ms=last, max_ms=ranked[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class BareRound:
    """One round of the bare Aer loop: all processes together; `others` is the share of the machine they did not get."""

    processes: int
    tasks_per_second: float
    others: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadRound:
    """One round of sustained load, from the first submit to the last completion on the database's clock.

    `submit_seconds` is how long clients went on submitting, `cpu_ms` the processor time per task of each part,
    `others` the share of the machine's processor time that went to none of them.
    """

    tasks: int
    unfinished: int
    seconds: float
    submit_seconds: float
    cpu_ms: Mapping[str, float]
    others: float

    @property
    def tasks_per_second(self) -> float:
        return self.tasks / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFigures:
    """One mode of the service: its load rounds, and one task after the other on the idle system.

    `latency` is what a polling client sees, `recorded` is `completed_at` minus `submitted_at`. The stages are those
    of the tasks' profiles; `service` is the recorded time that no stage accounts for.
    """

    mode: str
    rounds: Sequence[LoadRound]
    latency: Spread
    recorded: Spread
    idle_stages: Mapping[str, Spread]
    load_stages: Mapping[str, Spread]


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseFigures:
    """How long the worker's event loop kept its ticker waiting beyond its tick; `idle` is the same without a task.

    `attempts` is 1 when renewals never stopped: the simulation lasts for many leases, and a reaper runs.
    """

    simulating_seconds: float
    lease_seconds: float
    attempts: int
    others: float
    idle: Spread
    simulating: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class StartFigures:
    """From starting an API process to its first answer; `libraries` is a process that only imports what that needs."""

    answer: Spread
    libraries: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Median processor time from a text to its circuit: Qiskit's `qasm3.loads` against the scanner.

    `first_ms` is the scanner's where it remembers no statement of any program.
    """

    program: str
    loads_ms: float
    scanner_ms: float
    first_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontendFigures:
    """How long programs of several lengths take to read; `others` is the share of the machine others had."""

    readings: Sequence[Reading]
    others: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """Where and when the figures were taken."""

    started_at: str
    processor: str
    cores: int
    memory_gib: float
    load_average: float
    versions: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One run of the benchmark; parts that were not asked for are empty."""

    machine: Machine
    bare: Sequence[BareRound]
    services: Sequence[ServiceFigures]
    pause: PauseFigures | None
    start: StartFigures | None
    frontend: FrontendFigures | None


def typical(rates: Sequence[BareRound] | Sequence[LoadRound]) -> float:
    """The median round's tasks per second."""
    return median(entry.tasks_per_second for entry in rates)
