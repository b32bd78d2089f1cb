"""Zero-noise extrapolation and the correction of readout errors, compared with mitiq's own results."""

import math
import random
from typing import Any

import numpy as np
import pytest
from mitiq.zne import execute_with_zne
from mitiq.zne.inference import ExpFactory, LinearFactory, PolyFactory, RichardsonFactory
from mitiq.zne.scaling import fold_all, fold_global
from qiskit import QuantumCircuit
from qiskit.quantum_info import Operator, SparsePauliOp, Statevector
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, depolarizing_error

from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.devices.noise_layers import Noise
from ketline.domain.errors import ObservablesInvalid, ProgramTooLarge, ProgramUnsupported
from ketline.domain.results.mitigation import Extrapolation, Folding, Mitigation, ZeroNoise
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.inputs import Inputs
from ketline.domain.tasks.inspection import Inspection
from ketline.domain.tasks.seeds import point_seed
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.circuit.observables.aer_instructions import Support
from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command, Request, decode_request, encode_request
from ketline.execution.protocol.responses import decode_response, encode_response
from ketline.execution.simulators.estimation.extrapolation import extrapolated
from ketline.execution.simulators.estimation.folding import folded
from tests.circuits import as_qpy
from tests.noise import random_circuit
from tests.outcomes import random_dynamic

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '
LIMITS = ExecutionLimits(memory_bytes=256 << 20)
ONE_QUBIT, TWO_QUBIT = 0.004, 0.02
DEPOLARIZING = {"name": "depolarizing", "one_qubit": ONE_QUBIT, "two_qubit": TWO_QUBIT}
READOUT = {"name": "readout", "p01": 0.1, "p10": 0.2}
FOLDINGS = {Folding.GLOBAL: fold_global, Folding.LOCAL: fold_all}
FACTORIES: dict[Extrapolation, Any] = {
    Extrapolation.LINEAR: LinearFactory,
    Extrapolation.POLYNOMIAL: lambda factors: PolyFactory(factors, order=2),
    Extrapolation.RICHARDSON: RichardsonFactory,
    Extrapolation.EXPONENTIAL: lambda factors: ExpFactory(factors, asymptote=0.0),
}
# Of mitiq's circuits too, which name some gates otherwise.
_OF_ONE = ["h", "x", "y", "z", "s", "sdg", "t", "tdg", "rx", "ry", "rz", "u", "u1", "u2", "u3", "p", "id", "sx", "sxdg"]


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(LIMITS)


def outcome(
    executor: Executor,
    program: Any,
    observables: Any,
    mitigation: Mitigation,
    *,
    noise: Noise | None = DEPOLARIZING,
    shots: int | None = None,
    seed: int = 5,
    inputs: Inputs | None = None,
    command: Command = Command.RUN,
) -> Any:
    is_text = isinstance(program, str)
    options = RunOptions(
        seed=seed,
        format=ProgramFormat.OPENQASM3 if is_text else ProgramFormat.QPY,
        observables=tuple(observables),
        noise=noise,
        sampled=shots is not None,
        mitigation=mitigation,
    )
    text = HEAD + program if is_text else as_qpy(program)
    spec = TaskSpec(circuit=text, shots=shots or 1, options=options, inputs=inputs or {})
    request = decode_request(encode_request(Request(spec, "t", command=command)))
    return decode_response(encode_response(executor.respond(request), request), request).outcome


def result_of(*arguments: Any, **more: Any) -> RunResult:
    result = outcome(*arguments, **more)
    assert isinstance(result, RunResult), result
    return result


def random_program(seed: int) -> QuantumCircuit:
    choose = random.Random(seed)
    circuit = QuantumCircuit(3)
    for _ in range(10):
        kind, (first, second) = choose.random(), choose.sample(range(3), 2)
        if kind < 0.4:
            circuit.cx(first, second)
        elif kind < 0.7:
            circuit.h(first)
        else:
            circuit.rx(choose.uniform(0.2, 1.2), first)
    return circuit


