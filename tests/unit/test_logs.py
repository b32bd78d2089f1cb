"""What log lines look like, ours and those of libraries."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

import pytest
import structlog

from ketline.logs import configure_logs


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    root.handlers = handlers
    root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_json_line_carries_event_level_time_and_bound_keys(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")
    with structlog.contextvars.bound_contextvars(correlation_id="c-1", task_id="t-1"):
        structlog.get_logger().info("task.completed", attempt=2)
    [line] = lines(capsys)
    assert line.pop("timestamp")
    assert line == {
        "event": "task.completed",
        "level": "info",
        "correlation_id": "c-1",
        "task_id": "t-1",
        "attempt": 2,
    }


def test_auto_is_json_off_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "auto")
    structlog.get_logger().warning("x")
    assert lines(capsys)[0]["event"] == "x"


def test_level_filters_ours_and_library_lines(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("warning", "json")
    structlog.get_logger().info("quiet")
    logging.getLogger("library").info("quiet")
    logging.getLogger("library").warning("loud %s", "indeed")
    [line] = lines(capsys)
    assert (line["event"], line["level"]) == ("loud indeed", "warning")


@pytest.mark.parametrize("style", ["json", "console"])
def test_traceback_shows_no_local_variables(capsys: pytest.CaptureFixture[str], style: str) -> None:
    configure_logs("info", "json" if style == "json" else "console")
    secret = "hunter" + str(2)
    try:
        raise RuntimeError(f"failed with {len(secret)} characters")
    except RuntimeError:
        structlog.get_logger().exception("edge.crashed")
    printed = capsys.readouterr().err
    assert "RuntimeError" in printed
    assert secret not in printed


@dataclass
class Odd:
    name: str
    secret: str = field(repr=False)


def test_whatever_a_line_holds_it_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")
    odd = ("half a pair: \ud800", "line\nbreak", "é 😀", 2**80, 1e-9, UUID(int=5), Odd("x", "hidden"), {1: b"\xff"})
    for value in (*odd, float("nan")):
        structlog.get_logger().info("odd", value=value)
    captured = capsys.readouterr().err
    assert captured.isascii()
    *values, nan = [json.loads(line)["value"] for line in captured.splitlines()]
    assert values[:5] == list(odd[:5])
    assert values[5:] == [repr(UUID(int=5)), "Odd(name='x')", {"1": repr(b"\xff")}]
    assert nan != nan
