"""Estimates of expectation values from shots: that they are right, how exact they are, and that seeds replay.

Differences from exact values are divided by exact standard deviations. Each test of them fails for a right estimator
with a probability below 1e-6.
"""

import math
import random
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import QuantumCircuit
from qiskit.quantum_info import SparsePauliOp, Statevector

from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.devices.noise_layers import Noise
from ketline.domain.results.estimation import shots_for
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.inputs import Inputs
from ketline.domain.tasks.inspection import Inspection
from ketline.domain.tasks.seeds import point_seed
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.circuit.observables.pauli_bases import measured_sums
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command, Request
from ketline.execution.protocol.responses import decode_response, encode_response
from tests.circuits import as_qpy, terms_of
from tests.noise import random_circuit, random_model
from tests.outcomes import random_dynamic, random_observables, values_over_outcomes

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '
READOUT = {"name": "readout", "p01": 0.1, "p10": 0.2}
SHOTS = 4000
# Of a normal distribution; for a sum of many squares see `assert_deviations`.
MAX_DEVIATIONS = 6


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(ExecutionLimits(memory_bytes=256 << 20))


def estimated(
    executor: Executor,
    program: Any,
    observables: Any,
    *,
    shots: int = SHOTS,
    precision: float | None = None,
    seed: int = 7,
    noise: Noise | None = None,
    method: Method = Method.AUTOMATIC,
    inputs: Inputs | None = None,
    command: Command = Command.RUN,
) -> Any:
    is_text = isinstance(program, str)
    options = RunOptions(
        seed=seed,
        format=ProgramFormat.OPENQASM3 if is_text else ProgramFormat.QPY,
        observables=tuple(observables),
        noise=noise,
        method=method,
        sampled=True,
        precision=precision,
    )
    spec = TaskSpec(
        circuit=HEAD + program if is_text else as_qpy(program), shots=shots, options=options, inputs=inputs or {}
    )
    request = Request(spec, "t", command=command)
    return decode_response(encode_response(executor.respond(request), request), request).outcome


def values_and_errors(executor: Executor, *arguments: Any, **more: Any) -> tuple[Any, Any]:
    result = estimated(executor, *arguments, **more)
    assert isinstance(result, RunResult), result
    return np.array(result.expectation_values), np.array(result.standard_errors)


def exact_deviation(state: Any, observable: Any, shots: int) -> float:
    """The standard error of an estimate in the bases of the service, by the state."""
    variance = 0.0
    sums = measured_sums([observable], frozenset())
    for basis in sums.bases:
        width = state.num_qubits
        terms = []
        for term in basis.terms[0]:
            label = ["I"] * width
            for qubit in term.qubits:
                label[width - 1 - qubit] = basis.letters[qubit]
            terms.append(("".join(label), term.factor))
        part = SparsePauliOp.from_list(terms)
        mean = state.expectation_value(part).real
        variance += (state.expectation_value((part @ part).simplify()).real - mean**2) / shots
    return math.sqrt(max(variance, 0.0))


def assert_deviations(deviations: list[float]) -> None:
    """Standardised differences: none is far off, and their squares have the sum that they should have.

    Source: Laurent and Massart, Ann. Statist. 28 (2000), Lemma 1, at a level of 1e-7 on both sides.
    """
    number, x = len(deviations), math.log(1e7)
    assert max(map(abs, deviations)) < MAX_DEVIATIONS
    squares = sum(one**2 for one in deviations)
    assert number - 2 * math.sqrt(number * x) < squares < number + 2 * math.sqrt(number * x) + 2 * x


def test_estimates_deviate_as_shots_do(executor: Executor) -> None:
    deviations, ratios = [], []
    for number in range(60):
        qubits = 1 + number % 4
        circuit = random_circuit(number, qubits)
        operators = random_observables(number, qubits)
        state = Statevector(circuit)
        values, errors = values_and_errors(executor, circuit, list(map(terms_of, operators)), seed=number)
        for operator, value, error in zip(operators, values, errors, strict=True):
            spread = exact_deviation(state, terms_of(operator), SHOTS)
            difference = value - state.expectation_value(operator).real
            if spread < 1e-9:
                assert abs(difference) < 1e-9
                assert error < 1e-9
            else:
                deviations.append(difference / spread)
                ratios.append(error / spread)
    assert_deviations(deviations)
    # Sample deviations of 4,000 shots; few shots with rare values spread more.
    assert np.median(ratios) == pytest.approx(1, abs=0.01)
    assert min(ratios) > 0.5
    assert max(ratios) < 1.5


