"""What Prometheus saw: alerts that fire and end, and values that change."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import httpx

from ketline.domain.operations.metrics import Counter, Histogram, Instrument
from tests.servers import PrometheusServer

POLL_SECONDS = 0.5
# Longer than any run.
WINDOW = "30m"


@dataclass(slots=True)
class Watch:
    """Waits for alerts, which are known by their names, and remembers for which it waited in vain."""

    prometheus: PrometheusServer
    missed: set[str] = field(default_factory=set)

    async def firing(self) -> set[str]:
        """The alerts that fire now; those about a dependency are named with it."""
        series = await self.prometheus.query('ALERTS{alertstate="firing"}')
        return {_name(found["metric"]) for found in series}

    async def fired(self, *names: str, seconds: float = 45.0) -> None:
        """Wait until each of these has fired, at whatever moment from now on; at most so long."""
        awaited, deadline = set(names), time.monotonic() + seconds
        while awaited and time.monotonic() < deadline:
            awaited -= await self._firing_or_none()
            await asyncio.sleep(POLL_SECONDS)
        self.missed |= awaited

    async def shows(self, expression: str, seconds: float = 45.0) -> None:
        """Wait until Prometheus has a value of an expression, at most so long; whether it ever had is in `history`."""
        deadline = time.monotonic() + seconds
        while True:
            if await self.prometheus.query(expression) or time.monotonic() > deadline:
                return
            await asyncio.sleep(POLL_SECONDS)

    async def quiet(self, seconds: float) -> set[str]:
        """Wait until no alert fires, at most so long; return those that still do."""
        deadline = time.monotonic() + seconds
        while True:
            firing = await self.firing()
            if not firing or time.monotonic() > deadline:
                return firing
            await asyncio.sleep(POLL_SECONDS)

    async def ever_fired(self) -> Mapping[str, float]:
        """For how many seconds each alert fired that did."""
        series = await self.prometheus.query(f'count_over_time(ALERTS{{alertstate="firing"}}[{WINDOW}])')
        seconds: dict[str, float] = {}
        for found in series:
            name = _name(found["metric"])
            seconds[name] = seconds.get(name, 0.0) + float(found["value"][1])
        return seconds

    async def history(self, instrument: Instrument) -> Sequence[Sequence[float]]:
        """The values of each series of a metric over the whole run; of a histogram, the numbers of its observations."""
        name = f"{instrument.name}_count" if isinstance(instrument, Histogram) else instrument.name
        series = await self.prometheus.query(f"{name}[{WINDOW}]")
        return [[float(value) for _, value in found["values"]] for found in series]

    async def _firing_or_none(self) -> set[str]:
        try:
            return await self.firing()
        except httpx.TransportError:
            return set()


def has_changed(instrument: Instrument, history: Sequence[Sequence[float]]) -> bool:
    """Whether a value changed; a counter whose series appeared with a count has."""
    if isinstance(instrument, Counter | Histogram) and any(values[-1] > 0 for values in history):
        return True
    return any(len(set(values)) > 1 for values in history)


def _name(labels: Mapping[str, str]) -> str:
    about = labels.get("dependency")
    return f"{labels['alertname']} ({about})" if about else labels["alertname"]
