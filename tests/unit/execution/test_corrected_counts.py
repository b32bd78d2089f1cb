"""Counts corrected for readout errors, compared with mitiq's own results, and with exact distributions."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from mitiq import MeasurementResult
from mitiq.rem import generate_tensored_inverse_confusion_matrix
from mitiq.rem.inverse_confusion_matrix import closest_positive_distribution, mitigate_measurements
from qiskit.circuit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.quantum_info import Statevector

from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.devices.device import device_from_json
from ketline.domain.errors import ProgramTooLarge, ProgramUnsupported
from ketline.domain.results.mitigation import Mitigation
from ketline.domain.results.outputs import OutputType, RequestedOutput
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Request, decode_request, encode_request
from ketline.execution.protocol.responses import decode_response, encode_response
from ketline.execution.simulators.estimation.corrected_counts import nearest_probabilities
from tests.circuits import as_qpy
from tests.devices import device_of, run_on

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '
SHOTS = 20_000
# Each qubit has its own errors, so that a mixture of two bits shows.
MISREAD = [(0.02, 0.05), (0.1, 0.03), (0.07, 0.2), (0.0, 0.0)]
READOUT = {
    "model": {
        "errors": [
            {
                "type": "roerror",
                "operations": ["measure"],
                "probabilities": [[1 - p01, p01], [p10, 1 - p10]],
                "gate_qubits": [[qubit]],
            }
            for qubit, (p01, p10) in enumerate(MISREAD)
        ]
    }
}
EXACT = Mitigation(readout=True)


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(ExecutionLimits(memory_bytes=256 << 20))


def run(executor: Executor, program: Any, mitigation: Mitigation | None = EXACT, **options: Any) -> RunResult:
    """The result as a worker has it, after both ways over the wire."""
    text = HEAD + program if isinstance(program, str) else as_qpy(program)
    form = ProgramFormat.OPENQASM3 if isinstance(program, str) else ProgramFormat.QPY
    inputs, shots = options.pop("inputs", {}), options.pop("shots", SHOTS)
    chosen: dict[str, Any] = {"seed": 4, "noise": READOUT, "format": form, "mitigation": mitigation, **options}
    spec = TaskSpec(circuit=text, shots=shots, inputs=inputs, options=RunOptions(**chosen))
    request = decode_request(encode_request(Request(spec, "t")))
    outcome = decode_response(encode_response(executor.respond(request), request), request).outcome
    if isinstance(outcome, Exception):
        raise outcome
    assert isinstance(outcome, RunResult)
    return outcome


def corrected_of(result: RunResult) -> dict[str, Any]:
    assert result.mitigation is not None
    found: Any = result.mitigation["readout"]
    return dict(found)


ANGLES = "ry(0.7) q[0]; ry(1.4) q[1]; ry(2.2) q[2]; cx q[0], q[1]; "
THREE = f"qubit[3] q; bit[3] c; {ANGLES} c[2] = measure q[0]; c[0] = measure q[1]; c[1] = measure q[2];"
# The qubit that bit 0, 1 and 2 are measured from.
OF_BITS = (1, 2, 0)


def distribution() -> Any:
    """The exact probabilities of THREE by the bits of its outcomes."""
    circuit = QuantumCircuit(3)
    for qubit, angle in enumerate((0.7, 1.4, 2.2)):
        circuit.ry(angle, qubit)
    circuit.cx(0, 1)
    return Statevector(circuit).probabilities(list(OF_BITS))


def test_corrected_counts_are_those_of_mitiq(executor: Executor) -> None:
    """All outcomes are counted, so that the matrix is the whole one; mitiq's bits are in the order of qubits."""
    result = run(executor, THREE)
    assert len(result.counts) == 8
    confusions = [np.array([[1 - p01, p10], [p01, 1 - p10]]) for p01, p10 in (MISREAD[qubit] for qubit in OF_BITS)]
    inverse = generate_tensored_inverse_confusion_matrix(3, confusions)
    # mitiq numbers outcomes with the first qubit as the highest bit.
    shares = np.array([result.counts[format(index, "03b")[::-1]] for index in range(8)]) / SHOTS
    expected = inverse @ shares
    found = corrected_of(result)
    quasi = [found["quasi_probabilities"][format(index, "03b")[::-1]] for index in range(8)]
    assert quasi == pytest.approx(expected, abs=1e-9)
    nearest = [found["probabilities"][format(index, "03b")[::-1]] for index in range(8)]
    assert nearest == pytest.approx(closest_positive_distribution(expected), abs=1e-4)
    assert result.profile.method_reason is not None
    assert result.profile.method_reason.startswith("readout errors of 3 qubits corrected: ")
    shot_by_shot = [list(map(int, key[::-1])) for key, count in result.counts.items() for _ in range(count)]
    resampled = mitigate_measurements(MeasurementResult(shot_by_shot), inverse)
    counted = np.zeros(8)
    for bits in resampled.result:
        counted[int("".join(map(str, bits)), 2)] += 1
    assert counted / len(resampled.result) == pytest.approx(nearest, abs=0.03)


