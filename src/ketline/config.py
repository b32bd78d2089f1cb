"""The settings: one frozen object from `KETLINE_*` variables, `.env`, and the names that older deployments use.

`cli` loads them once, and `runtime` passes their values on.
"""

import os
import re
import socket
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from uuid import uuid4

from dotenv import dotenv_values
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from ketline.database_url import DEFAULT_DATABASE_URL, parse_postgres_url
from ketline.domain.access.groups import parse_groups
from ketline.domain.access.principals import AuthMode
from ketline.domain.access.quotas import ProjectQuotas, parse_quotas
from ketline.domain.access.rate_limits import RateLimit, parse_rate_limits
from ketline.domain.backends.backend_list import BackendEntry, parse_backends
from ketline.domain.devices.backend import CHOSEN_ENGINES, Engine
from ketline.domain.errors import ConfigurationInvalid
from ketline.domain.tasks.kind import TaskKind
from ketline.older_variables import OlderSettings, older_settings
from ketline.schemas.legacy import ResultShape

PREFIX = "KETLINE_"
# Used by the commands that are clients, not by the service.
API_KEY_VARIABLE = "KETLINE_API_KEY"
CLIENT_VARIABLES = frozenset({"KETLINE_URL", API_KEY_VARIABLE})

_HOST_NAME = re.compile(r"\*|(\*\.)?[A-Za-z0-9_][A-Za-z0-9_.-]*|\[?[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*\]?")

# Settings that the embedded service does not use.
_OF_THE_DISTRIBUTED_SERVICE = frozenset({"database_url", "queue_url"})
RABBITMQ_SCHEMES = ("amqp://", "amqps://")
REDIS_SCHEMES = ("redis://", "rediss://")

MEBIBYTE = 1024 * 1024

Seconds = Annotated[float, Field(gt=0)]


def _also(name: str, *older_names: str) -> AliasChoices:
    return AliasChoices(f"{PREFIX}{name}", *older_names)


def _default_data_dir() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "ketline"


def _default_worker_id() -> str:
    return f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:6]}"


def available_cores() -> int:
    """The number of cores that this process may use, which can be fewer than the machine has."""
    return len(os.sched_getaffinity(0))


