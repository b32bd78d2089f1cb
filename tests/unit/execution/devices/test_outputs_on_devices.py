"""Outputs of states on devices: of the program's own qubits, at its end and at named places."""

import random
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import Barrier, QuantumCircuit
from qiskit.quantum_info import DensityMatrix, Statevector, entropy, partial_trace
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel

from ketline.domain.access.principals import DEFAULT_PROJECT
from ketline.domain.errors import OutputsInvalid, ProgramUnsupported
from ketline.domain.results.outputs import OutputType, RequestedOutput
from ketline.domain.tasks.inspection import Drawing
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command, Request
from ketline.execution.protocol.responses import decode_response, encode_response
from ketline.execution.transpiling import DevicePrograms
from tests.blocks import long_after, numbers
from tests.devices import backend_of, device_of, request_on
from tests.outcomes import random_dynamic
from tests.unit.execution.devices.test_values_on_devices import IDEAL, LINE, OF_AER, PIECE, even, layout_of, permuted

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '
LIMITS = ExecutionLimits()
BLOCK = 4
EXACT = 1e-9
STATE, MATRIX, COUNTS = OutputType.STATEVECTOR, OutputType.DENSITY_MATRIX, OutputType.COUNTS


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(LIMITS)


def of(kind: OutputType, *qubits: int, at: str | None = None, **more: Any) -> RequestedOutput:
    return RequestedOutput(kind, f"{kind}{'' if at is None else at}", qubits or None, at=at, **more)


def saving(device: Any, program: Any, *outputs: RequestedOutput, **more: Any) -> Request:
    return request_on(device, program, of_task={"outputs": outputs}, **more)


def found(executor: Executor, device: Any, program: Any, *outputs: RequestedOutput, **more: Any) -> dict[str, Any]:
    """The outputs by name as arrays, as they come from the simulator's process."""
    request = saving(device, program, *outputs, **more)
    outcome: Any = decode_response(encode_response(executor.respond(request), request), request).outcome
    if isinstance(outcome, Exception):
        raise outcome
    values = {name: np.array(one.values) for name, one in outcome.outputs.items()}
    kinds = {one.name: one.type for one in outputs}
    return {
        name: value[..., 0] + 1j * value[..., 1] if kinds[name] in (STATE, MATRIX) else value
        for name, value in values.items()
    }


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("name", IDEAL)
@pytest.mark.parametrize("block", long_after(1, range(8)))
def test_state_on_an_ideal_device_is_that_of_the_program(executor: Executor, name: str, level: int, block: int) -> None:
    """Up to its global phase, which Qiskit's transpiler does not keep at levels 2 and 3.

    It is measured at its end, before which the transpiler leaves out gates that are phases. On the line of `rzz` gates
    qubits that are not the program's may have a phase of their own.
    """
    device = IDEAL[name]
    for number in numbers(block, BLOCK):
        qubits = 1 + number % 4
        circuit = permuted(number, qubits)
        circuit.global_phase = 0.4 * number
        state = Statevector(circuit)
        if number % 2:
            circuit.measure_all()
        more = {"optimization_level": level, "noise": False, "initial_layout": layout_of(device, number, qubits)}
        part = random.Random(number).sample(range(qubits), random.Random(number).randint(1, qubits))
        outputs = found(executor, device, circuit, of(STATE), of(OutputType.PROBABILITIES, *part), **more)
        overlap = np.vdot(outputs["statevector"], state.data)
        assert abs(overlap) == pytest.approx(1, abs=EXACT)
        assert np.allclose(outputs["statevector"] * overlap, state.data, atol=EXACT)
        if level < 2 and name != "rzz":
            assert overlap == pytest.approx(1, abs=EXACT)
        assert np.allclose(outputs["probabilities"], state.probabilities(part), atol=EXACT)