@pytest.mark.parametrize("shots", [None, 50_000])
def test_corrected_counts_are_those_without_errors(executor: Executor, shots: int | None) -> None:
    """Exactly calibrated, or as calibration circuits measure it: within six standard deviations, by the overhead."""
    result = run(executor, THREE, replace(EXACT, calibration_shots=shots))
    found, expected = corrected_of(result), distribution()
    raw = [result.counts[format(index, "03b")] / SHOTS for index in range(8)]
    deviation = (found["overhead"] / SHOTS) ** 0.5
    assert max(abs(raw - expected)) > 0.05
    for index in range(8):
        key = format(index, "03b")
        assert abs(found["quasi_probabilities"][key] - expected[index]) < 6 * deviation * 0.5
    assert sum(found["quasi_probabilities"].values()) == pytest.approx(1)
    assert sum(found["probabilities"].values()) == pytest.approx(1)
    assert min(found["probabilities"].values()) >= 0
    if shots is not None:
        assert "as 50000 shots of each state of a qubit measure them" in (result.profile.method_reason or "")


def test_overhead_is_the_squared_norm_of_the_inverse(executor: Executor) -> None:
    confusion = np.ones((1, 1))
    for p01, p10 in (MISREAD[qubit] for qubit in range(3)):
        confusion = np.kron(confusion, np.array([[1 - p01, p10], [p01, 1 - p10]]))
    expected = np.abs(np.linalg.inv(confusion)).sum(axis=0).max() ** 2
    assert corrected_of(run(executor, THREE))["overhead"] == pytest.approx(expected)


def test_few_outcomes_of_many_qubits(executor: Executor) -> None:
    """Of 2^20 outcomes only those that were counted are solved for."""
    pairs = " ".join(f"cx q[{one}], q[{one + 1}];" for one in range(19))
    program = f"qubit[20] q; bit[20] c; h q[0]; {pairs} c = measure q;"
    result = run(executor, program, noise={"name": "readout", "p01": 0.01, "p10": 0.02}, shots=4000)
    found = corrected_of(result)["quasi_probabilities"]
    assert 20 < len(result.counts) < 300
    assert result.counts["0" * 20] / 4000 < 0.45
    assert found["0" * 20] == pytest.approx(0.5, abs=0.06)
    assert found["1" * 20] == pytest.approx(0.5, abs=0.06)


def test_registers_and_unmeasured_bits(executor: Executor) -> None:
    program = "qubit[2] q; bit[2] a; bit[3] b; x q[1]; b[1] = measure q[1]; a[0] = measure q[0];"
    result = run(executor, program)
    assert set(result.counts) == {"010 00", "000 00", "010 01", "000 01"}
    found = corrected_of(result)["quasi_probabilities"]
    assert found["010 00"] == pytest.approx(1, abs=0.02)


def test_circuit_with_bits_in_registers_of_another_order(executor: Executor) -> None:
    """Qiskit's bits in two overlapping registers: outcomes are converted, and the correction follows."""
    qubits, one = QuantumRegister(2, "q"), ClassicalRegister(2, "a")
    circuit = QuantumCircuit(qubits, one, ClassicalRegister(bits=[one[1], one[0]], name="b"))
    circuit.x(0)
    circuit.measure(qubits, one)
    result = run(executor, circuit)
    assert corrected_of(result)["quasi_probabilities"]["10 01"] == pytest.approx(1, abs=0.03)


