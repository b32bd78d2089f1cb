"""The URL of Redis as it is used, and as it is rejected; and timing that follows the lease."""

import traceback

import pytest
from redis.exceptions import ReadOnlyError
from structlog.testing import capture_logs

from ketline.domain.errors import ConfigurationInvalid
from ketline.messaging.redis.connection import RedisAddress, RedisTiming, milliseconds, reason


async def test_client_gets_what_the_url_says() -> None:
    client = RedisAddress("rediss://user:secret@broker:6380/3?socket_timeout=1&decode_responses=yes").client(
        reply_timeout_seconds=8.0
    )
    options = client.connection_pool.connection_kwargs
    assert (options["host"], options["port"], options["db"]) == ("broker", 6380, 3)
    assert (options["username"], options["password"]) == ("user", "secret")
    assert (options["socket_timeout"], options["decode_responses"]) == (8.0, False), "ours come first"
    assert client.connection_pool.connection_class.__name__ == "SSLConnection"


@pytest.mark.parametrize("url", ["redis://broker", "redis://:secret@broker/0"])
def test_messages_name_host_and_port(url: str) -> None:
    assert str(RedisAddress(url)) == "broker:6379"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "broker",
        "amqp://user:hidden@broker/",
        "redis://user:hidden@",
        "redis://user:hidden@broker:port/",
        "redis://user:hidden@broker/0?socket_timeout=hidden",
        "redis://",
        "redis://broker/0?hidden=1",
        "redis://broker/0?ssl_ca_certs=/hidden.pem",
        "rediss://broker/0?ssl_ca_certs=/hidden.pem",
        "rediss://broker/0?ssl_cert_reqs=hidden",
        "unix:///hidden.sock",
    ],
)
def test_other_urls_are_rejected_without_repeating_them(url: str) -> None:
    with pytest.raises(ConfigurationInvalid) as rejection:
        RedisAddress(url)
    assert "hidden" not in "".join(traceback.format_exception(rejection.value))


@pytest.mark.parametrize("lease_seconds", [0.1, 1.0, 12.0, 600.0])
def test_messages_are_abandoned_later_than_a_lease_ends(lease_seconds: float) -> None:
    timing = RedisTiming.for_lease(lease_seconds)
    assert timing.abandoned_seconds > lease_seconds
    assert timing.renew_seconds <= timing.abandoned_seconds / 4
    assert timing.block_seconds <= timing.abandoned_seconds / 4, "a waiting consumer would look silent"


def test_reason_repeats_what_the_server_said() -> None:
    assert reason(ReadOnlyError("You can't write against a read only replica.")) == (
        "ReadOnlyError: You can't write against a read only replica."
    )


def test_no_time_is_for_ever() -> None:
    assert (milliseconds(0), milliseconds(0.0001), milliseconds(5)) == (1, 1, 5000)


@pytest.mark.parametrize(
    ("query", "warned"),
    [("", False), ("?ssl_cert_reqs=none", True), ("?ssl_check_hostname=no", True), ("?ssl_cert_reqs=required", False)],
)
def test_certificate_that_is_not_verified_is_a_warning(query: str, warned: bool) -> None:
    with capture_logs() as lines:
        RedisAddress(f"rediss://broker/0{query}")
    assert [line["event"] for line in lines] == ["broker.certificate_unverified"] * warned
