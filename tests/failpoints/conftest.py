"""Runs the cases that a session selects, in the background, for its tests to wait for."""

from collections.abc import Iterator

import pytest

from tests.failpoints.remotes import open_remotes
from tests.failpoints.services import Servers
from tests.failpoints.table import Case, Mode
from tests.failpoints.trials import Trials

_BROKERS = {Mode.DISTRIBUTED: "rabbit_server", Mode.REDIS: "redis_server"}


@pytest.fixture(scope="session")
def trials(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    """The outcomes of the cases that this session's selected tests ask for."""
    chosen = [case for item in request.session.items if isinstance(case := _case_of(item), Case)]
    servers = None
    brokers = {case.mode: _BROKERS[case.mode] for case in chosen if case.mode in _BROKERS}
    if brokers:
        urls = {mode: request.getfixturevalue(server).url for mode, server in brokers.items()}
        servers = Servers(request.getfixturevalue("postgres_with_template"), urls)
    directory = tmp_path_factory.mktemp("failpoints")
    with open_remotes(directory) as remotes, Trials(chosen, directory, remotes, servers).running() as trials:
        yield trials


def _case_of(item: pytest.Item) -> object:
    return item.callspec.params.get("case") if isinstance(item, pytest.Function) and hasattr(item, "callspec") else None
