"""Alerts and the dashboard are about metrics that exist, and each alert has its section in the runbook and its test."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from ketline.domain.operations.metrics import INSTRUMENTS, Histogram, Instrument
from ketline.prometheus_metrics import PrometheusMetrics
from tests.exposition import series_of

ROOT = Path(__file__).parents[2]
ALERTS: Sequence[Mapping[str, Any]] = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text())["groups"][0][
    "rules"
]
TESTS: Sequence[Mapping[str, Any]] = yaml.safe_load((ROOT / "tests/prometheus/alerts_test.yaml").read_text())["tests"]
DASHBOARD: Mapping[str, Any] = json.loads((ROOT / "deploy/grafana/ketline.json").read_text())
RUNBOOK = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
NAMES = [alert["alert"] for alert in ALERTS]

# What Prometheus adds to every series, and `le` to buckets.
_ADDED = {"job", "instance", "le"}
_SELECTOR = re.compile(r"\b((?:ketline|process|python)_\w+|up)\b(?:\{([^}]*)\})?")


def panels() -> Iterator[tuple[str, str]]:
    """The title of each panel with each of its expressions."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]


def known() -> Mapping[str, set[str]]:
    """The labels of each series, by its name."""
    found: dict[str, set[str]] = {"up": set()}
    for name, labels in series_of(PrometheusMetrics()):
        found.setdefault(name, set()).update(label for label, _ in labels)
    for instrument in INSTRUMENTS:
        found.update((name, set(instrument.labels)) for name in _series(instrument))
    return found


def _series(instrument: Instrument) -> Sequence[str]:
    if isinstance(instrument, Histogram):
        return [f"{instrument.name}_{suffix}" for suffix in ("bucket", "count", "sum")]
    return [instrument.name]


EXPRESSIONS = [*((alert["alert"], alert["expr"]) for alert in ALERTS), *panels()]


@pytest.mark.parametrize(("title", "expression"), EXPRESSIONS)
def test_expression_names_metrics_and_labels_that_exist(title: str, expression: str) -> None:
    series = known()
    selectors = _SELECTOR.findall(re.sub(r"\b(by|on|without)\s*\([^)]*\)", "", expression))
    assert selectors, title
    for name, conditions in selectors:
        assert name in series, f"{title}: there is no {name}"
        labels = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", conditions))
        assert labels <= series[name] | _ADDED, f"{title}: {name} has no {labels - series[name] - _ADDED}"
        if name == "ketline_tasks_ended_total" and 'status="failed"' in conditions and "cause" in labels:
            [causes] = re.findall(r'cause=~"([^"]*)"', conditions)
            codes = {cause for status, cause in _series_of_ended() if status == "failed"}
            assert all(any(re.fullmatch(part, code) for code in codes) for part in _alternatives(causes))


def _series_of_ended() -> set[tuple[str, str]]:
    found = (dict(labels) for name, labels in series_of(PrometheusMetrics()) if name == "ketline_tasks_ended_total")
    return {(labels["status"], labels["cause"]) for labels in found}


def _alternatives(pattern: str) -> list[str]:
    """The alternatives of a pattern; `a|b(c|d)` has three."""
    parts = []
    for part in re.split(r"\|(?![^(]*\))", pattern):
        stem, _, ends = part.partition("(")
        parts += [stem + end for end in ends.rstrip(")").split("|")]
    return parts


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_alert_says_how_bad_it_is_and_where_to_read_on(alert: Mapping[str, Any]) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert alert["annotations"]["summary"].endswith(".")
    assert alert["annotations"]["runbook"] == f"docs/runbook.md#{alert['alert'].lower()}"


def test_runbook_has_a_section_for_each_alert_and_for_no_other() -> None:
    sections = re.findall(r"^## (.*)$", RUNBOOK, re.MULTILINE)
    assert sections == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_section_says_what_it_means_what_to_look_at_and_what_to_do(name: str) -> None:
    section = RUNBOOK.partition(f"## {name}\n")[2].partition("\n## ")[0]
    for beginning in ("**Meaning.**", "**Look at**", "**Do"):
        assert beginning in section


def test_metrics_and_settings_that_the_runbook_names_exist() -> None:
    metrics = set(re.findall(r"\b((?:ketline|process)_[a-z_]+[a-z])\b", RUNBOOK))
    assert metrics <= known().keys() | {instrument.name for instrument in INSTRUMENTS}
    settings = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in settings for name in re.findall(r"\bKETLINE_[A-Z_]+\b", RUNBOOK))


@pytest.mark.parametrize("name", NAMES)
def test_alert_is_made_to_fire_and_to_keep_quiet(name: str) -> None:
    checks = [check for test in TESTS for check in test["alert_rule_test"] if check["alertname"] == name]
    assert any(check["exp_alerts"] for check in checks)
    assert [check["eval_time"] for check in checks if not check["exp_alerts"]] == ["0m", "35m"]


def test_every_metric_of_the_service_is_on_the_dashboard() -> None:
    shown = " ".join(expression for _, expression in panels())
    assert [instrument.name for instrument in INSTRUMENTS if instrument.name not in shown] == [
        "ketline_data_directory_size_bytes"
    ]


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (column, line)
            for column in range(place["x"], place["x"] + place["w"])
            for line in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
