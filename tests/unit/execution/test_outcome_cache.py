"""What outcomes are drawn from is cached by program, within a number and a size."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import pytest

from ketline.domain.circuits.method import Method
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.frontend.program import Program, load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from ketline.execution.simulators.bitstrings import Counted, KeyFormat
from ketline.execution.simulators.outcome_cache import OutcomeCache

LIMITS = ExecutionLimits()


@dataclass
class Source:
    reusable_bytes: int | None

    def draw(self, shots: int, seed: int | None, key: KeyFormat, *, memory: bool) -> Counted:
        return {"0": shots}, None


def program(qubits: int = 1) -> Program:
    rotations = "".join(f"ry({0.3 + 0.1 * qubit}) q[{qubit}];" for qubit in range(qubits))
    text = f'include "stdgates.inc"; qubit[{qubits}] q; bit[{qubits}] c; {rotations} c = measure q;'
    return load_program(text, LIMITS)


def made(cache: OutcomeCache, programs: Sequence[Program], size: int | None, *, exact: bool = True) -> list[Program]:
    """The programs for which a source was made, in order."""
    found: list[Program] = []

    def make(one: Program) -> Source:
        found.append(one)
        return Source(size)

    for one in programs:
        cache.get(one, partial(make, one), exact=exact)
    return found


def test_source_is_made_once() -> None:
    cache, one = OutcomeCache(100), program()
    assert made(cache, [one, one, one], 10) == [one]


def test_exact_source_and_sampled_state_are_two() -> None:
    cache, one = OutcomeCache(100), program()
    assert made(cache, [one], 10, exact=True) == made(cache, [one], 10, exact=False) == [one]


def test_source_used_longest_ago_is_dropped() -> None:
    cache, (one, two, three) = OutcomeCache(20), [program() for _ in range(3)]
    assert made(cache, [one, two, one, three, one, two], 10) == [one, two, three, two]


def test_number_of_small_sources_is_bounded() -> None:
    cache, programs = OutcomeCache(1000), [program() for _ in range(65)]
    made(cache, programs, 1)
    assert made(cache, programs[:1], 1) == programs[:1]


@pytest.mark.parametrize("size", [None, 1 << 30])
def test_source_that_cannot_be_kept_is_made_again(size: int | None) -> None:
    cache, one = OutcomeCache(1 << 40), program()
    assert made(cache, [one, one], size) == [one, one]


@pytest.mark.parametrize("qubits", [3, 14])  # one draw from all probabilities, and the state's own sampling
@pytest.mark.parametrize("method", [Method.AUTOMATIC, Method.STATEVECTOR])
def test_counts_of_a_seed_are_the_same_from_the_cache(qubits: int, method: Method) -> None:
    run: Callable[..., object] = partial(Simulator(LIMITS).run, program(qubits), 100)
    options = RunOptions(seed=7, memory=True, method=method)
    first = run(options, likely_repeated=True)
    assert run(options, likely_repeated=True) == run(options, likely_repeated=False) == first
    assert run(RunOptions(seed=8, memory=True, method=method)) != first
