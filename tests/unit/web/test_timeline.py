from datetime import UTC, datetime, timedelta
from uuid import UUID

from ketline.domain.ids import CorrelationId, TaskId
from ketline.domain.results.result import Profile
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.task import StatusChange, Task
from ketline.web.timeline import parts, steps

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PROFILE = Profile(
    method="statevector",
    qubits=2,
    depth=3,
    operations={"h": 1},
    queued_seconds=1.0,
    parsing_seconds=0.5,
    simulating_seconds=2.0,
)


def after(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def task(*history: tuple[TaskStatus, float], profile: Profile | None = None) -> Task:
    lines = [
        StatusChange(
            line_id=number,
            status=status,
            transitioned_at=after(seconds),
            duration_seconds=4.0 if status.terminal else None,
        )
        for number, (status, seconds) in enumerate(history)
    ]
    last = lines[-1]
    return Task(
        task_id=TaskId(UUID(int=1)),
        shots=1,
        status=last.status,
        submitted_at=START,
        completed_at=last.transitioned_at if last.status.terminal else None,
        correlation_id=CorrelationId("c"),
        attempt=1,
        history=lines,
        profile=profile,
    )


def test_each_line_lasts_until_the_next_and_the_end_does_not() -> None:
    ended = task((TaskStatus.PENDING, 0), (TaskStatus.PROCESSING, 1), (TaskStatus.COMPLETED, 5))
    assert [step.seconds for step in steps(ended, after(100))] == [1.0, 4.0, None]


def test_last_line_of_a_task_under_way_lasts_until_now() -> None:
    running = task((TaskStatus.PENDING, 0), (TaskStatus.PROCESSING, 1))
    assert [step.seconds for step in steps(running, after(3))] == [1.0, 2.0]
    assert [step.seconds for step in steps(running, after(-9))] == [1.0, 0.0], "the clocks may differ"


def test_parts_fill_the_bar_in_order() -> None:
    done = task((TaskStatus.PENDING, 0), (TaskStatus.PROCESSING, 1), (TaskStatus.COMPLETED, 5), profile=PROFILE)
    shown = parts(done)
    assert [(part.name, part.seconds) for part in shown] == [
        ("queued", 1.0),
        ("parsing", 0.5),
        ("simulating", 2.0),
        ("handling", 1.5),
    ]
    assert [round(part.width, 3) for part in shown] == [0.2, 0.1, 0.4, 0.3]
    assert shown[0].start == 0
    assert round(shown[-1].start + shown[-1].width, 6) == 1


def test_only_completed_tasks_have_parts() -> None:
    assert parts(task((TaskStatus.PENDING, 0), (TaskStatus.CANCELLED, 1))) == []
