"""Contact is steady after the duration of a lease without gaps, failed calls or steps of the clock."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from ketline.domain.attempts.leases import Outage
from ketline.service.upkeep.contact import DatabaseContact

START = datetime(2026, 5, 1, tzinfo=UTC)
LEASE = timedelta(seconds=12)


@dataclass
class Clocks:
    """The local clock and the database's, which run alike until a test steps one of them."""

    seconds: float = 100.0
    stepped: float = 0.0

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def at(self, seconds: float) -> datetime:
        return START + timedelta(seconds=seconds)

    def look(self, contact: DatabaseContact, answer_takes: float = 0.0) -> bool:
        requested = self.seconds
        self.seconds += answer_takes
        return contact.record(self.at(self.seconds + self.stepped), requested)

    def looks(self, contact: DatabaseContact, seconds: float, every: float = 3.0) -> None:
        for _ in range(int(seconds / every)):
            self.seconds += every
            self.look(contact)


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def contact(clocks: Clocks) -> DatabaseContact:
    contact = DatabaseContact(clocks, LEASE)
    clocks.look(contact)
    return contact


def steady(contact: DatabaseContact) -> bool:
    return contact.steady


def test_contact_is_steady_after_a_lease(contact: DatabaseContact, clocks: Clocks) -> None:
    clocks.looks(contact, 9)
    assert not steady(contact)
    clocks.looks(contact, 3)
    assert steady(contact)
    assert contact.outage is None, "nothing is known of the time before"


def test_sole_owner_of_a_database_begins_steady(clocks: Clocks) -> None:
    contact = DatabaseContact(clocks, LEASE, steady_at_start=True)
    assert not steady(contact)
    clocks.look(contact)
    assert steady(contact)


def _fails(contact: DatabaseContact, clocks: Clocks) -> None:
    contact.interrupted()
    clocks.seconds += 1


def _is_silent(contact: DatabaseContact, clocks: Clocks) -> None:
    clocks.seconds += 9


def _answers_late(contact: DatabaseContact, clocks: Clocks) -> None:
    clocks.look(contact, answer_takes=9)


def _jumps_on(contact: DatabaseContact, clocks: Clocks) -> None:
    clocks.stepped += 600


def _jumps_back(contact: DatabaseContact, clocks: Clocks) -> None:
    clocks.stepped -= 600


@pytest.mark.parametrize("interrupt", [_fails, _is_silent, _answers_late, _jumps_on, _jumps_back])
def test_contact_is_steady_one_lease_after_an_interruption(
    contact: DatabaseContact, clocks: Clocks, interrupt: Callable[[DatabaseContact, Clocks], None]
) -> None:
    clocks.looks(contact, 12)
    interrupt(contact, clocks)
    clocks.look(contact)
    assert not steady(contact)
    clocks.looks(contact, 9)
    assert not steady(contact)
    clocks.looks(contact, 3)
    assert steady(contact)


def test_failed_call_ends_steadiness_before_the_next_look(contact: DatabaseContact, clocks: Clocks) -> None:
    clocks.looks(contact, 12)
    contact.interrupted()
    assert not steady(contact)


def test_outage_spans_the_readings_around_it(contact: DatabaseContact, clocks: Clocks) -> None:
    clocks.looks(contact, 12)
    before = clocks.at(clocks.seconds)
    contact.interrupted()
    clocks.seconds += 16
    clocks.look(contact)
    assert contact.outage == Outage(since=before, until=clocks.at(clocks.seconds))


def test_outage_that_returns_before_contact_is_steady_is_one(contact: DatabaseContact, clocks: Clocks) -> None:
    clocks.looks(contact, 12)
    before = clocks.at(clocks.seconds)
    for _ in range(2):
        contact.interrupted()
        clocks.seconds += 16
        clocks.looks(contact, 6)
    assert contact.outage == Outage(since=before, until=clocks.at(clocks.seconds - 3))
    clocks.looks(contact, 12)
    later = clocks.at(clocks.seconds)
    contact.interrupted()
    clocks.looks(contact, 3)
    assert contact.outage == Outage(since=later, until=clocks.at(clocks.seconds)), "another one"


def test_only_a_clock_set_back_is_reported(contact: DatabaseContact, clocks: Clocks) -> None:
    clocks.seconds += 3
    assert not clocks.look(contact)
    clocks.stepped += 600
    assert not clocks.look(contact)
    clocks.stepped -= 600
    assert clocks.look(contact)
    assert not clocks.look(contact)


def test_slow_answers_and_drift_are_no_step(contact: DatabaseContact, clocks: Clocks) -> None:
    clocks.looks(contact, 12)
    clocks.stepped -= 0.9
    for _ in range(3):
        assert not clocks.look(contact, answer_takes=3)
    assert steady(contact)
