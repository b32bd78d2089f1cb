"""The state of simulators that a worker reports."""

from structlog.testing import capture_logs

from ketline.domain.attempts.worker import WorkerCondition
from ketline.service.health.simulators import SimulatorStatus


def test_problem_of_a_slot_is_reported_while_another_works() -> None:
    simulators = SimulatorStatus(2)
    assert simulators.condition == WorkerCondition(ready_slots=0), "they are being started"
    simulators.started(0)
    simulators.failed(1, "too many open files")
    assert simulators.condition == WorkerCondition(ready_slots=1, problem="too many open files")
    assert not simulators.problem, "one can run programs"
    simulators.ended(0)
    assert str(simulators.problem) == "too many open files"
    simulators.started(1)
    assert simulators.condition == WorkerCondition(ready_slots=1)


def test_problem_and_its_end_are_logged_once() -> None:
    simulators = SimulatorStatus(1)
    with capture_logs() as logs:
        for _ in range(3):
            simulators.failed(0, "no memory")
        simulators.started(0)
        simulators.ended(0)
        simulators.started(0)
    assert [line["event"] for line in logs] == ["slot.without_simulator", "slot.recovered"]
