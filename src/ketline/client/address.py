"""The URL of a service and the headers of requests, from arguments and environment variables.

Both clients, the command line and the adapter `ketline` of backends resolve them here.
"""

import os
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from ketline.client.errors import ClientError

DEFAULT_URL = "http://127.0.0.1:8000"
URL_VARIABLE, KEY_VARIABLE = "KETLINE_URL", "KETLINE_API_KEY"


class AddressInvalid(ClientError, ValueError):
    """The address of a service is not an HTTP URL, or its API key has characters that a header cannot have."""

    code = "address_invalid"


def service_url(url: str | None) -> str:
    """The URL to use: `url`, or else `KETLINE_URL`, or else that of `ketline up` on this machine.

    Raises:
        AddressInvalid: it is not an HTTP URL.
    """
    chosen = (url or os.environ.get(URL_VARIABLE) or DEFAULT_URL).strip().rstrip("/")
    try:
        parts = urlsplit(chosen)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        # A host name that no request can have, such as a..b, is a ValueError here.
        (parts.hostname or "").encode("idna")
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment:
        raise AddressInvalid(
            f"The address of a service is an HTTP URL such as {DEFAULT_URL}, not {_without_secrets(chosen)!r}."
        )
    # Lower-case scheme, because later checks compare the beginning of the URL.
    return parts.scheme + chosen[len(parts.scheme) :]


def is_loopback(url: str) -> bool:
    """Whether the URL is one of this machine, which must not be reached through a proxy."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def shown_url(url: str) -> str:
    """The URL without user name and password, for messages."""
    return _without_secrets(url)


def request_headers(api_key: str | None, agent: str) -> Mapping[str, str]:
    """The headers of every request: the user agent and, if there is one, the API key.

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