def executed_by_aer(folded_circuit: QuantumCircuit, label: str) -> float:
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(ONE_QUBIT, 1), _OF_ONE)
    model.add_all_qubit_quantum_error(depolarizing_error(TWO_QUBIT, 2), ["cx"])
    saved = folded_circuit.copy()
    saved.save_expectation_value(SparsePauliOp(label), range(3))
    simulator = AerSimulator(method="density_matrix", fusion_enable=False, max_parallel_threads=1)
    return float(simulator.run(saved, noise_model=model, shots=1).result().data()["expectation_value"])


@pytest.mark.parametrize("extrapolation", Extrapolation)
@pytest.mark.parametrize("folding", Folding)
def test_values_are_those_of_mitiq(executor: Executor, folding: Folding, extrapolation: Extrapolation) -> None:
    for seed, label, factors in (
        (1, "ZZZ", (1, 3, 5)),
        (2, "IZZ", (1, 3, 5, 7)),
        (7, "IIZ", (1, 3, 5)),
        (4, "ZIZ", (3, 5, 9)),
    ):
        circuit = random_program(seed)
        scale, factory = FOLDINGS[folding], FACTORIES[extrapolation]
        expected = execute_with_zne(
            circuit, lambda one, label=label: executed_by_aer(one, label), factory=factory(factors), scale_noise=scale
        )
        zne = ZeroNoise(scale_factors=factors, extrapolation=extrapolation, folding=folding)
        result = result_of(executor, circuit, [{label: 1.0}], Mitigation(zne=zne))
        if extrapolation is Extrapolation.EXPONENTIAL and abs(expected) < 1e-5:
            continue  # there is nothing that decays
        assert result.expectation_values == pytest.approx([expected], abs=1e-7)
        assert result.mitigation is not None
        found: Any = result.mitigation["zne"]
        values = [executed_by_aer(scale(circuit, factor), label) for factor in factors]
        assert [one[0] for one in found["values"]] == pytest.approx(values, abs=1e-9)
        assert found["scale_factors"] == list(map(float, factors))
        assert result.standard_errors is None


@pytest.mark.parametrize(
    ("extrapolation", "factory"),
    [
        (Extrapolation.LINEAR, LinearFactory),
        (Extrapolation.POLYNOMIAL, lambda factors: PolyFactory(factors, order=2)),
        (Extrapolation.RICHARDSON, RichardsonFactory),
        (Extrapolation.EXPONENTIAL, lambda factors: ExpFactory(factors, asymptote=-0.4)),
    ],
)
def test_curves_are_those_of_mitiq(extrapolation: Extrapolation, factory: Any) -> None:
    random_numbers = np.random.default_rng(3)
    for _ in range(30):
        number = int(random_numbers.integers(3, 6))
        factors = sorted(random_numbers.uniform(1, 9, number).tolist())
        values = (-0.4 + np.exp(-0.2 * np.array(factors)) + random_numbers.normal(0, 0.01, number)).tolist()
        expected = factory(factors).extrapolate(factors, values, **_arguments(extrapolation))
        found = extrapolated(factors, values, [0.0] * number, ZeroNoise(extrapolation=extrapolation), -0.4)
        assert found.value == pytest.approx(expected, rel=1e-6, abs=1e-6)
        assert found.curve is extrapolation


def _arguments(extrapolation: Extrapolation) -> dict[str, Any]:
    if extrapolation is Extrapolation.POLYNOMIAL:
        return {"order": 2}
    return {"asymptote": -0.4} if extrapolation is Extrapolation.EXPONENTIAL else {}


