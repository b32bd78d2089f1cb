"""An asynchronous client of the REST interface."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import UUID

import httpx
from pydantic import BaseModel, ValidationError

from ketline.client.errors import RequestRefused, ServiceUnreachable, WaitTimeout
from ketline.domain.task import InputValue
from ketline.schemas.tasks import Problem, TaskAccepted, TaskView

Model = TypeVar("Model", bound=BaseModel)

REQUEST_TIMEOUT_SECONDS = 30.0
FIRST_POLL_SECONDS = 0.002
LONGEST_POLL_SECONDS = 0.5
POLL_GROWTH = 1.5


class AsyncClient:
    """Submits programs to one service and reads what became of them."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def submit(
        self, program: str, *, shots: int | None = None, inputs: Mapping[str, InputValue] | None = None
    ) -> TaskAccepted:
        """Hand in an OpenQASM 3 program; `shots` left out means the service's default.

        `inputs` are values for the program's `input` declarations; a string gives bits, bit 0 rightmost.

        Raises:
            RequestRefused: the service does not take it.
            ServiceUnreachable: it may or may not have been taken.
        """
        body: dict[str, object] = {"qc": program}
        if shots is not None:
            body["shots"] = shots
        if inputs:
            body["inputs"] = dict(inputs)
        return await self._call("POST", "/tasks", TaskAccepted, json=body)

    async def get(self, task_id: UUID) -> TaskView:
        """Read a task.

        Raises:
            RequestRefused: no task has this id.
            ServiceUnreachable: there was no answer.
        """
        return await self._call("GET", f"/tasks/{task_id}", TaskView)

    async def wait(self, task_id: UUID, *, timeout_seconds: float | None = None) -> TaskView:
        """Read a task once it has ended, asking at growing intervals; no timeout means any time it takes.

        Raises:
            RequestRefused: no task has this id.
            ServiceUnreachable: there was no answer.
            WaitTimeout: it has not ended in time.
        """
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        pause = FIRST_POLL_SECONDS
        while not (task := await self.get(task_id)).status.terminal:
            if deadline is not None and time.monotonic() + pause > deadline:
                raise WaitTimeout(f"Task {task_id} is still {task.status} after {timeout_seconds:g} s.")
            await asyncio.sleep(pause)
            pause = min(pause * POLL_GROWTH, LONGEST_POLL_SECONDS)
        return task

    async def _call(self, method: str, path: str, shape: type[Model], *, json: object = None) -> Model:
        try:
            response = await self._http.request(method, path, json=json)
        except httpx.HTTPError as error:
            raise ServiceUnreachable(f"No answer from {self._http.base_url}: {_reason(error)}.") from error
        if response.is_success:
            try:
                return shape.model_validate_json(response.content)
            except ValidationError as error:
                raise ServiceUnreachable(f"What answers at {self._http.base_url} is not Ketline.") from error
        raise _refusal(response)


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[AsyncClient]:
    """A client of the service at `url`, with connections of its own."""
    async with httpx.AsyncClient(base_url=url, timeout=REQUEST_TIMEOUT_SECONDS) as http:
        yield AsyncClient(http)


def _refusal(response: httpx.Response) -> RequestRefused:
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        return RequestRefused(
            f"The service answered {response.status_code}.", code="unknown", status=response.status_code
        )
    places = [f"{fault.pointer or fault.parameter or 'request'}: {fault.detail}" for fault in problem.errors or []]
    return RequestRefused("; ".join([problem.detail, *places]), code=problem.code, status=response.status_code)


def _reason(error: httpx.HTTPError) -> str:
    return str(error) or type(error).__name__
