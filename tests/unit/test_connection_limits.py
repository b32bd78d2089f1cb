"""The comparison of a process's connections with the server's limits: what is logged, and what is rejected."""

import pytest
from structlog.testing import capture_logs

from ketline.domain.operations.connections import ConnectionLimit, ConnectionNeed, LimitName, ServerLimits
from ketline.runtime.connections import described, rejection, report

API = ConnectionNeed(process="api", most=11, least=2)
WORKER = ConnectionNeed(process="worker", most=10, least=1)


def limits(
    *found: tuple[LimitName, int, int], through_pooler: bool = False, planner_settings: bool = True
) -> ServerLimits:
    return ServerLimits(
        limits=[ConnectionLimit(name=name, allowed=allowed, others=others) for name, allowed, others in found],
        through_pooler=through_pooler,
        planner_settings=planner_settings,
    )


def test_lowest_limit_decides_how_many_processes_fit() -> None:
    found = limits((LimitName.SERVER, 97, 60), (LimitName.ROLE, 40, 0), (LimitName.DATABASE, 50, 0))
    assert (found.lowest.name, found.tightest.name) == (LimitName.ROLE, LimitName.SERVER)
    assert (API.fits(found), WORKER.fits(found)) == (3, 4)


def test_limits_that_suffice_are_logged_without_a_warning() -> None:
    with capture_logs() as lines:
        report(API, limits((LimitName.SERVER, 97, 86)))
    assert lines == [
        {
            "event": "database.connections",
            "log_level": "info",
            "process": "api",
            "most": 11,
            "allowed": 97,
            "limit": "server",
            "others": 86,
            "fit": 8,
        }
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (LimitName.SERVER, "max_connections"),
        (LimitName.ROLE, "ALTER ROLE"),
        (LimitName.DATABASE, "ALTER DATABASE"),
    ],
)
def test_one_connection_too_few_is_a_warning_with_what_to_do(name: LimitName, words: str) -> None:
    with capture_logs() as lines:
        report(API, limits((LimitName.SERVER, 1000, 0), (name, 97, 87)))
    warning = lines[1]
    assert (warning["event"], warning["log_level"]) == ("database.connections_scarce", "warning")
    assert (warning["left"], warning["limit"]) == (10, str(name))
    assert words in warning["remedy"]
    assert "KETLINE_DATABASE_POOL_SIZE" in warning["remedy"]


def test_what_others_may_take_beyond_the_limit_leaves_nothing() -> None:
    with capture_logs() as lines:
        report(WORKER, limits((LimitName.SERVER, 97, 200)))
    assert lines[1]["left"] == 0


def test_too_few_for_any_work_is_rejected() -> None:
    assert rejection(API, limits((LimitName.SERVER, 97, 97))) is None, "others may leave"
    assert rejection(WORKER, limits((LimitName.ROLE, 1, 0))) is None
    problem = rejection(API, limits((LimitName.SERVER, 97, 0), (LimitName.ROLE, 1, 0)))
    assert problem is not None
    assert "allows `ketline api` 1 of the 2 connections" in problem
    assert "ALTER ROLE" in problem


def test_limits_behind_a_pooler_are_not_those_of_the_process() -> None:
    found = limits((LimitName.ROLE, 1, 0), through_pooler=True)
    with capture_logs() as lines:
        report(API, found)
    assert [line["event"] for line in lines] == ["database.connections_through_pooler"]
    assert rejection(API, found) is None
    assert "pooler" in described([API, WORKER], found)


def test_pooler_whose_sessions_plan_without_our_settings_is_reported_with_the_statements() -> None:
    with capture_logs() as lines:
        report(API, limits((LimitName.SERVER, 97, 0), through_pooler=True, planner_settings=False))
    assert lines[1]["event"] == "database.planner_settings_missing"
    assert "ALTER ROLE … SET enable_seqscan = off" in lines[1]["remedy"]


def test_sentences_name_every_process_and_the_limit() -> None:
    text = described([API, WORKER], limits((LimitName.SERVER, 97, 21)))
    assert text == (
        "PostgreSQL allows 97 connections (the limit of the server): enough for 8 `ketline api` (11 "
        "each) or 9 `ketline worker` (10 each). Others may take 21 of them now."
    )
    assert "raise max_connections" in described([API, WORKER], limits((LimitName.SERVER, 97, 90)))