@pytest.mark.parametrize("extrapolation", Extrapolation)
def test_standard_errors_of_limits_are_those_of_repeated_fits(extrapolation: Extrapolation) -> None:
    """Limits of values that deviate at random deviate as the error says: 4,000 fits, to 6 %."""
    random_numbers, factors = np.random.default_rng(8), [1.0, 3.0, 5.0, 7.0]
    exact, sigma = 0.1 + 0.8 * np.exp(-0.1 * np.array(factors)), np.array([0.004, 0.006, 0.005, 0.003])
    zne = ZeroNoise(extrapolation=extrapolation)
    limits = [
        extrapolated(factors, values, sigma.tolist(), zne, 0.1).value
        for values in random_numbers.normal(exact, sigma, (4000, 4)).tolist()
    ]
    found = extrapolated(factors, exact.tolist(), sigma.tolist(), zne, 0.1)
    assert np.std(limits) == pytest.approx(found.error, rel=0.06)
    assert np.mean(limits) == pytest.approx(found.value, abs=6 * found.error / math.sqrt(4000) + 5e-4)


def test_exponential_that_cannot_be_fitted_is_a_line() -> None:
    zne = ZeroNoise(extrapolation=Extrapolation.EXPONENTIAL)
    found = extrapolated([1, 3], [0.1, -0.1], [0.0, 0.0], zne, 0.0)
    assert found.value == pytest.approx(0.2)
    assert found.curve is Extrapolation.LINEAR
    flat = extrapolated([1, 3], [0.5, 0.5], [0.0, 0.0], zne, 0.5)
    assert (flat.value, flat.curve) == (0.5, Extrapolation.EXPONENTIAL)


@pytest.mark.parametrize("folding", Folding)
def test_folded_circuits_do_the_same_with_as_many_gates_as_said(folding: Folding) -> None:
    for seed in range(20):
        circuit = random_circuit(seed, 3, gates=9)
        for factor in (1, 1.5, 2, 3, 4.2, 7):
            made = _folded(circuit, factor, folding)
            gates = made.program.lowered.circuit.size()
            assert gates == pytest.approx(made.scale_factor * circuit.size())
            assert abs(made.scale_factor - factor) <= 1 / circuit.size() + 1e-9
            assert Operator(made.program.lowered.circuit).equiv(Operator(circuit))
            assert sum(made.program.lowered.operations.values()) == gates


def _folded(circuit: Any, factor: float, folding: Folding) -> Any:
    program = load_program(
        as_qpy(circuit), LIMITS, form=ProgramFormat.QPY, observed=Support(3, frozenset(range(3))), noisy=True
    )
    return folded(program, factor, folding, 10_000)


def test_gates_of_branches_are_folded_one_by_one() -> None:
    circuit = random_dynamic(4, 3)
    made = _folded(circuit, 3, Folding.LOCAL)
    assert made.scale_factor == 3
    before = _folded(circuit, 1, Folding.LOCAL).program.lowered.operations
    after = made.program.lowered.operations
    for name in ("measure", "reset", "if_else"):
        assert after[name] == before[name]
    gates = sum(before.values()) - before["measure"] - before["reset"] - before["if_else"]
    assert sum(after.values()) == sum(before.values()) + 2 * gates
    with pytest.raises(ProgramUnsupported, match="choose 'local'"):
        _folded(circuit, 3, Folding.GLOBAL)


def test_extrapolation_comes_nearer_to_the_value_without_noise(executor: Executor) -> None:
    nearer = 0
    for seed in range(8):
        circuit = random_program(seed)
        ideal = Statevector(circuit).expectation_value(SparsePauliOp("ZZZ")).real
        zne = ZeroNoise(extrapolation=Extrapolation.EXPONENTIAL, asymptote=0.0)
        result = result_of(executor, circuit, [{"ZZZ": 1.0}], Mitigation(zne=zne))
        assert result.mitigation is not None
        found: Any = result.mitigation["zne"]
        assert result.expectation_values is not None
        limit: Any = result.expectation_values[0]
        nearer += abs(limit - ideal) <= abs(found["values"][0][0] - ideal) + 1e-12
    assert nearer == 8


