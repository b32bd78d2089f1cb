"""Metrics: names and units as Prometheus's guide says, bounded labels, and a page that lists each of them."""

import re
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from ketline.domain.operations.metrics import (
    INSTRUMENTS,
    LOOP_LAG,
    SIMULATOR_PROCESSOR,
    SLOTS,
    TASKS_ENDED,
    TASKS_SUBMITTED,
    Counter,
    Gauge,
    Histogram,
    Instrument,
    Total,
)
from ketline.prometheus_metrics import PrometheusMetrics
from tests.exposition import series_of, value

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
TYPES: dict[type[Instrument], str] = {
    Counter: "counter",
    Total: "counter",
    Histogram: "histogram",
    Gauge: "gauge",
}
# Each has few values: what has one for each task, program, project or person is not among them.
LABELS = {
    "cause",
    "code",
    "dependency",
    "kind",
    "method",
    "queue",
    "quota",
    "quota_of",
    "role",
    "route",
    "state",
    "status",
    "use",
    "version",
}
# Units other than the base units, and abbreviations, which the guide forbids.
FORBIDDEN = re.compile(r"_(ms|msec|milliseconds|microseconds|minutes|hours|sec|kb|kib|mb|mib|kilobytes|megabytes)(_|$)")


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda instrument: instrument.name)
def test_name_and_unit_follow_the_naming_guide(instrument: Instrument) -> None:
    assert re.fullmatch(r"ketline_[a-z]+(_[a-z]+)*", instrument.name)
    assert not FORBIDDEN.search(instrument.name)
    assert instrument.name.endswith("_total") == isinstance(instrument, Counter | Total)
    if isinstance(instrument, Histogram):
        assert instrument.name.endswith(("_seconds", "_bytes"))
        assert list(instrument.buckets) == sorted(set(instrument.buckets))
    assert instrument.help.endswith(".")


@pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda instrument: instrument.name)
def test_labels_have_few_values(instrument: Instrument) -> None:
    assert set(instrument.labels) <= LABELS
    assert not {"le", "quantile", "instance", "job"} & set(instrument.labels), "Prometheus's own"


def test_names_are_unique() -> None:
    names = [instrument.name for instrument in INSTRUMENTS]
    assert sorted(names) == sorted(set(names))


def test_page_lists_every_metric_with_its_type_and_labels() -> None:
    rows = re.findall(r"^\| `(ketline_\w+)` \| (\w+) \|(?: (.+?))? \| (.*) \|$", PAGE, re.MULTILINE)
    expected = [
        (each.name, TYPES[type(each)], ", ".join(f"`{label}`" for label in each.labels), each.help)
        for each in INSTRUMENTS
    ]
    assert sorted(rows) == sorted(expected)


def test_registry_shows_what_the_table_lists() -> None:
    metrics = PrometheusMetrics()
    for instrument in INSTRUMENTS:
        values = tuple("x" for _ in instrument.labels)
        if isinstance(instrument, Counter):
            metrics.count(instrument, *values)
        elif isinstance(instrument, Histogram):
            metrics.observe(instrument, 0.5, *values)
        elif isinstance(instrument, Gauge | Total):
            metrics.on_scrape(instrument, lambda values=values: {values: 1.0})  # type: ignore[misc]
    shown = {
        (family.name, family.type, family.documentation)
        for family in text_string_to_metric_families(metrics.render(None).body.decode())
        if family.name.startswith("ketline_")
    }
    assert shown == {(each.name.removesuffix("_total"), TYPES[type(each)], each.help) for each in INSTRUMENTS}


def test_counts_add_up_by_their_labels() -> None:
    metrics = PrometheusMetrics()
    metrics.count(TASKS_SUBMITTED, "simulate")
    metrics.count(TASKS_SUBMITTED, "simulate", by=2)
    metrics.count(TASKS_SUBMITTED, "convert")
    metrics.observe(LOOP_LAG, 0.3)
    found = series_of(metrics)
    assert value(found, "ketline_tasks_submitted_total", kind="simulate") == 3
    assert value(found, "ketline_tasks_submitted_total", kind="convert") == 1
    assert value(found, "ketline_event_loop_lag_seconds_count") == 1
    assert value(found, "ketline_event_loop_lag_seconds_bucket", le="0.25") == 0
    assert value(found, "ketline_event_loop_lag_seconds_bucket", le="0.5") == 1


def test_first_failure_is_an_increase() -> None:
    """A series that appears with the value 1 has increased by nothing for Prometheus."""
    found = series_of(PrometheusMetrics())
    assert value(found, "ketline_tasks_ended_total", status="failed", cause="timeout") == 0
    shown = {dict(labels)["status"] for name, labels in found if name == TASKS_ENDED.name}
    assert shown == {"completed", "failed", "cancelled"}


def test_readings_of_several_sources_are_added_at_each_scrape() -> None:
    metrics = PrometheusMetrics()
    slots = [2]
    metrics.on_scrape(SLOTS, lambda: {("simulate",): slots[0]})
    metrics.on_scrape(SLOTS, lambda: {("simulate",): 1, ("convert",): 1})
    metrics.on_scrape(SIMULATOR_PROCESSOR, lambda: {("read",): 0.5})
    slots[0] = 4
    found = series_of(metrics)
    assert value(found, "ketline_worker_slots", use="simulate") == 5
    assert value(found, "ketline_worker_slots", use="convert") == 1
    assert value(found, "ketline_simulator_processor_seconds_total", use="read") == 0.5


def test_gauge_without_a_reading_is_not_shown() -> None:
    metrics = PrometheusMetrics()
    metrics.on_scrape(SLOTS, dict)
    assert b"ketline_worker_slots" not in metrics.render(None).body


def test_two_processes_in_one_interpreter_do_not_share_counts() -> None:
    one, other = PrometheusMetrics(), PrometheusMetrics()
    one.count(TASKS_SUBMITTED, "simulate")
    assert value(series_of(other), "ketline_tasks_submitted_total", kind="simulate") is None


def test_scrape_that_asks_for_openmetrics_gets_it() -> None:
    page = PrometheusMetrics().render("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5")
    assert page.media_type.startswith("application/openmetrics-text")
    families = {family.name for family in parse_openmetrics(page.body.decode())}  # type: ignore[no-untyped-call]
    assert {"ketline_tasks_ended", "process_cpu_seconds"} <= families


def test_page_has_no_series_of_creation_times() -> None:
    metrics = PrometheusMetrics()
    metrics.count(TASKS_SUBMITTED, "simulate")
    assert b"_created" not in metrics.render(None).body
