"""The documented adapter on the fake remote: by the rules of the interface no job is submitted twice."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

from ketline.backends import (
    BackendAccessDenied,
    BackendAdapter,
    BackendOutcomeUnknown,
    BackendUnavailable,
    ClientToken,
    ProgramFormat,
    RemoteId,
    RemoteStatus,
)
from ketline.testing.backends.programs import FIXED
from tests.backends.example import AcmeAdapter
from tests.backends.remote import KEY, FakeRemote
from tests.forking.fixtures import MakeRemote

T = TypeVar("T")

TOKEN = ClientToken("token")
JOB = FIXED[4].job(ProgramFormat.OPENQASM3, 50)
ANSWERED_NEVER = ("lose_answer", "error", "die_after")
ARRIVED_NEVER = ("lose_request", "die_before")


@asynccontextmanager
async def _opened(remote: FakeRemote) -> AsyncIterator[BackendAdapter]:
    adapter = AcmeAdapter(remote.url, KEY)
    try:
        yield adapter
    finally:
        await adapter.close()


async def _submitted(adapter: BackendAdapter, remote: FakeRemote) -> RemoteId:
    """Submit by the rules of the interface: again after a temporary error, or if `reattach` says that it is safe."""
    while True:
        try:
            return await _until_available(lambda: adapter.submit(JOB, TOKEN), remote)
        except BackendOutcomeUnknown:
            found = await _until_available(lambda: adapter.reattach(TOKEN), remote)
            if found is not None:
                return found


async def _until_available(call: Callable[[], Awaitable[T]], remote: FakeRemote) -> T:
    """Repeat a call after temporary errors; a remote that was killed is started again."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await call()
            except BackendUnavailable:
                if not remote.running:
                    await asyncio.to_thread(remote.start)


@pytest.mark.parametrize("fault", [*ANSWERED_NEVER, *ARRIVED_NEVER, "repeat", "busy"])
async def test_backend_that_recognises_tokens_gets_each_job_once(make_remote: MakeRemote, fault: str) -> None:
    with make_remote(recognises_tokens=True) as remote:
        remote.fault("submit", fault)
        async with _opened(remote) as adapter:
            remote_id = await _submitted(adapter, remote)
            while (state := await adapter.poll(remote_id)).status is not RemoteStatus.DONE:  # noqa: ASYNC110
                await asyncio.sleep(state.pause_seconds)
            assert await adapter.result(remote_id, JOB) == {FIXED[4].expected: 50}
        assert remote.submissions() == {TOKEN: 1}


@pytest.mark.parametrize("fault", ANSWERED_NEVER)
async def test_backend_that_finds_tokens_gets_each_job_once(make_remote: MakeRemote, fault: str) -> None:
    with make_remote(finds_tokens=True) as remote:
        remote.fault("submit", fault)
        async with _opened(remote) as adapter:
            await _submitted(adapter, remote)
        assert remote.submissions() == {TOKEN: 1}


@pytest.mark.parametrize("fault", [*ANSWERED_NEVER, *ARRIVED_NEVER])
async def test_other_backends_leave_the_outcome_unknown(make_remote: MakeRemote, fault: str) -> None:
    with make_remote() as remote:
        remote.fault("submit", fault)
        async with _opened(remote) as adapter:
            with pytest.raises(BackendOutcomeUnknown):
                await _submitted(adapter, remote)
        assert remote.submissions() == ({TOKEN: 1} if fault in ANSWERED_NEVER else {})


async def test_remote_that_is_down_is_unavailable_and_keeps_its_jobs(make_remote: MakeRemote) -> None:
    with make_remote(polls=1) as remote:
        async with _opened(remote) as adapter:
            remote_id = await adapter.submit(JOB, TOKEN)
            remote.kill()
            with pytest.raises(BackendUnavailable):
                await adapter.poll(remote_id)
            await asyncio.to_thread(remote.start)
            assert (await adapter.poll(remote_id)).status is RemoteStatus.DONE


async def test_wrong_key_is_denied(make_remote: MakeRemote) -> None:
    with make_remote() as remote:
        remote.fault("submit", "deny")
        async with _opened(remote) as adapter:
            with pytest.raises(BackendAccessDenied, match="ACME_KEY"):
                await adapter.submit(JOB, TOKEN)
