"""Outputs of programs that measure before their end, reset, branch or have noise: averages over all outcomes.

They are compared with Aer's density matrices where these are exact, and with plain numpy otherwise.
"""

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import QuantumCircuit
from qiskit.circuit.classical import expr, types
from qiskit.quantum_info import DensityMatrix, Operator, SparsePauliOp, entropy, partial_trace
from qiskit_aer import AerSimulator

from ketline.domain.circuits.method import Method
from ketline.domain.errors import ExecutionFailed, OutputsInvalid, ProgramTooLarge, ProgramUnsupported
from ketline.domain.results.outputs import OutputType, RequestedOutput
from ketline.domain.tasks.inspection import Inspection
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command
from tests.blocks import long_after
from tests.noise import random_circuit, random_model
from tests.outputs import COUNTS, close, found_of, outcome, result

LIMITS = ExecutionLimits(memory_bytes=64 << 20, max_result_bytes=1 << 20)
MATRIX, STATE = OutputType.DENSITY_MATRIX, OutputType.STATEVECTOR


@pytest.fixture(scope="module", params=[True, False], ids=["lightning", "numpy"])
def executor(request: pytest.FixtureRequest) -> Executor:
    return Executor(ExecutionLimits(memory_bytes=64 << 20, max_result_bytes=1 << 20, lightning=request.param))


def of(kind: OutputType, *qubits: int, at: str | None = None) -> RequestedOutput:
    return RequestedOutput(kind, f"{kind}{'' if at is None else at}", qubits or None, at=at)


# A history: its probability and its state, which are added up: the classical bits, and a density matrix of that trace.
Branches = Mapping[tuple[int, ...], Any]
PROJECTORS = [np.diag([1.0, 0.0]), np.diag([0.0, 1.0])]
FLIP = np.array([[0.0, 1.0], [1.0, 0.0]])


def after(matrix: Any, qubits: list[int], density: Any) -> Any:
    """A density matrix after an operator, by Qiskit's definition of the order of qubits."""
    total = len(density).bit_length() - 1
    whole = Operator(np.eye(1 << total)).compose(Operator(matrix), qubits).data
    return whole @ density @ whole.conj().T


def random_program(seed: int, qubits: int) -> tuple[QuantumCircuit, Any]:
    """A circuit of gates, measurements, resets and branches, and its averaged density matrix by plain numpy."""
    draw = random.Random(seed)
    circuit = QuantumCircuit(qubits, 3)
    start = np.zeros((1 << qubits, 1 << qubits), dtype=complex)
    start[0, 0] = 1
    branches: Branches = {(0, 0, 0): start}
    for _ in range(8):
        qubit, bit = draw.randrange(qubits), draw.randrange(3)
        match draw.randrange(4):
            case 0:
                circuit.measure(qubit, bit)
                branches = measured(branches, qubit, bit)
            case 1:
                circuit.reset(qubit)
                branches = {
                    bits: sum(after(one @ PROJECTORS[n], [qubit], rho) for n, one in enumerate((np.eye(2), FLIP)))
                    for bits, rho in branches.items()
                }
            case 2:
                angle, value = draw.uniform(-3, 3), draw.randrange(2)
                inner = QuantumCircuit(1)
                inner.ry(angle, 0)
                with circuit.if_test((circuit.clbits[bit], value)):
                    circuit.ry(angle, qubit)
                matrix = Operator(inner).data
                branches = {
                    bits: after(matrix, [qubit], rho) if bits[bit] == value else rho for bits, rho in branches.items()
                }
            case _:
                part = random_circuit(draw.randrange(10**6), qubits, gates=3)
                for instruction in part.data:
                    circuit.append(instruction.operation, [part.find_bit(one).index for one in instruction.qubits])
                whole = Operator(part).data
                branches = {bits: whole @ rho @ whole.conj().T for bits, rho in branches.items()}
    # So that measurements that come last are not left out.
    circuit.barrier()
    circuit.x(range(qubits))
    total = sum(branches.values())
    for qubit in range(qubits):
        total = after(FLIP, [qubit], total)
    return circuit, total


def measured(branches: Branches, qubit: int, bit: int) -> Branches:
    found: dict[tuple[int, ...], Any] = {}
    for bits, rho in branches.items():
        for value in (0, 1):
            key = (*bits[:bit], value, *bits[bit + 1 :])
            found[key] = found.get(key, 0) + after(PROJECTORS[value], [qubit], rho)
    return found


@pytest.mark.parametrize("seed", long_after(13, range(40)))
def test_density_matrix_is_the_average_over_all_outcomes(executor: Executor, seed: int) -> None:
    circuit, expected = random_program(seed, 1 + seed % 4)
    assert close(found_of(result(executor, circuit, of(MATRIX)))["density_matrix"], expected)


