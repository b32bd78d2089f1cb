"""The broker's URL as it is used, and as it is rejected."""

import traceback
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ketline.domain.errors import ConfigurationInvalid
from ketline.messaging.queue_names import QueueNames
from ketline.messaging.rabbit.link import Link, LinkTiming, broker_url
from ketline.messaging.topology import Topology


def test_url_gets_a_heartbeat_and_a_connection_name() -> None:
    url = broker_url("amqp://guest:secret@broker:5673/", name="ketline-publish", heartbeat_seconds=10)
    assert dict(url.query) == {"heartbeat": "10", "name": "ketline-publish"}
    assert (url.scheme, url.host, url.port, url.user, url.password) == ("amqp", "broker", 5673, "guest", "secret")


def test_heartbeat_in_the_url_is_preserved() -> None:
    assert broker_url("amqp://broker/?heartbeat=30", name="x", heartbeat_seconds=10).query["heartbeat"] == "30"


def test_vhost_is_preserved() -> None:
    assert broker_url("amqps://broker/%2Fteam", name="x", heartbeat_seconds=10).raw_path == "/%2Fteam"


@pytest.mark.parametrize(
    "url",
    ["", "broker", "redis://user:hidden@broker/", "amqp://user:hidden@", "amqp://user:hidden@broker:port/", "amqp://"],
)
def test_other_urls_are_rejected_without_repeating_them(url: str) -> None:
    with pytest.raises(ConfigurationInvalid) as rejection:
        broker_url(url, name="x", heartbeat_seconds=10)
    assert "hidden" not in "".join(traceback.format_exception(rejection.value))


@pytest.mark.parametrize("name", ["cafile", "certfile"])
@pytest.mark.parametrize("text", [None, "no certificate"])
def test_certificates_that_cannot_be_used_are_rejected_at_the_start(
    tmp_path: Path, name: str, text: str | None
) -> None:
    path = tmp_path / "hidden.pem"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationInvalid, match="cafile, certfile and keyfile") as rejection:
        broker_url(f"amqps://broker/?{name}={path}", name="x", heartbeat_seconds=10)
    assert "hidden" not in "".join(traceback.format_exception(rejection.value))


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("amqps://broker/?no_verify_ssl=1", True),
        ("amqps://broker/?no_verify_ssl=0", False),
        ("amqps://broker/", False),
        ("amqp://broker/?no_verify_ssl=1", False),
    ],
)
def test_certificate_that_is_not_verified_is_a_warning(url: str, warned: bool) -> None:
    with capture_logs() as lines:
        Link(url, name="x", topology=Topology(QueueNames("tasks")), timing=LinkTiming())
    assert [line["event"] for line in lines] == ["broker.certificate_unverified"] * warned