def test_programs_with_branches_and_resets(executor: Executor) -> None:
    deviations = []
    for number in range(12):
        circuit = random_dynamic(number, 3)
        operators = random_observables(number, 3)
        values, errors = values_and_errors(executor, circuit, list(map(terms_of, operators)), seed=number)
        expected = values_over_outcomes(circuit, operators)
        deviations += [
            (value - exact) / error
            for value, exact, error in zip(values, expected, errors, strict=True)
            if error > 1e-9
        ]
        assert [value for value, error in zip(values, errors, strict=True) if error <= 1e-9] == pytest.approx(
            [exact for exact, error in zip(expected, errors, strict=True) if error <= 1e-9]
        )
    assert_deviations(deviations)


def test_noise_and_readout_errors_are_in_the_values(executor: Executor) -> None:
    """Each measured bit is misread, which scales the value of Z by 1 - p01 - p10 and moves it by p10 - p01."""
    circuit = QuantumCircuit(2)
    circuit.ry(0.8, 0)
    circuit.cx(0, 1)
    state = Statevector(circuit)
    values, errors = values_and_errors(
        executor, circuit, [{"IZ": 1.0}, {"ZZ": 1.0}, {"XX": 1.0}], noise=READOUT, shots=50_000
    )
    z, zz, xx = (state.expectation_value(SparsePauliOp(label)).real for label in ("IZ", "ZZ", "XX"))
    scale, shift = 1 - 0.1 - 0.2, 0.2 - 0.1
    expected = [
        scale * z + shift,
        scale**2 * zz + 2 * scale * shift * z + shift**2,
        scale**2 * xx + shift**2,
    ]
    assert (np.abs(values - expected) < MAX_DEVIATIONS * errors).all()


def test_errors_of_gates_are_in_the_values(executor: Executor) -> None:
    deviations = []
    for number in range(10):
        circuit = random_circuit(number, 2, names=("ry", "cx", "t", "rx"))
        model = random_model(number, 2, ("ry", "cx", "t", "rx"))
        noise = {"model": {"errors": [e for e in model.to_dict(serializable=True)["errors"] if e["type"] == "qerror"]}}
        operators = random_observables(number, 2)
        observables = list(map(terms_of, operators))
        values, errors = values_and_errors(executor, circuit, observables, noise=noise, seed=number)
        options = RunOptions(format=ProgramFormat.QPY, observables=tuple(observables), noise=noise)
        exact = executor.run(Request(TaskSpec(circuit=as_qpy(circuit), shots=1, options=options))).expectation_values
        assert exact is not None
        deviations += [(a - float(b)) / e for a, b, e in zip(values, exact, errors, strict=True) if e > 1e-9]  # type: ignore[arg-type]
    assert_deviations(deviations)


@pytest.mark.parametrize("precision", [0.2, 0.05, 0.01])
def test_precision_is_reached_by_every_observable(executor: Executor, precision: float) -> None:
    circuit = random_circuit(3, 3)
    observables = [{"ZII": 1.0}, {"XXI": 0.5, "IZZ": -0.25, "YII": 0.25}, {"III": 5.0, "XYZ": 2.0, "ZZZ": -1.5}]
    shots = shots_for(observables, precision)
    values, errors = values_and_errors(executor, circuit, observables, precision=precision, shots=shots)
    assert (errors <= precision * math.sqrt(1 + 2 / precision**-2)).all()
    exact = [
        Statevector(circuit).expectation_value(SparsePauliOp.from_list(list(one.items()))).real for one in observables
    ]
    assert (np.abs(values - exact) < MAX_DEVIATIONS * precision).all()


def test_shots_that_a_precision_needs() -> None:
    assert shots_for([{"Z": 1.0}], 0.01) == 10_000
    assert shots_for([{"Z": -2.0, "I": 50.0}], 0.01) == 40_000
    assert shots_for([{"Z": 1.0}, {"ZX": 3.0, "XX": 1.0}], 0.5) == 64
    assert shots_for([[{"Z": 1.0}], [{"X": 2.0}]], 1) == 4
    assert shots_for([{"I": 3.0}], 1e-9) == 1
    assert shots_for([{"Z": 1e299}], 1e-300) == 2**63 - 1


def test_bases_have_every_term_once_and_commute_qubit_by_qubit() -> None:
    for seed in range(20):
        choose = random.Random(seed)
        observables = [
            {"".join(choose.choices("IXYZ", k=5)): choose.uniform(-1, 1) for _ in range(30)} for _ in range(4)
        ]
        sums = measured_sums(observables, frozenset())
        found: list[dict[str, float]] = [{} for _ in observables]
        for basis in sums.bases:
            assert set(basis.letters.values()) <= set("XYZ")
            for number, terms in basis.terms.items():
                for term in terms:
                    label = "".join(basis.letters[q] if q in term.qubits else "I" for q in reversed(range(5)))
                    assert label not in found[number]
                    found[number][label] = term.factor
        for observable, own, constant in zip(observables, found, sums.constants, strict=True):
            assert {**own, "IIIII": constant} == {"IIIII": 0.0, **observable}
    assert len(measured_sums([{"ZZI": 1.0, "IZZ": 1.0, "ZIZ": 1.0}, {"IIZ": 1.0}], frozenset()).bases) == 1


