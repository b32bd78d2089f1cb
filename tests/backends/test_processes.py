"""Adapters whose devices run in processes: what is killed, what is unknown, and what no one sees."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from ketline.backends import (
    BackendFailed,
    BackendJob,
    BackendJobNotFound,
    BackendOutcomeUnknown,
    BackendRefused,
    BackendResultInvalid,
    BackendUnavailable,
    ClientToken,
    ProgramFormat,
    RemoteId,
    RemoteState,
    RemoteStatus,
)
from ketline.backends.device_process import DeviceFactory, client_environment
from ketline.backends.local import LocalAdapter
from ketline.backends.remote import RemoteAdapter

TOKEN = ClientToken("t")


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes of devices import this package's modules."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


@asynccontextmanager
async def _local() -> AsyncIterator[LocalAdapter]:
    adapter = LocalAdapter(DeviceFactory(path="tests.backends.devices:CoinDevice"))
    try:
        yield adapter
    finally:
        await adapter.close()


@asynccontextmanager
async def _remote(directory: Path, fault: str, call_seconds: float = 60.0) -> AsyncIterator[RemoteAdapter]:
    factory = DeviceFactory(
        path="tests.backends.devices:FragileClient",
        arguments={"directory": str(directory), "fault": fault},
        environment=client_environment(),
    )
    adapter = RemoteAdapter(factory, call_seconds=call_seconds)
    try:
        yield adapter
    finally:
        await adapter.close()


def _job(program: str, shots: int = 10) -> BackendJob:
    return BackendJob(program=program, format=ProgramFormat.OPENQASM3, shots=shots)


async def _until(adapter: LocalAdapter, remote_id: RemoteId, *statuses: RemoteStatus) -> RemoteState:
    async with asyncio.timeout(60):
        while (state := await adapter.poll(remote_id)).status not in statuses:  # noqa: ASYNC110 - as workers poll
            await asyncio.sleep(0.02)
        return state


async def _ended(adapter: LocalAdapter, program: str) -> RemoteState:
    remote_id = await adapter.submit(_job(program), ClientToken(program))
    return await _until(adapter, remote_id, RemoteStatus.DONE, RemoteStatus.FAILED, RemoteStatus.CANCELLED)


async def test_cancelling_kills_the_process_of_a_running_job() -> None:
    async with _local() as adapter:
        remote_id = await adapter.submit(_job("sleep"), TOKEN)
        await _until(adapter, remote_id, RemoteStatus.RUNNING)
        await adapter.cancel(remote_id)
        assert (await adapter.poll(remote_id)).status is RemoteStatus.CANCELLED
        # The only process for runs is free again.
        assert (await _ended(adapter, "heads")).status is RemoteStatus.DONE


async def test_a_queued_job_is_cancelled_without_running() -> None:
    async with _local() as adapter:
        first = await adapter.submit(_job("sleep"), ClientToken("1"))
        await _until(adapter, first, RemoteStatus.RUNNING)
        second = await adapter.submit(_job("heads"), ClientToken("2"))
        assert (await adapter.poll(second)).status is RemoteStatus.QUEUED
        assert (await adapter.describe()).pending_jobs == 1
        await adapter.cancel(second)
        assert (await adapter.poll(second)).status is RemoteStatus.CANCELLED


async def test_a_job_that_kills_its_process_fails_alone() -> None:
    async with _local() as adapter:
        state = await _ended(adapter, "crash")
        assert state.status is RemoteStatus.FAILED
        assert state.message == "The backend's process ended during `run`."
        assert (await _ended(adapter, "heads")).status is RemoteStatus.DONE


async def test_the_text_of_an_unexpected_error_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COIN_SECRET", "hunter2")
    async with _local() as adapter:
        state = await _ended(adapter, "raise")
        assert (state.status, state.message) == (RemoteStatus.FAILED, "The device failed in `run` with RuntimeError.")


async def test_a_local_device_inherits_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COIN_SECRET", "hunter2")
    async with _local() as adapter:
        job = _job("environment")
        remote_id = await adapter.submit(job, TOKEN)
        await _until(adapter, remote_id, RemoteStatus.DONE)
        assert await adapter.result(remote_id, job) == {"0": 10}


async def test_a_remote_device_inherits_credentials_but_not_those_of_the_service(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COIN_SECRET", "hunter2")
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:password@host/name")
    monkeypatch.setenv("KETLINE_RABBITMQ_URL", "amqp://user:password@host")
    environment = client_environment()
    assert environment["COIN_SECRET"] == "hunter2"
    assert not [name for name, value in environment.items() if "password@" in value]
    assert "hunter2" not in repr(DeviceFactory(path="a:b", environment=environment))


async def test_counts_that_do_not_fit_are_no_result() -> None:
    async with _local() as adapter:
        state = await _ended(adapter, "short")
        assert state.status is RemoteStatus.FAILED
        assert state.message == "The backend's counts add up to 9, not to 10 shots."


async def test_a_rejected_job_is_not_submitted() -> None:
    async with _local() as adapter:
        with pytest.raises(BackendRefused, match="not tossed"):
            await adapter.submit(_job("reject"), TOKEN)
        assert await adapter.reattach(TOKEN) is None


async def test_results_are_only_of_jobs_that_are_done() -> None:
    async with _local() as adapter:
        remote_id = await adapter.submit(_job("sleep"), TOKEN)
        with pytest.raises(BackendFailed, match="no counts"):
            await adapter.result(remote_id, _job("sleep"))


async def test_local_jobs_end_with_their_worker() -> None:
    async with _local() as first:
        remote_id = await first.submit(_job("sleep"), TOKEN)
    async with _local() as second:
        with pytest.raises(BackendJobNotFound):
            await second.poll(remote_id)
        assert await second.reattach(TOKEN) is None


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("crash", "ended during `submit`"), ("hang", "did not answer `submit` in time"), ("raise", "RuntimeError")],
)
async def test_a_submission_without_an_answer_has_an_unknown_outcome(tmp_path: Path, fault: str, reason: str) -> None:
    async with _remote(tmp_path, fault, call_seconds=10.0) as adapter:
        with pytest.raises(BackendOutcomeUnknown, match=reason) as raised:
            await adapter.submit(_job("heads"), TOKEN)
        assert "secret" not in str(raised.value)
        assert await adapter.reattach(TOKEN) == RemoteId(TOKEN)


async def test_errors_keep_their_kind_and_text(tmp_path: Path) -> None:
    async with _remote(tmp_path, "") as adapter:
        with pytest.raises(BackendUnavailable, match=r"closed on Mondays\."):
            await adapter.validate(_job("heads"))
        with pytest.raises(BackendResultInvalid):
            await adapter.result(RemoteId("t"), _job("heads"))
        with pytest.raises(BackendFailed, match="`cancel` with RuntimeError"):
            await adapter.cancel(RemoteId("t"))
        with pytest.raises(BackendUnavailable, match="`cancel` with ConnectionError"):
            await adapter.cancel(RemoteId("lost"))


async def test_a_library_that_is_not_installed_is_named() -> None:
    adapter = LocalAdapter(DeviceFactory(path="no_such_library:Device"))
    with pytest.raises(BackendUnavailable, match="no_such_library"):
        await adapter.describe()
    await adapter.close()
