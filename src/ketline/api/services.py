"""The services and options of the API, and how routes get them from a request."""

from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address

from fastapi import Request

from ketline.api.requests.hosts import HostRule
from ketline.api.responses.errors import CORRELATION_KEY
from ketline.domain.access.audit import UNKNOWN_ORIGIN, Actor
from ketline.domain.access.principals import Principal
from ketline.domain.ids import CorrelationId
from ketline.domain.webhooks.callback_url import CallbackRule
from ketline.ports.operations.tracing import RequestTrace
from ketline.schemas.legacy import ResultShape
from ketline.service.services import Services

# JSON may write each byte of a program as a six-character \uXXXX escape; the rest leaves room for the other fields.
_ESCAPED_BYTE_LENGTH = 6
_ENVELOPE_BYTES = 64 * 1024

# In the scope of a request that the guard has admitted.
PRINCIPAL_KEY = "ketline.principal"
SERVICES_KEY = "ketline.services"
# Also the token of the session, if the request was sent with its cookie.
SESSION_KEY = "ketline.session"
# And why its form may not be acted upon, for the routes that show such a form again.
REJECTED_FORM_KEY = "ketline.rejected_form"


# The trace of every request.
TRACE_KEY = "ketline.trace"


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOptions:
    """Limits of submissions, the shape of tasks, the host names that requests may use, and the state of the process.

    `stopping` returns True once the process has begun to shut down. With `several_projects` a sender may be a member of
    several projects, and names one in a header. `callbacks` says which URLs may be named as callbacks.
    """

    default_shots: int
    max_shots: int
    max_program_bytes: int
    version: str
    revision: str | None = None
    max_timeout_seconds: float = 3600.0
    max_attempts: int = 10
    max_wait_seconds: float = 60.0
    result_shape: ResultShape = ResultShape.FULL
    hosts: HostRule = field(default_factory=HostRule)
    stopping: Callable[[], bool] = _never
    several_projects: bool = False
    callbacks: CallbackRule = field(default_factory=CallbackRule)

    @property
    def max_body_bytes(self) -> int:
        """The largest body that a program of the permitted size can need."""
        return _ESCAPED_BYTE_LENGTH * self.max_program_bytes + _ENVELOPE_BYTES


# Plain functions, because as FastAPI dependencies they raised the time of a submission from 100 to 167 us.
def services_of(request: Request) -> Services:
    """The services for the project of the request's sender, whom the guard has admitted."""
    services: Services = request.scope[SERVICES_KEY]
    return services


def principal_of(request: Request) -> Principal:
    """The sender of the request, whom the guard has admitted."""
    principal: Principal = request.scope[PRINCIPAL_KEY]
    return principal


def actor_of(request: Request) -> Actor:
    """The sender of the request, as the audit log names it."""
    principal = principal_of(request)
    return Actor(owner=principal.owner, key_id=principal.key_id, origin=origin_of(request))


def origin_of(request: Request) -> str | None:
    """The address that the request came from, None where connections have none, as on a Unix socket.

    A proxy may forward anything as an address: what is none is `UNKNOWN_ORIGIN`.
    """
    return None if request.client is None else _address(request.client.host)


def _address(host: str) -> str:
    # The zone of an IPv6 address can be any text.
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return UNKNOWN_ORIGIN
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def options_of(request: Request) -> ApiOptions:
    """The options of the application."""
    options: ApiOptions = request.app.state.options
    return options


def trace_of(request: Request) -> RequestTrace:
    """The trace of the request, which the middleware has begun."""
    trace: RequestTrace = request.scope[TRACE_KEY]
    return trace


def correlation_id_of(request: Request) -> CorrelationId:
    """The correlation id that the middleware gave the request."""
    return CorrelationId(request.scope[CORRELATION_KEY])
