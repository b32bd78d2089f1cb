"""Random programs, read back from what they were converted to, have the same unitaries and distributions."""

import base64
import io
import re
from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from qiskit import qasm2, qasm3, qpy
from qiskit.circuit import QuantumCircuit
from qiskit.quantum_info import Operator

from ketline.domain.circuits.program_format import ProgramFormat, Target
from ketline.domain.errors import ExecutionFailed, ProgramUnsupported
from ketline.execution.frontend.readers import read_as_written
from ketline.execution.simulators.aer import Simulator
from tests.blocks import long_after, numbers
from tests.conversions import LIMITS, conversion, counts_of, written
from tests.difference.exported import make_exported
from tests.difference.language import text_of
from tests.difference.mixed_check import make_mixed
from tests.difference.openqasm2 import make_openqasm2
from tests.difference.openqasm2_meaning import distribution
from tests.reference import assert_counts_match

SHOTS = 200
BLOCK = 20
_SCRATCH = "measured"


def unitary_program(choices: Random) -> str:
    """A random circuit of Qiskit's standard gates without its measurements."""
    return re.sub(r"^.*(measure|bit\[4\] c).*\n", "", make_exported(choices), flags=re.MULTILINE)


def read_by_qiskit(content: str | bytes, target: Target) -> Any:
    if isinstance(content, bytes):
        return qpy.load(io.BytesIO(content))[0]
    return qasm3.loads(content) if target is Target.OPENQASM3 else qasm2.loads(content, strict=True)


def without_scratch(counts: Mapping[str, int], circuit: QuantumCircuit) -> Mapping[str, int]:
    """Counts without the register that a conversion to QPY adds, which is the leftmost."""
    if not circuit.cregs or circuit.cregs[-1].name != _SCRATCH:
        return counts
    shorter: Counter[str] = Counter()
    for key, count in counts.items():
        shorter[key.partition(" ")[2]] += count
    return shorter


@pytest.mark.parametrize("target", [Target.OPENQASM3, Target.OPENQASM2, Target.QPY])
@pytest.mark.parametrize("block", long_after(1, range(3)))
def test_qiskit_reads_the_same_unitary(block: int, target: Target) -> None:
    for number in numbers(block, BLOCK):
        text = unitary_program(Random(f"unitary/{number}"))
        expected = Operator(read_as_written(text, LIMITS).circuit)
        found = Operator(read_by_qiskit(conversion(text, target).content, target))
        assert expected.equiv(found), f"program {number}\n{text}"


@pytest.mark.parametrize("target", [Target.OPENQASM3, Target.QPY])
@pytest.mark.parametrize("block", long_after(1, range(3)))
def test_mixed_programs_have_the_same_distribution(simulator: Simulator, block: int, target: Target) -> None:
    converted = 0
    for number in numbers(block, BLOCK // 2):
        program, as_qpy, expected = make_mixed(Random(f"conversion/{number}"))
        inputs = {name: value for _, name, value in program.inputs}
        sources = [(text_of(program), inputs, ProgramFormat.OPENQASM3)]
        if as_qpy:
            sources.append((as_qpy, {}, ProgramFormat.QPY))
        for text, values, form in sources:
            try:
                content = conversion(text, target, values, form).content
            except ExecutionFailed:
                continue  # the front ends do not read every such program, see tests/difference
            again = content if isinstance(content, str) else base64.b64encode(content).decode()
            counts = counts_of(simulator, again, SHOTS)
            if isinstance(content, bytes):
                counts = without_scratch(counts, read_by_qiskit(content, target))
            assert_counts_match(counts, expected, SHOTS)
            converted += 1
    assert converted > 6


@pytest.mark.parametrize("target", [Target.OPENQASM3, Target.OPENQASM2, Target.QPY])
@pytest.mark.parametrize("block", long_after(1, range(3)))
def test_openqasm2_programs_have_the_same_distribution(simulator: Simulator, block: int, target: Target) -> None:
    rejected = 0
    for number in numbers(block, BLOCK):
        choices = Random(f"conversion/{number}")
        program = make_openqasm2(choices)
        text = program.written(choices)
        try:
            again = written(text, target)
        except ProgramUnsupported:
            rejected += 1  # a register measured under a condition on itself, which is several statements when flat
            continue
        counts = counts_of(simulator, again, SHOTS)
        expected = {int(outcome): share for outcome, share in distribution(program).items() if share > 1e-9}
        outcomes = {int(key.replace(" ", ""), 2): count for key, count in counts.items()}
        assert_counts_match(
            {str(outcome): count for outcome, count in outcomes.items()},
            {str(outcome): share / sum(expected.values()) for outcome, share in expected.items()},
            SHOTS,
        )
    assert rejected <= (3 if target is Target.OPENQASM2 else 0)
