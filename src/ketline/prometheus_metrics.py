"""Metrics in Prometheus's format, by prometheus_client; `runtime.metrics` makes one object for each process."""

from collections.abc import Callable, Iterable, Iterator
from threading import Lock

import prometheus_client
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from ketline.domain.operations.metrics import INSTRUMENTS, Counter, Gauge, Histogram, Instrument, Total
from ketline.ports.operations.metrics import MetricsPage, Reading

Read = Callable[[], Reading]


class PrometheusMetrics:
    """Implements `Metrics` and `Exposition` on a registry of its own, with the usual metrics of the process."""

    def __init__(self) -> None:
        # A series with the time of creation beside each other series would double the page.
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry(auto_describe=False)
        self._counters: dict[Instrument, prometheus_client.Counter] = {}
        self._histograms: dict[Instrument, prometheus_client.Histogram] = {}
        self._counter_series: dict[tuple[Instrument, tuple[str, ...]], prometheus_client.Counter] = {}
        self._histogram_series: dict[tuple[Instrument, tuple[str, ...]], prometheus_client.Histogram] = {}
        self._readings = _Readings()
        for instrument in INSTRUMENTS:
            self._add(instrument)
        self._registry.register(self._readings)
        prometheus_client.ProcessCollector(registry=self._registry)
        prometheus_client.PlatformCollector(registry=self._registry)
        prometheus_client.GCCollector(registry=self._registry)

    def count(self, counter: Counter, *labels: str, by: float = 1.0) -> None:
        series = self._counter_series.get((counter, labels))
        if series is None:
            parent = self._counters[counter]
            series = self._counter_series[counter, labels] = parent.labels(*labels) if labels else parent
        series.inc(by)

    def observe(self, histogram: Histogram, value: float, *labels: str) -> None:
        series = self._histogram_series.get((histogram, labels))
        if series is None:
            parent = self._histograms[histogram]
            series = self._histogram_series[histogram, labels] = parent.labels(*labels) if labels else parent
        series.observe(value)

    def on_scrape(self, instrument: Gauge | Total, read: Read) -> None:
        self._readings.add(instrument, read)

    def render(self, accept: str | None) -> MetricsPage:
        encode, media_type = choose_encoder(accept or "")
        return MetricsPage(encode(self._registry), media_type)

    def _add(self, instrument: Instrument) -> None:
        name, text, labels = instrument.name, instrument.help, instrument.labels
        if isinstance(instrument, Counter):
            self._counters[instrument] = prometheus_client.Counter(name, text, labels, registry=self._registry)
            for values in instrument.series:
                self.count(instrument, *values, by=0)
        elif isinstance(instrument, Histogram):
            self._histograms[instrument] = prometheus_client.Histogram(
                name, text, labels, buckets=instrument.buckets, registry=self._registry
            )


class _Readings(Collector):
    """Reads gauges and totals at each scrape; a scrape may run in another thread than `add`."""

    def __init__(self) -> None:
        self._reads: dict[Gauge | Total, list[Read]] = {}
        self._lock = Lock()

    def add(self, instrument: Gauge | Total, read: Read) -> None:
        with self._lock:
            self._reads.setdefault(instrument, []).append(read)

    def collect(self) -> Iterator[Metric]:
        with self._lock:
            all_reads = [(instrument, list(reads)) for instrument, reads in self._reads.items()]
        for instrument, reads in all_reads:
            values = _sum(read() for read in reads)
            if values:
                yield _family(instrument, values)


def _sum(readings: Iterable[Reading]) -> dict[tuple[str, ...], float]:
    total: dict[tuple[str, ...], float] = {}
    for reading in readings:
        for labels, value in reading.items():
            total[labels] = total.get(labels, 0.0) + value
    return total


def _family(instrument: Gauge | Total, values: Reading) -> Metric:
    family: CounterMetricFamily | GaugeMetricFamily
    if isinstance(instrument, Total):
        family = CounterMetricFamily(instrument.name, instrument.help, labels=instrument.labels)
    else:
        family = GaugeMetricFamily(instrument.name, instrument.help, labels=instrument.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family
