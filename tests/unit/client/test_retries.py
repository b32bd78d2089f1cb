"""Whether and when a client retries."""

from datetime import UTC, datetime

import pytest

from ketline.client.retries import Retries, pause_before_retry, retry_after
from ketline.client.steps import Lost, Response

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
RETRIES = Retries(max_seconds=100.0, first_pause_seconds=0.1, longest_pause_seconds=5.0)


def pause(outcome: Response | Lost, *, attempt: int = 0, spent: float = 0.0, draw: float = 1.0) -> float | None:
    return pause_before_retry(outcome, attempt=attempt, spent_seconds=spent, retries=RETRIES, draw=draw, now=NOW)


@pytest.mark.parametrize("status", [400, 404, 409, 413, 422, 500, 301])
def test_permanent_errors_are_not_retried(status: int) -> None:
    assert pause(Response(status=status, headers={"retry-after": "1"})) is None


@pytest.mark.parametrize("outcome", [Lost("gone"), *(Response(status=status) for status in (429, 502, 503, 504))])
def test_temporary_errors_are_retried(outcome: Response | Lost) -> None:
    assert pause(outcome) == pytest.approx(0.1)


def test_pauses_grow_to_the_longest() -> None:
    pauses = [pause(Lost("gone"), attempt=attempt) for attempt in (0, 1, 2, 3, 4, 5, 6, 1000)]
    assert pauses == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0])


def test_pauses_are_random_within_half_of_their_length() -> None:
    assert pause(Lost("gone"), attempt=3, draw=0.0) == pytest.approx(0.4)


def test_retry_after_is_respected() -> None:
    full = Response(status=429, headers={"retry-after": "7"})
    assert all((pause(full, draw=draw) or 0) >= 7 for draw in (0.0, 0.5, 1.0))


def test_retry_after_beyond_the_retry_time_ends_the_retries() -> None:
    assert pause(Response(status=503, headers={"retry-after": "60"}), spent=50.0) is None


def test_last_attempt_is_at_the_end_of_the_retry_time() -> None:
    assert pause(Lost("gone"), attempt=9, spent=98.0) == pytest.approx(2.0)
    assert pause(Lost("gone"), attempt=9, spent=100.0) is None


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0.0),
        ("120", 120.0),
        ("Fri, 02 Jan 2026 03:04:35 GMT", 30.0),
        ("Fri, 02 Jan 2026 03:04:00 GMT", 0.0),
        ("soon", None),
        ("-3", None),
        ("", None),
        ("9" * 400, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after(Response(status=503, headers={"retry-after": value}), NOW) == seconds


def test_first_contact_has_a_shorter_retry_time() -> None:
    assert Retries(max_seconds=60, first_contact_seconds=9).at_first_contact.max_seconds == 9
    assert Retries(max_seconds=3, first_contact_seconds=9).at_first_contact.max_seconds == 3
