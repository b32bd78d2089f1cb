"""A middleware that accepts only requests whose `Host` header is one of the service's names.

It prevents DNS rebinding: a page of any site can make its own host name resolve to 127.0.0.1 after it has loaded; the
browser then treats this service as part of that site. The `Host` header still has the name of that site.

Source: RFC 9110, sections 7.2 (`Host`) and 15.5.20 (421); RFC 9112, section 3.2.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self

from starlette.types import ASGIApp, Receive, Scope, Send

from ketline.api.responses.errors import HTTPProblem, problem_response

# Orchestrators call these by any address; they show only the service's health.
PROBES = frozenset({"/livez", "/readyz", "/health"})
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_MAX_REPEATED_CHARACTERS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRule:
    """The names of the service: exact names, suffixes of domains, optionally every IP address, or any name."""

    names: frozenset[str] = LOOPBACK
    suffixes: tuple[str, ...] = ()
    any_address: bool = False
    anything: bool = False

    @classmethod
    def of(cls, configured: Sequence[str], bound: str) -> Self:
        """The rule for the configured names (`name`, `*.domain`, `*`), the listening address and loopback names.

        A service that listens on all addresses accepts every IP address. That is safe, because DNS rebinding needs a
        host name.
        """
        lowered = [name.lower() for name in configured]
        exact = {name.strip("[]") for name in (*lowered, bound.lower()) if not name.startswith("*")}
        return cls(
            names=LOOPBACK | exact,
            suffixes=tuple(name[1:] for name in lowered if name.startswith("*.")),
            any_address=bound in {"0.0.0.0", "::"},  # noqa: S104 - compared, not bound
            anything="*" in lowered,
        )

    def allows(self, host: str) -> bool:
        """Whether the value of a `Host` header, with or without a port, is a name of the service."""
        if self.anything:
            return True
        name = host_name(host)
        return name in self.names or name.endswith(self.suffixes) or (self.any_address and _is_address(name))


class AllowedHosts:
    """Rejects requests with any other host name, except health probes."""

    def __init__(self, app: ASGIApp, *, rule: HostRule) -> None:
        self._app = app
        self._rule = rule

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (problem := self._problem(scope)) is not None:
            await problem_response(scope, problem)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _problem(self, scope: Scope) -> HTTPProblem | None:
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) > 1 or (not hosts and scope["http_version"] != "1.0"):
            return HTTPProblem("bad_request", "A request must have one Host header.")
        if not hosts or self._rule.allows(hosts[0]) or scope["path"] in PROBES:
            return None
        return HTTPProblem(
            "host_not_allowed",
            f"{_repeatable(hosts[0])!r} is not a name of this service; "
            "if it should be, add it to KETLINE_ALLOWED_HOSTS.",
        )


def host_name(host: str) -> str:
    """The host name in lower case, without port, final dot, or the brackets of an IPv6 address."""
    host = host.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].removesuffix(".")


def _repeatable(host: str) -> str:
    """The host name for an error message: shortened, and without characters that are special in HTML."""
    return re.sub(r"[^a-z0-9.:_-]", "?", host_name(host))[:_MAX_REPEATED_CHARACTERS]


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
