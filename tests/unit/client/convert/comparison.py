"""What a converted program means, to be compared with what the circuit means in its own library."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import log, sqrt
from typing import Any

from qiskit.quantum_info import Operator

from ketline.client.convert import ConvertedProgram
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.tasks.inputs import InputValue
from ketline.execution.frontend.program import load_program, with_inputs
from ketline.execution.frontend.readers import read_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator

LIMITS = ExecutionLimits()
SHOTS = 4000
# The chance that a right conversion fails a comparison of samples.
FALSE_ALARM = 1e-9


def unitary_of(program: ConvertedProgram) -> Any:
    """The unitary of a program without measurements, its first qubit the most significant bit of an index."""
    return Operator(read_program(program.text, LIMITS).circuit.reverse_bits()).data


def counts_of(
    program: ConvertedProgram, shots: int = SHOTS, inputs: Mapping[str, InputValue] | None = None
) -> Mapping[str, int]:
    given = {program.inputs.get(name, name): value for name, value in (inputs or {}).items()}
    form = ProgramFormat(program.format)
    loaded = load_program(program.text, LIMITS, None if form == ProgramFormat.QPY else given, form)
    if form == ProgramFormat.QPY:
        loaded = with_inputs(loaded, given)
    return Simulator(LIMITS).run(loaded, shots).counts


def key_of(registers: Iterable[Sequence[int]]) -> str:
    """Ketline's bitstring for the bits of each register, in order: bit 0 rightmost, the last register first."""
    words = ["".join(str(int(bit)) for bit in reversed(bits)) for bits in registers]
    return " ".join(reversed(words))


def assert_sampled_alike(ours: Mapping[str, int], theirs: Mapping[str, int]) -> None:
    """Two samples of one distribution differ by more with at most the chance of a false alarm.

    Source: Weissman et al., "Inequalities for the L1 deviation of the empirical distribution" (2003): frequencies of n
    shots of k outcomes deviate by e in L1 with probability at most 2^k exp(-n e^2 / 2).
    """
    outcomes = ours.keys() | theirs.keys()
    shares = [{key: count / sum(counts.values()) for key, count in counts.items()} for counts in (ours, theirs)]
    distance = sum(abs(shares[0].get(key, 0.0) - shares[1].get(key, 0.0)) for key in outcomes)
    allowed = [sqrt(2 * (len(outcomes) * log(2) - log(FALSE_ALARM / 2)) / sum(one.values())) for one in (ours, theirs)]
    assert distance <= sum(allowed)


def sampled(keys: Iterable[str]) -> Mapping[str, int]:
    return Counter(keys)