def test_seed_replays(executor: Executor) -> None:
    circuit, observables = random_circuit(5, 3), [{"XYZ": 1.0, "ZZI": 0.5}, {"IIX": 1.0}]
    for noise in (None, READOUT):
        one, again, other = (
            values_and_errors(executor, circuit, observables, seed=seed, noise=noise) for seed in (5, 5, 6)
        )
        assert one[0].tolist() == again[0].tolist()
        assert one[1].tolist() == again[1].tolist()
        assert one[0].tolist() != other[0].tolist()


def test_points_of_a_sweep_are_drawn_apart_and_alone_the_same(executor: Executor) -> None:
    program = "input float theta; qubit[2] q; rx(theta) q[0]; cx q[0], q[1];"
    observables = [{"ZZ": 1.0, "IZ": 1.0}, {"XI": 1.0}]
    values, errors = values_and_errors(executor, program, observables, inputs={"theta": [0.4, 0.4]}, seed=9)
    assert values[0].tolist() != values[1].tolist()
    for number in range(2):
        alone = values_and_errors(executor, program, observables, inputs={"theta": 0.4}, seed=point_seed(9, number))
        assert (values[number].tolist(), errors[number].tolist()) == (alone[0].tolist(), alone[1].tolist())


def test_identity_needs_no_shots(executor: Executor) -> None:
    values, errors = values_and_errors(executor, "qubit[2] q; h q;", [{"II": -0.5}])
    assert (values.tolist(), errors.tolist()) == ([-0.5], [0.0])
    values, errors = values_and_errors(executor, "qubit[2] q; h q;", [{"II": -0.5}, {"IX": 2.0, "II": 1.0}])
    assert (values.tolist(), errors.tolist()) == ([-0.5, 3.0], [0.0, 0.0])


def test_one_shot_has_the_error_that_it_may_have(executor: Executor) -> None:
    values, errors = values_and_errors(executor, "qubit q; h q;", [{"Z": 2.0, "X": 1.0}], shots=1)
    assert values[0] in (-1.0, 3.0)
    assert errors.tolist() == [pytest.approx(math.sqrt(5))]


def test_coefficients_of_any_size_have_errors(executor: Executor) -> None:
    values, errors = values_and_errors(executor, "qubit[2] q; h q;", [{"ZI": 1e250}, {"ZI": 1e-250, "XI": 1e-260}])
    assert 0 < abs(values[0]) < 0.2e250
    assert errors.tolist() == pytest.approx([1e250 / math.sqrt(SHOTS), 1e-250 / math.sqrt(SHOTS)], rel=0.01)


def test_wide_clifford_circuits_are_measured_too(executor: Executor) -> None:
    program = "qubit[500] q; h q[0]; for int i in [0:498] { cx q[i], q[i + 1]; }"
    noise = {"name": "depolarizing", "two_qubit": 0.001}
    result = estimated(executor, program, [{"Z" + "I" * 498 + "Z": 1.0}], noise=noise, shots=2000)
    assert result.profile.method == "stim"
    # A path of 499 gates flips the pair by X or Y on the chain; the exact value is that of one Pauli channel each.
    assert 0.5 < result.expectation_values[0] < 0.9


def test_profile_says_how_many_shots_in_how_many_bases(executor: Executor) -> None:
    result = estimated(executor, "qubit[2] q; h q[0];", [{"ZZ": 1.0, "XX": 1.0}], shots=100)
    assert result.profile.method_reason.startswith("200 shots in 2 bases")
    assert result.profile.seed_scheme is not None


def test_inspection_is_of_what_is_measured(executor: Executor) -> None:
    program = "qubit[2] q; h q[0]; cx q[0], q[1];"
    found = estimated(executor, program, [{"ZZ": 1.0, "XX": 1.0}], command=Command.INSPECT)
    assert isinstance(found, Inspection)
    assert found.failure is None
    noisy = estimated(
        executor,
        "qubit[30] q; h q;" + "".join(f"t q[{i}]; cx q[{i}], q[{i + 1}];" for i in range(29)),
        [{"Z" * 30: 1.0}],
        noise=READOUT | {"p01": 0.3},
        method=Method.DENSITY_MATRIX,
        command=Command.INSPECT,
    )
    assert noisy.failure.code == "too_large"


def test_answers_without_errors_are_not_believed(executor: Executor) -> None:
    options = RunOptions(observables=({"Z": 1.0},), sampled=True)
    request = Request(TaskSpec(circuit=HEAD + "qubit q;", shots=10, options=options), "t")
    response = encode_response(executor.respond(request), request)
    assert isinstance(decode_response(response, request).outcome, RunResult)
    for other in (b"null", b"[]", b"[NaN]", b"[0.0,0.0]"):
        with pytest.raises(ValueError):
            decode_response(response.replace(b'"standard_errors":[0.0]', b'"standard_errors":' + other), request)
