"""Addresses of callbacks: which URLs a task may name, and which addresses of the network the service may connect to."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit

from ketline.domain.limits import MAX_CALLBACK_CHARACTERS

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

HTTP, HTTPS = "http", "https"
_DEFAULT_PORTS = {HTTP: 80, HTTPS: 443}
FIRST_UNPRIVILEGED_PORT = 1024

_URL_CHARACTERS = re.compile(r"[!$-;=?-Z\[\]_a-z~]+")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9.])?")
# Not public, or only for the machines of one cloud, although some versions of `ipaddress` take them for public.
# Source: RFC 6890; Microsoft, "What is IP address 168.63.129.16?"
_REJECTED = tuple(map(IPv4Network, ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")))
# Source: RFC 4291 (global unicast), and RFC 6052 (IPv4 addresses behind a NAT64, which are in the last 32 bits).
_GLOBAL_UNICAST, _NAT64 = IPv6Network("2000::/3"), IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallbackUrl:
    """The parts of a valid URL; `target` is the path with the query, and `host` has no brackets."""

    scheme: str
    host: str
    port: int
    target: str


def parse_callback(text: str) -> CallbackUrl:
    """The parts of the URL of a callback.

    Raises:
        ValueError: it is not a possible one; the message says why.
    """
    if len(text) > MAX_CALLBACK_CHARACTERS:
        raise ValueError(f"must have at most {MAX_CALLBACK_CHARACTERS} characters")
    if not _URL_CHARACTERS.fullmatch(text):
        raise ValueError("must be a URL in ASCII, without spaces, backslashes or a fragment")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError("must be a URL with a valid host and port") from error
    if parts.scheme not in _DEFAULT_PORTS or "://" not in text:
        raise ValueError("must be an https:// or http:// URL")
    if "@" in parts.netloc:
        raise ValueError("must not contain a user name or a password")
    host = parts.hostname or ""
    if not (_HOST.fullmatch(host) or _is_ipv6(host)) or port == 0:
        raise ValueError("must be a URL with a valid host and port")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return CallbackUrl(scheme=parts.scheme, host=host, port=port or _DEFAULT_PORTS[parts.scheme], target=target)


@dataclass(frozen=True, slots=True)
class CallbackRule:
    """Which addresses callbacks may go to: public ones by HTTPS, and those of the `allowed` networks also by HTTP.

    A public address is reached on ports 443 and 1024 or higher, an allowed one on any port.
    """

    allowed: Sequence[Network] = ()

    def rejection(self, url: CallbackUrl) -> str | None:
        """Why a URL can never be called, whatever its host name resolves to; None if it may be."""
        literal = _literal(url.host)
        if literal is not None:
            return self.rejection_of(literal, url)
        return None if self.allowed else _rejection_of_public(url)

    def rejection_of(self, address: Address, url: CallbackUrl) -> str | None:
        """Why an address that the host of a URL resolves to must not be connected to; None if it may be."""
        if any(address in network for network in self.allowed):  # guard: callback.allowed
            return None
        if not _is_public(address):  # guard: callback.public
            return "its host has no public address"
        return _rejection_of_public(url)


def _rejection_of_public(url: CallbackUrl) -> str | None:
    if url.scheme != HTTPS:
        return "it must be an https:// URL"
    if url.port != _DEFAULT_PORTS[HTTPS] and url.port < FIRST_UNPRIVILEGED_PORT:
        return f"its port must be 443, or {FIRST_UNPRIVILEGED_PORT} or higher"
    return None


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address):
        embedded = _embedded(address)
        is_global = address in _GLOBAL_UNICAST and address.is_global
        return all(map(_is_public, embedded)) and (is_global or bool(embedded))
    # `is_global` alone is true of multicast addresses.
    rejected = address.is_multicast or any(address in network for network in _REJECTED)
    return address.is_global and not rejected


def _embedded(address: IPv6Address) -> Sequence[IPv4Address]:
    """The IPv4 addresses that an IPv6 address stands for."""
    behind_nat64 = IPv4Address(int(address) & 0xFFFFFFFF) if address in _NAT64 else None
    candidates = (address.ipv4_mapped, address.sixtofour, *(address.teredo or ()), behind_nat64)
    return [one for one in candidates if one is not None]


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _is_ipv6(host: str) -> bool:
    literal = _literal(host)
    # A zone, as in fe80::1%eth0, names an interface of one machine.
    return isinstance(literal, IPv6Address) and literal.scope_id is None
