"""Random flat programs with inputs: what the scanner makes of values for them, and what the unroller makes."""

import math
from collections.abc import Sequence
from random import Random

from ketline.domain.errors import ExecutionFailed
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.circuit.operations import Step
from ketline.execution.frontend.program import _unrolling_reader, load_program
from ketline.execution.simulators.aer import Simulator
from tests.difference.compare import LIMITS, Mismatch
from tests.difference.programs import make_program_with_inputs

_SHOTS = 100
# The scanner and the unroller compute angles in the same order, but 2**-64 of a turn apart where they are of that type.
_PRECISION = 1e-12


def check_inputs(choices: Random, simulator: Simulator) -> str:
    """Make a program, and fail where operations or counts for values of its inputs differ; returns what read it."""
    text, values = make_program_with_inputs(choices)
    try:
        program = load_program(text, LIMITS, values)
    except ExecutionFailed:
        return "rejected"
    if program.front_end != "scanner":
        return program.front_end
    try:
        other = _unrolling_reader(text, LIMITS, None)(values)
    except ExecutionFailed as error:
        raise Mismatch(f"only the scanner reads this; the unroller says: {error}\n{values}\n{text}") from error
    ours, theirs = program.lowered, other.lowered
    if not _agree(ours.steps, theirs.steps) or ours.depth != theirs.depth or ours.operations != theirs.operations:
        raise Mismatch(f"the front ends differ:\n{ours.steps}\n{theirs.steps}\n{values}\n{text}")
    assert (program.groups, program.names) == (other.groups, other.names), text
    if ours.final_measurements is not None:
        seeded = RunOptions(seed=choices.getrandbits(32))
        counts = [simulator.run(one, _SHOTS, seeded).counts for one in (program, other)]
        assert counts[0] == counts[1], text
    return "scanner"


def _agree(ours: Sequence[Step], theirs: Sequence[Step]) -> bool:
    return len(ours) == len(theirs) and all(
        (one[0], list(one[1])) == (other[0], list(other[1]))
        and all(
            math.isclose(angle, same, rel_tol=_PRECISION, abs_tol=_PRECISION)
            for angle, same in zip(one[3], other[3], strict=True)
        )
        for one, other in zip(ours, theirs, strict=True)
    )
