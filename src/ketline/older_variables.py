"""Variables that deployments of older services set: the setting each one means, or why it is not used.

`config` takes the values where Ketline's own names are not set, and the commands warn about the rest when they start.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ketline.database_url import DEFAULT_DATABASE_URL

_PORT = re.compile(r"\d{1,5}")
_HOST = re.compile(r"[A-Za-z0-9_.:-]+")
_DATABASE = re.compile(r"[A-Za-z_][A-Za-z0-9_$-]{0,62}")
_BROKER = re.compile(r"(?:py)?(amqps?://[^;]+)|(rediss?://[^;]+)")
_HIGHEST_PORT = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class OlderVariable:
    """A variable of older services.

    `meaning` gives the value of the first of `settings` that a text of the variable means, None where it has
    none; then `otherwise` says why the variable is not used. Nor is it used if another variable sets one of `settings`.
    """

    name: str
    settings: Sequence[str]
    meaning: Callable[[str], object]
    otherwise: str


def _port(text: str) -> int | None:
    # Kubernetes sets API_PORT to tcp://… for a Service named "api".
    return int(text) if _PORT.fullmatch(text) and int(text) <= _HIGHEST_PORT else None


def _host(text: str) -> str | None:
    return text if _HOST.fullmatch(text) else None


def _broker(text: str) -> str | None:
    found = _BROKER.fullmatch(text)
    return None if found is None else found[1] or found[2]


def _database(text: str) -> str | None:
    return f"{DEFAULT_DATABASE_URL.rpartition('/')[0]}/{text}" if _DATABASE.fullmatch(text) else None


# The first of several variables of one setting takes precedence.
OLDER_VARIABLES: Sequence[OlderVariable] = (
    OlderVariable(name="API_PORT", settings=("port",), meaning=_port, otherwise="it is not the number of a port"),
    OlderVariable(name="PORT", settings=("port",), meaning=_port, otherwise="it is not the number of a port"),
    OlderVariable(name="API_HOST", settings=("host",), meaning=_host, otherwise="it is not an address or a host name"),
    OlderVariable(
        name="CELERY_BROKER_URL",
        settings=("queue_url", "rabbitmq_url", "redis_url"),
        meaning=_broker,
        otherwise="it is not one URL that begins with amqp://, amqps://, redis:// or rediss://",
    ),
    OlderVariable(
        name="CELERY_RESULT_BACKEND",
        settings=(),
        meaning=lambda _: None,
        otherwise="results are stored in the database that DATABASE_URL names",
    ),
    OlderVariable(
        name="DATABASE_NAME",
        settings=("database_url",),
        meaning=_database,
        otherwise="it is not a plain name of a PostgreSQL database; set DATABASE_URL",
    ),
)


@dataclass(frozen=True, slots=True)
class OlderSettings:
    """The older variables of an environment: `values` by setting, and the reason why each in `unused` is not used."""

    values: dict[str, object] = field(default_factory=dict)
    unused: dict[str, str] = field(default_factory=dict)


def older_settings(
    environment: Mapping[str, str | None], own: Mapping[str, str], without: frozenset[str] = frozenset()
) -> OlderSettings:
    """The meaning of the older variables of an environment.

    `own` has, by setting, the name under which Ketline's own variables set it; these take precedence. The settings in
    `without` are those that this process does not use.
    """
    found, sources = OlderSettings(), dict(own)
    for variable in OLDER_VARIABLES:
        if not (text := environment.get(variable.name)):
            continue
        source = next((sources[setting] for setting in variable.settings if setting in sources), None)
        value = variable.meaning(text)
        if without.intersection(variable.settings):
            found.unused[variable.name] = "the embedded service has its own database and queue"
        elif source is not None:
            found.unused[variable.name] = f"{source} takes precedence"
        elif value is None:
            found.unused[variable.name] = variable.otherwise
        else:
            setting = variable.settings[0]
            found.values[setting], sources[setting] = value, variable.name
    return found
