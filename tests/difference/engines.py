"""Every engine against plain numpy: `python -m tests.difference.engines --programs 1000`.

Expectation values and counts of circuits of 15 to 18 qubits, where Aer fuses gates, and counts of small programs with
measurements, resets, branches and loops by every method. The final states of programs that only apply gates are
compared between Lightning and Aer (`--kinds states`), which is quick. Prints each program that something is wrong with;
ends with 1 if there is one.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial
from math import isclose, pi
from random import Random
from typing import Any

import numpy as np

from ketline.domain.circuits.method import Method
from ketline.domain.devices.backend import METHODS
from ketline.domain.errors import ProgramUnsupported
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Request
from ketline.execution.simulators.engines import Engines
from ketline.execution.simulators.methods.statevector import final_state
from ketline.execution.simulators.quota import Quota
from tests.dense import (
    ANGLES,
    WIDTHS,
    Gate,
    If,
    Measure,
    Operation,
    Program,
    Repeat,
    Reset,
    distribution_of,
    expectation_of,
    state_of,
    text_of,
)
from tests.reference import assert_counts_match

_PAULI = ("x", "y", "z")
_DIAGONAL = ("z", "s", "sdg", "t", "tdg", "cz")
# Products of the first five are what Aer's fusion once got wrong; see execution/circuit/passes/gate_runs.py.
_FAMILIES: Mapping[str, Sequence[str]] = {
    "pauli": ("y", "sdg", "x", "s", "z", "cz", "cx", "cy"),
    "diagonal": (*_PAULI, *_DIAGONAL, "p", "rz", "cp", "crz"),
    "clifford+t": (*_PAULI, "h", "s", "sdg", "t", "tdg", "sx", "cx", "cz", "cy", "swap", "ccx"),
}
_CLIFFORD = ("x", "y", "z", "h", "s", "sdg", "sx", "cx", "cy", "cz", "swap")
_ALL = tuple(name for name in WIDTHS if name != "gphase")
_SHOTS = 2000
_SHOTS_ONE_BY_ONE = 60
_TOLERANCE = 1e-9


class Mismatch(AssertionError):
    """A result that is not what numpy says."""


def check_values(choices: Random, qubits: int) -> None:
    """Expectation values of a wide circuit of gates.

    Raises:
        Mismatch: they differ from numpy's.
    """
    program = Program(qubits, 0, tuple(_wide_gates(choices, qubits)))
    labels = ["".join(choices.choices("XYZ", k=qubits)) for _ in range(2)]
    labels += ["".join(choices.choices("IXYZ", (6, 1, 1, 1), k=qubits)) for _ in range(6)]
    labels = [label for label in labels if label.strip("I")]
    options = RunOptions(observables=tuple({label: 1.0} for label in labels))
    found = (
        _executor(choices.choice((1, 1, 1, 2)))
        .run(Request(TaskSpec(circuit=text_of(program), shots=1, options=options), ""))
        .expectation_values
    )
    state = state_of(program)
    for label, value in zip(labels, found or (), strict=True):
        expected = expectation_of(label, state)
        if not isinstance(value, float) or not isclose(value, expected, abs_tol=_TOLERANCE):
            raise Mismatch(f"<{label}> is {value} for {expected}\n{text_of(program)}")


def check_wide_counts(choices: Random, qubits: int) -> None:
    """Counts of a wide circuit, measured at its end, or after a measurement, or a branch, which is run shot by shot.

    Raises:
        Mismatch: they are no sample of numpy's distribution.
    """
    _check_gates(choices, qubits, Method.STATEVECTOR)


def _check_gates(choices: Random, qubits: int, method: Method) -> None:
    gates = _wide_gates(choices, qubits)
    measured = sorted({qubit for gate in gates for qubit in gate.qubits})[:4]
    # In the bases of X and Y too, or a wrong sign of a coherence would not show.
    turns = [Gate(name, (qubit,)) for qubit in measured for name in choices.choice((("h",), ("sdg", "h"), ()))]
    ends = [Measure(qubit, bit) for bit, qubit in enumerate(measured)]
    first = measured[0]
    before = choices.choice(((), (), (), (), (Measure(first, 4), Reset(first)), (If(0, 0, (Gate("x", (first,)),)),)))
    # Aer is to simulate them all, so all are measured.
    unused = [Measure(qubit, 4) for qubit in range(qubits) if qubit not in measured]
    program = Program(qubits, 5, (*before, *gates, *turns, *unused, *ends))
    _compare(program, _SHOTS_ONE_BY_ONE if before else _SHOTS, method, choices, choices.choice((1, 1, 1, 2)))


def check_small_counts(choices: Random, method: Method) -> None:
    """Counts of a small program with measurements, resets, branches and loops, by one method.

    Raises:
        Mismatch: they are no sample of numpy's distribution.
    """
    clifford = method in (Method.STABILIZER, Method.STIM)
    branches = method is not Method.STIM
    qubits = choices.randint(1, 5)
    names = [name for name in (_CLIFFORD if clifford else _ALL) if WIDTHS[name] <= qubits]
    body = _statements(choices, qubits, names, 14, branches=branches, modifiers=not clifford)
    ends = [Measure(qubit, bit) for bit, qubit in enumerate(choices.sample(range(qubits), min(qubits, 4)))]
    _compare(Program(qubits, 4, (*body, *ends)), _SHOTS, method, choices, 1)


def check_density_matrix(choices: Random) -> None:
    """Counts of gates on so many qubits that Aer would fuse them on a density matrix too: 8.

    Raises:
        Mismatch: they are no sample of numpy's distribution.
    """
    _check_gates(choices, 8, Method.DENSITY_MATRIX)


def check_states(choices: Random) -> None:
    """The state that gates end in, built by Lightning and by Aer, of up to 9 qubits, and of 16 or 17 now and then.

    Raises:
        Mismatch: the two differ in more than a global phase.
    """
    qubits = choices.randint(1, 9) if choices.random() < 0.98 else choices.randint(16, 17)
    names = [name for name in _ALL if WIDTHS[name] <= qubits]
    gates = [Gate("ry", (qubit,), (choices.uniform(0.2, 2.9),)) for qubit in range(qubits)]
    modifiers = 0.2 if choices.random() < 0.1 else 0.0  # reading these takes ten times as long
    gates += [_gate_with_controls(choices, names, qubits, modifiers) for _ in range(choices.randint(5, 40))]
    text = text_of(Program(qubits, qubits, (*gates, *(Measure(qubit, qubit) for qubit in range(qubits)))))
    lowered = load_program(text, ExecutionLimits()).lowered
    states = [final_state(lowered, _engines(lightning=lightning)).amplitudes() for lightning in (True, False)]
    overlap = abs(np.vdot(*states))
    if not isclose(overlap, 1, abs_tol=_TOLERANCE):
        raise Mismatch(f"Lightning's state overlaps Aer's by {overlap}\n{text}")


def _gate_with_controls(choices: Random, names: Sequence[str], qubits: int, modifiers: float) -> Gate:
    name = choices.choice(names)
    room = qubits - WIDTHS[name]
    controls = tuple(choices.choices((0, 1), k=choices.randint(1, min(3, room)))) if room else ()
    return _gate(choices, name, range(qubits), controls if choices.random() < modifiers else ())


@cache
def _engines(*, lightning: bool) -> Engines:
    limits = ExecutionLimits(lightning=lightning)
    engines = Engines(limits, Quota(limits))
    assert (engines.lightning_for(1) is not None) is lightning
    return engines


def _compare(program: Program, shots: int, method: Method, choices: Random, threads: int) -> None:
    options = RunOptions(method=method, seed=choices.getrandbits(53), memory=choices.random() < 0.3)
    result = _executor(threads).run(Request(TaskSpec(circuit=text_of(program), shots=shots, options=options), ""))
    try:
        assert_counts_match(result.counts, distribution_of(program), shots)
        if result.memory is not None:
            assert {key: result.memory.count(key) for key in set(result.memory)} == dict(result.counts)
    except AssertionError as error:
        raise Mismatch(f"{method}, seed {options.seed}: {error}\n{text_of(program)}") from error


def _wide_gates(choices: Random, qubits: int) -> list[Gate]:
    """Few qubits are used, so that gates meet each other."""
    used = choices.sample(range(qubits), choices.randint(2, 4))
    family = _FAMILIES[choices.choice(list(_FAMILIES))]
    names = [name for name in family if WIDTHS[name] <= len(used)]
    gates = [Gate("ry", (qubit,), (choices.uniform(0.2, 2.9),)) for qubit in used]
    gates += [Gate("rx", (qubit,), (choices.uniform(0.2, 2.9),)) for qubit in used]
    return gates + [_gate(choices, choices.choice(names), used) for _ in range(choices.randint(3, 20))]


def _gate(choices: Random, name: str, qubits: Sequence[int], controls: tuple[int, ...] = ()) -> Gate:
    angles = tuple(
        choices.choice((choices.uniform(-7, 7), choices.randint(-4, 4) * pi / 2)) for _ in range(ANGLES[name])
    )
    return Gate(name, tuple(choices.sample(qubits, WIDTHS[name] + len(controls))), angles, controls)


def _statements(
    choices: Random, qubits: int, names: Sequence[str], most: int, *, branches: bool, modifiers: bool, bits: int = 4
) -> tuple[Operation, ...]:
    def inner() -> tuple[Operation, ...]:
        return _statements(choices, qubits, names, 3, branches=branches, modifiers=modifiers)

    def statement() -> Operation:
        kind = choices.random()
        if kind < 0.12:
            return Measure(choices.randrange(qubits), choices.randrange(bits))
        if kind < 0.17:
            return Reset(choices.randrange(qubits))
        if kind < 0.27 and branches and most > 3:
            bit = choices.choice((None, *range(bits)))
            value = choices.randrange(1 << bits) if bit is None else choices.randrange(2)
            return If(bit, value, inner(), choices.choice(((), inner())))
        if kind < 0.31 and most > 3:
            return Repeat(choices.randint(1, 3), tuple(one for one in inner() if isinstance(one, Gate)) or (Reset(0),))
        name = choices.choice(names)
        if modifiers and choices.random() < 0.15:
            name = choices.choice((name, "gphase"))
        room = qubits - WIDTHS[name]
        controls = tuple(choices.choices((0, 1), k=choices.randint(1, min(3, room)))) if room and modifiers else ()
        controlled = choices.random() < 0.2 or (name == "gphase" and room)
        return _gate(choices, name, range(qubits), controls if controlled else ())

    return tuple(statement() for _ in range(choices.randint(1, most)))


@cache
def _executor(threads: int) -> Executor:
    return Executor(ExecutionLimits(threads=threads, share_threads=threads))


CHECKS: Mapping[str, Callable[[Random], None]] = {
    "values": lambda choices: check_values(choices, choices.choice((15, 15, 16, 17, 18))),
    "wide counts": lambda choices: check_wide_counts(choices, choices.choice((15, 15, 15, 16, 17))),
    "states": check_states,
    "wide density matrix": check_density_matrix,
    **{f"{method} counts": partial(check_small_counts, method=method) for method in METHODS},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=100, help="of each kind")
    parser.add_argument("--kinds", nargs="*", choices=CHECKS, default=list(CHECKS))
    parser.add_argument("--seed", default=datetime.now(UTC).date().isoformat(), help="(today: %(default)s)")
    options = parser.parse_args()
    wrong = sum([run(kind, options.programs, options.seed) for kind in options.kinds])
    sys.exit(bool(wrong))


def run(kind: str, programs: int, seed: Any) -> int:
    """How many programs of a kind have a wrong result; each is printed."""
    started, wrong, rejected = time.monotonic(), 0, 0
    for number in range(programs):
        try:
            CHECKS[kind](Random(f"{seed}/{kind}/{number}"))
        except Mismatch as mismatch:
            wrong += 1
            print(f"--- {kind} {seed}/{number}: {mismatch}", flush=True)
        except ProgramUnsupported as error:
            rejected += 1
            print(f"--- {kind} {seed}/{number}: {error.message}", flush=True)
    print(
        f"{kind}: {programs} programs in {time.monotonic() - started:.0f} s, {wrong} wrong, {rejected} rejected",
        flush=True,
    )
    return wrong


if __name__ == "__main__":
    main()
