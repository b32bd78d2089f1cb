"""How messages are delivered, with a scripted queue and sender."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import UUID

import pytest
import structlog

from ketline.domain.access.principals import DEFAULT_PROJECT
from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.ids import TaskId
from ketline.domain.webhooks.deliveries import Attempt, AttemptLimits, ClaimedDelivery, DeliveryId, DeliveryState
from ketline.ports.operations.metrics import Metrics, NoMetrics
from ketline.prometheus_metrics import PrometheusMetrics
from ketline.runtime.clock import SystemClock
from ketline.service.upkeep.deliveries import BATCH, SPARE, DeliverMessages
from tests.exposition import series_of, value
from tests.fake_webhooks import FakeDeliveryQueue

TIMEOUT = timedelta(seconds=7)
BUSY = Attempt(error="the receiver answered 503", status=503)


def delivery(number: int, host: str = "example.org", attempt: int = 1) -> ClaimedDelivery:
    return ClaimedDelivery(
        delivery_id=DeliveryId(UUID(int=number)),
        task_id=TaskId(UUID(int=number)),
        project=DEFAULT_PROJECT,
        url=f"https://{host}/secret-path",
        host=host,
        body="{}",
        attempt=attempt,
        secrets=[],
    )


class Sender:
    """Answers at once, or once `go` is set; `most` is the largest number of messages at once."""

    def __init__(self, attempt: Attempt | Exception) -> None:
        self.attempt = attempt
        self.go = asyncio.Event()
        self.go.set()
        self.under_way = self.most = 0
        self._begun = asyncio.Condition()

    async def after(self, number: int) -> None:
        """Return once so many messages are under way."""
        async with asyncio.timeout(30), self._begun:
            await self._begun.wait_for(lambda: self.under_way >= number)

    async def send(self, claimed: ClaimedDelivery) -> Attempt:
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        async with self._begun:
            self._begun.notify_all()
        try:
            await self.go.wait()
        finally:
            self.under_way -= 1
        if isinstance(self.attempt, Exception):
            raise self.attempt
        return self.attempt


@asynccontextmanager
async def delivering(
    queue: FakeDeliveryQueue, sender: Sender, most: int = 8, metrics: Metrics | None = None
) -> AsyncIterator[None]:
    deliver = DeliverMessages(
        queue, sender, SystemClock(), most, TIMEOUT, draw=lambda: 0.0, metrics=metrics or NoMetrics()
    )
    task = asyncio.create_task(deliver.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_accepted_message_is_recorded() -> None:
    queue, accepted = FakeDeliveryQueue(delivery(1)), Attempt(status=204)
    async with delivering(queue, Sender(accepted)):
        await queue.after(1)
    assert queue.recorded == [(1, accepted, None)]
    assert queue.claims[0] == (8, TIMEOUT + SPARE, [], AttemptLimits(host=2, project=4))


async def test_failed_message_waits_longer_each_time_and_as_long_as_the_receiver_asks() -> None:
    queue = FakeDeliveryQueue(delivery(1), delivery(2, attempt=4))
    async with delivering(queue, Sender(BUSY)):
        await queue.after(2)
    assert sorted(pause for _, _, pause in queue.recorded if pause) == [timedelta(seconds=5), timedelta(seconds=40)]
    queue = FakeDeliveryQueue(delivery(1))
    async with delivering(queue, Sender(Attempt(error="busy", pause_seconds=300.0))):
        await queue.after(1)
    assert queue.recorded[0][2] == timedelta(seconds=300)


async def test_attempts_are_counted_by_what_becomes_of_the_delivery() -> None:
    metrics = PrometheusMetrics()
    for attempt, state in (
        (Attempt(status=204), DeliveryState.WAITING),
        (BUSY, DeliveryState.WAITING),
        (BUSY, None),
        (BUSY, DeliveryState.DEAD),
    ):
        queue = FakeDeliveryQueue(delivery(1))
        queue.state = state
        async with delivering(queue, Sender(attempt), metrics=metrics):
            await queue.after(1)
    found = series_of(metrics)
    counts = {state: value(found, "ketline_webhook_attempts_total", state=state) for state in DeliveryState}
    assert counts == {DeliveryState.DELIVERED: 1, DeliveryState.WAITING: 2, DeliveryState.DEAD: 1}


async def test_no_more_messages_are_under_way_than_permitted() -> None:
    queue, sender = FakeDeliveryQueue(*map(delivery, range(1, 21))), Sender(Attempt(status=200))
    sender.go.clear()
    async with delivering(queue, sender, most=3):
        await sender.after(3)
        sender.go.set()
        await queue.after(20)
    assert sender.most == 3
    assert queue.claims[0][0] == 3


async def test_attempts_under_way_are_named_in_the_next_claim() -> None:
    queue, sender = FakeDeliveryQueue(delivery(1, "slow.example")), Sender(Attempt(status=200))
    sender.go.clear()
    async with delivering(queue, sender):
        await sender.after(1)
        queue.waiting.append(delivery(2))
        await sender.after(2)
    assert queue.claims[-1][2] == [delivery(1, "slow.example")]


async def test_process_that_is_to_deliver_none_does_not_look() -> None:
    queue = FakeDeliveryQueue(delivery(1))
    async with asyncio.timeout(30):
        await DeliverMessages(queue, Sender(BUSY), SystemClock(), 0, TIMEOUT).run()
    assert (queue.makes, queue.claims) == (0, [])


async def test_times_are_corrected_at_first_and_then_now_and_then() -> None:
    queue = FakeDeliveryQueue(*map(delivery, range(1, 5)))
    async with delivering(queue, Sender(BUSY), most=1):
        await queue.after(4)
    assert (queue.corrections, queue.makes > 2) == (1, True)


async def test_deliveries_are_made_until_none_is_left() -> None:
    queue = FakeDeliveryQueue(delivery(1))
    queue.to_make = [BATCH, BATCH, 3]
    async with delivering(queue, Sender(BUSY)):
        await queue.after(1)
    assert queue.makes >= 3


async def test_deliveries_that_are_due_do_not_wait_until_all_others_are_made() -> None:
    queue = FakeDeliveryQueue(delivery(1))
    queue.to_make = [BATCH] * 20
    async with delivering(queue, Sender(BUSY)):
        await queue.after(1)
    assert len(queue.claims) >= 20


@pytest.mark.parametrize(
    ("error", "event"),
    [(DatabaseUnavailable("down"), "webhook.not_recorded"), (RuntimeError("bug"), "webhook.crashed")],
)
async def test_message_that_cannot_be_recorded_does_not_stop_the_others(error: Exception, event: str) -> None:
    queue = FakeDeliveryQueue(delivery(1), delivery(2))
    queue.error = error
    with structlog.testing.capture_logs() as logs:
        async with delivering(queue, Sender(Attempt(status=200)), most=1):
            await queue.after(2)
    assert [line["event"] for line in logs].count(event) >= 1


async def test_delivery_that_is_claimed_again_meanwhile_does_not_stop_the_others() -> None:
    """As after its repetition, a step of the clock, or an outage of the database that was longer than the lease."""
    queue, sender = FakeDeliveryQueue(delivery(1), delivery(1, attempt=2)), Sender(Attempt(status=200))
    sender.go.clear()
    async with delivering(queue, sender):
        await sender.after(2)
        sender.go.set()
        await queue.after(2)
        queue.waiting.append(delivery(2))
        await queue.after(3)
    assert [number for number, _, _ in queue.recorded] == [1, 1, 2]


async def test_log_lines_do_not_have_the_url() -> None:
    queue = FakeDeliveryQueue(delivery(1))
    queue.state = DeliveryState.DEAD
    with structlog.testing.capture_logs() as logs:
        async with delivering(queue, Sender(BUSY)):
            await queue.after(1)
            await asyncio.sleep(0)
    [line] = [line for line in logs if line["event"] == "webhook.dead"]
    assert (line["host"], line["status"], line["attempt"]) == ("example.org", 503, 1)
    assert "secret-path" not in str(logs)