def placed_circuit(number: int, qubits: int) -> tuple[QuantumCircuit, list[Any]]:
    """A circuit with two places by Aer's instructions, and Qiskit's states there and at the end."""
    circuit, states = QuantumCircuit(qubits), []
    whole = QuantumCircuit(qubits)
    for part in range(3):
        piece = permuted(100 * part + number, qubits)
        circuit.compose(piece, range(qubits), inplace=True)
        whole.compose(piece, range(qubits), inplace=True)
        states.append(DensityMatrix(whole))
        if part < 2:
            circuit.save_state(label=f"p{part}")
    return circuit, states


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("block", long_after(1, range(8)))
def test_states_at_places(executor: Executor, level: int, block: int) -> None:
    device = IDEAL["line"]
    for number in numbers(block, BLOCK):
        qubits = 1 + number % 4
        circuit, states = placed_circuit(number, qubits)
        more = {"optimization_level": level, "noise": False, "initial_layout": layout_of(device, number, qubits)}
        outputs = found(executor, device, circuit, of(MATRIX, at="p0"), of(MATRIX, at="p1"), of(MATRIX), **more)
        for name, state in zip(("density_matrixp0", "density_matrixp1", "density_matrix"), states, strict=True):
            assert np.allclose(outputs[name], state.data, atol=EXACT)
        one = random.Random(number).randrange(qubits)
        parts = found(executor, device, circuit, of(MATRIX, one, at="p1"), of(OutputType.ENTROPY, one), **more)
        others = [qubit for qubit in range(qubits) if qubit != one]
        assert np.allclose(parts["density_matrixp1"], partial_trace(states[1], others).data, atol=EXACT)
        assert parts["entropy"] == pytest.approx(entropy(partial_trace(states[2], others)), abs=1e-7)


@pytest.mark.parametrize("level", range(4))
def test_states_of_programs_that_measure_and_branch(executor: Executor, level: int) -> None:
    """As without a device, where they are compared with other simulators."""
    for number in range(12):
        qubits = 1 + number % 3
        circuit = random_dynamic(number, qubits)
        outputs = (of(MATRIX), of(OutputType.PROBABILITIES, 0))
        request = saving(IDEAL["line"], circuit, *outputs, optimization_level=level, noise=False)
        alone = RunOptions(format=request.spec.options.format, outputs=outputs)
        expected: Any = executor.run(Request(TaskSpec(circuit=request.spec.circuit, shots=1, options=alone))).outputs
        got: Any = executor.run(request).outputs
        for name in ("density_matrix", "probabilities"):
            assert np.allclose(got[name].values, expected[name].values, atol=EXACT)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("device", [even(LINE), even(PIECE)], ids=["line", "heavy hex"])
@pytest.mark.parametrize("block", long_after(1, range(12)))
def test_states_with_errors_are_those_of_aer(executor: Executor, device: Any, block: int) -> None:
    """Aer's density matrix of the transpiled circuit with its own model, on the qubits of Qiskit's layout."""
    for number in numbers(block, 8):
        choose, qubits = random.Random(number), 1 + number % 3
        circuit = permuted(number, qubits)
        for qubit in range(qubits):
            circuit.delay(choose.choice([0, 3000, 17500]), qubit, unit="dt")
            circuit.sx(qubit)
        layout = layout_of(device, number, qubits)
        request = saving(device, circuit, of(MATRIX), optimization_level=number % 4, initial_layout=layout)
        placed = DevicePrograms(LIMITS).placer(request.spec, DEFAULT_PROJECT)({}).transpiled.circuit
        where = placed.layout.final_index_layout(filter_ancillas=True)
        placed.save_density_matrix(qubits=where)
        simulator = AerSimulator(method="density_matrix", max_parallel_threads=1, fusion_enable=False)
        model = NoiseModel.from_backend(backend_of(device))
        expected = simulator.run(placed, noise_model=model, shots=1).result().data(0)["density_matrix"]
        options = {"optimization_level": number % 4, "initial_layout": layout}
        got = found(executor, device, circuit, of(MATRIX), **options)["density_matrix"]
        assert np.allclose(got, np.asarray(expected), atol=OF_AER)


@pytest.mark.parametrize("level", range(4))
def test_gates_before_a_measurement_show_in_the_state(executor: Executor, level: int) -> None:
    """The transpiler leaves out phases before a measurement, which counts do not show."""
    program = f"{HEAD}qubit[2] q; bit[2] c; h q; cp(0.7) q[0], q[1]; rz(0.4) q[0]; c = measure q;"
    circuit = QuantumCircuit(2)
    circuit.h([0, 1])
    circuit.cp(0.7, 0, 1)
    circuit.rz(0.4, 0)
    got = found(executor, IDEAL["line"], program, of(MATRIX), optimization_level=level, noise=False)
    assert np.allclose(got["density_matrix"], DensityMatrix(circuit).data, atol=EXACT)


@pytest.mark.parametrize("level", range(4))
def test_measurement_in_the_middle_stays_where_gates_after_it_are_left_out(executor: Executor, level: int) -> None:
    """Two gates that undo each other follow the measurement, so by the program it is not at the end."""
    program = f"{HEAD}qubit q; bit c; h q; c = measure q; x q; x q;"
    for noise in (True, False):
        got = found(executor, IDEAL["line"], program, of(MATRIX), optimization_level=level, noise=noise)
        assert np.allclose(got["density_matrix"], np.eye(2) / 2, atol=EXACT)


