"""The adapter `ketline`: another Ketline service.

    KETLINE_BACKENDS="other=ketline:https://other.example.org;api_key_variable=OTHER_KEY"

The token is the idempotency key of the submission and a tag of the task, so that a repeated submission creates no
second task, and `reattach` finds the first. Programs are passed on as they were submitted. `registry.py`
opens the adapter.
"""

import os
from collections.abc import Mapping
from datetime import timedelta
from uuid import UUID

from ketline.client import (
    AddressInvalid,
    AsyncClient,
    BacklogFull,
    ClientError,
    RequestRefused,
    Retries,
    ServiceUnreachable,
    Task,
    TaskNotFound,
    TaskStatus,
    UnexpectedAnswer,
)
from ketline.domain.backends.backend_jobs import (
    BackendDescription,
    BackendJob,
    ClientToken,
    RemoteId,
    RemoteState,
    RemoteStatus,
    check_counts,
)
from ketline.domain.backends.backend_list import BackendEntry
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.devices.backend import BACKEND_NAME
from ketline.domain.errors import (
    BackendAccessDenied,
    BackendFailed,
    BackendJobNotFound,
    BackendOutcomeUnknown,
    BackendRefused,
    BackendResultInvalid,
    BackendUnavailable,
    ConfigurationInvalid,
)
from ketline.ports.backends import BackendAdapter

_PAUSE_SECONDS = 0.5
# Short, because the worker retries as well.
_RETRIES = Retries(max_seconds=2.0, first_contact_seconds=2.0)
_SILENCE_SECONDS = 30.0
# The limits of validation are lower than those of a task.
_LOWER_LIMITS = ("timeout", "memory_limit")
# The status of the job here, by the status of its task on the other service.
REMOTE_STATUSES: Mapping[TaskStatus, RemoteStatus] = {
    TaskStatus.PENDING: RemoteStatus.QUEUED,
    TaskStatus.PROCESSING: RemoteStatus.RUNNING,
    TaskStatus.COMPLETED: RemoteStatus.DONE,
    TaskStatus.FAILED: RemoteStatus.FAILED,
    TaskStatus.CANCELLED: RemoteStatus.CANCELLED,
}


