"""Variables of deployments of older services: used where their meaning is plain, else named in a warning."""

import re
from pathlib import Path

import pytest

from ketline.config import load_settings, read_older_variables, variables
from ketline.older_variables import OLDER_VARIABLES

SETTINGS = Path(__file__).parents[2] / "docs" / "settings.md"
DEFAULT_BROKER = "amqp://guest:guest@localhost:5672/"


@pytest.fixture(autouse=True)
def _empty_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    names = {name for names in variables().values() for name in names} | {one.name for one in OLDER_VARIABLES}
    for name in names:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("PORT", "9000", "port", 9000),
        ("API_PORT", "9001", "port", 9001),
        ("API_HOST", "0.0.0.0", "host", "0.0.0.0"),
        ("API_HOST", "::1", "host", "::1"),
        ("CELERY_BROKER_URL", "amqp://u:p@rabbit:5672/v", "broker_url", "amqp://u:p@rabbit:5672/v"),
        ("CELERY_BROKER_URL", "pyamqp://u@rabbit//", "broker_url", "amqp://u@rabbit//"),
        ("CELERY_BROKER_URL", "amqps://rabbit", "broker_url", "amqps://rabbit"),
        ("CELERY_BROKER_URL", "redis://:p@cache:6379/1", "broker_url", "redis://:p@cache:6379/1"),
        ("CELERY_BROKER_URL", "rediss://cache", "broker_url", "rediss://cache"),
        ("DATABASE_NAME", "jobs", "database_url", "postgresql+asyncpg://ketline:ketline@localhost:5432/jobs"),
    ],
)
def test_variable_with_a_plain_meaning_is_used(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, field: str, expected: object
) -> None:
    monkeypatch.setenv(name, value)
    found = getattr(load_settings(), field)
    assert (found.get_secret_value() if hasattr(found, "get_secret_value") else found) == expected
    assert read_older_variables().unused == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_PORT", "tcp://10.0.0.1:8000"),  # as Kubernetes sets it for a Service named "api"
        ("PORT", "70000"),
        ("PORT", "eighty"),
        ("API_HOST", "http://api.example.org/v1"),
        ("CELERY_BROKER_URL", "sqs://key:hunter2@"),
        ("CELERY_BROKER_URL", "amqp://a;amqp://b"),
        ("CELERY_RESULT_BACKEND", "db+postgresql://u:hunter2@h/d"),
        ("DATABASE_NAME", "tasks.db"),
        ("DATABASE_NAME", "jobs?sslmode=disable"),
    ],
)
def test_variable_without_a_plain_meaning_is_not_used(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    plain = load_settings()
    monkeypatch.setenv(name, value)
    settings = load_settings()
    ours = ("host", "port", "broker_url", "database_url")
    assert [getattr(settings, field) for field in ours] == [getattr(plain, field) for field in ours]
    [(variable, reason)] = read_older_variables().unused.items()
    assert variable == name
    assert reason
    assert value not in reason


@pytest.mark.parametrize(
    ("own", "value", "older", "theirs", "field"),
    [
        ("KETLINE_PORT", "1234", "PORT", "9000", "port"),
        ("KETLINE_HOST", "127.0.0.2", "API_HOST", "0.0.0.0", "host"),
        ("RABBITMQ_URL", "amqp://ours/", "CELERY_BROKER_URL", "amqp://theirs/", "broker_url"),
        ("KETLINE_RABBITMQ_URL", "amqp://ours/", "CELERY_BROKER_URL", "redis://theirs/", "broker_url"),
        ("KETLINE_QUEUE_URL", "redis://ours/", "CELERY_BROKER_URL", "redis://theirs/", "broker_url"),
        ("REDIS_URL", "redis://ours/", "CELERY_BROKER_URL", "amqp://theirs/", "broker_url"),
        ("DATABASE_URL", "postgresql://ours/a", "DATABASE_NAME", "theirs", "database_url"),
        ("API_PORT", "1234", "PORT", "9000", "port"),
    ],
)
@pytest.mark.parametrize("place", ["environment", ".env"])
def test_own_name_takes_precedence(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    own: str,
    value: str,
    older: str,
    theirs: str,
    field: str,
    place: str,
) -> None:
    monkeypatch.setenv(older, theirs)
    if place == ".env":
        (tmp_path / ".env").write_text(f"{own}={value}\n")
    else:
        monkeypatch.setenv(own, value)
    found = getattr(load_settings(), field)
    shown = str(found.get_secret_value() if hasattr(found, "get_secret_value") else found)
    assert shown.endswith(value.partition("://")[2] or value)
    assert read_older_variables().unused == {older: f"{own} takes precedence"}


def test_own_name_in_a_file_of_secrets_takes_precedence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "RABBITMQ_URL").write_text("amqp://ours/")
    monkeypatch.setenv("KETLINE_SECRETS_DIR", str(secrets))
    monkeypatch.setenv("CELERY_BROKER_URL", "amqp://theirs/")
    assert load_settings().broker_url == "amqp://ours/"
    assert read_older_variables().unused == {"CELERY_BROKER_URL": "RABBITMQ_URL takes precedence"}


def test_option_takes_precedence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "9000")
    assert load_settings(port=1234).port == 1234


def test_line_of_the_env_file_is_used(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("API_HOST=0.0.0.0\nPORT=9000\n")
    settings = load_settings()
    assert (settings.host, settings.port) == ("0.0.0.0", 9000)


def test_empty_variable_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in OLDER_VARIABLES:
        monkeypatch.setenv(variable.name, "")
    assert load_settings().port == 8000
    assert read_older_variables().unused == {}


def test_embedded_service_names_what_it_does_not_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", DEFAULT_BROKER)
    monkeypatch.setenv("DATABASE_NAME", "jobs")
    monkeypatch.setenv("PORT", "9000")
    found = read_older_variables(embedded=True)
    assert found.values == {"port": 9000}
    assert list(found.unused) == ["CELERY_BROKER_URL", "DATABASE_NAME"]


def test_every_variable_has_a_row_in_the_table() -> None:
    rows: dict[str, str] = dict(
        re.findall(r"^\| `([A-Z_]+)` \| ([^|]*) \|", SETTINGS.read_text(encoding="utf-8"), re.MULTILINE)
    )
    for variable in OLDER_VARIABLES:
        own = [f"`{variables()[setting][0]}`" for setting in variable.settings[:1]]
        assert all(name in rows[variable.name] for name in own), variable.name
