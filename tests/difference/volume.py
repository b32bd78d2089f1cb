"""Random programs of every kind in any number, each checked in the way that fits it; a number and a seed name one."""

import signal
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from random import Random
from types import FrameType

from ketline.domain.errors import ExecutionFailed
from ketline.execution.frontend.program import load_program
from ketline.execution.frontend.scanner import scan
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from tests.difference import controlled
from tests.difference.branching import check_branching
from tests.difference.classical import assert_agrees, make_classical
from tests.difference.compare import LIMITS, compare
from tests.difference.controlled_u import assert_means_the_same, make_controlled_u
from tests.difference.dynamic import assert_dynamic_agrees
from tests.difference.exported import make_exported
from tests.difference.inputs import check_inputs
from tests.difference.mixed_check import check_mixed
from tests.difference.openqasm2_check import check_openqasm2
from tests.difference.programs import make_flat_program, make_fragments, make_program, mutate
from tests.difference.statements import make_statements

_HANGS_AFTER_SECONDS = 20.0  # of processor time: a busy machine is no hang
# A program that a mutation has made endless is to cost little.
_SMALL = ExecutionLimits(max_operations=5_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What checking one program came to; `complaint` is empty where nothing is wrong."""

    kind: str
    outcome: str
    seconds: float
    complaint: str = ""


def judge(seed: str, number: int, kind: str | None = None) -> Verdict:
    """Make and check the program of this number, of one kind or any; the same seed and number make the same program."""
    choices = Random(f"{seed}/{number}")
    if kind is None:
        kind = choices.choices(list(_KINDS), [weight for weight, _ in _KINDS.values()])[0]
    started = time.process_time()
    outcome, complaint = _outcome(kind, choices)
    if complaint:
        complaint = f"--- {kind} {seed}/{number}: {outcome}\n{complaint}"
    return Verdict(kind=kind, outcome=outcome, seconds=time.process_time() - started, complaint=complaint)


def _outcome(kind: str, choices: Random) -> tuple[str, str]:
    _, check = _KINDS[kind]
    try:
        with _hangs_after(_HANGS_AFTER_SECONDS):
            return check(choices), ""
    except AssertionError as mismatch:
        return "MISMATCH", str(mismatch)
    except _Hang:
        return "HANG", traceback.format_exc()
    except Exception:
        return "CRASH", traceback.format_exc()


class _Hang(BaseException):
    """Raised by the alarm; no `except Exception` on the way can take it for its own."""


@contextmanager
def _hangs_after(seconds: float) -> Iterator[None]:
    before = signal.signal(signal.SIGPROF, _raise_hang)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _raise_hang(_signal: int, _frame: FrameType | None) -> None:
    raise _Hang


@cache
def _simulator() -> Simulator:
    return Simulator(LIMITS)


def _generated(choices: Random) -> str:
    return compare(make_program(choices))


def _mutated(choices: Random) -> str:
    text = mutate(make_flat_program(choices), choices)
    # Most are declined; then there is nothing to compare, and the importer takes long.
    if choices.random() < 0.75 and scan(text, LIMITS) is None:
        return "declined"
    return compare(text)


def _exported(choices: Random) -> str:
    read_by = compare(make_exported(choices))
    assert read_by == "both", f"read by {read_by}"
    return read_by


def _classical(choices: Random) -> str:
    return assert_agrees(make_classical(choices), _simulator())


def _controlled(choices: Random) -> str:
    return controlled.assert_agrees(controlled.make_controlled(choices), _simulator())


def _controlled_u(choices: Random) -> str:
    return assert_means_the_same(make_controlled_u(choices))


def _branching(choices: Random) -> str:
    return check_branching(choices, _simulator())


def _dynamic(choices: Random) -> str:
    return assert_dynamic_agrees(choices.getrandbits(48), _simulator())


def _mixed(choices: Random) -> str:
    return check_mixed(choices, _simulator())


def _openqasm2(choices: Random) -> str:
    return check_openqasm2(choices, _simulator())


def _inputs(choices: Random) -> str:
    return check_inputs(choices, _simulator())


def _broken(choices: Random) -> str:
    return _answered(mutate(make_classical(choices).text, choices))


def _fragments(choices: Random) -> str:
    return _answered(make_fragments(choices))


def _statements(choices: Random) -> str:
    return _answered(make_statements(choices))


def _answered(text: str) -> str:
    """The front end that reads a text, or the error that it gets; anything else that is raised is a crash."""
    try:
        return load_program(text, _SMALL).front_end
    except ExecutionFailed as error:
        return error.code
    except Exception as error:
        error.add_note(text)
        raise


# What may be drawn, how often, and how it is checked.
_KINDS: Mapping[str, tuple[int, Callable[[Random], str]]] = {
    "generated": (6, _generated),
    "mutated": (6, _mutated),
    "exported": (2, _exported),
    "classical": (2, _classical),
    "branching": (1, _branching),
    "inputs": (1, _inputs),
    "controlled": (2, _controlled),
    "controlled_u": (1, _controlled_u),
    "dynamic": (1, _dynamic),
    "broken": (2, _broken),
    "fragments": (1, _fragments),
    "statements": (4, _statements),
    "mixed": (1, _mixed),
    "openqasm2": (1, _openqasm2),
}
KINDS = tuple(_KINDS)
