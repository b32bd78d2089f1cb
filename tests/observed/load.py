"""The load of a run: tasks of several kinds, some with a callback, from clients that never stop."""

from collections.abc import Mapping
from functools import partial

from tests.acceptance.programs import BELL
from tests.acceptance.steady_load import SteadyLoad
from tests.observed.stack import Stack, bearer

# As many tasks a second as leave two cores the time for everything else.
PAUSE_SECONDS = 0.8
_SWEEP = "OPENQASM 3.0; input float a; qubit q; bit c; U(a, 0, 0) q; c = measure q;"
_WRONG = "OPENQASM 3.0; nonsense;"


def open_load(stack: Stack) -> SteadyLoad:
    """The load, which has not begun."""
    body = partial(body_of, callback=stack.receiver.url)
    return SteadyLoad([stack.port], headers=bearer(stack.key), body=body, pause_seconds=PAUSE_SECONDS)


def body_of(number: int, callback: str) -> Mapping[str, object]:
    """The task of this number."""
    task: dict[str, object] = {"qc": BELL, "shots": 16}
    match number % 12:
        case 3:
            task = {"qc": _WRONG}
        case 5 | 11:
            task = {"qc": BELL, "kind": "convert", "target": "qpy"}
        case 8:
            task = {"qc": _SWEEP, "inputs": {"a": [0.1, 0.2, 0.3]}}
    return {**task, "callback": callback} if has_callback(number) else task


def expected_status(number: int) -> str:
    """How the task of this number ends."""
    return "failed" if number % 12 == 3 else "completed"


def has_callback(number: int) -> bool:
    """Whether the end of this task is delivered."""
    return number % 3 == 0
