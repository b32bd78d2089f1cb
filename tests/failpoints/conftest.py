"""Runs the cases that a session selects, in the background, for its tests to wait for."""

from collections.abc import Iterator

import pytest

from tests.failpoints.cells import Servers
from tests.failpoints.table import Case, Mode
from tests.failpoints.trials import Trials


@pytest.fixture(scope="session")
def trials(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    """The outcomes of the cases that this session's selected tests ask for."""
    chosen = [case for item in request.session.items if isinstance(case := _case_of(item), Case)]
    servers = None
    if any(case.mode is Mode.DISTRIBUTED for case in chosen):
        servers = Servers(request.getfixturevalue("postgres_with_template"), request.getfixturevalue("rabbit_server"))
    with Trials(chosen, tmp_path_factory.mktemp("failpoints"), servers).running() as trials:
        yield trials


def _case_of(item: pytest.Item) -> object:
    return item.callspec.params.get("case") if isinstance(item, pytest.Function) and hasattr(item, "callspec") else None
