"""What the benchmark measures: plain values, written to JSON as they are."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Self

from benchmarks.doors.figures import DoorsFigures
from benchmarks.execution.figures import CostFigures, CountsFigures, SuiteFigures

# The account of the process that reads event streams.
READER = "stream reader"


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
    """One round of the bare Aer loop, over its processes; `others` is the share of the machine they did not get.

    `cpu_ms` is the processor time per task.
    """

    processes: int
    tasks_per_second: float
    cpu_ms: float
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

    @property
    def all_cpu_ms(self) -> float:
        """Of all parts together."""
        return sum(self.cpu_ms.values())


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
class SubmitPauseFigures:
    """How long the loop that serves the API kept its ticker waiting while long programs were submitted, and without."""

    mode: str
    program_bytes: int
    submits: int
    others: float
    idle: Spread
    submitting: Spread


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
class Openqasm2Reading:
    """Median processor time from an OpenQASM 2 text to its circuit: `qasm2.loads` against all that Ketline does."""

    program: str
    loads_ms: float
    reader_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FrontendFigures:
    """How long programs of several lengths take to read; `others` is the share of the machine others had."""

    readings: Sequence[Reading]
    openqasm2: Sequence[Openqasm2Reading]
    others: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BacklogFigures:
    """One mode with an empty database and with `stored` finished tasks, and its worker with few and many waiting.

    Each round of `few` and `many` counts tasks that waited on the queue when its worker started; of them `waiting`
    waited when the first round of `many` did. A mode that was not asked to has neither.
    """

    mode: str
    stored: int
    waiting: int
    empty: Sequence[LoadRound]
    full: Sequence[LoadRound]
    few: Sequence["WorkRound"]
    many: Sequence["WorkRound"]

    @property
    def stored_ratio(self) -> float:
        """The rate with the stored tasks to that without."""
        return typical(self.full) / typical(self.empty)

    @property
    def waiting_ratio(self) -> float | None:
        """The rate with many waiting tasks to that with few."""
        return typical(self.many) / typical(self.few) if self.many else None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRound:
    """Completions within `seconds` on the database's clock by so many workers; nothing was submitted meanwhile.

    `cpu_ms` is the processor time per task of the workers, the database and the broker together.
    """

    workers: int
    tasks: int
    seconds: float
    cpu_ms: float
    others: float

    @property
    def tasks_per_second(self) -> float:
        return self.tasks / self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ScalingFigures:
    """How fast tasks that only wait for `task_seconds` are worked off by more and more workers of `slots` slots."""

    task_seconds: float
    slots: int
    rounds: Sequence[WorkRound]

    def times(self, entry: WorkRound) -> float:
        """How many times faster a round was than the first, which one worker did."""
        return entry.tasks_per_second / self.rounds[0].tasks_per_second


@dataclass(frozen=True, slots=True, kw_only=True)
class OverheadRound:
    """One long program: alone in a process, and then through the service on an idle system, in seconds.

    `bare` is Aer's part alone, of a circuit that was parsed before; `simulator` is what the service's simulator says
    it took for parsing and simulating; `client` is from submit to the answer with the counts.
    """

    bare: float
    simulator: float
    recorded: float
    client: float

    @property
    def over_simulator(self) -> float:
        """The share that the service adds to what its simulator took."""
        return self.client / self.simulator - 1

    @property
    def over_bare(self) -> float:
        """The share that the service takes more than Aer alone; noise can make it negative."""
        return self.client / self.bare - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class OverheadFigures:
    """Rounds of one mode; the median of each share counts."""

    mode: str
    others: float
    rounds: Sequence[OverheadRound]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFigures:
    """Largest resident memory of one kind of process since its start, and after a round of load, in 10^6 bytes."""

    mode: str
    process: str
    count: int
    tasks: int
    peak_mb: float
    resident_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamTotals:
    """What arrived on many event streams: how many are still open, bytes on all of them, events on the first."""

    open: int
    bytes: int
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamsFigures:
    """Rounds of load of one mode without event streams, and `followed` by so many streams of all tasks, in turns."""

    mode: str
    streams: int
    without: Sequence[LoadRound]
    followed: Sequence[LoadRound]
    totals: Sequence[StreamTotals]

    @property
    def ratio(self) -> float:
        """The rate with the streams to that without."""
        return typical(self.followed) / typical(self.without)


@dataclass(frozen=True, slots=True, kw_only=True)
class MixFigures:
    """Rounds of one workload, of the bare Aer loop and of one mode of the service, in turns."""

    mode: str
    workload: str
    bare: Sequence[BareRound]
    loads: Sequence[LoadRound]

    @property
    def ratio(self) -> float:
        """The service's rate to that of the bare loop."""
        return typical(self.loads) / typical(self.bare)

    @property
    def cpu_ratio(self) -> float:
        """The bare loop's processor time per task to that of the service: the ratio where nothing else runs."""
        return median(entry.cpu_ms for entry in self.bare) / median(entry.all_cpu_ms for entry in self.loads)


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
    naive: Sequence[LoadRound]
    backlog: Sequence[BacklogFigures]
    scaling: ScalingFigures | None
    overhead: Sequence[OverheadFigures]
    memory: Sequence[MemoryFigures]
    streams: Sequence[StreamsFigures]
    doors: DoorsFigures | None
    mix: Sequence[MixFigures]
    pause: PauseFigures | None
    submit_pauses: Sequence[SubmitPauseFigures]
    start: StartFigures | None
    frontend: FrontendFigures | None
    counts: CountsFigures | None
    suite: SuiteFigures | None
    cost: CostFigures | None


def typical(rates: Sequence[BareRound] | Sequence[LoadRound] | Sequence[WorkRound]) -> float:
    """The median round's tasks per second."""
    return median(entry.tasks_per_second for entry in rates)
