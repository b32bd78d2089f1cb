"""Where a service is, and with what key it is asked."""

import os
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from ketline.client.errors import ClientError

DEFAULT_URL = "http://127.0.0.1:8000"
URL_VARIABLE, KEY_VARIABLE = "KETLINE_URL", "KETLINE_API_KEY"


class AddressInvalid(ClientError, ValueError):
    """The address of a service, or the key for it, cannot be one."""

    code = "address_invalid"


def service_url(url: str | None) -> str:
    """The address to use: the one given, that of the environment, or that of `ketline up`.

    Raises:
        AddressInvalid: it is not one of HTTP.
    """
    chosen = (url or os.environ.get(URL_VARIABLE) or DEFAULT_URL).strip().rstrip("/")
    try:
        parts = urlsplit(chosen)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        # A name of a host that has no place in a request, such as a..b, is a ValueError here.
        (parts.hostname or "").encode("idna")
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment:
        raise AddressInvalid(f"A service's address is like {DEFAULT_URL}; {_without_secrets(chosen)!r} is not.")
    # However it is written, others go by how it begins.
    return parts.scheme + chosen[len(parts.scheme) :]


def is_loopback(url: str) -> bool:
    """Whether the service at this address is on this machine, where no proxy would find it."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def shown_url(url: str) -> str:
    """The address without what is secret in it."""
    return _without_secrets(url)


def request_headers(api_key: str | None, agent: str) -> Mapping[str, str]:
    """What every request says of its client.

    Raises:
        AddressInvalid: the key has characters that a header cannot have.
    """
    key = (api_key or os.environ.get(KEY_VARIABLE) or "").strip()
    if not (key.isascii() and key.isprintable()):
        raise AddressInvalid("An API key has printable ASCII characters only; this one has others.")
    return {"user-agent": agent, **({"authorization": f"Bearer {key}"} if key else {})}


def _without_secrets(url: str) -> str:
    before, at, after = url.rpartition("@")
    return f"{before.partition('//')[0]}//{after}" if at else url
