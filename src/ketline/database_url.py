"""Parses URLs of PostgreSQL databases as libpq does: several hosts, TLS, connect timeout.

`config` checks the settings with it, and `db.engine.connector` connects with the result; it needs no driver.

Source: PostgreSQL documentation, section 34.1.1.2 "Connection URIs" and 34.1.2 "Parameter Key Words".
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlencode

DEFAULT_DATABASE_URL = "postgresql+asyncpg://ketline:ketline@localhost:5432/ketline"
CONNECT_TIMEOUT_SECONDS = 5.0
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_VERIFYING = frozenset({"verify-ca", "verify-full"})
_SESSIONS = ("any", "primary", "read-write")
_FILES = frozenset({"sslcert", "sslkey", "sslrootcert", "sslcrl", "passfile"})
# Parameters that asyncpg reads from a URL.
_DRIVER_PARAMETERS = _FILES | {
    "user",
    "password",
    "dbname",
    "sslpassword",
    "sslnegotiation",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "krbsrvname",
    "gsslib",
    "options",
}
# Values that ask for nothing asyncpg would do; others are rejected.
_WITHOUT_EFFECT = {"gssencmode": {"disable", "prefer"}, "channel_binding": {"disable", "prefer"}}
# Parameters of SQLAlchemy's engine, which older URLs may have; they are ignored.
_ENGINE_PARAMETERS = ("command_timeout", "statement_cache_size", "prepared_statement_cache_size")
_HOST = re.compile(r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<name>[^:\[\]]*))(?::(?P<port>\d{1,5}))?")

Host = tuple[str | None, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresAddress:
    """How to connect to a database: `dsn` has everything except the hosts, which are tried in order.

    With `system_authorities` the server's certificate is verified by those that the operating system trusts, which the
    driver does not do by itself.
    """

    dsn: str
    system_authorities: bool
    hosts: Sequence[Host]
    target_session_attrs: str
    connect_timeout_seconds: float


def parse_postgres_url(url: str) -> PostgresAddress:
    """Parse a URL with the scheme of PostgreSQL, with or without a driver.

    Raises:
        ValueError: the URL is malformed, or a parameter is unknown or unsupported; the message repeats no values.
    """
    authority, _, query = url.partition("://")[2].partition("?")
    authority, _, database = authority.partition("/")
    user, _, netloc = authority.rpartition("@")
    parameters = _Parameters(query)
    hosts = _hosts(netloc, parameters)
    several = len(hosts) > 1
    system_authorities = parameters.system_authorities()
    return PostgresAddress(
        # The service has to write, so of several hosts it needs the primary.
        target_session_attrs=parameters.choice("target_session_attrs", _SESSIONS)
        or ("read-write" if several else "any"),
        connect_timeout_seconds=parameters.seconds("connect_timeout", "timeout") or CONNECT_TIMEOUT_SECONDS,
        hosts=hosts,
        system_authorities=system_authorities,
        dsn=f"postgresql://{user}{'@' if user else ''}/{database}{parameters.rest()}",
    )


class _Parameters:
    """The parameters of a URL, each removed when it is read."""

    def __init__(self, query: str) -> None:
        self._found: dict[str, list[str]] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            self._found.setdefault(name, []).append(value)

    def several(self, name: str) -> list[str]:
        return [part for value in self._found.pop(name, ()) for part in value.split(",")]

    def one(self, name: str) -> str | None:
        values = self._found.pop(name, [])
        if len(values) > 1:
            raise ValueError(f"the parameter {name} is given twice")
        return values[0] if values else None

    def choice(self, name: str, choices: Sequence[str]) -> str | None:
        value = self.one(name)
        if value is not None and value not in choices:
            raise ValueError(f"the parameter {name} must be one of {', '.join(choices)}")
        return value

    def seconds(self, name: str, older_name: str) -> float | None:
        values = [value for value in (self.one(name), self.one(older_name)) if value is not None]
        if not values:
            return None
        if not re.fullmatch(r"[1-9]\d{0,3}", values[0]):
            raise ValueError(f"the parameter {name} must be a number of seconds from 1 to 9999")
        return float(values[0])

    def system_authorities(self) -> bool:
        """Whether `sslrootcert=system` is given, which is then removed: it means full verification, as with libpq."""
        if self._found.get("sslrootcert") != ["system"]:
            return False
        if self._ssl_mode() not in {None, "verify-full"}:
            raise ValueError("the parameter sslrootcert=system needs sslmode=verify-full")
        if {"sslcert", "sslkey", "sslcrl"} & self._found.keys():
            raise ValueError("with sslrootcert=system the parameters sslcert, sslkey and sslcrl are not supported")
        del self._found["sslrootcert"]
        return True

    def rest(self) -> str:
        """The remaining parameters, for the driver, as the end of a URL."""
        remaining = {"sslmode": self._ssl_mode()}
        if remaining["sslmode"] in _VERIFYING and not ("sslrootcert" in self._found or _has_default_authority()):
            raise ValueError(
                f"sslmode={remaining['sslmode']} needs the authority that signed the server's certificate: add "
                "sslrootcert with a file, or sslrootcert=system"
            )
        for name, values in _WITHOUT_EFFECT.items():
            self.choice(name, sorted(values))
        # Ignored, because Ketline sets the name of each session itself.
        for name in ("application_name", *_ENGINE_PARAMETERS):
            self.one(name)
        if "database" in self._found:
            self._found["dbname"] = self._found.pop("database")
        for name in list(self._found):
            if name not in _DRIVER_PARAMETERS:
                raise ValueError(f"the parameter {name} is not known here; leave it out")
            remaining[name] = self.one(name)
            if name in _FILES and not Path(remaining[name] or "").expanduser().exists():
                raise ValueError(f"the file that the parameter {name} names does not exist")
        given = {name: value for name, value in remaining.items() if value is not None}
        return f"?{urlencode(given)}" if given else ""

    def _ssl_mode(self) -> str | None:
        older = self.choice("ssl", ("true", "false", *_SSL_MODES))
        mode = self.choice("sslmode", _SSL_MODES)
        return mode or {"true": "require", "false": "disable"}.get(older or "", older)


def _has_default_authority() -> bool:
    """Whether the driver finds an authority where libpq looks for one."""
    return bool(os.environ.get("PGSSLROOTCERT")) or Path("~/.postgresql/root.crt").expanduser().exists()


def _hosts(netloc: str, parameters: _Parameters) -> Sequence[Host]:
    named = parameters.several("host") or (netloc.split(",") if netloc else [])
    ports = parameters.several("port")
    hosts = [_host(unquote(name)) for name in named] or [(None, None)]
    if ports and len(ports) not in {1, len(hosts)}:
        raise ValueError("the parameter port must hold one port, or one for each host")
    if not all(re.fullmatch(r"\d{1,5}", port) for port in ports):
        raise ValueError("the parameter port must hold numbers")
    given: list[int | None] = [int(port) for port in ports] or [None]
    given = given if len(given) == len(hosts) else given * len(hosts)
    return tuple((host, port or other) for (host, port), other in zip(hosts, given, strict=True))


def _host(text: str) -> Host:
    if text.startswith("/"):
        return text, None  # the directory of a Unix socket
    found = _HOST.fullmatch(text)
    if found is None:
        raise ValueError("a host must be a name or an address, an IPv6 address in brackets, with :port if need be")
    port = found["port"]
    return found["v6"] or found["name"] or None, int(port) if port else None
