"""One case on one service: what its client does and knows, and what becomes of the struck process."""

import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from uuid import uuid4

import httpx

from tests.acceptance.processes import eventually
from tests.chaos.run.ledger import Acknowledgement
from tests.chaos.run.programs import KnownTask
from tests.failpoints.control import Fault
from tests.failpoints.service import CLIENT_SECONDS, Service
from tests.failpoints.table import Case, Hanging

T = TypeVar("T")
# A net, as `CASE_SECONDS` of `trials.py`.
ACQUIRE_TIMEOUT_SECONDS = 120.0
# Several services are looked at all the time: more often takes processor time from them.
LOOK_PAUSE_SECONDS = 0.05
ENDED = frozenset({"completed", "failed", "cancelled"})
JOB_ENDED = frozenset({"done", "failed", "cancelled"})
# Quotas that change nothing but the way in which tasks are stored; the highest priority shows that they are known.
WIDE_QUOTAS = {"shots_per_day": 10**12, "priority": 99}


@dataclass(slots=True, kw_only=True)
class Promise:
    """A task that the client was promised, under which key, and how it may end."""

    key: str
    known: KnownTask
    statuses: tuple[str, ...]
    task_id: str = ""
    on_backend: bool = False


@dataclass(slots=True)
class Trial:
    """The client of one case; it repeats every request until it has an answer, as `ketline.client` does.

    `check` is made when the service has recovered, for the submission that was struck.
    """

    service: Service
    case: Case
    promises: list[Promise] = field(default_factory=list)
    acknowledged: list[Acknowledgement] = field(default_factory=list)
    check: Callable[[], Awaitable[None]] | None = None

    @property
    def struck(self) -> int | None:
        return self.service.control.struck(self.case.armed_point)

    def arm(self) -> None:
        if self.struck is None:
            role = "proxy" if self.case.side == "commit" else self.case.role
            self.service.control.arm(self.case.armed_point, self.case.fault, role)

    async def submit(self, known: KnownTask, *statuses: str, **fields: object) -> Promise:
        """Submit under a new key until there is an answer; without other `statuses` the task must be completed."""
        promise = Promise(
            key=uuid4().hex, known=known, statuses=statuses or ("completed",), on_backend="backend" in fields
        )
        self.promises.append(promise)
        await self.repeat(promise, **fields)
        return promise

    async def repeat(self, promise: Promise, **fields: object) -> None:
        """Submit under the promise's key until there is an answer."""
        headers = {"Idempotency-Key": promise.key, "X-Correlation-ID": promise.key}
        body = {"qc": promise.known.program, "shots": promise.known.shots, **fields}

        async def attempt(timeout: float) -> httpx.Response:
            return await self.service.http.post("/tasks", json=body, headers=headers, timeout=timeout)

        response = await self.answered(attempt, 202)
        self._acknowledge(promise, str(response.json()["task_id"]), response.status_code)

    async def submit_batch(self, known: KnownTask) -> Promise:
        """Submit a batch of one under a new key until there is an answer; its task must be completed."""
        promise = Promise(key=uuid4().hex, known=known, statuses=("completed",))
        self.promises.append(promise)
        headers = {"Idempotency-Key": promise.key, "X-Correlation-ID": promise.key}
        body = {"tasks": [{"qc": known.program, "shots": known.shots}]}

        async def attempt(timeout: float) -> httpx.Response:
            return await self.service.http.post("/tasks/batch", json=body, headers=headers, timeout=timeout)

        response = await self.answered(attempt, 202)
        self._acknowledge(promise, str(response.json()["tasks"][0]["task_id"]), response.status_code)
        return promise

    def _acknowledge(self, promise: Promise, task_id: str, status: int) -> None:
        promise.task_id = task_id
        self.acknowledged.append(
            Acknowledgement(number=promise.known.number, key=promise.key, task_id=task_id, status=status)
        )

    async def cancel(self, promise: Promise) -> None:
        """Cancel until there is an answer; a repeated request finds a task that has ended."""

        async def attempt(timeout: float) -> httpx.Response:
            return await self.service.http.post(f"/tasks/{promise.task_id}/cancel", timeout=timeout)

        await self.answered(attempt, 200, 409)

    async def enqueue(self, promise: Promise) -> None:
        """Release a held task until there is an answer; a repeated request changes nothing."""

        async def attempt(timeout: float) -> httpx.Response:
            return await self.service.http.post(f"/tasks/{promise.task_id}/enqueue", timeout=timeout)

        await self.answered(attempt, 200)

    @asynccontextmanager
    async def limited(self) -> AsyncIterator[None]:
        """The project has quotas for the time of the context; its submissions are stored within them."""
        await self._set_quotas(WIDE_QUOTAS, 403)
        try:
            yield
        finally:
            await self._set_quotas(dict.fromkeys(WIDE_QUOTAS), 404)

    async def _set_quotas(self, quotas: Mapping[str, int | None], expected: int) -> None:
        """Change the quotas, and wait until the highest priority of a task that does not exist has this answer."""

        async def change(timeout: float) -> httpx.Response:
            return await self.service.http.patch("/projects/default", json={"quotas": quotas}, timeout=timeout)

        await self.answered(change, 200)

        async def known() -> bool:
            try:
                response = await self.service.http.patch(f"/tasks/{uuid4()}", json={"priority": 100})
            except httpx.HTTPError:
                return False
            return response.status_code == expected

        await self.until(known, f"quotas {quotas}")

    async def answered(self, attempt: Callable[[float], Awaitable[httpx.Response]], *statuses: int) -> httpx.Response:
        """The first answer with one of these statuses; each attempt gets twice the time of one that was too slow."""
        timeout = CLIENT_SECONDS

        async def look() -> httpx.Response | None:
            nonlocal timeout
            try:
                response = await attempt(timeout)
            except httpx.TimeoutException:
                timeout *= 2
                return None
            except httpx.HTTPError:
                return None
            assert response.status_code in statuses or response.status_code >= 500, response.text
            return response if response.status_code in statuses else None

        return await self.until(look, f"an answer of {statuses}")

    async def view(self, promise: Promise) -> dict[str, Any] | None:
        """The task as the API tells it; None while it cannot."""
        try:
            response = await self.service.http.get(f"/tasks/{promise.task_id}")
        except httpx.HTTPError:
            return None
        task: dict[str, Any] = response.json()
        return task if response.status_code == 200 else None

    async def worker_of(self, promise: Promise) -> int:
        """The process that works on the task, once one does."""

        async def look() -> int | None:
            task = await self.view(promise)
            if task is None or task["status"] != "processing":
                return None
            return self.service.holder(task["status_history"][-1]["worker_id"])

        return await self.until(look, "a worker at work")

    async def registered(self, backend: str) -> None:
        """Wait until a worker has registered an external backend."""

        async def look() -> bool:
            try:
                response = await self.service.http.get("/backends")
            except httpx.HTTPError:
                return False
            return response.status_code == 200 and any(
                one["name"] == backend and one["online"] for one in response.json()["external"]
            )

        await self.until(look, f"the backend {backend}")

    async def job_of(self, promise: Promise) -> str:
        """The id of the task's job at its backend, once it has one."""

        async def look() -> str | None:
            task = await self.view(promise)
            job_id: str | None = (task or {}).get("remote_job", {}).get("id")
            return job_id

        return await self.until(look, "a job at the backend")

    async def ended(self, promise: Promise) -> None:
        """Wait until the task has ended, and its job at a backend if that is to be cancelled."""

        async def look() -> bool:
            task = await self.view(promise)
            if task is None or task["status"] not in ENDED:
                return False
            job, given_up = task.get("remote_job"), task["status"] == "cancelled" or _is_late(task)
            return not given_up or job is None or job["status"] in JOB_ENDED

        await self.until(look, f"the end of task {promise.task_id}")

    async def all_ended(self) -> None:
        for promise in self.promises:
            await self.ended(promise)

    async def struck_or_ended(self, promise: Promise) -> None:
        async def look() -> bool:
            task = await self.view(promise)
            return self.struck is not None or (task is not None and task["status"] in ENDED)

        await self.until(look, f"a strike at {self.case.point}, or the end")

    async def struck_or_passed_on(self, promise: Promise) -> None:
        """Wait for the strike, or for another process to have done what was to be struck."""

        async def look() -> bool:
            task = await self.view(promise)
            history = task["status_history"] if task is not None else ()
            return self.struck is not None or sum(line["status"] == "processing" for line in history) > 1

        await self.until(look, f"a strike at {self.case.point}, or another attempt")

    async def until_struck(self) -> None:
        async def look() -> bool:
            return self.struck is not None

        await self.until(look, f"a strike at {self.case.point}")

    async def recover(self) -> None:
        """See every task to its end, with help for a process that hangs only where nothing else can."""
        hung = self.struck if self.case.fault is Fault.HANG else None
        if hung is not None and self.case.saved_by_kill:
            await self.known(hung)
            self.service.signal(hung, signal.SIGKILL)
        await self.all_ended()
        if hung is not None and self.case.row.hanging is not Hanging.NOTHING:
            self.service.signal(hung, signal.SIGKILL)

    async def known(self, process: int) -> None:
        """Wait until the supervisor, too, knows of a process, which may hang before that; or until it has ended."""

        async def look() -> bool:
            return process in self.service.pids() or not _is_alive(process)

        await self.until(look, f"the start of process {process}")

    async def until(self, look: Callable[[], Awaitable[T | None]], what: str) -> T:
        return await eventually(look, f"{self.case}: {what}", ACQUIRE_TIMEOUT_SECONDS, pause_seconds=LOOK_PAUSE_SECONDS)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _is_late(task: Mapping[str, Any]) -> bool:
    return bool(task["status"] == "failed" and task["error"]["code"] == "timeout")


def timing_out(known: KnownTask) -> KnownTask:
    """The same program where its simulator hangs: nobody can tell it from one that takes too long."""
    return replace(known, error_code="timeout", error_line=None)


def untold(known: KnownTask) -> KnownTask:
    """The same program where its backend cannot tell whether it has the job."""
    return replace(known, error_code="outcome_unknown", error_line=None)