class KetlineAdapter:
    """The service at `url`."""

    def __init__(self, url: str, api_key: str | None) -> None:
        self._client = AsyncClient(url, api_key=api_key, retries=_RETRIES, read_timeout_seconds=_SILENCE_SECONDS)

    def __repr__(self) -> str:
        return f"<KetlineAdapter of {self._client!r}>"

    async def describe(self) -> BackendDescription:
        try:
            backends = await self._client.backends()
        except ClientError as error:
            raise _failure(error) from error
        found = next((each for each in backends if each["name"] == BACKEND_NAME), backends[0])
        limits = found["limits"]
        return BackendDescription(
            name=found["name"],
            description=found["description"],
            num_qubits=limits["max_qubits"],
            gates=tuple(found["gates"]),
            formats=(ProgramFormat.OPENQASM3, ProgramFormat.OPENQASM2, ProgramFormat.QPY),
            flat=False,
            dynamic=True,
            max_shots=limits["max_shots"],
            takes_seed=True,
            simulator=True,
            recognises_tokens=True,
        )

    async def validate(self, job: BackendJob) -> None:
        description = await self.describe()
        if description.max_shots is not None and job.shots > description.max_shots:
            raise BackendRefused(f"{job.shots} shots are more than that service's {description.max_shots}.")
        try:
            found = await self._client.validate(job.program, format=job.format, inputs=job.inputs or None)
        except ClientError as error:
            raise _failure(error) from error
        problems = [each for each in found.diagnostics if each.severity == "error" and each.code not in _LOWER_LIMITS]
        if problems:
            first = problems[0]
            place = "" if first.line is None else f"line {first.line}: "
            raise BackendRefused(f"{place}{first.message}")

    async def submit(self, job: BackendJob, token: ClientToken) -> RemoteId:
        try:
            handle = await self._client.submit(
                job.program,
                idempotency_key=token,
                format=job.format,
                shots=job.shots,
                seed=job.seed,
                inputs=job.inputs or None,
                tags=[_tag(token)],
            )
        except ServiceUnreachable as error:
            raise BackendOutcomeUnknown(f"The service did not answer: {error}") from error
        except ClientError as error:
            raise _failure(error) from error
        return RemoteId(str(handle.task_id))

    async def poll(self, remote_id: RemoteId) -> RemoteState:
        task = await self._task(remote_id)
        message = None if task.error is None else f"{task.error.code}: {task.error.message}"
        return RemoteState(status=REMOTE_STATUSES[task.status], message=message, pause_seconds=_PAUSE_SECONDS)

    async def result(self, remote_id: RemoteId, job: BackendJob) -> Mapping[str, int]:
        task = await self._task(remote_id)
        if task.result is None:
            raise BackendFailed(f"The task is {task.status} and has no counts.")
        if len(task.result.points) != 1:
            raise BackendResultInvalid("The result is that of a sweep.")
        counts = dict(task.result.counts)
        check_counts(counts, job)
        return counts

    async def cancel(self, remote_id: RemoteId) -> None:
        try:
            await self._client.cancel(_task_id(remote_id))
        except ClientError as error:
            if error.code != "task_ended":
                raise _failure(error) from error

    async def reattach(self, token: ClientToken) -> RemoteId | None:
        try:
            async for task in self._client.tasks(tag=_tag(token), most=1):
                return RemoteId(str(task.task_id))
        except ClientError as error:
            raise _failure(error) from error
        return None  # submitting again with the same idempotency key gives the same task

    async def close(self) -> None:
        await self._client.close()

    async def _task(self, remote_id: RemoteId) -> Task:
        try:
            return await self._client.get(_task_id(remote_id))
        except ClientError as error:
            raise _failure(error) from error


def open_adapter(entry: BackendEntry) -> BackendAdapter:
    """Open the service that an entry names by its URL; its API key is in the variable that an option names.

    Raises:
        ConfigurationInvalid: the URL is invalid, or it is not clear which key is meant.
    """
    if set(entry.options) - {"api_key_variable"}:
        raise ConfigurationInvalid("the only option of a Ketline service is `api_key_variable`")
    variable = entry.options.get("api_key_variable")
    key = None if variable is None else os.environ.get(variable)
    if variable is not None and not key:
        raise ConfigurationInvalid(f"the variable {variable} is not set; it has the API key")
    if variable is None and os.environ.get("KETLINE_API_KEY"):
        # The client would take it, and send the key of one service to another.
        raise ConfigurationInvalid("KETLINE_API_KEY is set; say by `api_key_variable` which key this service gets")
    if not entry.argument:
        raise ConfigurationInvalid("name the URL of the service, as in ketline:https://other.example.org")
    try:
        return KetlineAdapter(entry.argument, key)
    except AddressInvalid as error:
        raise ConfigurationInvalid(str(error)) from error


def _tag(token: ClientToken) -> str:
    return f"token-{token}"


def _task_id(remote_id: RemoteId) -> UUID:
    try:
        return UUID(remote_id)
    except ValueError as error:
        raise BackendJobNotFound("This is not the id of a task.") from error


def _failure(error: ClientError) -> BackendFailed:
    """The error of an adapter for one of the client; nothing was changed by a call that a service rejected."""
    text = str(error)
    if isinstance(error, TaskNotFound):
        return BackendJobNotFound(text)
    if isinstance(error, (BacklogFull, ServiceUnreachable)):
        return BackendUnavailable(text, delay=timedelta(seconds=5))
    if isinstance(error, RequestRefused) and error.status in (401, 403):
        return BackendAccessDenied(f"The service rejects the API key: {text}")
    if isinstance(error, RequestRefused) and error.status >= 500:
        return BackendUnavailable(text)
    return BackendFailed(text) if isinstance(error, UnexpectedAnswer) else BackendRefused(text)