def test_bits_of_the_unroller(executor: Executor) -> None:
    """A program with classical variables converts its outcomes."""
    program = "qubit[2] q; bit[2] c; int n = 1; x q[n]; c[0] = measure q[1]; c[1] = measure q[0];"
    assert corrected_of(run(executor, program))["quasi_probabilities"]["01"] == pytest.approx(1, abs=0.02)


def test_sweep_is_corrected_at_each_point(executor: Executor) -> None:
    program = "input float a; qubit[2] q; bit[2] c; rx(a) q[0]; c = measure q;"
    result = run(executor, program, inputs={"a": [0.0, np.pi, np.pi / 2]})
    assert result.points is not None
    assert result.mitigation is not None
    found: Any = result.mitigation["readout"]
    ones = [sum(share for key, share in one["quasi_probabilities"].items() if key[-1] == "1") for one in found]
    assert ones == pytest.approx([0, 1, 0.5], abs=0.03)


def test_counts_beside_outputs_are_corrected(executor: Executor) -> None:
    outputs = (RequestedOutput(OutputType.COUNTS, "counts"), RequestedOutput(OutputType.PROBABILITIES, "p"))
    result = run(executor, "qubit[2] q; bit[2] c; x q[0]; c = measure q;", outputs=outputs, memory=True)
    assert result.outputs is not None
    assert corrected_of(result)["quasi_probabilities"]["01"] == pytest.approx(1, abs=0.02)
    assert len(result.memory or ()) == SHOTS


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("shots", [None, 20_000])
def test_counts_of_a_device_are_corrected(executor: Executor, level: int, shots: int | None) -> None:
    """The errors are those of the device's qubit on which each bit was measured."""
    document: Any = device_of(noisy=False).as_json()
    for number, qubit in enumerate(document["qubits"]):
        qubit |= {"p01": 0.02 * number, "p10": 0.05 * number}
    device = run_on(device_from_json(document), optimization_level=level, initial_layout=(4, 1, 3))
    program = "qubit[3] q; bit[3] c; x q[0]; swap q[0], q[2]; c = measure q;"
    result = run(executor, program, replace(EXACT, calibration_shots=shots), noise=None, device=device)
    assert result.counts["100"] < 0.95 * SHOTS
    assert corrected_of(result)["quasi_probabilities"]["100"] == pytest.approx(1, abs=0.02)


def test_calibration_circuits_have_the_errors_of_their_gates(executor: Executor) -> None:
    """What prepares a 1 is wrong sometimes, and that is taken for a readout error."""
    noise = [{"name": "depolarizing", "one_qubit": 0.2}, {"name": "readout", "p01": 0.0, "p10": 0.0}]
    program = "qubit q; bit c; c = measure q;"
    assert corrected_of(run(executor, program, noise=noise))["overhead"] == 1
    measured = corrected_of(run(executor, program, Mitigation(readout=True, calibration_shots=50_000), noise=noise))
    # A 1 reads 0 with a probability of 0.1.
    assert measured["overhead"] == pytest.approx((1.1 / 0.9) ** 2, abs=0.03)


def test_values_are_corrected_as_measured(executor: Executor) -> None:
    result = run(
        executor,
        "qubit[2] q; x q[1];",
        Mitigation(readout=True, calibration_shots=50_000),
        observables=({"ZI": 1.0}, {"IZ": 1.0}, {"ZZ": 1.0}),
        sampled=True,
    )
    assert result.expectation_values == pytest.approx([-1, 1, -1], abs=0.05)
    assert "as 50000 shots" in (result.profile.method_reason or "")