@pytest.mark.parametrize("seed", range(8))
def test_all_types_are_those_of_the_density_matrix(executor: Executor, seed: int) -> None:
    circuit, expected = random_program(seed, 3)
    rho = DensityMatrix(expected)
    operator = SparsePauliOp(["XYZ", "IZZ", "ZII"], [0.5, -2, 1.5])
    terms = {label: float(factor.real) for label, factor in operator.to_list()}
    values = RequestedOutput(OutputType.EXPECTATION_VALUES, "v", observables=(terms,), variance=True)
    found = found_of(
        result(executor, circuit, of(OutputType.PROBABILITIES, 2, 0), of(OutputType.ENTROPY, 1), of(MATRIX, 2), values)
    )
    mean = rho.expectation_value(operator).real
    square = rho.expectation_value((operator @ operator).simplify()).real
    assert close(found["v"], [[mean, square - mean**2]])
    assert close(found["probabilities"], rho.probabilities([2, 0]))
    assert close(found["entropy"], entropy(partial_trace(rho, [0, 2]), base=2))
    assert close(found["density_matrix"], partial_trace(rho, [0, 1]).data)


@pytest.mark.parametrize("seed", long_after(8, range(16)))
def test_noise_gives_aers_density_matrix(executor: Executor, seed: int) -> None:
    qubits = 1 + seed % 3
    circuit, model = random_circuit(seed, qubits), random_model(seed, qubits)
    saved = circuit.copy()
    saved.save_density_matrix()
    simulator = AerSimulator(method="density_matrix", fusion_enable=False, max_parallel_threads=1)
    expected = simulator.run(saved, noise_model=model).result()
    assert expected.success
    noise = {"model": model.to_dict(serializable=True)}
    found = found_of(result(executor, circuit, of(MATRIX), noise=noise))
    assert close(found["density_matrix"], expected.data()["density_matrix"].data)


def test_misread_bit_decides_a_branch(executor: Executor) -> None:
    text = "qubit[2] q; bit c; x q[0]; c = measure q[0]; if (c) { x q[1]; }"
    noise = {"name": "readout", "p01": 0.1, "p10": 0.3}
    found = found_of(result(executor, text, of(OutputType.PROBABILITIES), noise=noise))
    assert close(found["probabilities"], [0, 0.3, 0, 0.7])


def test_error_of_a_measurement_and_of_a_reset(executor: Executor) -> None:
    text = "qubit[2] q; bit c; c = measure q[0]; x q[0]; reset q[1];"
    flip = [[{"name": "x", "qubits": [0]}], [{"name": "id", "qubits": [0]}]]
    errors = [
        {"type": "qerror", "operations": [name], "instructions": flip, "probabilities": [share, 1 - share]}
        for name, share in (("measure", 0.2), ("reset", 0.4))
    ]
    found = found_of(result(executor, text, of(OutputType.PROBABILITIES), noise={"model": {"errors": errors}}))
    assert close(found["probabilities"], np.kron([0.6, 0.4], [0.2, 0.8]))


def test_loop_that_repeats_until_success_ends(executor: Executor) -> None:
    """Each turn succeeds with a probability of a half; in the end the qubit is 1 and the other one rotated back."""
    text = "qubit[2] q; bit c; h q[1]; while (!c) { h q[0]; c = measure q[0]; z q[1]; }"
    found = found_of(result(executor, text, of(MATRIX, 1)))
    # z is applied an odd number of times with a probability of 2/3.
    assert close(found["density_matrix"], [[0.5, -1 / 6], [-1 / 6, 0.5]])


def test_places_of_a_program_with_outcomes(executor: Executor) -> None:
    text = (
        "qubit[2] q; bit c; h q[0];\n#pragma ketline save a\nc = measure q[0];\n#pragma ketline save b\n"
        "if (c) { x q[1]; }\n#pragma ketline save d\n"
    )
    found = found_of(result(executor, text, *(of(MATRIX, at=place) for place in "abd"), of(MATRIX)))
    plus = np.zeros((4, 4))
    plus[:2, :2] = 0.5
    assert close(found["density_matrixa"], plus)
    assert close(found["density_matrixb"], np.diag([0.5, 0.5, 0, 0]))
    assert close(found["density_matrixd"], np.diag([0.5, 0, 0, 0.5]))
    assert close(found["density_matrix"], found["density_matrixd"])


def test_state_of_many_qubits_with_few_outcomes(executor: Executor) -> None:
    """A density matrix of 16 qubits would take 64 GiB."""
    text = "qubit[16] q; bit c; h q[0]; for int i in [0:14] { cx q[i], q[i + 1]; } c = measure q[7]; if (c) { x q; }"
    found = result(executor, text, of(OutputType.PROBABILITIES, 0, 15))
    assert close(found_of(found)["probabilities"], [1, 0, 0, 0])
    assert found.profile.method == "density_matrix"


