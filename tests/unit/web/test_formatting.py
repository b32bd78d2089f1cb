from datetime import UTC, datetime, timedelta

import pytest

from ketline.web import formatting

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.0, "0 s"),
        (0.0000042, "4 µs"),
        (0.0123, "12.3 ms"),
        (1.5, "1.5 s"),
        (59.9, "59.9 s"),
        (61, "1 min 1 s"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert formatting.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (3600, "1 h 0 min"), (90061, "1 d 1 h"), (59.6, "1 min 0 s")]
)
def test_long_durations(seconds: float, text: str) -> None:
    assert formatting.long_duration(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(1, "now"), (30, "30 s ago"), (-90, "in 1 min 30 s")])
def test_relative_times(seconds: float, text: str) -> None:
    assert formatting.relative(NOW - timedelta(seconds=seconds), NOW) == text


def test_absolute_times_are_in_utc() -> None:
    assert formatting.absolute(NOW) == "2026-01-02 03:04:05.678 UTC"


@pytest.mark.parametrize(("count", "text"), [(None, "–"), (64, "64 B"), (1536, "1.5 KiB"), (16 * 2**40, "16 TiB")])
def test_sizes(count: int | None, text: str) -> None:
    assert formatting.size(count) == text
