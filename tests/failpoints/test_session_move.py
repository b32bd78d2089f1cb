"""A browser's session moves to another project once, wherever the connection to the database breaks or the move fails.

It is no step of a task, so it has no row in the table: the faults are at the call of the service, not in processes.
"""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url

from ketline.db.browser_sessions import SqlSessionStore
from ketline.db.engine.database import open_database
from ketline.domain.access.groups import parse_groups
from ketline.domain.access.principals import Owner, Principal, ProjectName, Role
from ketline.domain.errors import CredentialsInvalid, DatabaseUnavailable
from ketline.service.access.sessions import ManageSessions, VerifySession
from tests.failpoints.control import Control, Fault
from tests.failpoints.proxy import CuttingProxy
from tests.failpoints.transactions import Transaction
from tests.servers.ports import free_ports

CHEMISTRY, PHYSICS = ProjectName("chemistry"), ProjectName("physics")
BEGAN = Principal(project=PHYSICS, role=Role.READER, owner=Owner("ada"), groups=("g",))
RIGHTS = parse_groups("g=physics:reader,g=chemistry:operator")
POINT = Transaction.MOVE_SESSION.point


@pytest.fixture
def control(tmp_path: Path) -> Control:
    return Control(tmp_path)


@pytest.fixture
async def proxy(postgres_url: str, control: Control) -> AsyncIterator[tuple[CuttingProxy, str]]:
    """The proxy before PostgreSQL, and the URL of the database behind it."""
    url = make_url(postgres_url)
    assert url.port is not None
    (port,) = free_ports(1)
    proxy = CuttingProxy(url.port, control)
    async with proxy.serve(port):
        yield proxy, str(url.set(port=port))


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.CUT])
async def test_browser_is_in_the_chosen_project_when_the_connection_broke_at_the_commit(
    proxy: tuple[CuttingProxy, str], control: Control, fault: Fault
) -> None:
    async with open_database(proxy[1]) as database:
        store = SqlSessionStore(database)
        manage, verify = ManageSessions(store, timedelta(hours=1)), VerifySession(store, RIGHTS)
        session = await manage.start(BEGAN, None)
        target = (await verify(session)).within(CHEMISTRY)
        assert target is not None
        control.arm(POINT, fault, "proxy")
        moved = await manage.move(session, target)
        assert control.struck(POINT) is not None
        assert (await verify(moved)).project == CHEMISTRY
        with pytest.raises(CredentialsInvalid):
            await verify(session)


async def test_session_stays_where_it_is_while_the_database_is_down(proxy: tuple[CuttingProxy, str]) -> None:
    async with open_database(proxy[1]) as database:
        store = SqlSessionStore(database)
        manage, verify = ManageSessions(store, timedelta(hours=1)), VerifySession(store, RIGHTS)
        session = await manage.start(BEGAN, None)
        target = (await verify(session)).within(CHEMISTRY)
        assert target is not None
        async with proxy[0].outage():
            with pytest.raises(DatabaseUnavailable):
                await manage.move(session, target)
        assert (await verify(session)).project == PHYSICS
        assert (await verify(await manage.move(session, target))).project == CHEMISTRY
