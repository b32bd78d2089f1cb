"""Configuration: names that work, names that are rejected, and secrets that stay secret."""

import re
from pathlib import Path

import pytest

from ketline.cli.server import commands as server
from ketline.config import CLIENT_VARIABLES, Settings, load_settings, map_database_url, reject_open_service, variables
from ketline.domain.access.principals import AuthMode
from ketline.domain.access.quotas import Quota
from ketline.domain.access.rate_limits import parse_rate_limits
from ketline.domain.errors import ConfigurationInvalid
from ketline.older_variables import OLDER_VARIABLES

SETTINGS = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    older = (variable.name for variable in OLDER_VARIABLES)
    for name in (*older, *(name for names in variables().values() for name in names)):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("NUM_SHOTS", "77", "default_shots", 77),
        ("KETLINE_DEFAULT_SHOTS", "78", "default_shots", 78),
        ("WORKER_MAX_RETRIES", "5", "worker_max_retries", 5),
        ("WORKER_RETRY_DELAY_S", "2.5", "worker_retry_delay_s", 2.5),
        ("TASK_SOFT_TIME_LIMIT_S", "10", "task_soft_time_limit_s", 10.0),
        ("TASK_TIME_LIMIT_S", "600", "task_time_limit_s", 600.0),
        ("TASK_QUEUE_NAME", "q", "task_queue_name", "q"),
        ("WORKER_ID", "worker-9", "worker_id", "worker-9"),
        ("LOG_LEVEL", "WARNING", "log_level", "warning"),
        ("KETLINE_PORT", "9000", "port", 9000),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/", "traces_endpoint", "http://collector:4318/v1/traces"),
        ("KETLINE_OTLP_ENDPOINT", "http://collector:4318", "traces_endpoint", "http://collector:4318/v1/traces"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://tempo/otlp", "traces_endpoint", "http://tempo/otlp"),
    ],
)
def test_variable_sets_field(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, field: str, expected: object
) -> None:
    monkeypatch.setenv(name, value)
    assert getattr(load_settings(), field) == expected


def test_own_name_wins_over_the_older_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUM_SHOTS", "1")
    monkeypatch.setenv("KETLINE_DEFAULT_SHOTS", "2")
    assert load_settings().default_shots == 2


@pytest.mark.parametrize("environment", ["NUM_SHOTS", "KETLINE_DEFAULT_SHOTS"])
def test_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch, environment: str) -> None:
    monkeypatch.setenv(environment, "1")
    assert load_settings(default_shots=3).default_shots == 3


def test_env_file_is_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("KETLINE_PORT=8123\n")
    assert load_settings().port == 8123


def test_value_is_read_from_a_file_named_like_its_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "DATABASE_URL").write_text("postgresql://ada:hunter2@db/ketline\n")
    (secrets / "KETLINE_PORT").write_text("8123")
    monkeypatch.setenv("KETLINE_SECRETS_DIR", str(secrets))
    settings = load_settings()
    assert settings.database_url.get_secret_value() == "postgresql+asyncpg://ada:hunter2@db/ketline"
    assert settings.port == 8123
    monkeypatch.setenv("KETLINE_PORT", "8124")
    assert load_settings().port == 8124


