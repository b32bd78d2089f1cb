"""Each step between accept and acknowledge, struck by each fault in real processes: nothing is lost or done twice."""

import pytest

from tests.failpoints.control import Fault
from tests.failpoints.table import Case, cases
from tests.failpoints.trials import Trials

pytestmark = pytest.mark.timeout(900)  # cases run several at once, and a test waits for its own

# A kill at every point takes as long as all other tests of a quick session; the other faults take three times that.
CASES = [case if case.fault is Fault.KILL else pytest.param(case, marks=pytest.mark.long) for case in cases()]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_struck_service_keeps_its_promises(case: Case, trials: Trials) -> None:
    trials.outcome(case)


def test_nothing_changes_after_a_case(trials: Trials) -> None:
    trials.end()