class Settings(BaseSettings):
    """Everything an operator can set; each description is the variable's row in docs/settings.md."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
        validate_default=True,
    )

    data_dir: Path = Field(
        default_factory=_default_data_dir,
        description="Directory of the embedded service's SQLite database.",
    )
    database_url: SecretStr = Field(
        default=SecretStr(DEFAULT_DATABASE_URL),
        validation_alias=_also("DATABASE_URL", "DATABASE_URL"),
        description="Database of the distributed service.",
    )
    database_direct_url: SecretStr | None = Field(
        default=None,
        description="The database without the pooler that `DATABASE_URL` names, for LISTEN and migrations.",
    )
    rabbitmq_url: SecretStr = Field(
        default=SecretStr("amqp://guest:guest@localhost:5672/"),
        validation_alias=_also("RABBITMQ_URL", "RABBITMQ_URL"),
        description="RabbitMQ as the broker of the distributed service, unless `KETLINE_QUEUE_URL` is set.",
    )
    redis_url: SecretStr | None = Field(
        default=None,
        validation_alias=_also("REDIS_URL", "REDIS_URL"),
        description="Redis as the broker, if neither `KETLINE_QUEUE_URL` nor `RABBITMQ_URL` is set.",
    )
    queue_url: SecretStr | None = Field(
        default=None,
        description="Broker of the distributed service, whatever the other two URLs are: RabbitMQ by an `amqp://` or "
        "`amqps://` URL, Redis by a `redis://` or `rediss://` URL.",
    )
    task_queue_name: str = Field(
        default="quantum_tasks",
        min_length=1,
        max_length=200,
        validation_alias=_also("TASK_QUEUE_NAME", "TASK_QUEUE_NAME"),
        description="Queue of the distributed service; `.dead` is appended for its dead-letter queue.",
    )
    host: str = Field(default="127.0.0.1", description="Address the API listens on.")
    allowed_hosts: str = Field(
        default="",
        description="Host names that requests may use beside loopback names and the address that the API listens "
        "on; separated by commas, with `*.example.org` and `*` for all.",
    )
    auth: str | None = Field(
        default=None,
        description="How requests are authenticated: `off`, or `keys` for API keys, `oidc` for tokens of an OpenID "
        "Connect issuer, or both, separated by a comma. Without it the service authenticates nobody, and starts only "
        "on a loopback address.",
    )
    oidc_issuer: str | None = Field(
        default=None, description="URL of the OpenID Connect issuer, as its tokens have it in `iss`."
    )
    oidc_audience: str | None = Field(
        default=None, description="What tokens must have in `aud`: how the issuer calls this service."
    )
    oidc_client_id: str | None = Field(
        default=None, description="Name of this service as a client of the issuer, for the sign-in of browsers."
    )
    oidc_client_secret: SecretStr | None = Field(
        default=None, description="Secret of that client; without one the issuer has to accept PKCE alone."
    )
    oidc_redirect_url: str | None = Field(
        default=None,
        description="Where the issuer sends browsers back: the URL of this service with `/ui/sign-in/callback`.",
    )
    oidc_groups_claim: str = Field(
        default="groups", min_length=1, description="Claim of a token that has the groups of its user."
    )
    oidc_groups: str = Field(
        default="",
        description="Rights of the issuer's groups: `group=project:role`, separated by commas. A user of several "
        "projects names one in the header `X-Ketline-Project`, or chooses it on the pages; without it the first in "
        "alphabetical order counts.",
    )
    session_hours: float = Field(
        default=12.0, gt=0, le=24 * 30, description="Hours after which a browser has to sign in again."
    )
    rate_limit: str = Field(
        default="",
        description="Requests that each API key may send to one API process, as `20/second, 600/minute`; default: no "
        "limit.",
    )
    failed_sign_in_limit: str = Field(
        default="30/minute",
        description="Invalid keys and tokens that one address may send to one API process, also in sign-ins on the "
        "pages: 30 at once, and then one every two seconds; `off` for no limit.",
    )
    trusted_proxies: str = Field(
        default="127.0.0.1, ::1",
        description="Addresses and networks of the proxies in front of the API, separated by commas, whose "
        "`X-Forwarded-For` is the client's address; `none` where clients connect directly.",
    )
    default_quotas: str = Field(
        default="",
        description="Quotas of each project that does not have them itself, as `waiting=1000, qubits=24`; default: "
        "none. The same in every API process.",
    )
    default_owner_quotas: str = Field(
        default="", description="The same for each owner in a project, as `shots_per_day=1000000`; default: none."
    )
    port: int = Field(default=8000, ge=0, le=65535, description="Port the API listens on; 0 takes a free one.")
    tls_cert: Path | None = Field(
        default=None, description="Certificate chain in PEM format, with which the API serves HTTPS itself."
    )
    tls_key: Path | None = Field(default=None, description="Private key of that certificate, without a password.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        validation_alias=_also("LOG_LEVEL", "LOG_LEVEL"),
        description="Least severe level that is logged.",
    )
    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="`auto` is readable on a terminal and JSON elsewhere."
    )
    default_shots: int = Field(
        default=1024,
        ge=1,
        validation_alias=_also("DEFAULT_SHOTS", "NUM_SHOTS"),
        description="Shots of a task whose request has none.",
    )
    max_shots: int = Field(default=100_000, ge=1, description="Most shots a task may request.")
    max_program_bytes: int = Field(
        default=1024 * 1024, ge=1, le=64 * 1024 * 1024, description="Largest program accepted, in bytes of UTF-8."
    )
    worker_id: str = Field(
        default_factory=_default_worker_id,
        pattern=r"^[A-Za-z0-9._:@-]{1,128}$",
        validation_alias=_also("WORKER_ID", "WORKER_ID"),
        description="Name of this process in histories and logs; unique per process.",
    )
    worker_slots: int = Field(
        default_factory=available_cores, ge=1, le=256, description="Programs a worker runs at once; default: cores."
    )
    worker_kinds: str = Field(
        default="simulate,convert,run",
        description="Kinds of tasks that a worker takes, separated by commas: `simulate`, `convert`, `run`.",
    )
    worker_backends: str = Field(
        default="",
        description="Names of the external backends in `KETLINE_BACKENDS` that a worker takes, separated by commas; "
        "empty for all.",
    )
    engines: str = Field(
        default="aer,lightning",
        description="Libraries that may simulate statevectors, separated by commas: `aer` (always), `lightning`, and "
        "`aer_gpu`, which is Aer on a GPU for programs of 22 qubits and more (docs/operations.md).",
    )
    conversion_slots: int = Field(
        default=1, ge=1, le=256, description="Conversions a worker runs at once, each in a process of its own."
    )
    short_task_s: float = Field(
        default=2.0,
        ge=0,
        description="Longest predicted seconds of a program that may run beside the slots while long programs "
        "occupy all of them; 0 disables that.",
    )
    simulator_threads: int | None = Field(
        default=None,
        ge=1,
        description="Threads for a large program, which has the whole machine; default: cores. Other programs "
        "have cores divided by slots.",
    )
    simulator_memory_mb: int | None = Field(
        default=None,
        ge=64,
        description="Memory a program may use for its state; default: 70 % of the machine's or the container's for a "
        "large program, less what the other slots keep for small ones, see `specs/admission.md`.",
    )
    worker_max_retries: int = Field(
        default=3,
        ge=0,
        le=100,
        validation_alias=_also("WORKER_MAX_RETRIES", "WORKER_MAX_RETRIES"),
        description="Attempts after the first that a task may spend on lost workers.",
    )
    max_attempts: int = Field(default=10, ge=1, le=1000, description="Largest `max_attempts` a task may request.")
    max_crashes: int = Field(
        default=3,
        ge=1,
        le=1000,
        description="Attempts of a task that may end with its worker or simulator dying before it fails as "
        "`worker_lost`.",
    )
    worker_retry_delay_s: Seconds = Field(
        default=5.0,
        validation_alias=_also("WORKER_RETRY_DELAY_S", "WORKER_RETRY_DELAY_S"),
        description="Seconds before the first retry; doubles with each.",
    )
    task_soft_time_limit_s: Seconds = Field(
        default=60.0,
        validation_alias=_also("TASK_SOFT_TIME_LIMIT_S", "TASK_SOFT_TIME_LIMIT_S"),
        description="Seconds after which reading a program is stopped.",
    )
    task_time_limit_s: Seconds = Field(
        default=90.0,
        validation_alias=_also("TASK_TIME_LIMIT_S", "TASK_TIME_LIMIT_S"),
        description="Seconds after which a program's simulator is killed.",
    )
    max_time_limit_s: Seconds = Field(
        default=3600.0,
        description="Largest `timeout_s` of a task, instead of `TASK_TIME_LIMIT_S`; not on external backends.",
    )
    max_qubits: int = Field(default=4096, ge=1, le=100_000, description="Most qubits a program may declare.")
    max_operations: int = Field(
        default=250_000,
        ge=1,
        le=100_000_000,
        description="Most operations of a program, after its loops are unrolled and its gates inlined.",
    )
    max_result_mb: int = Field(default=16, ge=1, le=1024, description="Largest counts of a task, in megabytes of JSON.")
    max_backlog: int = Field(default=100_000, ge=1, description="Pending tasks beyond which submissions get 429.")
    max_connections: int = Field(
        default=8192,
        ge=1,
        le=1_000_000,
        description="Connections an API process keeps open; further ones get 503.",
    )
    header_timeout_s: Seconds = Field(
        default=10.0, description="Seconds in which the headers of a request must arrive, or else 408."
    )
    body_timeout_s: Seconds = Field(
        default=60.0, description="Seconds in which the body of a request must arrive, or else 408."
    )
    idle_timeout_s: Seconds = Field(
        default=75.0, description="Seconds for which a connection is kept open between two requests."
    )
    write_timeout_s: Seconds = Field(
        default=60.0,
        description="Seconds for which a client may read nothing of a response before its connection is closed.",
    )
    request_memory_mb: int = Field(
        default=256,
        ge=1,
        description="Megabytes that an API process holds of requests without a response yet; beyond, 503.",
    )
    result_shape: ResultShape = Field(
        default=ResultShape.FULL,
        description="Shape in which `GET /tasks/{id}` shows tasks: `full`, or `plain` for clients of older services.",
    )
    max_wait_s: Seconds = Field(default=60.0, description="Seconds a request may wait for a task's end, at most.")
    idempotency_key_lifetime_s: Seconds = Field(
        default=86_400.0, description="Seconds for which an `Idempotency-Key` names its task."
    )
    retain_days: float = Field(
        default=0.0, ge=0, le=36_500, description="Days for which a task that has ended is kept; 0 keeps it for ever."
    )
    retain_tasks: int = Field(
        default=0, ge=0, description="Tasks kept of those that have ended, the last ones; 0 keeps all."
    )
    audit_retain_days: float = Field(
        default=365.0,
        ge=0,
        le=36_500,
        description="Days for which entries of the audit log are kept; 0 keeps them for ever.",
    )
    history_retain_days: float = Field(
        default=30.0,
        ge=0,
        le=36_500,
        description="Days for which the minutes of the history of statistics are kept; 0 keeps them for ever.",
    )
    webhook_allow: str = Field(
        default="",
        description="Networks to which callbacks may go beside public addresses, also by plain HTTP; separated by "
        "commas, such as `10.0.0.0/8`.",
    )
    webhook_timeout_s: float = Field(
        default=15.0, gt=0, le=300, description="Seconds that one attempt to deliver a message to a callback may take."
    )
    webhook_concurrency: int = Field(
        default=16,
        ge=0,
        le=1000,
        description="Messages that a process delivers at once; with 0 it delivers none, and another one must.",
    )
    webhook_retain_days: float = Field(
        default=30.0, gt=0, le=36_500, description="Days for which deliveries that have ended are kept."
    )
    lease_s: Seconds = Field(default=12.0, description="Seconds a worker may be silent before its task is taken away.")
    reap_interval_s: Seconds = Field(default=3.0, description="Seconds between checks for lost workers.")
    dispatch_interval_s: Seconds = Field(
        default=1.0, description="Seconds between checks for tasks to put on the queue; a submission also starts one."
    )
    redispatch_s: Seconds = Field(
        default=30.0,
        description="Seconds until a task whose message seems lost is published again; doubles each time.",
    )
    publish_timeout_s: Seconds = Field(default=5.0, description="Seconds to wait for the broker to confirm a message.")
    database_pool_size: int = Field(
        default=10,
        ge=4,
        le=200,
        description="Database connections a process may hold at most, 4 or more; an API holds one more to listen.",
    )
    database_idle_s: Seconds = Field(
        default=10.0, description="Seconds after which an idle database connection is closed; one stays open."
    )
    shutdown_grace_s: float = Field(
        default=30.0, ge=0, description="Seconds a stopping worker lets running programs finish."
    )
    validate_time_limit_s: Seconds = Field(
        default=10.0, description="Seconds that reading a program for `/validate` or a drawing may take."
    )
    validate_max_waiting: int = Field(
        default=8,
        ge=1,
        description="Calls that may wait while other programs are being read; further ones get 503.",
    )
    worker_beat_s: Seconds = Field(
        default=5.0,
        description="Seconds between heartbeats of a worker; `/workers` lists it for three times as long.",
    )
    worker_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port on which `ketline worker` serves `/livez`, `/readyz` and `/metrics`, at `KETLINE_HOST`; "
        "default: none.",
    )
    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port on which an API serves `/metrics` to everyone who reaches it, at `KETLINE_HOST` and without "
        "TLS, beside its own port, where that needs a key; default: none.",
    )
    revision: str | None = Field(
        default=None,
        max_length=100,
        description="Commit that this build was made from, for `GET /version`; container images set it.",
    )
    backends: str = Field(
        default="",
        description="External backends, as `name=adapter:argument;option=value`, separated by blanks or commas; see "
        "`docs/backends.md`.",
    )
    secrets_dir: Path | None = Field(
        default=None,
        description="Directory of files named like these variables, each with the value of one: secrets of containers.",
    )
    otlp_endpoint: str | None = Field(
        default=None,
        validation_alias=_also("OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        description="URL of the OpenTelemetry collector that traces are sent to, as `http://localhost:4318`: OTLP over "
        "HTTP. Without one the service makes no traces.",
    )
    otlp_traces_endpoint: str | None = Field(
        default=None,
        validation_alias=_also("OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
        description="The whole URL for traces, where it is not that of the collector and `/v1/traces`.",
    )
    health_timeout_s: Seconds = Field(default=1.5, description="Seconds `/health` waits for database and broker.")

    @field_validator("log_level", mode="before")
    @classmethod
    def _lower(cls, level: object) -> object:
        return level.lower() if isinstance(level, str) else level

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, url: SecretStr) -> SecretStr:
        return SecretStr(map_database_url(url.get_secret_value()))

    @field_validator("database_direct_url")
    @classmethod
    def _known_direct_database(cls, url: SecretStr | None) -> SecretStr | None:
        return None if url is None else SecretStr(map_database_url(url.get_secret_value()))

    @field_validator("rabbitmq_url")
    @classmethod
    def _known_broker(cls, url: SecretStr) -> SecretStr:
        return _with_scheme(url, *RABBITMQ_SCHEMES)

    @field_validator("redis_url")
    @classmethod
    def _known_redis(cls, url: SecretStr | None) -> SecretStr | None:
        return None if url is None else _with_scheme(url, *REDIS_SCHEMES)

    @field_validator("queue_url")
    @classmethod
    def _known_queue(cls, url: SecretStr | None) -> SecretStr | None:
        return None if url is None else _with_scheme(url, *RABBITMQ_SCHEMES, *REDIS_SCHEMES)

    @field_validator("allowed_hosts")
    @classmethod
    def _host_names(cls, names: str) -> str:
        if wrong := [name for name in _separated(names) if not _HOST_NAME.fullmatch(name)]:
            raise ValueError(
                f"{wrong[0]!r} is not a host name; write names without scheme and port, such as api.example.org"
            )
        return names

    @field_validator("backends")
    @classmethod
    def _known_backends(cls, text: str) -> str:
        parse_backends(text)
        return text

    @property
    def traces_endpoint(self) -> str | None:
        """The URL to which traces are sent; None for none."""
        collector = None if self.otlp_endpoint is None else f"{self.otlp_endpoint.rstrip('/')}/v1/traces"
        return self.otlp_traces_endpoint or collector

    @property
    def broker_url(self) -> str:
        """The URL of the broker that the three settings choose."""
        chosen = self.queue_url
        if chosen is None and "rabbitmq_url" not in self.model_fields_set:
            chosen = self.redis_url
        return (chosen or self.rabbitmq_url).get_secret_value()

    @property
    def host_names(self) -> tuple[str, ...]:
        """The entries of `allowed_hosts`."""
        return _separated(self.allowed_hosts)

    @property
    def auth_modes(self) -> frozenset[AuthMode]:
        """The entries of `auth`; nothing but `OFF` if there are none."""
        return frozenset(map(AuthMode, _separated(self.auth or AuthMode.OFF)))

    @field_validator("auth")
    @classmethod
    def _known_auth(cls, modes: str | None) -> str | None:
        if modes is None:
            return None
        entries = _separated(modes)
        if not entries or set(entries) - set(AuthMode) or (AuthMode.OFF in entries and len(entries) > 1):
            raise ValueError(f"write one of {', '.join(AuthMode)}")
        return modes

    @field_validator("oidc_groups")
    @classmethod
    def _known_groups(cls, groups: str) -> str:
        parse_groups(groups)
        return groups

    @field_validator("oidc_issuer")
    @classmethod
    def _secure_issuer(cls, issuer: str | None) -> str | None:
        if issuer is None:
            return None
        url = urlsplit(issuer)
        if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(url.hostname or "")):
            raise ValueError("must be an https URL, because whoever answers in the issuer's place could sign tokens")
        return issuer

    @property
    def rate_limits(self) -> tuple[RateLimit, ...]:
        """The entries of `rate_limit`."""
        return parse_rate_limits(self.rate_limit)

    @field_validator("rate_limit")
    @classmethod
    def _known_rates(cls, text: str) -> str:
        parse_rate_limits(text)
        return text

    @property
    def failed_sign_in_limits(self) -> tuple[RateLimit, ...]:
        """The entries of `failed_sign_in_limit`, none for `off`."""
        return _failure_limits(self.failed_sign_in_limit)

    @field_validator("failed_sign_in_limit")
    @classmethod
    def _known_failure_limits(cls, text: str) -> str:
        _failure_limits(text)
        return text

    @property
    def proxy_networks(self) -> tuple[str, ...]:
        """The entries of `trusted_proxies`, none for `none`."""
        return tuple(str(network) for network in _networks(self.trusted_proxies))

    def webhook_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The entries of `webhook_allow`."""
        return _networks(self.webhook_allow)

    @field_validator("webhook_allow")
    @classmethod
    def _known_receivers(cls, text: str) -> str:
        _networks(text)
        return text

    @field_validator("trusted_proxies")
    @classmethod
    def _known_proxies(cls, text: str) -> str:
        _networks(text)
        return text

    @property
    def quota_defaults(self) -> ProjectQuotas:
        """The entries of `default_quotas` and `default_owner_quotas`."""
        return ProjectQuotas(project=parse_quotas(self.default_quotas), owner=parse_quotas(self.default_owner_quotas))

    @field_validator("default_quotas", "default_owner_quotas")
    @classmethod
    def _known_quotas(cls, text: str) -> str:
        parse_quotas(text)
        return text

    @field_validator("worker_kinds")
    @classmethod
    def _known_kinds(cls, names: str) -> str:
        kinds = _separated(names)
        if not kinds or (unknown := [name for name in kinds if name not in set(TaskKind)]):
            wrong = repr(unknown[0]) if kinds else "nothing"
            raise ValueError(f"{wrong} is not a kind of task; write some of {', '.join(TaskKind)}")
        return names

    @field_validator("engines")
    @classmethod
    def _known_engines(cls, names: str) -> str:
        engines = _separated(names)
        if unknown := [name for name in engines if name not in CHOSEN_ENGINES]:
            raise ValueError(f"{unknown[0]!r} is not an engine; write some of {', '.join(CHOSEN_ENGINES)}")
        if Engine.AER not in engines:
            raise ValueError("'aer' has to be among the engines, because only it runs every program")
        return names

    @property
    def lightning(self) -> bool:
        """Whether Lightning is among the `engines`."""
        return Engine.LIGHTNING in _separated(self.engines)

    @property
    def gpu(self) -> bool:
        """Whether Aer on a GPU is among the `engines`."""
        return Engine.AER_GPU in _separated(self.engines)

    @property
    def kinds(self) -> frozenset[TaskKind]:
        """The kinds in `worker_kinds`."""
        return frozenset(map(TaskKind, _separated(self.worker_kinds)))

    @property
    def external_backends(self) -> tuple[BackendEntry, ...]:
        """The entries of `backends` that a worker of these kinds takes."""
        if TaskKind.RUN not in self.kinds:
            return ()
        chosen = _separated(self.worker_backends)
        return tuple(entry for entry in parse_backends(self.backends) if not chosen or entry.name in chosen)

    @property
    def simulation_slots(self) -> int:
        """`worker_slots`, or 0 for a worker that takes no simulations."""
        return self.worker_slots if TaskKind.SIMULATE in self.kinds else 0

    def _require_issuer(self) -> None:
        needed = {"ISSUER": self.oidc_issuer, "AUDIENCE": self.oidc_audience, "GROUPS": self.oidc_groups}
        missing = [f"{PREFIX}OIDC_{name}" for name, value in needed.items() if not value]
        if AuthMode.OIDC in self.auth_modes and missing:
            raise ValueError(f"KETLINE_AUTH=oidc needs {', '.join(missing)}")
        if (self.oidc_client_id is None) != (self.oidc_redirect_url is None):
            raise ValueError("KETLINE_OIDC_CLIENT_ID and KETLINE_OIDC_REDIRECT_URL need each other")

    @model_validator(mode="after")
    def _consistent(self) -> "Settings":
        self._require_issuer()
        known = {entry.name for entry in parse_backends(self.backends)}
        if missing := [name for name in _separated(self.worker_backends) if name not in known]:
            raise ValueError(f"KETLINE_WORKER_BACKENDS names {missing[0]!r}, which KETLINE_BACKENDS does not have")
        if self.task_soft_time_limit_s > self.task_time_limit_s:
            raise ValueError("TASK_SOFT_TIME_LIMIT_S must not exceed TASK_TIME_LIMIT_S")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("KETLINE_TLS_CERT and KETLINE_TLS_KEY must both be set, or neither")
        if self.default_shots > self.max_shots:
            raise ValueError("NUM_SHOTS must not exceed KETLINE_MAX_SHOTS")
        if self.request_memory_mb < 7 * self.max_program_bytes / MEBIBYTE:
            raise ValueError("KETLINE_REQUEST_MEMORY_MB must be 7 times KETLINE_MAX_PROGRAM_BYTES, or one may not fit")
        return self


