"""Stand-ins for the ports of looking at programs and workers."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Self

from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.attempts.worker import LiveWorker, WorkerCondition, WorkerIdentity
from ketline.domain.backends.backend_jobs import BackendDescription
from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.devices.backend import Backend, BackendLimits
from ketline.domain.errors import TaskNotFound
from ketline.domain.ids import TaskId, WorkerId
from ketline.domain.tasks.inspection import Drawing, Inspection, ProgramSource
from ketline.domain.tasks.spec import TaskSpec

INSPECTION = Inspection(
    tier="scanner",
    qubits=2,
    unused_qubits=0,
    depth=3,
    operations={"h": 1, "cx": 1, "measure": 2},
    method=Method.STATEVECTOR,
    method_reason="few qubits, measured at the end: exact probabilities",
    memory_bytes=64,
    estimated_seconds=0.0021,
)
BACKEND = Backend(
    limits=BackendLimits(
        max_qubits=100,
        max_operations=2000,
        max_shots=5000,
        max_program_bytes=2000,
        max_result_bytes=16 << 20,
        memory_bytes=256 << 20,
        default_time_limit_seconds=90.0,
        max_time_limit_seconds=100.0,
    ),
    versions={"ketline": "1.2.3", "qiskit": "2.6.2"},
)


class FakeInspector:
    """Gives `inspection` and draws by repeating what it was asked; raises `error` from every call while that is set."""

    def __init__(self) -> None:
        self.inspection = INSPECTION
        self.error: Exception | None = None
        self.inspected: list[TaskSpec] = []
        self.drawn: list[tuple[ProgramSource, Drawing]] = []
        self.projects: list[ProjectName] = []

    async def inspect(self, spec: TaskSpec, project: ProjectName = DEFAULT_PROJECT) -> Inspection:
        self.inspected.append(spec)
        self.projects.append(project)
        if self.error is not None:
            raise self.error
        return self.inspection

    async def draw(self, source: ProgramSource, drawing: Drawing, project: ProjectName = DEFAULT_PROJECT) -> str:
        self.drawn.append((source, drawing))
        self.projects.append(project)
        if self.error is not None:
            raise self.error
        return f"{drawing} of {source.circuit}"


class FakeProgramLibrary:
    """The programs that a test puts into `programs`; `format` is for those that are made up by others."""

    def within(self, project: ProjectName) -> Self:
        """The fake has the tasks of one project."""
        return self

    def __init__(self) -> None:
        self.format = ProgramFormat.OPENQASM3
        self.programs: dict[TaskId, ProgramSource] = {}

    async def get(self, task_id: TaskId) -> ProgramSource:
        if task_id not in self.programs:
            raise TaskNotFound(f"no task {task_id}")
        return self.programs[task_id]


class FakeWorkerRegistry:
    """Remembers beats and farewells; raises `error` from every call while that is set."""

    def within(self, project: ProjectName) -> Self:
        """The fake has the tasks of one project."""
        return self

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.beats: list[tuple[WorkerIdentity, datetime | None, timedelta]] = []
        self.conditions: list[WorkerCondition | None] = []
        self.left: list[tuple[WorkerId, datetime]] = []
        self.cleanups: list[timedelta] = []
        self.workers: list[LiveWorker] = []

    async def beat(
        self,
        worker: WorkerIdentity,
        started_at: datetime | None,
        lifetime: timedelta,
        condition: WorkerCondition | None = None,
    ) -> datetime:
        self.conditions.append(condition)
        self.beats.append((worker, started_at, lifetime))
        self._fail_if_told()
        return started_at or datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    async def leave(self, worker_id: WorkerId, started_at: datetime) -> None:
        self.left.append((worker_id, started_at))
        self._fail_if_told()

    async def live(self) -> Sequence[LiveWorker]:
        self._fail_if_told()
        return self.workers

    async def remove_lost(self, after: timedelta) -> int:
        self.cleanups.append(after)
        self._fail_if_told()
        return 0

    def _fail_if_told(self) -> None:
        if self.error is not None:
            raise self.error


class FakeBackendRegistry:
    """Remembers the descriptions of backends."""

    def __init__(self) -> None:
        self.descriptions: dict[str, BackendDescription] = {}

    async def register(self, name: str, description: BackendDescription) -> None:
        self.descriptions[name] = description

    async def known(self) -> Mapping[str, BackendDescription]:
        return dict(sorted(self.descriptions.items()))
