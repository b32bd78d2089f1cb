"""The Compose file: what a stack protects before its operator has set anything."""

import re
from pathlib import Path

COMPOSE = (Path(__file__).parents[2] / "docker-compose.yml").read_text(encoding="utf-8")


def test_requests_need_a_key_unless_the_operator_says_otherwise() -> None:
    assert re.findall(r"^ +KETLINE_AUTH: (.*)$", COMPOSE, re.MULTILINE) == ["${KETLINE_AUTH:-keys}"]


def test_ports_are_published_on_loopback_only() -> None:
    published = re.findall(r"^ +ports: (.*)$", COMPOSE, re.MULTILINE)
    assert published
    assert all(re.fullmatch(r'\["127\.0\.0\.1:\$\{\w+:-\d+\}:\d+"\]', ports) for ports in published)
