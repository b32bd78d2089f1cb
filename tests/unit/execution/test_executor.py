"""The edge of the child: every outcome becomes an answer."""

import pytest

from ketline.domain.errors import ExecutionFailed, MemoryLimitExceeded, SimulationFailed, TimeLimitExceeded
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.spec import TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.child.soft_time_limit import SoftTimeLimit
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Request


class Failing(Executor):
    """An executor whose programs all end the same way."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(ExecutionLimits())
        self._error = error

    def run(self, request: Request) -> RunResult:
        raise self._error


@pytest.mark.parametrize(
    ("error", "kind", "retiring"),
    [
        (MemoryError(), MemoryLimitExceeded, True),
        (SoftTimeLimit(), TimeLimitExceeded, True),
        (SimulationFailed("rejected"), SimulationFailed, False),
        (KeyError("/some/path.py"), SimulationFailed, False),
    ],
)
def test_any_error_becomes_an_answer(error: BaseException, kind: type[ExecutionFailed], retiring: bool) -> None:
    response = Failing(error).respond(Request(TaskSpec(circuit="", shots=1)))
    assert isinstance(response.outcome, kind)
    assert response.retiring is retiring
    assert "/some/path.py" not in response.outcome.message
