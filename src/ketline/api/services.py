"""The services and options of the API, and how routes get them from a request."""

from collections.abc import Callable
from dataclasses import dataclass, field

from fastapi import Request

from ketline.api.requests.hosts import HostRule
from ketline.api.responses.errors import CORRELATION_KEY
from ketline.domain.task import CorrelationId
from ketline.service.services import Services

# JSON may write each byte of a program as a six-character \uXXXX escape; the rest leaves room for the other fields.
_ESCAPED_BYTE_LENGTH = 6
_ENVELOPE_BYTES = 64 * 1024


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOptions:
    """Limits of submissions, the host names that requests may use, and the state of the process.

    `stopping` returns True once the process has begun to shut down.
    """

    default_shots: int
    max_shots: int
    max_program_bytes: int
    version: str
    max_timeout_seconds: float = 3600.0
    max_attempts: int = 10
    max_wait_seconds: float = 60.0
    hosts: HostRule = field(default_factory=HostRule)
    stopping: Callable[[], bool] = _never

    @property
    def max_body_bytes(self) -> int:
        """The largest body that a program of the permitted size can need."""
        return _ESCAPED_BYTE_LENGTH * self.max_program_bytes + _ENVELOPE_BYTES


# Plain functions, because as FastAPI dependencies they raised the time of a submission from 100 to 167 us.
def services_of(request: Request) -> Services:
    """The services of the application."""
    services: Services = request.app.state.services
    return services


def options_of(request: Request) -> ApiOptions:
    """The options of the application."""
    options: ApiOptions = request.app.state.options
    return options


def correlation_id_of(request: Request) -> CorrelationId:
    """The correlation id that the middleware gave the request."""
    return CorrelationId(request.scope[CORRELATION_KEY])