def test_secrets_that_a_cluster_mounts_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Kubernetes mounts them as links through a directory that it replaces when a secret changes."""
    mounted, version = tmp_path / "secrets", "..2026_11_30_20_00_00.1"
    (mounted / version).mkdir(parents=True)
    (mounted / version / "DATABASE_URL").write_text("postgresql://ada:hunter2@db/ketline")
    (mounted / "..data").symlink_to(version)
    (mounted / "DATABASE_URL").symlink_to("..data/DATABASE_URL")
    monkeypatch.setenv("KETLINE_SECRETS_DIR", str(mounted))
    assert load_settings().database_url.get_secret_value() == "postgresql+asyncpg://ada:hunter2@db/ketline"


def test_directory_of_secrets_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KETLINE_SECRETS_DIR", str(tmp_path / "nowhere"))
    with pytest.raises(ConfigurationInvalid, match="KETLINE_SECRETS_DIR does not name a directory"):
        load_settings()


@pytest.mark.parametrize("name", ["KETLINE_PROT", "ketline_worker_slot"])
def test_unknown_variable_is_rejected_by_name(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "1")
    with pytest.raises(ConfigurationInvalid, match=name):
        load_settings()


def test_unknown_variable_in_env_file_is_rejected(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("KETLINE_PROT=8123\n")
    with pytest.raises(ConfigurationInvalid, match="KETLINE_PROT"):
        load_settings()


def test_client_variables_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CLIENT_VARIABLES:
        monkeypatch.setenv(name, "x")
    load_settings()


@pytest.mark.parametrize(
    ("given", "mapped"),
    [
        ("postgresql://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("postgres://u:p@h/d", "postgresql+asyncpg://u:p@h/d"),
        ("postgresql+asyncpg://u@h/d", "postgresql+asyncpg://u@h/d"),
        ("sqlite:///x.db", "sqlite+aiosqlite:///x.db"),
    ],
)
def test_database_url_with_a_plain_meaning_is_mapped(given: str, mapped: str) -> None:
    assert map_database_url(given) == mapped


@pytest.mark.parametrize("url", ["mysql://u:hunter2@h/d", "postgresql+psycopg2://u:hunter2@h/d", "hunter2"])
def test_other_database_url_is_rejected_without_its_secret(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(ConfigurationInvalid, match="DATABASE_URL") as rejection:
        load_settings()
    assert "hunter2" not in str(rejection.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KETLINE_PORT", "70000"),
        ("KETLINE_MAX_SHOTS", "0"),
        ("KETLINE_LEASE_S", "-1"),
        ("NUM_SHOTS", "many"),
        ("RABBITMQ_URL", "http://u:hunter2@h"),
        ("RABBITMQ_URL", "redis://u:hunter2@h"),
        ("REDIS_URL", "amqp://u:hunter2@h"),
        ("KETLINE_QUEUE_URL", "sqs://u:hunter2@h"),
        ("WORKER_ID", "a b"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_value_out_of_range_is_rejected_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationInvalid, match=name.removeprefix("NUM_SHOTS") or "DEFAULT_SHOTS") as rejection:
        load_settings()
    assert "hunter2" not in str(rejection.value)


@pytest.mark.parametrize("name", ["http://api", "api:8000", "a b", "*api", "*.", "/"])
def test_what_is_no_host_name_is_rejected(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("KETLINE_ALLOWED_HOSTS", f"api,{name}")
    with pytest.raises(ConfigurationInvalid, match="KETLINE_ALLOWED_HOSTS"):
        load_settings()


def test_allowed_hosts_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KETLINE_ALLOWED_HOSTS", ",api, *.example.org ,[::1],2001:db8::7,*")
    assert load_settings().host_names == ("api", "*.example.org", "[::1]", "2001:db8::7", "*")


@pytest.mark.parametrize(
    ("text", "networks"),
    [
        (" 192.0.2.1,,2001:db8::/32 ", ("192.0.2.1/32", "2001:db8::/32")),
        ("", ("127.0.0.1/32", "::1/128")),
        (" none ", ()),
    ],
)
def test_trusted_proxies_are_addresses_and_networks(
    monkeypatch: pytest.MonkeyPatch, text: str, networks: tuple[str, ...]
) -> None:
    monkeypatch.setenv("KETLINE_TRUSTED_PROXIES", text)
    assert load_settings().proxy_networks == networks


@pytest.mark.parametrize("text", ["*", "proxy", "10.0.0.1/8", "10.0.0.0/33", "none, 10.0.0.1"])
def test_what_is_no_network_is_rejected_as_a_proxy(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("KETLINE_TRUSTED_PROXIES", text)
    with pytest.raises(ConfigurationInvalid, match=r"KETLINE_TRUSTED_PROXIES.*172\.16\.0\.0/12"):
        load_settings()


def test_limit_of_failed_sign_ins_is_on_unless_it_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().failed_sign_in_limits == parse_rate_limits("30/minute")
    monkeypatch.setenv("KETLINE_FAILED_SIGN_IN_LIMIT", " off")
    assert load_settings().failed_sign_in_limits == ()
    monkeypatch.setenv("KETLINE_FAILED_SIGN_IN_LIMIT", "none")
    with pytest.raises(ConfigurationInvalid, match=r"KETLINE_FAILED_SIGN_IN_LIMIT.*`off`"):
        load_settings()


@pytest.mark.parametrize(
    ("text", "lightning", "gpu"),
    [
        ("aer", False, False),
        ("lightning, aer", True, False),
        ("aer,lightning", True, False),
        ("aer_gpu,aer", False, True),
    ],
)
def test_engines_are_separated_by_commas(
    monkeypatch: pytest.MonkeyPatch, text: str, lightning: bool, gpu: bool
) -> None:
    monkeypatch.setenv("KETLINE_ENGINES", text)
    settings = load_settings()
    assert (settings.lightning, settings.gpu) == (lightning, gpu)


def test_a_gpu_is_not_used_unless_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KETLINE_ENGINES", raising=False)
    assert not load_settings().gpu


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("aer,quest", "'quest' is not an engine"),
        ("lightning", "'aer' has to be among"),
        ("aer_gpu,lightning", "'aer' has to be among"),
    ],
)
def test_engines_that_cannot_run_everything_are_rejected(
    monkeypatch: pytest.MonkeyPatch, text: str, problem: str
) -> None:
    monkeypatch.setenv("KETLINE_ENGINES", text)
    with pytest.raises(ConfigurationInvalid, match=problem):
        load_settings()


def test_api_key_that_nobody_would_check_is_rejected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("KETLINE_API_KEY", raising=False)
    reject_open_service(load_settings())
    (tmp_path / ".env").write_text("KETLINE_API_KEY=hunter2\n")
    with pytest.raises(ConfigurationInvalid, match="checks no keys") as rejection:
        reject_open_service(load_settings(auth="off"))
    assert "hunter2" not in str(rejection.value)
    reject_open_service(load_settings(auth="keys"))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "ketline.example.org"])
def test_service_that_authenticates_nobody_is_not_opened_to_others_by_mistake(host: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="KETLINE_AUTH=keys"):
        reject_open_service(load_settings(host=host))
    for auth in ("off", "keys"):
        reject_open_service(load_settings(host=host, auth=auth))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_service_on_loopback_needs_no_authentication(host: str) -> None:
    reject_open_service(load_settings(host=host))
    assert load_settings(host=host).auth_modes == {AuthMode.OFF}


@pytest.mark.parametrize("modes", ["none", "off,keys", ",", "keys,password"])
def test_unknown_ways_to_authenticate_are_rejected(monkeypatch: pytest.MonkeyPatch, modes: str) -> None:
    monkeypatch.setenv("KETLINE_AUTH", modes)
    with pytest.raises(ConfigurationInvalid, match=r"KETLINE_AUTH.*write one of off, keys"):
        load_settings()


@pytest.mark.parametrize("command", ["up", "api"])
def test_service_does_not_start_with_an_api_key(monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("KETLINE_API_KEY", "hunter2")
    with pytest.raises(ConfigurationInvalid, match="checks no keys"):
        getattr(server, command)()


def test_limits_that_contradict_are_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASK_SOFT_TIME_LIMIT_S", "100")
    with pytest.raises(ConfigurationInvalid, match="TASK_SOFT_TIME_LIMIT_S"):
        load_settings()


def test_secrets_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hunter2@h/d")
    monkeypatch.setenv("RABBITMQ_URL", "amqp://u:hunter2@h/")
    assert "hunter2" not in repr(load_settings())


@pytest.mark.parametrize(
    ("environment", "chosen"),
    [
        ({}, "amqp://guest:guest@localhost:5672/"),
        ({"RABBITMQ_URL": "amqp://rabbit/"}, "amqp://rabbit/"),
        ({"REDIS_URL": "redis://redis/"}, "redis://redis/"),
        ({"RABBITMQ_URL": "amqp://rabbit/", "REDIS_URL": "redis://redis/"}, "amqp://rabbit/"),
        ({"RABBITMQ_URL": "amqp://rabbit/", "KETLINE_QUEUE_URL": "rediss://redis/1"}, "rediss://redis/1"),
        ({"REDIS_URL": "redis://redis/", "KETLINE_QUEUE_URL": "amqps://rabbit/"}, "amqps://rabbit/"),
        ({"REDIS_URL": "redis://redis/", "KETLINE_RABBITMQ_URL": "amqp://rabbit/"}, "amqp://rabbit/"),
    ],
)
def test_broker_is_the_one_named_most_specifically(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], chosen: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert load_settings().broker_url == chosen


def test_default_quotas_are_written_as_those_of_a_project() -> None:
    settings = load_settings(default_quotas="waiting=100, timeout_s=2.5,", default_owner_quotas="priority=0")
    assert settings.quota_defaults.project == {Quota.WAITING: 100, Quota.TIMEOUT_S: 2.5}
    assert settings.quota_defaults.owner == {Quota.PRIORITY: 0}


@pytest.mark.parametrize(
    "text",
    ["waiting", "waiting=many", "waiting=none", "waiting=1.5", "waiting=1, waiting=2", "colour=1", "priority=101"],
)
@pytest.mark.parametrize("name", ["default_quotas", "default_owner_quotas"])
def test_impossible_default_quota_is_rejected_by_name(name: str, text: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=f"KETLINE_{name.upper()}"):
        load_settings(**{name: text})


def test_every_variable_has_a_row_in_the_table() -> None:
    text = SETTINGS.read_text()
    for field, names in variables().items():
        for name in names:
            assert f"`{name}`" in text, f"{name} is missing from docs/settings.md"
        description = Settings.model_fields[field].description
        assert description, f"{field} has no description"
        assert description in text, f"in docs/settings.md the row of {names[0]} should say: {description}"


def test_every_setting_is_read() -> None:
    source = Path(__file__).parents[2] / "src" / "ketline"
    text = "\n".join(path.read_text(encoding="utf-8") for path in source.rglob("*.py"))
    read = set(re.findall(r"\bsettings\.([a-z_]+)", text))
    # `Settings` itself splits the lists, reads the files of the directory, and chooses one of the URLs.
    assert set(Settings.model_fields) - read == {
        "allowed_hosts",
        "worker_kinds",
        "engines",
        "worker_backends",
        "backends",
        "rate_limit",
        "failed_sign_in_limit",
        "trusted_proxies",
        "webhook_allow",
        "default_quotas",
        "default_owner_quotas",
        "secrets_dir",
        "queue_url",
        "rabbitmq_url",
        "redis_url",
        "otlp_endpoint",
        "otlp_traces_endpoint",
    }


OIDC = {"oidc_issuer": "https://id.example.org", "oidc_audience": "ketline", "oidc_groups": "a=physics:reader"}


def test_tokens_of_an_issuer_need_its_settings() -> None:
    assert load_settings(auth="keys,oidc", **OIDC).auth_modes == {AuthMode.KEYS, AuthMode.OIDC}
    for name in OIDC:
        with pytest.raises(ConfigurationInvalid, match=f"KETLINE_{name.upper()}"):
            load_settings(auth="oidc", **(OIDC | {name: ""}))


def test_sign_in_at_the_issuer_needs_client_and_address() -> None:
    both = {"oidc_client_id": "pages", "oidc_redirect_url": "https://ketline.example.org/ui/sign-in/callback"}
    load_settings(auth="oidc", **OIDC, **both)
    for name in both:
        with pytest.raises(ConfigurationInvalid, match="need each other"):
            load_settings(auth="oidc", **OIDC, **(both | {name: None}))


@pytest.mark.parametrize("issuer", ["http://id.example.org", "id.example.org", "ftp://127.0.0.1"])
def test_issuer_is_reached_securely(issuer: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="KETLINE_OIDC_ISSUER"):
        load_settings(oidc_issuer=issuer)
    load_settings(oidc_issuer="http://127.0.0.1:8080/realm")