def _with_scheme(url: SecretStr, *schemes: str) -> SecretStr:
    if not url.get_secret_value().startswith(schemes):
        raise ValueError(f"must start with {' or '.join(schemes)}")
    return url


def _separated(names: str) -> tuple[str, ...]:
    return tuple(name for part in names.split(",") if (name := part.strip()))


def _failure_limits(text: str) -> tuple[RateLimit, ...]:
    """The limits of a list of them.

    Raises:
        ValueError: it is none.
    """
    if text.strip() == "off":
        return ()
    try:
        return parse_rate_limits(text)
    except ValueError as error:
        raise ValueError(f"{error}; or `off`") from error


def _networks(text: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """The networks of a list of addresses and networks.

    Raises:
        ValueError: an entry is neither.
    """
    if text.strip() == "none":
        return ()
    try:
        return tuple(ip_network(entry) for entry in _separated(text))
    except ValueError as error:
        raise ValueError(f"{error}; write addresses or networks such as 10.0.0.7, 172.16.0.0/12, or `none`") from error


def map_database_url(url: str) -> str:
    """Complete a database URL with the driver that Ketline uses.

    Raises:
        ValueError: the URL names another database or driver, or cannot be read.
    """
    scheme, separator, rest = url.partition("://")
    if scheme in {"postgresql", "postgres", "postgresql+asyncpg"} and separator:
        parse_postgres_url(url)
        return f"postgresql+asyncpg://{rest}"
    if scheme in {"sqlite", "sqlite+aiosqlite"} and separator:
        return f"sqlite+aiosqlite://{rest}"
    raise ValueError(
        f"the scheme {scheme if separator else 'given'!r} is not one Ketline uses; "
        "write postgresql://user:password@host:5432/name"
    )


def load_settings(**overrides: object) -> Settings:
    """Read and check the whole configuration; `overrides` are by field name and win over the environment.

    Raises:
        ConfigurationInvalid: a variable is unknown or has a value that cannot be used; values are not repeated.
    """
    environment = _environment()
    reject_unknown(environment)
    values = {**read_older_variables().values, **overrides}
    try:
        # Only Pydantic's mypy plugin, which is not in use, knows this parameter.
        return Settings(_secrets_dir=_secrets_dir(environment), **values)  # type: ignore[call-arg, arg-type]
    except ValidationError as error:
        problems = "; ".join(f"{_variable(fault['loc'])}: {fault['msg']}" for fault in error.errors())
        raise ConfigurationInvalid(f"The configuration cannot be used: {problems}.") from None


def read_older_variables(*, embedded: bool = False) -> OlderSettings:
    """The settings of older services' variables, and those variables that are not used; `embedded` as for `ketline up`.

    Raises:
        ConfigurationInvalid: the directory of secrets does not exist.
    """
    environment = _environment()
    secrets = _secrets_dir(environment)
    files = () if secrets is None else (path.name for path in secrets.iterdir())
    present = {name.upper() for name, value in environment.items() if value} | {name.upper() for name in files}
    own = {field: name for field, names in variables().items() for name in reversed(names) if name in present}
    return older_settings(environment, own, _OF_THE_DISTRIBUTED_SERVICE if embedded else frozenset())


def _environment() -> dict[str, str | None]:
    return {**dotenv_values(".env"), **os.environ}


def _secrets_dir(environment: Mapping[str, str | None]) -> Path | None:
    """The directory of secret files, None if it is not set.

    Raises:
        ConfigurationInvalid: it does not exist.
    """
    named = environment.get(f"{PREFIX}SECRETS_DIR")
    if not named:
        return None
    directory = Path(named)
    if not directory.is_dir():
        raise ConfigurationInvalid(f"{PREFIX}SECRETS_DIR does not name a directory; create it, or leave it out.")
    return directory


def reject_unknown(environment: Mapping[str, str | None]) -> None:
    """Reject unknown `KETLINE_*` variables, which are probably misspelt.

    Raises:
        ConfigurationInvalid: there are such variables; the message names them.
    """
    known = {name for names in variables().values() for name in names} | CLIENT_VARIABLES
    unknown = sorted(name for name in environment if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        raise ConfigurationInvalid(
            f"Unknown configuration: {', '.join(unknown)}. docs/settings.md lists every variable; check the spelling."
        )


def reject_open_service(settings: Settings) -> None:
    """Reject the settings of a server that authenticates nobody where the operator expects it to, or should.

    Raises:
        ConfigurationInvalid: an API key is set, which is a variable of clients; or the service would listen on an
            address that others reach.
    """
    if settings.auth_modes != {AuthMode.OFF}:
        return
    if _environment().get(API_KEY_VARIABLE):
        raise ConfigurationInvalid(
            f"{API_KEY_VARIABLE} is set, but this service checks no keys: everyone who can reach it may use it. The "
            f"variable is for clients. Set {PREFIX}AUTH=keys, or unset it here."
        )
    if settings.auth is None and not _is_loopback(settings.host):
        raise ConfigurationInvalid(
            f"The service would listen on {settings.host}, where others reach it, and authenticate nobody. Set "
            f"{PREFIX}AUTH=keys and create a key by `ketline keys create`; {PREFIX}AUTH=off starts it as it is."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def variables() -> dict[str, tuple[str, ...]]:
    """The environment variables of each field, the preferred one first."""
    names: dict[str, tuple[str, ...]] = {}
    for field, info in Settings.model_fields.items():
        alias = info.validation_alias
        if isinstance(alias, AliasChoices):
            names[field] = tuple(str(choice) for choice in alias.choices)
        else:
            names[field] = (f"{PREFIX}{field.upper()}",)
    return names


def _variable(location: tuple[int | str, ...]) -> str:
    if not location:
        return "settings"
    name = str(location[0])
    return variables()[name][0] if name in Settings.model_fields else name.upper()
