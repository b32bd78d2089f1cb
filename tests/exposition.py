"""Reads a page of metrics, as a Prometheus server would."""

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from ketline.prometheus_metrics import PrometheusMetrics

Series = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


def parsed(page: str) -> Series:
    """The value of each series by its name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def series_of(metrics: PrometheusMetrics) -> Series:
    return parsed(metrics.render(None).body.decode())


def value(series: Series, name: str, **labels: str) -> float | None:
    """The value of one series; None if the page does not have it."""
    return series.get((name, frozenset(labels.items())))


def total(series: Series, name: str, **labels: str) -> float:
    """The sum over all series of this name that have these labels."""
    wanted = set(labels.items())
    return sum(value for (found, has), value in series.items() if found == name and wanted <= has)
