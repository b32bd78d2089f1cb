"""What traces cost: one service that sends all of them to a collector and one without, under the same load in turns.

`python -m benchmarks.tracing` runs both embedded services, and then both distributed ones, at the same time; the one
that has no turn is idle. With `BENCHMARK_BEFORE=DIRECTORY` it compares two services without traces: the first runs the
code of another checkout, of before there were any, which says what they cost where there is no collector.
"""

import os

from benchmarks.deployment import NO_SETTINGS
from benchmarks.turns import compare
from tests.collector import open_collector

if __name__ == "__main__":
    if before := os.environ.pop("BENCHMARK_BEFORE", None):
        other_code = {"PYTHONPATH": os.path.join(before, "src")}
        compare("tracing", __doc__, columns=("before", "without traces"), settings=(other_code, NO_SETTINGS))
    else:
        with open_collector(keep=False) as collector:
            traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
            compare("tracing", __doc__, columns=("without traces", "with traces"), settings=(NO_SETTINGS, traced))
