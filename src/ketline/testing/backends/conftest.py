"""The fixtures of the conformance suite: the adapter that `--backend` names, and the secrets to look for."""

import asyncio
import os
from collections.abc import Callable, Iterator

import pytest

from ketline.backends.loading import load
from ketline.backends.registry import open_adapter
from ketline.domain.backends.backend_list import parse_backends
from ketline.ports.backends import BackendAdapter
from ketline.testing.backends.subject import Subject


@pytest.fixture(scope="session")
def _opened(request: pytest.FixtureRequest) -> Iterator[Subject]:
    config = request.config
    with asyncio.Runner() as runner:
        subject = Subject(
            _factory(config.getoption("--backend")),
            config.getoption("--backend-shots"),
            config.getoption("--backend-seconds"),
            runner,
        )
        yield subject
        subject.close()


@pytest.fixture
def subject(_opened: Subject, caplog: pytest.LogCaptureFixture) -> Iterator[Subject]:
    """The adapter under test; what is logged is recorded."""
    caplog.set_level(0)
    yield _opened
    _opened.texts.append(caplog.text)


@pytest.fixture
def secrets(request: pytest.FixtureRequest) -> list[str]:
    """The values that must not appear anywhere."""
    named = request.config.getoption("--backend-secret")
    assert all(os.environ.get(name) for name in named), "each --backend-secret names a variable that is set"
    return [os.environ[name] for name in named]


def _factory(option: str | None) -> Callable[[], BackendAdapter]:
    if not option:
        raise pytest.UsageError("name the adapter: --backend module:function, or an entry of KETLINE_BACKENDS")
    if "=" in option.partition(":")[0]:
        [entry] = parse_backends(option)
        return lambda: open_adapter(entry)
    factory: Callable[[], BackendAdapter] = load(option)
    return factory
