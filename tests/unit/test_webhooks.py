"""Messages about ended tasks, their secrets, and the pauses between attempts."""

import json
from datetime import UTC, datetime
from uuid import UUID

import pytest
from standardwebhooks import Webhook

from ketline.domain.access.principals import ProjectName
from ketline.domain.ids import TaskId
from ketline.domain.status import TaskStatus
from ketline.domain.webhooks.deliveries import (
    FIRST_RETRY_SECONDS,
    MAX_DELIVERY_TIME,
    MAX_RETRY_SECONDS,
    EndedMessage,
    new_secret,
    retry_seconds,
)

MESSAGE = EndedMessage(
    task_id=TaskId(UUID(int=7)),
    project=ProjectName("optics"),
    status=TaskStatus.FAILED,
    submitted_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    completed_at=datetime(2026, 1, 2, 3, 4, 6, 500_000, tzinfo=UTC),
    correlation_id="run-7",
    error_code="timeout",
)


def test_message_names_the_task_and_has_no_result() -> None:
    assert json.loads(MESSAGE.body()) == {
        "type": "task.failed",
        "timestamp": "2026-01-02T03:04:06.500000Z",
        "data": {
            "task_id": "00000000-0000-0000-0000-000000000007",
            "status": "failed",
            "project": "optics",
            "submitted_at": "2026-01-02T03:04:05.000000Z",
            "completed_at": "2026-01-02T03:04:06.500000Z",
            "correlation_id": "run-7",
            "error_code": "timeout",
        },
    }


def test_secrets_differ_and_the_library_takes_them() -> None:
    first, second = new_secret(), new_secret()
    assert first != second
    assert first.startswith("whsec_")
    assert Webhook(first).sign("msg_1", datetime.now(UTC), "{}") != Webhook(second).sign(
        "msg_1", datetime.now(UTC), "{}"
    )


@pytest.mark.parametrize("draw", [0.0, 1.0])
def test_pauses_double_up_to_an_hour(draw: float) -> None:
    pauses = [retry_seconds(attempt, draw) for attempt in range(1, 40)]
    assert pauses == sorted(pauses)
    assert 0.8 * FIRST_RETRY_SECONDS <= pauses[0] <= FIRST_RETRY_SECONDS
    assert pauses[-1] <= MAX_RETRY_SECONDS
    assert sum(pauses) > MAX_DELIVERY_TIME.total_seconds()
    assert retry_seconds(10_000, draw) == pauses[-1]