def test_same_seed_gives_the_same_correction(executor: Executor) -> None:
    measured = Mitigation(readout=True, calibration_shots=1000)
    first, again, other = (run(executor, THREE, measured, seed=seed).mitigation for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("qubit[2] q; bit[2] c; c[0] = measure q[0]; if (c[0]) { x q[1]; } c[1] = measure q[1];", "at the end"),
        ("qubit q; bit[2] c; c[0] = measure q; reset q; c[1] = measure q;", "at the end"),
        ("qubit[2] q; bit[2] c; c = measure q; bit d; d = c[0] ^ c[1];", "computes others"),
        ("qubit[2] q; bit[2] c; h q; c = measure q; bit d; d = c[0] & c[1];", "computes others"),
        ("qubit[2] q; bit[2] c; c = measure q; bit d; d = ~c[0];", "computes others"),
        ("qubit[2] q; bit[2] c; h q; c = measure q; if (c == 3) { c = 0; }", "computes others"),
        ("qubit[3] q; bit[3] c; h q; c = measure q; if (c == 5) { c = 2; }", "computes others"),
        ("qubit[9] q; bit[9] c; x q; c = measure q; if (c == 341) { c = 0; }", "computes others"),
        ("qubit[12] q; bit[12] c; x q; c = measure q; if (c[0:8] == 341) { c = 0; }", "computes others"),
    ],
)
def test_what_is_not_corrected(executor: Executor, program: str, words: str) -> None:
    with pytest.raises(ProgramUnsupported, match=words):
        run(executor, program)


def test_many_bits_may_be_copied(executor: Executor) -> None:
    program = "qubit[12] q; bit[12] c; bit[2] d; x q[3]; c = measure q; d[1] = c[3]; d[0] = c[11];"
    result = run(executor, program, noise={"name": "readout", "p01": 0.25, "p10": 0.0}, shots=1)
    assert sum(corrected_of(result)["quasi_probabilities"].values()) == pytest.approx(1)


def test_outcome_that_would_never_be_read_as_one_that_was_counted(executor: Executor) -> None:
    with pytest.raises(ProgramUnsupported, match="do not tell the true ones apart"):
        run(executor, "qubit q; bit c; c = measure q;", noise={"name": "readout", "p01": 1.0, "p10": 1.0})


def test_qubit_that_always_reads_the_same(executor: Executor) -> None:
    with pytest.raises(ProgramUnsupported, match="same probability"):
        run(executor, "qubit q; bit c; c = measure q;", noise={"name": "readout", "p01": 0.5, "p10": 0.5})


def test_too_many_outcomes(executor: Executor) -> None:
    with pytest.raises(ProgramTooLarge, match="at most 2,048"):
        run(executor, "qubit[14] q; bit[14] c; h q; c = measure q;")


@pytest.mark.parametrize("seed", range(20))
def test_nearest_probabilities_have_the_least_distance(seed: int) -> None:
    draw = np.random.default_rng(seed)
    quasi = draw.normal(0.1, 0.2, draw.integers(1, 12))
    quasi /= quasi.sum()
    found = nearest_probabilities(quasi)
    assert found.sum() == pytest.approx(1)
    assert found.min() >= 0
    # The condition of optimality: no other distribution is nearer, in any direction to a single outcome.
    for outcome in np.eye(len(quasi)):
        assert (found - quasi) @ (outcome - found) >= -1e-9


def test_answers_with_other_outcomes_are_not_believed(executor: Executor) -> None:
    options = RunOptions(seed=1, noise={"name": "readout", "p01": 0.0, "p10": 0.0}, mitigation=EXACT)
    spec = TaskSpec(circuit=f"{HEAD}qubit q; bit c; c = measure q;", shots=10, options=options)
    request = Request(spec, "t")
    response = encode_response(executor.respond(request), request)
    assert isinstance(decode_response(response, request).outcome, RunResult)
    place = response.index(b'"mitigation":')
    end = response.index(b',"gradients"', place)
    good = b'"quasi_probabilities":{"0":1.0},"probabilities":{"0":1.0}'
    assert good in response[place:end]
    for other in (
        b"null",
        b"{}",
        b'{"readout":null}',
        b'{"readout":{"overhead":1.0}}',
        b'{"readout":{"quasi_probabilities":{"1":1.0},"probabilities":{"0":1.0},"overhead":1.0}}',
        b'{"readout":{"quasi_probabilities":{"0":1.0},"probabilities":{"0":NaN},"overhead":1.0}}',
        b'{"readout":{' + good + b',"overhead":"1"}}',
        b'{"readout":[{' + good + b',"overhead":1.0}]}',
    ):
        with pytest.raises(ValueError):
            decode_response(response[:place] + b'"mitigation":' + other + response[end:], request)
