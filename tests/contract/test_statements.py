"""How many statements reading a task takes, as the databases' own drivers are given them."""

from collections.abc import AsyncIterator, Iterator

import pytest

from ketline.db.engine.database import Database, open_database
from ketline.db.lists.catalogue import SqlTaskCatalogue
from ketline.db.tasks.repository import SqlTaskRepository
from tests.contract.test_repository import submission
from tests.statements import Statements


@pytest.fixture
def statements() -> Iterator[Statements]:
    found = Statements()
    found.listen()
    yield found
    found.stop()


@pytest.fixture
async def database(statements: Statements, database_url: str) -> AsyncIterator[Database]:
    async with open_database(database_url) as database:
        yield database


async def test_pending_task_is_read_by_one_statement(database: Database, statements: Statements) -> None:
    repository, new = SqlTaskRepository(database), submission()
    await repository.add(new, taken=True)
    await repository.get(new.task_id)  # a new connection may ask for something of its own
    statements.seen.clear()
    await repository.get(new.task_id)
    [statement] = statements.reads
    assert "status_history" in statement


async def test_place_in_the_queue_is_one_statement_more(database: Database, statements: Statements) -> None:
    repository, catalogue, new = SqlTaskRepository(database), SqlTaskCatalogue(database), submission()
    await repository.add(new, taken=True)
    await catalogue.queue_position(new.task_id)
    statements.seen.clear()
    place = await catalogue.queue_position(new.task_id)
    assert place is not None
    assert place.position == 1
    assert len(statements.reads) == 1, statements.reads
