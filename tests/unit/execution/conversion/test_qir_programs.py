"""Random programs as QIR, in qirrunner and in the simulator of qdk: the distributions are those of the programs."""

import os
from collections import Counter
from collections.abc import Callable, Mapping
from importlib import import_module
from random import Random
from typing import Any

import pytest
from qiskit.quantum_info import Statevector

from ketline.domain.circuits.program_format import ProgramFormat, QirProfile
from ketline.domain.errors import ExecutionFailed, ProgramUnsupported
from ketline.execution.frontend.readers import read_as_written
from ketline.execution.simulators.aer import Simulator
from tests.blocks import long_after, numbers
from tests.circuits import as_qpy
from tests.conversions import LIMITS, counts_of, qir_counts, qir_text
from tests.difference.dynamic import Generator
from tests.difference.exported import make_exported
from tests.difference.language import text_of
from tests.difference.mixed_check import make_mixed
from tests.difference.openqasm2 import make_openqasm2
from tests.difference.openqasm2_meaning import distribution
from tests.reference import assert_counts_match, assert_samples_agree

SHOTS = 200
BLOCK = 20
BASE, ADAPTIVE = QirProfile.BASE, QirProfile.ADAPTIVE


@pytest.mark.parametrize("profile", [BASE, ADAPTIVE])
@pytest.mark.parametrize("block", long_after(1, range(3)))
def test_circuits_of_standard_gates(block: int, profile: QirProfile) -> None:
    for number in numbers(block, BLOCK):
        text = make_exported(Random(f"qir/{number}"))
        circuit = read_as_written(text, LIMITS).circuit
        measured = {circuit.find_bit(one.clbits[0]).index: circuit.find_bit(one.qubits[0]).index
                    for one in circuit.data if one.operation.name == "measure"}  # fmt: skip
        circuit.remove_final_measurements(inplace=True)
        state = Statevector(circuit)
        expected = state.probabilities_dict(qargs=[measured[bit] for bit in sorted(measured)])
        likely = {key: float(share) for key, share in expected.items() if share > 1e-12}
        assert_counts_match(qir_counts(qir_text(text, profile), SHOTS), likely, SHOTS)


@pytest.mark.parametrize("block", long_after(1, range(3)))
def test_programs_with_classical_values_and_control_flow(block: int) -> None:
    written = 0
    for number in numbers(block, BLOCK):
        program, in_qpy, expected = make_mixed(Random(f"qir/{number}"))
        inputs = {name: value for _, name, value in program.inputs}
        for text, values, form in (
            (text_of(program), inputs, ProgramFormat.OPENQASM3),
            (in_qpy, {}, ProgramFormat.QPY),
        ):
            try:
                module = qir_text(text, ADAPTIVE, values, form) if text else None
            except ExecutionFailed:
                continue  # the front ends do not read every such program, see tests/difference
            if module is not None:
                assert_counts_match(qir_counts(module, SHOTS), expected, SHOTS)
                written += 1
    assert written > 17


@pytest.mark.parametrize("block", long_after(1, range(3)))
def test_programs_in_openqasm2(block: int) -> None:
    for number in numbers(block, BLOCK):
        choices = Random(f"qir/{number}")
        program = make_openqasm2(choices)
        counts = qir_counts(qir_text(program.written(choices), ADAPTIVE), SHOTS)
        likely = {int(outcome): share for outcome, share in distribution(program).items() if share > 1e-9}
        assert_counts_match(
            {str(int(key.replace(" ", ""), 2)): count for key, count in counts.items()},
            {str(outcome): share / sum(likely.values()) for outcome, share in likely.items()},
            SHOTS,
        )


@pytest.mark.parametrize("block", long_after(1, range(3)))
def test_circuits_with_variables_arithmetic_and_loops(simulator: Simulator, block: int) -> None:
    written = 0
    for seed in numbers(block, BLOCK // 2):
        text = as_qpy(Generator(seed).build())
        try:
            module = qir_text(text, ADAPTIVE, form=ProgramFormat.QPY)
        except ProgramUnsupported as rejected:
            if "in some shots" not in rejected.message:
                raise
            continue
        expected = counts_of(simulator, text, SHOTS, form=ProgramFormat.QPY)
        assert_samples_agree(expected, qir_counts(module, SHOTS))
        written += 1
    assert written > 6


@pytest.fixture(scope="module")
def run_in_qdk() -> Callable[[str, int], Mapping[str, int]]:
    """Runs a module in the simulator of qdk, which must not report that."""
    os.environ["QDK_PYTHON_TELEMETRY"] = "none"
    simulation = import_module("qdk.simulation")

    def run(module: str, shots: int) -> Mapping[str, int]:
        return Counter(map(_key, simulation.run_qir(module, shots=shots, seed=1, type="cpu")))

    return run


def _key(output: Any) -> str:
    registers = output if isinstance(output, tuple) else [output]
    return " ".join(
        "".join(str(int(str(bit) in ("One", "True"))) for bit in reversed(one)) for one in reversed(registers)
    )


@pytest.mark.parametrize("block", long_after(1, range(3)))
def test_second_simulator_agrees(run_in_qdk: Callable[[str, int], Mapping[str, int]], block: int) -> None:
    written = 0
    for number in numbers(block, BLOCK):
        program, _, expected = make_mixed(Random(f"qdk/{number}"))
        inputs = {name: value for _, name, value in program.inputs}
        try:
            module = qir_text(text_of(program), ADAPTIVE, inputs)
        except ExecutionFailed:
            continue
        assert_counts_match(run_in_qdk(module, SHOTS), expected, SHOTS)
        written += 1
    assert written > 10
