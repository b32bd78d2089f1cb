"""Converts a program to QIR and compares its counts in qirrunner with those of our own simulator."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from zlib import crc32

from benchmarks.execution.distance import bound, distance
from ketline.domain.circuits.program_format import QirProfile
from ketline.domain.errors import ExecutionFailed, ProgramUnsupported
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.frontend.program import load_program
from ketline.execution.simulators.aer import Simulator
from tests.conversions import LIMITS, qir_counts, qir_text
from tests.qir.programs import Program
from tests.reference import assert_samples_agree

# Of our own simulator, where most shots cost little: the more, the sharper the comparison.
OUR_SHOTS = 4_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What checking a program in one profile came to: same, different, rejected or not run; `detail` says why."""

    program: Program
    profile: QirProfile
    result: str
    detail: str = ""


def check(program: Program, simulator: Simulator, shots: int) -> Iterator[Outcome]:
    """Compare the distributions of a program in each profile; false alarms have a rate of at most 2e-9 each."""
    seed = crc32(program.name.encode())
    ours: Mapping[str, int] | ExecutionFailed
    try:
        ours = simulator.run(load_program(program.text, LIMITS), OUR_SHOTS, RunOptions(seed=seed)).counts
    except ExecutionFailed as error:
        ours = error
    for profile in QirProfile:
        result, detail = _compared(program, profile, ours, shots)
        yield Outcome(program=program, profile=profile, result=result, detail=detail)


def _compared(
    program: Program, profile: QirProfile, ours: Mapping[str, int] | ExecutionFailed, shots: int
) -> tuple[str, str]:
    if isinstance(ours, ExecutionFailed):
        return "not run", ours.message
    try:
        module = qir_text(program.text, profile)
    except ProgramUnsupported as error:
        return "rejected", error.message
    try:
        require_same(ours, qir_counts(module, shots))
    except AssertionError as error:
        return "different", str(error)
    return "same", ""


def require_same(ours: Mapping[str, int], theirs: Mapping[str, int]) -> None:
    """Compare single outcomes, and where there are too many of them, groups of bits.

    Raises:
        AssertionError: they are not of one distribution, or have other registers.
    """
    shapes = {tuple(map(len, key.split(" "))) for key in (*ours, *theirs)}
    assert len(shapes) == 1, f"registers differ: {shapes}"
    assert_samples_agree(ours, theirs)
    apart, most = distance(ours, theirs), bound(sum(shapes.pop()), sum(ours.values()), sum(theirs.values()))
    assert apart <= most, f"the distributions are {apart:.3f} apart, more than {most:.3f}"
