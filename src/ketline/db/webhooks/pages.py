"""Selects pages of the deliveries of a project along their index, which begins with the project and the state."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Select, Text, and_, literal, or_, select, union_all

from ketline.db.schema.tables import deliveries
from ketline.db.schema.visibility import is_of
from ketline.domain.access.principals import ProjectName
from ketline.domain.webhooks.deliveries import DeliveryId, DeliveryState

SHOWN = [column for column in deliveries.c if column.name not in {"host", "body", "give_up_at"}]


def select_page(
    project: ProjectName, states: Collection[DeliveryState], before: DeliveryId | None, limit: int
) -> Select[Any]:
    """Selects the newest deliveries in these states, or the newest of those before one.

    Without a state for each part the database would sort all deliveries of the project.
    """
    parts = [_newest(select(*SHOWN).where(*_in(project, state, before)), deliveries.c, limit) for state in states]
    merged = union_all(*(select(part.subquery()) for part in parts)).subquery()
    return _newest(select(merged), merged.c, limit)


def is_in(project: ProjectName, state: DeliveryState) -> ColumnElement[bool]:
    """Whether a delivery is of a project and in a state, by their index."""
    return and_(deliveries.c.project == literal(project, Text()), deliveries.c.state == state.value)


def _in(project: ProjectName, state: DeliveryState, before: DeliveryId | None) -> list[ColumnElement[bool]]:
    of_state = is_in(project, state)
    if before is None:
        return [of_state]
    one = deliveries.alias("one")
    known = and_(one.c.delivery_id == before, is_of(project, one))
    at = select(one.c.created_at).where(known).scalar_subquery()
    created, delivery_id = _order(deliveries.c)
    # The first condition on the time is the one that the index serves.
    return [of_state, created <= at, or_(created < at, delivery_id < before)]


def _newest(statement: Select[Any], columns: Any, limit: int) -> Select[Any]:
    return statement.order_by(*(column.desc() for column in _order(columns))).limit(limit)


def _order(columns: Any) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    return columns.created_at, columns.delivery_id