def test_readout_errors_are_taken_out(executor: Executor) -> None:
    circuit = random_circuit(11, 3)
    observables = [{"ZZZ": 1.0}, {"XIZ": 0.5, "IYI": -1.0}, {"III": 2.0, "IIZ": 1.0}]
    exact = [Statevector(circuit).expectation_value(SparsePauliOp.from_list(list(o.items()))).real for o in observables]
    result = result_of(executor, circuit, observables, Mitigation(readout=True), noise=READOUT, shots=40_000)
    differences = np.array(result.expectation_values) - exact
    errors = np.array(result.standard_errors)
    # Six standard errors: false alarms have a probability below 1e-8.
    assert (np.abs(differences) < 6 * errors).all()
    plain = result_of(
        executor,
        circuit,
        observables,
        Mitigation(readout=False, zne=ZeroNoise(scale_factors=(1, 3))),
        noise=READOUT,
        shots=40_000,
    )
    assert plain.mitigation is not None
    raw: Any = plain.mitigation["zne"]
    assert (np.abs(np.array(raw["values"][0]) - exact) > 6 * errors).any()


@pytest.mark.parametrize("zne", [None, ZeroNoise(), ZeroNoise(extrapolation=Extrapolation.EXPONENTIAL)])
def test_standard_errors_have_those_of_a_measured_calibration(executor: Executor, zne: ZeroNoise | None) -> None:
    """Deviations in units of standard errors: their squares add up to their number, at a level of 1e-7.

    Of the shots alone the standard errors would be a third of these.
    """
    program, number = "qubit[2] q; rx(0.7) q[0]; ry(0.4) q[1]; cx q[0], q[1];", 30
    exact = math.cos(0.4)
    mitigation = Mitigation(zne=zne, readout=True, calibration_shots=150)
    squares = 0.0
    for seed in range(number):
        result = result_of(
            executor, program, [{"ZZ": 1.0, "II": 0.25}], mitigation, noise=READOUT, shots=3000, seed=seed
        )
        assert result.expectation_values is not None
        assert result.standard_errors is not None
        value: Any = result.expectation_values[0]
        error: Any = result.standard_errors[0]
        squares += ((value - 0.25 - exact) / error) ** 2
    bound = math.log(1e7)
    assert number - 2 * math.sqrt(number * bound) < squares < number + 2 * math.sqrt(number * bound) + 2 * bound


def test_readout_that_was_never_seen_has_an_error(executor: Executor) -> None:
    """Of a probability that 20 shots do not show it is not known that it is 0."""
    rare = {"name": "readout", "p01": 0.0, "p10": 1e-9}
    mitigation = Mitigation(readout=True, calibration_shots=20)
    result = result_of(executor, "qubit q; x q;", [{"Z": 1.0}], mitigation, noise=rare, shots=100)
    assert result.expectation_values == [-1.0]
    assert result.standard_errors is not None
    error: Any = result.standard_errors[0]
    assert 0.02 < error < 0.2


def test_both_are_done_at_once_and_replay(executor: Executor) -> None:
    circuit, mitigation = random_program(1), Mitigation(zne=ZeroNoise(), readout=True)
    noise = [DEPOLARIZING, READOUT]
    one, again, other = (
        result_of(executor, circuit, [{"ZZZ": 1.0}], mitigation, noise=noise, shots=4000, seed=seed)
        for seed in (1, 1, 2)
    )
    assert (one.expectation_values, one.standard_errors) == (again.expectation_values, again.standard_errors)
    assert one.expectation_values != other.expectation_values
    exact = result_of(executor, circuit, [{"ZZZ": 1.0}], Mitigation(zne=ZeroNoise()), noise=noise)
    assert one.expectation_values is not None
    assert exact.expectation_values is not None
    assert one.standard_errors is not None
    difference: Any = one.expectation_values[0] - exact.expectation_values[0]  # type: ignore[operator]
    assert abs(difference) < 6 * one.standard_errors[0]  # type: ignore[operator]


