"""How long the tasks of a queue are predicted to occupy slots."""

import pytest

from ketline.domain.attempts.predicted_work import Durations, QueueDurations

BELLS = Durations(tasks=1000, seconds=5.0)
MINUTES = Durations(tasks=4, seconds=240.0)


@pytest.mark.parametrize(
    ("tasks", "durations", "seconds"),
    [
        (0, QueueDurations(ended=BELLS), 0.0),
        (2000, QueueDurations(ended=BELLS), 10.0),
        (10, QueueDurations(ended=MINUTES), 600.0),
        (10, QueueDurations(ended=BELLS, last_minute=MINUTES), 600.0),
        (10, QueueDurations(ended=BELLS, running=Durations(tasks=2, seconds=80.0)), 400.0),
        (
            10,
            QueueDurations(last_minute=Durations(tasks=1, seconds=10.0), running=Durations(tasks=1, seconds=50.0)),
            300.0,
        ),
        (7, QueueDurations(), 7.0),
    ],
    ids=[
        "no task",
        "short ones",
        "long ones",
        "long ones in the last minute",
        "long ones of which none has ended",
        "one that ended in the last minute and one that runs",
        "nothing to go by",
    ],
)
def test_tasks_are_predicted_to_take_as_long_as_the_last_ones(
    tasks: int, durations: QueueDurations, seconds: float
) -> None:
    assert durations.predict_seconds(tasks) == pytest.approx(seconds)


def test_one_long_program_among_many_short_ones_hardly_counts() -> None:
    durations = QueueDurations(ended=BELLS, last_minute=BELLS, running=Durations(tasks=1, seconds=60.0))
    assert durations.predict_seconds(1000) == pytest.approx(65, abs=1)
