"""Traces by OpenTelemetry, over OTLP; imported only if an endpoint is set, because its libraries are an extra."""

from ketline.tracing.export import TracingOff, open_exporter
from ketline.tracing.spans import OpenTelemetryTracing

__all__ = ["OpenTelemetryTracing", "TracingOff", "open_exporter"]
