from datetime import UTC, datetime, timedelta

import pytest

from ketline.domain.tasks.priority import QueuePosition

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def place(ahead: int, *, slots: int = 2, free: int = 0, ended: int = 60, whole: bool = True) -> QueuePosition:
    return QueuePosition(
        at=NOON,
        ahead=ahead,
        counted_to_the_end=whole,
        slots=slots,
        free_slots=free,
        ended=ended,
        window=timedelta(minutes=1),
    )


@pytest.mark.parametrize(
    ("where", "seconds"),
    [
        (place(0), 1),
        (place(9), 10),
        (place(9, ended=600), 1),
        (place(0, free=1), 0),
        (place(1, free=2), 0),
        (place(2, free=2), 1),
        (place(0, free=1, ended=0), 0),
        (place(0, ended=0), None),
        (place(0, slots=0, free=0), None),
        (place(10_000, whole=False), None),
    ],
)
def test_start_is_estimated_from_free_slots_and_what_ended_lately(where: QueuePosition, seconds: float | None) -> None:
    assert where.estimated_start == (None if seconds is None else NOON + timedelta(seconds=seconds))


def test_first_place_is_one() -> None:
    assert place(0).position == 1
