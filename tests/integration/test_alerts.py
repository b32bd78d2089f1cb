"""Alerts and the dashboard as Prometheus itself reads them: its own tool checks rules, and makes each alert fire."""

import json
from pathlib import Path

import yaml

from tests.servers.prometheus import promtool

ROOT = Path(__file__).parents[2]


def test_rules_are_valid() -> None:
    assert "SUCCESS" in promtool("check", "rules", ROOT / "deploy/prometheus/alerts.yaml")


def test_configuration_is_valid(tmp_path: Path) -> None:
    """With the rules where the Compose stack has them."""
    text = (ROOT / "deploy/prometheus/prometheus.yaml").read_text()
    rules = ROOT / "deploy/prometheus/alerts.yaml"
    (tmp_path / "prometheus.yaml").write_text(text.replace("/etc/prometheus/alerts.yaml", str(rules)))
    assert "SUCCESS" in promtool("check", "config", tmp_path / "prometheus.yaml")


def test_each_alert_fires_and_a_busy_service_causes_none() -> None:
    assert "SUCCESS" in promtool("test", "rules", ROOT / "tests/prometheus/alerts_test.yaml")


def test_expressions_of_the_dashboard_are_valid(tmp_path: Path) -> None:
    dashboard = json.loads((ROOT / "deploy/grafana/ketline.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$__rate_interval", "1m")}
        for number, expression in enumerate(expressions)
    ]
    assert len(rules) > 50
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    assert "SUCCESS" in promtool("check", "rules", file)