def test_wide_program_needs_what_its_outputs_depend_on(executor: Executor) -> None:
    """Teleportation beside 37 qubits that are measured and corrected among themselves."""
    text = (
        "qubit[40] q; bit[40] c; ry(0.9) q[0]; h q[1]; cx q[1], q[2]; cx q[0], q[1]; h q[0];"
        "c[0] = measure q[0]; c[1] = measure q[1]; if (c[1]) { x q[2]; } if (c[0]) { z q[2]; }"
        "for int i in [3:38] { h q[i]; c[i] = measure q[i]; } if (c[7]) { cx q[8], q[9]; }"
        "\n#pragma ketline save corrected\nx q[2];"
    )
    found = result(executor, text, of(MATRIX, 2, at="corrected"), of(OutputType.PROBABILITIES, 2))
    cosine, sine = np.cos(0.45), np.sin(0.45)
    assert close(found_of(found)["density_matrixcorrected"], np.outer([cosine, sine], [cosine, sine]))
    assert close(found_of(found)["probabilities"], [sine**2, cosine**2])
    assert found.profile.qubits == 3


def test_qubit_that_is_reset_again_and_again_takes_no_more_memory(executor: Executor) -> None:
    text = "qubit[10] q; for int i in [0:60] { h q[0]; cx q[0], q[1]; reset q[0]; }"
    found = found_of(result(executor, text, of(OutputType.PROBABILITIES, 0, 1)))
    assert close(found["probabilities"], [0.5, 0, 0.5, 0])


def test_too_many_outcomes_are_rejected(executor: Executor) -> None:
    loop = "for int i in [0:12] { ry(0.1 + i) q[i]; cx q[i], q[i + 1]; }"
    text = f"qubit[14] q; bit[14] c; h q; {loop} c = measure q; h q;"
    found = outcome(executor, text, of(OutputType.PROBABILITIES))
    assert isinstance(found, ProgramTooLarge)
    assert "averaging over the outcomes" in found.message


def test_value_that_does_not_exist_in_some_shots_is_an_error(executor: Executor) -> None:
    circuit = QuantumCircuit(2, 2)
    circuit.h([0, 1])
    circuit.measure([0, 1], [0, 1])
    number = circuit.add_var("n", expr.lift(8, types.Uint(4)))
    with circuit.if_test(expr.equal(expr.div(number, expr.cast(circuit.cregs[0], types.Uint(4))), 4)):
        circuit.x(0)
    counted, averaged = outcome(executor, circuit), outcome(executor, circuit, of(OutputType.PROBABILITIES))
    assert isinstance(counted, ExecutionFailed)
    assert isinstance(averaged, ExecutionFailed)
    assert averaged.message == counted.message


@pytest.mark.parametrize("kind", [STATE, OutputType.UNITARY])
@pytest.mark.parametrize(
    "text",
    ["qubit q; bit c; c = measure q; x q;", "qubit q; h q; reset q;", "qubit q; bit c; c = measure q; if (c) { x q; }"],
)
def test_what_only_one_state_has_is_rejected(executor: Executor, kind: OutputType, text: str) -> None:
    found = outcome(executor, text, of(kind))
    assert isinstance(found, OutputsInvalid)
    assert "ask for density_matrix, probabilities or expectation_values" in found.message


def test_methods(executor: Executor) -> None:
    text = "qubit q; bit c; h q; c = measure q; h q;"
    assert found_of(result(executor, text, of(MATRIX), method=Method.DENSITY_MATRIX))
    rejected = outcome(executor, text, of(MATRIX), method=Method.STATEVECTOR)
    assert isinstance(rejected, ProgramUnsupported)
    assert "choose 'density_matrix'" in rejected.message
    pure = result(executor, "qubit q; h q;", of(MATRIX), method=Method.DENSITY_MATRIX)
    assert close(found_of(pure)["density_matrix"], np.full((2, 2), 0.5))
    assert pure.profile.method == "density_matrix"
    assert isinstance(outcome(executor, "qubit q;", of(STATE), method=Method.DENSITY_MATRIX), ProgramUnsupported)
    noisy = {"name": "readout", "p01": 0.1, "p10": 0.1}
    assert isinstance(outcome(executor, "qubit q;", of(STATE), noise=noisy), ProgramUnsupported)


def test_counts_beside_are_those_alone(executor: Executor) -> None:
    text = "qubit[2] q; bit[2] c; h q[0]; c[0] = measure q[0]; if (c[0]) { x q[1]; } c[1] = measure q[1];"
    noise = {"name": "depolarizing", "one_qubit": 0.1}
    for options in ({}, {"noise": noise}):
        found = result(executor, text, COUNTS, of(MATRIX), seed=2, **options)
        assert found.counts == result(executor, text, seed=2, **options).counts
        assert found.outputs is not None


def test_inspection_says_what_it_takes(executor: Executor) -> None:
    text = "qubit[3] q; bit c; h q; c = measure q[0]; if (c) { x q[1]; }"
    found = outcome(executor, text, of(OutputType.PROBABILITIES), command=Command.INSPECT)
    assert isinstance(found, Inspection)
    assert (found.method, found.memory_bytes) == (Method.DENSITY_MATRIX, 16 * 8 * 2)
    assert found.estimated_seconds is not None
    rejected = outcome(executor, text, of(STATE), command=Command.INSPECT)
    assert isinstance(rejected, OutputsInvalid)
