"""The broker's URL as it is used, and as it is refused."""

import traceback

import pytest

from ketline.domain.errors import ConfigurationInvalid
from ketline.messaging.rabbit.link import broker_url


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
    with pytest.raises(ConfigurationInvalid) as refusal:
        broker_url(url, name="x", heartbeat_seconds=10)
    assert "hidden" not in "".join(traceback.format_exception(refusal.value))