def test_points_of_a_sweep_are_mitigated_apart(executor: Executor) -> None:
    program = "input float theta; qubit[2] q; rx(theta) q[0]; cx q[0], q[1];"
    mitigation = Mitigation(zne=ZeroNoise())
    swept = result_of(
        executor, program, [{"ZZ": 1.0}, {"ZI": 1.0}], mitigation, shots=500, inputs={"theta": [0.3, 0.9]}
    )
    assert swept.mitigation is not None
    found: Any = swept.mitigation["zne"]
    assert len(found) == 2
    for number, theta in enumerate((0.3, 0.9)):
        alone = result_of(
            executor,
            program,
            [{"ZZ": 1.0}, {"ZI": 1.0}],
            mitigation,
            shots=500,
            inputs={"theta": theta},
            seed=point_seed(5, number),
        )
        assert swept.expectation_values is not None
        assert swept.expectation_values[number] == alone.expectation_values
        assert alone.mitigation is not None
        assert found[number] == alone.mitigation["zne"]


@pytest.mark.parametrize(
    ("program", "mitigation", "noise", "kind", "words"),
    [
        (
            "qubit[2] q; h q[0]; cx q[0], q[1]; reset q[0]; cx q[1], q[0];",
            Mitigation(zne=ZeroNoise()),
            DEPOLARIZING,
            ProgramUnsupported,
            "choose 'local'",
        ),
        (
            "qubit q; h q;",
            Mitigation(readout=True),
            {"name": "readout", "p01": 0.5, "p10": 0.5},
            ProgramUnsupported,
            "cannot be corrected",
        ),
        (
            "qubit q; for int i in [0:20000] { rx(0.1) q; }",
            Mitigation(zne=ZeroNoise(scale_factors=(1, 99))),
            DEPOLARIZING,
            ProgramTooLarge,
            "scale factor 99",
        ),
    ],
)
def test_what_cannot_be_mitigated_says_why(
    executor: Executor, program: str, mitigation: Mitigation, noise: Any, kind: Any, words: str
) -> None:
    for command in (Command.RUN, Command.INSPECT):
        error = outcome(
            executor,
            program,
            [{"ZZ" if "[2]" in program else "Z": 1.0}],
            mitigation,
            noise=noise,
            shots=10 if mitigation.readout else None,
            command=command,
        )
        failure: Any = error.failure if isinstance(error, Inspection) else error
        assert failure.code == kind("").code, (command, error)
        assert words in failure.message


def test_answers_with_other_numbers_are_not_believed(executor: Executor) -> None:
    options = RunOptions(observables=({"Z": 1.0},), noise=DEPOLARIZING, mitigation=Mitigation(zne=ZeroNoise()))
    request = Request(TaskSpec(circuit=HEAD + "qubit q; h q;", shots=1, options=options), "t")
    response = encode_response(executor.respond(request), request)
    assert isinstance(decode_response(response, request).outcome, RunResult)
    place = response.index(b'"mitigation":')
    for other in (
        b"null",
        b'{"zne":{"scale_factors":[1.0,3.0,5.0],"values":[[1.0,1.0],[1.0],[1.0]],"curves":["linear"]}}',
        b"{}",
        b'{"zne":null}',
        b'{"zne":{"scale_factors":[1],"values":[[1]]}}',
        b'{"zne":{"scale_factors":[NaN]}}',
    ):
        end = response.index(b',"conversion"', place)
        with pytest.raises(ValueError):
            decode_response(response[:place] + b'"mitigation":' + other + response[end:], request)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_limits_that_overflow_are_an_error(executor: Executor) -> None:
    factors = tuple(1 + 0.02 * number for number in range(10))
    zne = ZeroNoise(scale_factors=factors, extrapolation=Extrapolation.RICHARDSON)
    program = "qubit q; for int i in [0:99] { rx(0.01) q; }"
    error = outcome(executor, program, [{"Z": 9e299}], Mitigation(zne=zne))
    assert isinstance(error, ObservablesInvalid), error
    assert "smaller coefficients" in error.message