def test_counts_beside_states(executor: Executor) -> None:
    program = f"{HEAD}qubit[3] q; bit[3] c; x q[0]; swap q[0], q[2]; c = measure q;"
    for level in range(4):
        request = saving(
            IDEAL["line"],
            program,
            RequestedOutput(COUNTS, "counts"),
            of(OutputType.PROBABILITIES, 2),
            optimization_level=level,
            initial_layout=(4, 1, 2),
        )
        result = executor.run(request)
        assert result.counts == {"100": 1000}
        assert result.outputs is not None
        assert result.outputs["probabilities"].values == pytest.approx([0, 1])


def test_sweep_of_outputs(executor: Executor) -> None:
    program = f"{HEAD}input float a; qubit[3] q; rx(a) q[0]; swap q[0], q[2]; cx q[2], q[1];"
    request = saving(IDEAL["line"], program, of(OutputType.PROBABILITIES, 1), inputs={"a": [0.3, 0.0]}, noise=False)
    result = executor.run(request)
    assert result.points is not None
    got: Any = [point.outputs["probabilities"].values for point in result.points if point.outputs]
    assert np.allclose(got, [[np.cos(0.15) ** 2, np.sin(0.15) ** 2], [1, 0]], atol=EXACT)


def test_labels_of_barriers_are_no_places(executor: Executor) -> None:
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.append(Barrier(2, label="ketline end"), [1, 0])
    circuit.append(Barrier(2, label="ketline place p"), [1, 0])
    circuit.x(0)
    circuit.z(0)
    circuit.cx(0, 1)
    got = found(executor, IDEAL["line"], circuit, of(MATRIX), noise=False, optimization_level=0)
    circuit.data = [one for one in circuit.data if one.name != "barrier"]
    assert np.allclose(got["density_matrix"], DensityMatrix(circuit).data, atol=EXACT)


PLACED = f"{HEAD}qubit[2] q; bit c; h q;\n#pragma ketline save p\nx q[0];"


@pytest.mark.parametrize(
    ("outputs", "noise", "error", "words"),
    [
        ([of(OutputType.UNITARY)], False, ProgramUnsupported, "no unitary"),
        ([of(STATE)], True, ProgramUnsupported, "no statevector"),
        ([of(STATE, at="p")], False, ProgramUnsupported, "statevector at 'p'"),
        ([of(MATRIX, at="other")], True, OutputsInvalid, "'other'"),
        ([of(MATRIX, 2)], True, OutputsInvalid, "names qubit 2, and the program has 2"),
        (
            [of(OutputType.EXPECTATION_VALUES, observables=({"ZZZZZ": 1.0},))],
            True,
            OutputsInvalid,
            "have 5 letters",
        ),
    ],
)
def test_what_is_no_output_on_a_device(
    executor: Executor, outputs: list[RequestedOutput], noise: bool, error: type[Exception], words: str
) -> None:
    request = saving(LINE, PLACED, *outputs, noise=noise)
    with pytest.raises(error, match=words):
        executor.run(request)
    with pytest.raises(error, match=words):
        executor.inspect(Request(request.spec, command=Command.INSPECT))


def test_statevector_of_a_program_with_outcomes(executor: Executor) -> None:
    program = f"{HEAD}qubit q; bit c; h q; c = measure q; h q;"
    with pytest.raises(OutputsInvalid, match="measures before its end"):
        executor.run(saving(LINE, program, of(STATE), noise=False))


def test_expectation_values_with_variances(executor: Executor) -> None:
    program = f"{HEAD}qubit[3] q; x q[0]; ry(0.8) q[1]; swap q[0], q[2];"
    terms = ({"IZ": 1.0}, {"ZI": 2.0})
    wanted = RequestedOutput(OutputType.EXPECTATION_VALUES, "e", (2, 1), None, terms, variance=True)
    for level in range(4):
        got = found(executor, device_of(noisy=False), program, wanted, optimization_level=level)["e"]
        assert np.allclose(got, [[-1, 0], [2 * np.cos(0.8), 4 * np.sin(0.8) ** 2]], atol=EXACT)


@pytest.mark.parametrize("drawing", Drawing)
def test_drawing_of_a_program_with_outputs(executor: Executor, drawing: Drawing) -> None:
    request = saving(LINE, PLACED, of(MATRIX, at="p"))
    drawn = executor.draw(Request(request.spec, command=Command.DRAW, drawing=drawing))
    assert "q0" in drawn
    assert drawing is not Drawing.FLAT or drawn.count("barrier") == 2
