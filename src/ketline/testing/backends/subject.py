"""The adapter under test, with all errors and reprs recorded."""

import asyncio
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

import pytest

from ketline.domain.backends.backend_jobs import (
    BackendJob,
    ClientToken,
    RemoteId,
    RemoteState,
    RemoteStatus,
    check_counts,
)
from ketline.domain.errors import BackendFailed, BackendUnavailable
from ketline.ports.backends import BackendAdapter
from ketline.testing.backends.programs import Program

T = TypeVar("T")

_MAX_PAUSE_SECONDS = 3600.0
# How long a temporary error is retried.
_RETRY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Subject:
    """Opens the adapter under test; `texts` collects every text that might contain a credential.

    Jobs have `shots` shots, and must end within `seconds`.
    Tests share the adapter `opened` and the event loop of `runner`: some adapters take seconds to open.
    """

    make: Callable[[], BackendAdapter]
    shots: int
    seconds: float
    runner: asyncio.Runner
    texts: list[str] = field(default_factory=list)
    opened: list[BackendAdapter] = field(default_factory=list)

    def run(self, test: Callable[["Session"], Coroutine[Any, Any, None]]) -> None:
        """Run a test with the shared adapter."""

        async def within() -> None:
            if not self.opened:
                self.opened.append(self.make())
            await test(Session(self.opened[0], self))

        try:
            self.runner.run(within())
        except pytest.skip.Exception:
            raise
        except BaseException as error:
            self.note(error)
            raise

    def close(self) -> None:
        """Close the shared adapter."""
        for adapter in self.opened:
            self.texts.extend([repr(adapter), str(adapter)])
            self.runner.run(adapter.close())
        self.opened.clear()

    @asynccontextmanager
    async def session(self) -> AsyncIterator["Session"]:
        """Open another adapter, as a new worker does, and close it in the end."""
        adapter = self.make()
        try:
            yield Session(adapter, self)
        finally:
            self.texts.extend([repr(adapter), str(adapter)])
            await adapter.close()

    def note(self, error: BaseException) -> None:
        """Record the text of an error, of its causes, and of its traceback."""
        self.texts.extend([repr(error), *traceback.format_exception(error)])


@dataclass(frozen=True, slots=True)
class Session:
    """An open adapter, with the steps that tests share; temporary errors are retried."""

    adapter: BackendAdapter
    subject: Subject

    async def retried(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call until the error is not a temporary one."""
        end = time.monotonic() + _RETRY_SECONDS
        while True:
            try:
                return await call()
            except BackendUnavailable as error:
                self.subject.note(error)
                if time.monotonic() > end:
                    raise
                await asyncio.sleep(min(error.delay.total_seconds() if error.delay else 0.2, 5.0))

    async def job(self, program: Program, *, shots: int | None = None, seed: int | None = None) -> BackendJob:
        """The job of a program, in the format that the backend prefers."""
        description = await self.retried(self.adapter.describe)
        if description.num_qubits is not None and program.num_qubits > description.num_qubits:
            pytest.skip(f"the backend has {description.num_qubits} qubits")
        return program.job(description.formats[0], shots or self.subject.shots, seed)

    async def submitted(self, job: BackendJob, token: ClientToken | None = None) -> RemoteId:
        """Submit a job, with a new token by default."""
        chosen = token or new_token()
        return await self.retried(lambda: self.adapter.submit(job, chosen))

    async def ended(self, remote_id: RemoteId) -> RemoteState:
        """Poll a job until it has ended, with the pauses that the backend suggests."""
        end = time.monotonic() + self.subject.seconds
        while True:
            state = await self.retried(lambda: self.adapter.poll(remote_id))
            assert isinstance(state, RemoteState), "poll returns a RemoteState"
            assert 0 < state.pause_seconds <= _MAX_PAUSE_SECONDS, "a pause of up to an hour"
            if state.message is not None:
                self.subject.texts.append(state.message)
            if state.status.ended:
                return state
            assert time.monotonic() < end, f"the job is still {state.status} after {self.subject.seconds:g} s"
            await asyncio.sleep(min(state.pause_seconds, max(0.01, end - time.monotonic())))

    async def counts(self, job: BackendJob, token: ClientToken | None = None) -> Mapping[str, int]:
        """Run a job, and check that its counts fit its registers and shots."""
        remote_id = await self.submitted(job, token)
        state = await self.ended(remote_id)
        assert state.status is RemoteStatus.DONE, f"the job is {state.status}: {state.message}"
        counts = await self.retried(lambda: self.adapter.result(remote_id, job))
        check_counts(counts, job)
        return counts

    async def rejected(self, call: Callable[[], Awaitable[object]], kind: type[BackendFailed]) -> BackendFailed:
        """Return the error of a call that must fail with this kind."""
        with pytest.raises(BackendFailed) as raised:
            await self.retried(call)
        self.subject.note(raised.value)
        assert isinstance(raised.value, kind), f"expected {kind.__name__}, not {raised.value!r}"
        return raised.value


def new_token() -> ClientToken:
    """A token that no job has."""
    return ClientToken(str(uuid4()))
