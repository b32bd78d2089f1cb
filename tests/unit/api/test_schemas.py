from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from ketline.schemas.submissions import SubmitRequest
from ketline.schemas.tasks import TaskView
from ketline.schemas.types import rfc3339


def test_times_have_microseconds_and_end_in_z() -> None:
    assert rfc3339(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02T03:04:05.000000Z"
    east = timezone(timedelta(hours=2))
    assert rfc3339(datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=east)) == "2026-01-02T01:04:05.000006Z"


def test_a_client_sends_only_given_fields() -> None:
    assert SubmitRequest(qc="x").model_dump(exclude_unset=True) == {"qc": "x"}


def test_a_client_cannot_send_a_lone_surrogate() -> None:
    with pytest.raises(ValidationError):
        SubmitRequest(qc="\ud800")


def test_a_client_reads_answers_of_a_newer_server() -> None:
    response = {
        "task_id": "11111111-2222-4333-8444-555555555555",
        "status": "pending",
        "submitted_at": "2026-01-02T03:04:05.000000Z",
        "message": "Task is still in progress.",
        "shots": 5,
        "status_history": [],
        "correlation_id": "c-1",
        "invented_later": 1,
    }
    assert TaskView.model_validate(response).submitted_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
