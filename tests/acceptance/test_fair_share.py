"""Tasks of a project that come while a flood of another waits, on both modes as an operator runs them."""

import math
from datetime import datetime

import pytest
from sqlalchemy import Connection, func, select

from ketline.db.engine.clock import now
from ketline.db.engine.database import Database, open_database
from ketline.db.schema.tables import tasks
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.ids import CorrelationId
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import Submission
from ketline.domain.tasks.task_ids import TaskIds
from tests.acceptance.conftest import Distributed, Embedded
from tests.acceptance.processes import Api, eventually

# Requests without a key are of the default project.
FLOOD, NEWCOMER = ProjectName("flood"), DEFAULT_PROJECT
MANY, FEW = 5000, 10
SLOTS = 2
# A program long enough that not all of a flood has ended when the newcomers come.
QUBITS, LAYERS = 17, 60


def program(number: int) -> str:
    """A program whose state is simulated gate by gate."""
    angles = [math.pi / (layer + 3 + number / MANY) for layer in range(LAYERS)]
    layers = [
        f"rx({angle}) q;\ncx q[{layer % QUBITS}], q[{(layer + 1) % QUBITS}];" for layer, angle in enumerate(angles)
    ]
    body = "\n".join([f"qubit[{QUBITS}] q;", f"bit[{QUBITS}] c;", *layers, "c = measure q;"])
    return f'OPENQASM 3.0;\ninclude "stdgates.inc";\n{body}\n'


async def submit(database: Database, project: ProjectName, number: int) -> None:
    new_id = TaskIds()
    repository = SqlTaskRepository(database, project=project)
    for first in range(0, number, 500):
        # Each is another program, so that none is drawn from a cache.
        programs = [
            f"// {project} {first + place}\n{program(first + place)}" for place in range(min(500, number - first))
        ]
        specs = [TaskSpec(circuit=circuit, shots=10, max_attempts=3) for circuit in programs]
        await repository.add_all(
            [Submission(task_id=new_id(), spec=spec, correlation_id=CorrelationId("c")) for spec in specs]
        )


async def all_have_ended(database: Database, project: ProjectName) -> None:
    statement = select(func.count(), func.count(tasks.c.completed_at)).where(tasks.c.project == project)

    async def look() -> bool | None:
        stored, ended = await database.read(lambda connection: connection.execute(statement).one())
        return stored == ended or None

    await eventually(look, f"every task of {project} has ended", seconds=240)


async def moment(database: Database) -> datetime:
    """The time by the database's clock."""
    return await database.read(lambda connection: connection.execute(select(now())).scalar_one())


async def begun_meanwhile(database: Database, project: ProjectName, stored: datetime) -> tuple[int, int]:
    """How many tasks of the flood began before the first of a project's tasks, and between that and the last.

    The first number is from the time on at which all were stored; claims that are then on their way do not know them.
    """
    claimed = tasks.c.claimed_at
    own = select(func.min(claimed), func.max(claimed)).where(tasks.c.project == project)
    first, last = await database.read(lambda connection: connection.execute(own).one())
    before = func.count().filter(claimed > stored, claimed < first)
    between = func.count().filter(claimed > first, claimed < last)
    statement = select(before, between).where(tasks.c.project == FLOOD)
    row = await database.read(lambda connection: connection.execute(statement).one())
    return row[0], row[1]


async def has_ended(database: Database, project: ProjectName, number: int) -> None:
    statement = select(func.count()).where(tasks.c.project == project, tasks.c.completed_at.is_not(None))

    async def look() -> bool | None:
        def count(connection: Connection) -> int:
            return connection.execute(statement).scalar_one()

        return await database.read(count) >= number or None

    await eventually(look, f"{number} tasks of {project} have ended", seconds=240)


async def is_dispatched(database: Database, project: ProjectName) -> None:
    """Wait until all tasks of a project are in the queue, behind which those that come later would wait."""
    statement = select(func.count()).where(tasks.c.project == project, tasks.c.dispatch_count == 0)

    async def look() -> bool:
        return await database.read(lambda connection: connection.execute(statement).scalar_one()) == 0

    await eventually(look, f"the tasks of {project} are in the queue", seconds=240)


async def newcomers_wait_for_no_flood(database: Database, api: Api) -> None:
    """Ten tasks take at most twice the slots that they take alone, however fast the machine is."""
    await submit(database, FLOOD, MANY)
    await has_ended(database, FLOOD, 10 * FEW)
    await is_dispatched(database, FLOOD)
    body = {"tasks": [{"qc": f"// newcomer {number}\n{program(number)}", "shots": 10} for number in range(FEW)]}
    assert (await api.http.post("/tasks/batch", json=body)).status_code == 202
    stored = await moment(database)
    await all_have_ended(database, NEWCOMER)
    before, between = await begun_meanwhile(database, NEWCOMER, stored)
    assert before <= 2 * SLOTS
    assert between <= FEW


async def test_ten_tasks_beside_a_flood_of_another_project_in_the_embedded_service(embedded: Embedded) -> None:
    await embedded.up()
    url = f"sqlite+aiosqlite:///{embedded.data_dir}/ketline.db"
    async with open_database(url) as database, embedded.api() as api:
        await newcomers_wait_for_no_flood(database, api)


@pytest.mark.long
async def test_ten_tasks_beside_a_flood_of_another_project_on_the_distributed_service(
    distributed: Distributed, postgres_url: str
) -> None:
    await distributed.start_api()
    await distributed.start_worker(slots=SLOTS)
    async with open_database(postgres_url) as database, distributed.api() as api:
        await newcomers_wait_for_no_flood(database, api)
