"""Answer only requests that name this service by one of its own names.

A page of any site can have its name resolve to 127.0.0.1 once it is loaded (DNS rebinding); to a browser the service is
then of that page's own origin. The `Host` header still has the page's name, which no page can change.

Source: RFC 9110, sections 7.2 (`Host`) and 15.5.20 (421); RFC 9112, section 3.2.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self

from starlette.types import ASGIApp, Receive, Scope, Send

from ketline.api.responses.errors import HTTPProblem, problem_response

# What orchestrators ask by whatever address they have; it shows nothing but the service's health.
PROBES = frozenset({"/livez", "/readyz", "/health"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_LONGEST_REPEATED = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRule:
    """The names that are the service's own: exact ones, those below a domain, and perhaps every IP address, or any."""

    names: frozenset[str] = _LOOPBACK
    suffixes: tuple[str, ...] = ()
    any_address: bool = False
    anything: bool = False

    @classmethod
    def of(cls, configured: Sequence[str], bound: str) -> Self:
        """Loopback names, the address that is listened on, and what is configured: names, `*.domain`, `*`.

        A service that listens on every address of its machine has them all for names. An IP address as such is safe: a
        page that can be reached by it is a page of this service.
        """
        lowered = [name.lower() for name in configured]
        exact = {name.strip("[]") for name in (*lowered, bound.lower()) if not name.startswith("*")}
        return cls(
            names=_LOOPBACK | exact,
            suffixes=tuple(name[1:] for name in lowered if name.startswith("*.")),
            any_address=bound in {"0.0.0.0", "::"},  # noqa: S104 - compared, not bound
            anything="*" in lowered,
        )

    def allows(self, host: str) -> bool:
        """Whether the value of a `Host` header, with or without a port, is a name of the service."""
        if self.anything:
            return True
        name = _name(host)
        return name in self.names or name.endswith(self.suffixes) or (self.any_address and _is_address(name))


class AllowedHosts:
    """Refuses requests with another name than the service's own, but for probes."""

    def __init__(self, app: ASGIApp, *, rule: HostRule) -> None:
        self._app = app
        self._rule = rule

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := self._refusal(scope)) is not None:
            await problem_response(scope, refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> HTTPProblem | None:
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) > 1 or (not hosts and scope["http_version"] != "1.0"):
            return HTTPProblem("bad_request", "A request must have one Host header.")
        if not hosts or self._rule.allows(hosts[0]) or scope["path"] in PROBES:
            return None
        return HTTPProblem(
            "host_not_allowed",
            f"This service does not go by the name {_repeatable(hosts[0])!r}. If it is one of its names, "
            "add it to KETLINE_ALLOWED_HOSTS.",
        )


def _name(host: str) -> str:
    """The name without a port, a final dot, capitals, or the brackets around an IPv6 address."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].removesuffix(".")


def _repeatable(host: str) -> str:
    """The name as an answer may repeat it: short, and nothing that a browser could take for a part of a page."""
    return re.sub(r"[^a-z0-9.:_-]", "?", _name(host))[:_LONGEST_REPEATED]


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
