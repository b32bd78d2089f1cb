"""Each step between accept and acknowledge, struck by each fault in real processes: nothing is lost or done twice."""

import pytest

from tests.failpoints.control import Fault
from tests.failpoints.table import Case, Mode, cases
from tests.failpoints.trials import Trials

pytestmark = pytest.mark.timeout(900)  # cases run several at once, and a test waits for its own


def _in_short_runs(case: Case) -> bool:
    """Kills at every point on PostgreSQL and RabbitMQ, and elsewhere those after a step, whose effect must last."""
    return case.fault is Fault.KILL and (case.mode is Mode.DISTRIBUTED or case.side == "after")


CASES = [case if _in_short_runs(case) else pytest.param(case, marks=pytest.mark.long) for case in cases()]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_struck_service_keeps_its_promises(case: Case, trials: Trials) -> None:
    trials.outcome(case)


def test_nothing_changes_after_a_case(trials: Trials) -> None:
    trials.end()
