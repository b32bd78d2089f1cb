"""What `ketline doctor` makes of facts, and that no check can keep it."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.operations.diagnosis import Finding, Grade, ok
from ketline.service.diagnosis.checks import in_thread, run_checks
from ketline.service.diagnosis.machine import (
    Space,
    available_bytes,
    judge_cores,
    judge_descriptors,
    judge_memory,
    judge_protections,
    judge_shared_memory,
    judge_space,
    space_of,
)
from ketline.service.diagnosis.servers import DatabaseFacts, QueueFacts, judge_database, judge_queues

GIB = 1 << 30
SINCE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
REVISIONS = ["0003", "0002", "0001"]
POSTGRESQL = {"product": "PostgreSQL", "version": (15, 4), "revision": "0003"}


def space(free_bytes: int = 50 * GIB, *, inodes: int | None = 10**6, writable: bool = True) -> Space:
    return Space(
        path=Path("/data"), total_bytes=100 * GIB, free_bytes=free_bytes, free_inodes=inodes, writable=writable
    )


def grades(findings: Sequence[Finding]) -> dict[str, str]:
    """The grade of each check that is not ok."""
    return {one.check: one.grade.value for one in findings if one.grade is not Grade.OK}


@pytest.mark.parametrize(
    ("found", "grade"),
    [
        (space(), "ok"),
        (space(GIB - 1), "warning"),
        (space(50 << 20), "problem"),
        (space(inodes=10), "problem"),
        (space(inodes=None), "ok"),
        (space(writable=False), "problem"),
    ],
)
def test_disk_needs_room_and_the_right_to_write(found: Space, grade: str) -> None:
    finding = judge_space("disk", found)
    assert (finding.grade, finding.advice is None) == (grade, grade == "ok")


def test_shared_memory_of_a_container_is_judged_by_what_is_free() -> None:
    assert [judge_shared_memory(space(free)).grade.value for free in (256 << 20, 10 << 20)] == ["ok", "warning"]
    assert judge_shared_memory(space(writable=False)).grade is Grade.PROBLEM


@pytest.mark.parametrize(
    ("available", "slots", "grade"),
    [(8 * GIB, 2, "ok"), (GIB, 2, "warning"), (GIB, 8, "problem"), (None, 2, "ok"), (8 * GIB, 0, "ok")],
)
def test_memory_has_to_hold_the_simulators_and_the_largest_state(available: int | None, slots: int, grade: str) -> None:
    assert judge_memory(16 * GIB, available, slots=slots, state_bytes=4 * GIB).grade == grade


def test_available_memory_is_read_from_the_kernels_text() -> None:
    assert available_bytes("MemTotal:  100 kB\nMemAvailable:   42 kB\n") == 42 * 1024
    assert available_bytes("MemTotal:  100 kB\n") is None


def test_hard_limit_of_descriptors_counts() -> None:
    assert [judge_descriptors(8704, limits).grade.value for limits in ((1024, 20_000), (1024, 4096), (1024, -1))] == [
        "ok",
        "warning",
        "ok",
    ]


def test_cores_and_protections() -> None:
    assert [judge_cores(slots, 2).grade.value for slots in (2, 3)] == ["ok", "warning"]
    assert judge_protections(4, seccomp=True).grade is Grade.OK
    assert judge_protections(0, seccomp=True).text == "Landlock not available"


def test_space_of_a_directory_that_is_not_there_is_that_above_it(tmp_path: Path) -> None:
    found = space_of(tmp_path / "not" / "there")
    assert (found.path, found.writable, found.total_bytes > 0) == (tmp_path, True, True)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {}),
        ({"version": (12, 9)}, {"database": "problem"}),
        ({"product": "SQLite", "version": (3, 34)}, {"database": "problem"}),
        ({"read_only": True}, {"database": "problem"}),
        ({"revision": None}, {"schema": "problem"}),
        ({"revision": "0002"}, {"schema": "problem"}),
        ({"revision": "0004"}, {"schema": "warning"}),
        ({"skew_seconds": 0.5}, {}),
        ({"skew_seconds": -5.0}, {"clock": "warning"}),
        ({"skew_seconds": 90.0}, {"clock": "problem"}),
        ({"sessions": (95, 100)}, {"connections": "warning"}),
        ({"log_bytes": 1 << 30}, {"database": "warning"}),
        ({"paused": [("all", SINCE)], "waiting": {"simulate": 3}}, {"claims": "warning"}),
        ({"waiting": {"convert": 3}, "workers": {"w": ["simulate"]}}, {"claims": "warning"}),
        ({"waiting": {"simulate": 3}, "workers": {"w": ["simulate"]}}, {}),
    ],
)
def test_database_is_judged_by_its_facts(changes: dict[str, object], expected: dict[str, str]) -> None:
    facts = DatabaseFacts(**{**POSTGRESQL, **changes})  # type: ignore[arg-type]
    assert grades(judge_database(facts, REVISIONS)) == expected


def test_queues_are_judged_by_their_facts() -> None:
    findings = judge_queues(
        "RabbitMQ 4.1",
        [
            QueueFacts(name="a", exists=False),
            QueueFacts(name="b", exists=True, difference="x-queue-type"),
            QueueFacts(name="c", exists=True, messages=2, dead_letters=True),
            QueueFacts(name="d", exists=True, messages=2, consumers=1),
        ],
    )
    assert grades(findings) == {"queue b": "warning", "queue c": "warning"}


async def test_failure_of_a_check_is_a_finding_without_its_message() -> None:
    async def works() -> Sequence[Finding]:
        return [ok("works", "yes")]

    async def unreachable() -> Sequence[Finding]:
        raise DatabaseUnavailable("PostgreSQL at db:5432 does not respond.")

    async def defect() -> Sequence[Finding]:
        raise ValueError("postgresql://user:secret@db")

    findings = await run_checks({"a": works, "b": unreachable, "c": defect}, 5.0)
    assert [(one.check, one.grade.value) for one in findings] == [("works", "ok"), ("b", "problem"), ("c", "problem")]
    assert findings[1].advice == "PostgreSQL at db:5432 does not respond."
    assert "secret" not in str(findings)


async def test_check_that_hangs_in_a_call_is_a_finding_in_time() -> None:
    forever = threading.Event()

    async def blocked() -> Sequence[Finding]:
        await in_thread(forever.wait)
        return []

    async def stubborn() -> Sequence[Finding]:
        await asyncio.shield(asyncio.Event().wait())
        return []

    async with asyncio.timeout(5):
        findings = await run_checks({"disk": blocked, "database": stubborn}, 0.05)
    assert [(one.check, one.text) for one in findings] == [
        ("disk", "no result within 0.05 s"),
        ("database", "no result within 0.05 s"),
    ]
    forever.set()
