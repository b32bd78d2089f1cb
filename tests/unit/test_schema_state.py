"""Whether processes must stop for pending migrations, and what an operator is told."""

from types import ModuleType

import pytest

from ketline.db.schema.migrate import compatible_from
from ketline.domain.operations.schema_state import PendingMigration, SchemaState

ADDS = PendingMigration(revision="0033", title="Adds a table")
CHANGES = PendingMigration(revision="0034", title="Changes a column", compatible_from="0033")
LATER = PendingMigration(revision="0035", title="Adds a column")


def state(current: str | None, *pending: PendingMigration) -> SchemaState:
    return SchemaState(current=current, newest="0035", pending=pending)


@pytest.mark.parametrize(
    ("current", "pending", "stopping"),
    [
        ("0032", (ADDS,), []),
        ("0032", (ADDS, CHANGES, LATER), ["0034"]),
        ("0033", (CHANGES, LATER), []),
        ("0034", (LATER,), []),
        ("0035", (), []),
        (None, (ADDS, CHANGES, LATER), []),
    ],
)
def test_processes_stop_for_what_those_of_their_schema_cannot_work_on(
    current: str | None, pending: tuple[PendingMigration, ...], stopping: list[str]
) -> None:
    found = state(current, *pending)
    assert [migration.revision for migration in found.stopping] == stopping
    assert found.rolling == (not stopping)


def test_operator_is_told_what_to_do() -> None:
    assert state("0035").described == "The database has the schema 0035 that this version needs."
    assert "is empty; `ketline migrate`" in state(None, ADDS).described
    rolling = state("0032", ADDS).described
    assert "0033 (Adds a table)" in rolling
    assert "replace workers, then APIs" in rolling
    stopped = state("0032", ADDS, CHANGES, LATER).described
    assert "Stop all APIs and workers before `ketline migrate`: running ones cannot work on 0034." in stopped
    later = SchemaState(current="0040", newest="0035", later=True).described
    assert "0040 of a later version" in later


def test_migrations_before_the_rule_are_made_while_the_service_is_stopped() -> None:
    module = ModuleType("migration")
    assert compatible_from("0032", module) == "0032"
    assert compatible_from("0033", module) is None
    module.compatible_from = "0030"  # type: ignore[attr-defined]
    assert compatible_from("0033", module) == "0030"
