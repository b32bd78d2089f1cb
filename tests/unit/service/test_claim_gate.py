"""A worker's consumers stop and continue with pauses and drains, and a drain ends once nothing can be claimed."""

from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from ketline.domain.attempts.claim_stops import ClaimStops, Drain, parse_pause_scope
from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.ids import WorkerId
from ketline.domain.tasks.queues import CONVERSIONS, SIMULATIONS, TaskQueue
from ketline.runtime.clock import SystemClock
from ketline.service.claim_gate import ClaimGate, FollowStops
from tests.actors import TESTER
from tests.fake_administration import SINCE, FakeClaimControls

WORKER = WorkerId("worker-1")


class Consumers:
    """Consumers that remember whether they are paused."""

    def __init__(self) -> None:
        self.paused: bool | None = None
        self.active_consumers = 0

    def pause(self, paused: bool) -> None:
        self.paused = paused


class Rig:
    """A worker that consumes simulations and conversions."""

    def __init__(self) -> None:
        self.controls = FakeClaimControls()
        self.gate = ClaimGate(stops=None)
        self.follow = FollowStops(self.controls, SystemClock(), WORKER, self.gate).follow
        self.simulations, self.conversions = self.consumers_of(SIMULATIONS), self.consumers_of(CONVERSIONS)

    def consumers_of(self, queue: TaskQueue) -> Consumers:
        consumers = Consumers()
        self.gate.add(queue, consumers)
        return consumers

    @property
    def paused(self) -> tuple[bool | None, bool | None]:
        return self.simulations.paused, self.conversions.paused


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def test_nothing_is_consumed_before_it_is_known_what_is_paused(rig: Rig) -> None:
    assert rig.paused == (True, True)
    await rig.follow()
    assert rig.paused == (False, False)


async def test_only_the_consumers_of_a_paused_queue_stop(rig: Rig) -> None:
    await rig.controls.pause(parse_pause_scope("convert"), None, TESTER)
    await rig.follow()
    assert rig.paused == (False, True)
    await rig.controls.resume(None, TESTER)
    await rig.follow()
    assert rig.paused == (False, False)


async def test_change_is_logged_once(rig: Rig) -> None:
    await rig.controls.pause(parse_pause_scope("convert"), None, TESTER)
    with capture_logs() as lines:
        await rig.follow()
        await rig.follow()
    assert [(line["event"], line["paused"], line["draining"]) for line in lines] == [
        ("worker.claim_stops_changed", ["convert"], False)
    ]


async def test_end_of_a_drain_is_no_change_of_what_is_stopped(rig: Rig) -> None:
    rig.controls.drains[WORKER] = Drain(worker_id=WORKER, draining_since=SINCE)
    with capture_logs() as lines:
        await rig.follow()
        await rig.follow()
    assert [line["event"] for line in lines] == ["worker.claim_stops_changed", "worker.drained"]


async def test_pause_outlasts_an_outage_of_the_database(rig: Rig) -> None:
    await rig.controls.pause(parse_pause_scope("all"), None, TESTER)
    await rig.follow()
    rig.controls.error = DatabaseUnavailable("down")
    with pytest.raises(DatabaseUnavailable):
        await rig.follow()
    assert rig.paused == (True, True)


async def test_worker_is_drained_once_no_consumer_can_hold_a_message(rig: Rig) -> None:
    rig.controls.drains[WORKER] = Drain(worker_id=WORKER, draining_since=SINCE)
    rig.conversions.active_consumers = 1
    await rig.follow()
    assert rig.paused == (True, True)
    assert rig.controls.drains[WORKER].drained_at is None
    rig.conversions.active_consumers = 0
    rig.controls.held.add(WORKER)
    await rig.follow()
    assert rig.controls.drains[WORKER].drained_at is None
    rig.controls.held.clear()
    await rig.follow()
    assert rig.controls.drains[WORKER].drained_at == SINCE


async def test_drain_outlasts_the_removal_of_a_worker_from_the_list(rig: Rig) -> None:
    rig.controls.drains[WORKER] = Drain(worker_id=WORKER, draining_since=SINCE)
    await rig.follow()
    del rig.controls.drains[WORKER]
    rig.controls.held.add(WORKER)
    await rig.follow()
    assert (rig.paused, rig.gate.draining_since) == ((True, True), SINCE)
    rig.controls.drains[WORKER] = Drain(worker_id=WORKER, draining_since=None)
    await rig.follow()
    assert rig.paused == (False, False)


def test_consumers_that_have_ended_are_left_alone() -> None:
    gate, consumers = ClaimGate(), Consumers()
    with gate.obeyed(SIMULATIONS, consumers):
        consumers.active_consumers = 1
        idle = [gate.idle]
    idle.append(gate.idle)
    assert idle == [False, True]
    gate.update(replace(ClaimStops(), draining_since=SINCE))
    assert consumers.paused is False
