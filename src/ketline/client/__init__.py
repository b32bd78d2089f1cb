"""The Python client of a Ketline service, with and without asyncio."""

from ketline.client.address import AddressInvalid
from ketline.client.async_handle import AsyncTaskHandle
from ketline.client.asynchronous import AsyncClient
from ketline.client.errors import (
    BacklogFull,
    BatchIncomplete,
    CertificateInvalid,
    CircuitNotConvertible,
    ClientError,
    FieldFault,
    LibraryMissing,
    NoResult,
    RequestInvalid,
    RequestRefused,
    ServiceUnreachable,
    TaskCancelled,
    TaskFailed,
    TaskNotFound,
    UnexpectedAnswer,
    WaitTimeout,
)
from ketline.client.handle import TaskHandle
from ketline.client.models import (
    Change,
    Diagnostic,
    Event,
    Failure,
    Output,
    Principal,
    Profile,
    ProgramWarning,
    Queue,
    Result,
    Statistics,
    Task,
    TaskPage,
    Validation,
    Worker,
)
from ketline.client.retries import Retries
from ketline.client.sync import Client
from ketline.client.trace_context import trace_context
from ketline.domain.status import TaskStatus

__all__ = [
    "AddressInvalid",
    "AsyncClient",
    "AsyncTaskHandle",
    "BacklogFull",
    "BatchIncomplete",
    "CertificateInvalid",
    "Change",
    "CircuitNotConvertible",
    "Client",
    "ClientError",
    "Diagnostic",
    "Event",
    "Failure",
    "FieldFault",
    "LibraryMissing",
    "NoResult",
    "Output",
    "Principal",
    "Profile",
    "ProgramWarning",
    "Queue",
    "RequestInvalid",
    "RequestRefused",
    "Result",
    "Retries",
    "ServiceUnreachable",
    "Statistics",
    "Task",
    "TaskCancelled",
    "TaskFailed",
    "TaskHandle",
    "TaskNotFound",
    "TaskPage",
    "TaskStatus",
    "UnexpectedAnswer",
    "Validation",
    "WaitTimeout",
    "Worker",
    "trace_context",
]
