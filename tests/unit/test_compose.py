"""The Compose file: what a stack protects before its operator has set anything."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")


def test_requests_need_a_key_unless_the_operator_says_otherwise() -> None:
    assert re.findall(r"^ +KETLINE_AUTH: (.*)$", COMPOSE, re.MULTILINE) == ["${KETLINE_AUTH:-keys}"]


def test_ports_are_published_on_loopback_only() -> None:
    published = re.findall(r"^ +ports: (.*)$", COMPOSE, re.MULTILINE)
    assert published
    assert all(re.fullmatch(r'\["127\.0\.0\.1:\$\{\w+:-\d+\}:\d+"\]', ports) for ports in published)


def test_metrics_without_a_key_are_not_published() -> None:
    ports = set(re.findall(r'KETLINE_(?:METRICS|WORKER)_PORT: "(\d+)"', COMPOSE))
    assert ports == {"8001", "8002"}
    assert not re.search(rf'ports: .*:({"|".join(ports)})"\]', COMPOSE)
    scraped = (ROOT / "deploy" / "prometheus" / "prometheus.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"port: (\d+)", scraped)) == ports


def test_files_of_the_monitoring_profile_exist() -> None:
    mounted = re.findall(r"- (\./deploy/[^:]*):", COMPOSE)
    assert len(mounted) >= 3
    assert all((ROOT / path).exists() for path in mounted)
