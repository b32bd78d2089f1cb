"""The proxy cuts a connection before a statement has reached the server, or after it was executed for good."""

from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Connection, make_url, text

from ketline.db.engine.database import Database, open_database
from ketline.db.tasks.repository import SqlTaskRepository
from ketline.domain.ids import CorrelationId, TaskId, WorkerId
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.queues import TaskQueue
from ketline.domain.tasks.remote_job import RemoteJob, RemoteStatus
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.submission import Submission
from tests.failpoints.control import Control, Fault
from tests.failpoints.proxy import CuttingProxy
from tests.failpoints.transactions import Transaction
from tests.servers.ports import free_ports

# Matches RENEW, and counts how often it was executed.
COUNTING = text("UPDATE tasks SET lease_expires_at=now(), attempt=attempt+1")


def count(connection: Connection) -> None:
    connection.execute(COUNTING)


@pytest.mark.parametrize("alone", [True, False], ids=["alone", "in a transaction"])
@pytest.mark.parametrize(("fault", "executions"), [(Fault.LOST, 1), (Fault.CUT, 2)])
async def test_cut_statement_is_repeated(
    postgres_url: str, tmp_path: Path, fault: Fault, executions: int, alone: bool
) -> None:
    url = make_url(postgres_url)
    assert url.port is not None
    (port,) = free_ports(1)
    control = Control(tmp_path)
    task_id = TaskId(uuid4())
    async with CuttingProxy(url.port, control).serve(port), open_database(str(url.set(port=port))) as database:
        repository = SqlTaskRepository(database)
        await repository.add(
            Submission(
                task_id=task_id, spec=TaskSpec(circuit="p", shots=1, max_attempts=1), correlation_id=CorrelationId("c")
            )
        )
        control.arm(Transaction.RENEW.point, fault, "proxy")
        await _execute(database, alone=alone)
        assert control.struck(Transaction.RENEW.point) is not None
        assert (await repository.get(task_id)).attempt == executions


async def test_writes_about_a_job_are_told_apart_by_what_they_bind(postgres_url: str, tmp_path: Path) -> None:
    url = make_url(postgres_url)
    assert url.port is not None
    (port,) = free_ports(1)
    control = Control(tmp_path)
    task_id = TaskId(uuid4())
    async with CuttingProxy(url.port, control).serve(port), open_database(str(url.set(port=port))) as database:
        repository = SqlTaskRepository(database)
        spec = TaskSpec(circuit="p", shots=1, max_attempts=1, kind=TaskKind.RUN, backend="lab")
        await repository.add(Submission(task_id=task_id, spec=spec, correlation_id=CorrelationId("c")), taken=True)
        claim = await repository.claim(task_id, WorkerId("w"), timedelta(seconds=60), TaskQueue(TaskKind.RUN, "lab"))
        assert claim is not None
        control.arm(Transaction.RECORD_JOB.point, Fault.LOST, "proxy")
        assert await repository.record_job(claim.lease, RemoteJob())
        assert control.struck(Transaction.RECORD_JOB.point) is None
        assert await repository.record_job(claim.lease, RemoteJob("job-7", RemoteStatus.QUEUED))
        assert control.struck(Transaction.RECORD_JOB.point) is not None


async def _execute(database: Database, *, alone: bool) -> None:
    await (database.autocommit if alone else database.write)(count)
