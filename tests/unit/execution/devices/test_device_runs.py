"""Runs of programs on devices: with their errors as AerSimulator has them, with branches and loops, and rejected."""

import gc
import random
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from qiskit import qasm2
from qiskit.circuit import Parameter, QuantumCircuit
from qiskit.circuit.library import IGate
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel

from ketline.domain.access.principals import DEFAULT_PROJECT
from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.devices.device import Device, device_from_json
from ketline.domain.devices.generic_devices import generic_devices
from ketline.domain.errors import DeviceMismatch, ExecutionFailed, ProgramUnsupported
from ketline.domain.failures import FailureCode
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.inspection import Drawing, Inspection
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Command, Request
from ketline.execution.transpiling import DevicePrograms
from tests.blocks import long_after, numbers
from tests.circuits import as_qpy
from tests.devices import RING_EDGES, backend_of, device_of, piece_of, request_on
from tests.noise import GATES, assert_same_source, random_circuit
from tests.reference import assert_counts_match

HEAD = 'OPENQASM 3.0; include "stdgates.inc"; '
BELL = f"{HEAD}qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;"
LIMITS = ExecutionLimits()
BLOCK = 3
LINE, RING = device_of(), device_of(RING_EDGES, two_qubit="ecr")
CLEAN = device_of(noisy=False)
HEAVY_HEX = generic_devices()["heavy-hex-57"]
# Two lines of the lattice and what connects them.
PIECE = piece_of(HEAVY_HEX, (2, 3, 4, 46, 11, 12, 13))


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(LIMITS)


def even(device: Device) -> Device:
    """The device with p01 and p10 alike: Qiskit's target has one number for both."""
    document: Any = device.as_json()
    for qubit in document["qubits"]:
        qubit["p01"] = qubit["p10"] = (qubit["p01"] + qubit["p10"]) / 2
    return device_from_json(document)


def without_spaces(counts: Mapping[str, int]) -> Mapping[str, int]:
    return {key.replace(" ", ""): count for key, count in counts.items()}


def of_aer(device: Device, request: Request, shots: int) -> Mapping[str, int]:
    """Counts of the transpiled circuit by AerSimulator with its own model of the device."""
    placed = DevicePrograms(LIMITS).placer(request.spec, DEFAULT_PROJECT)({})
    simulator = AerSimulator(method="density_matrix", enable_truncation=True, max_parallel_threads=1, seed_simulator=3)
    model = NoiseModel.from_backend(backend_of(device))
    counts = simulator.run(placed.transpiled.circuit, noise_model=model, shots=shots).result().get_counts()
    return without_spaces(counts)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("device", [even(LINE), even(RING), even(PIECE)], ids=["line", "ring", "heavy hex"])
@pytest.mark.parametrize("block", long_after(1, range(12)))
def test_distributions_agree_with_those_of_aer(executor: Executor, device: Device, block: int) -> None:
    """Each comparison fails for equal distributions with a probability of about 1e-7."""
    for number in numbers(block, BLOCK):
        circuit = random_circuit(number, random.Random(number).randint(2, 4), names=GATES)
        circuit.measure(range(circuit.num_qubits), range(circuit.num_qubits))
        request = request_on(device, circuit, optimization_level=number % 4, shots=4000, seed=number)
        found = executor.run(request)
        assert_same_source(without_spaces(found.counts), of_aer(device, request, 4000))


def test_errors_of_the_device_show_and_can_be_left_out(executor: Executor) -> None:
    noisy = executor.run(request_on(LINE, BELL, shots=4000))
    ideal = executor.run(request_on(LINE, BELL, shots=4000, noise=False))
    assert set(ideal.counts) == {"00", "11"}
    assert 150 < noisy.counts["01"] + noisy.counts["10"] < 900


def test_profile_has_the_placement(executor: Executor) -> None:
    result = executor.run(request_on(LINE, BELL, initial_layout=(3, 2), optimization_level=0))
    placement = result.profile.placement
    assert placement is not None
    assert (list(placement.layout), list(placement.final_layout)) == ([3, 2], [3, 2])
    assert (placement.device, placement.digest) == (LINE.name, LINE.digest)
    # The device has cx on (2, 3) only, so that gates on one qubit turn it around.
    assert placement.two_qubit_gates == 1
    assert placement.depth > 4
    assert result.profile.qubits == 2
    assert result.profile.method == "density_matrix"


def test_same_seed_gives_the_same_counts(executor: Executor) -> None:
    first, again = (executor.run(request_on(HEAVY_HEX, BELL, seed=8)).counts for _ in range(2))
    fresh = Executor(LIMITS).run(request_on(HEAVY_HEX, BELL, seed=8)).counts
    assert first == again == fresh
    assert executor.run(request_on(HEAVY_HEX, BELL, seed=9)).counts != first


def test_other_noise_on_the_qubits_of_the_device(executor: Executor) -> None:
    """Without the device's errors a task may have noise, whose qubits are those of the device."""
    error = {"type": "roerror", "operations": ["measure"], "probabilities": [[0.0, 1.0], [1.0, 0.0]]}
    model = {"model": {"errors": [{**error, "gate_qubits": [[4]]}]}}
    program = f"{HEAD}qubit[1] q; bit[1] c; c = measure q;"
    there = request_on(CLEAN, program, noise=False, noise_of_task=model, initial_layout=(4,))
    elsewhere = request_on(CLEAN, program, noise=False, noise_of_task=model, initial_layout=(3,))
    assert executor.run(there).counts == {"1": 1000}
    assert executor.run(elsewhere).counts == {"0": 1000}
    with pytest.raises(ProgramUnsupported, match="leave one of the two out"):
        executor.run(request_on(CLEAN, program, noise_of_task=model))


FEEDBACK = {
    "if": f"{HEAD}qubit[3] q; bit[2] c; x q[0]; c[0] = measure q[0]; if (c[0]) {{ x q[2]; }} c[1] = measure q[2];",
    "else": f"{HEAD}qubit[2] q; bit[2] c; c[0] = measure q[0]; if (c[0]) {{ z q[1]; }} else {{ x q[1]; }} "
    "c[1] = measure q[1];",
    "while": f"{HEAD}qubit[2] q; bit[2] c; x q[0]; c[0] = measure q[0]; "
    "while (c[0]) { x q[0]; cx q[0], q[1]; c[0] = measure q[0]; } x q[1]; c[1] = measure q[1];",
    "for": f"{HEAD}qubit[2] q; bit[2] c; for int k in [1:3] {{ x q[0]; cx q[0], q[1]; }} c = measure q;",
    "switch": f"{HEAD}qubit[3] q; bit[2] c; int n; x q[1]; c[1] = measure q[1]; n = c; "
    "switch (n) { case 2 { x q[2]; } default { x q[0]; } } c[0] = measure q[2];",
    "reset": f"{HEAD}qubit[2] q; bit[2] c; x q[0]; reset q[0]; x q[1]; c = measure q;",
}
ANSWERS = {"if": "11", "else": "10", "while": "10", "for": "01", "switch": "11", "reset": "10"}


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("name", FEEDBACK)
def test_branches_loops_and_resets(executor: Executor, name: str, level: int) -> None:
    """The only outcome without errors; with those of the device it is the most frequent."""
    response = ANSWERS[name]
    ideal = executor.run(request_on(CLEAN, FEEDBACK[name], optimization_level=level, shots=50))
    assert ideal.counts == {response: 50}
    noisy = executor.run(request_on(LINE, FEEDBACK[name], optimization_level=level, shots=200))
    assert noisy.counts[response] > 120
    assert len(noisy.counts) > 1


@pytest.mark.parametrize("level", range(4))
def test_branches_are_routed(executor: Executor, level: int) -> None:
    """Gates between far qubits inside of branches and loops, in a file of Qiskit's."""
    circuit = QuantumCircuit(5, 5)
    circuit.h(0)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)) as otherwise:
        circuit.x(1)
        circuit.cx(1, 4)
        circuit.cx(1, 3)
    with otherwise:
        circuit.x(2)
        circuit.cx(2, 4)
    with circuit.for_loop(range(3)):
        circuit.cx(4, 0)
    circuit.measure([1, 2, 3, 4], [1, 2, 3, 4])
    result = executor.run(request_on(CLEAN, circuit, optimization_level=level, initial_layout=(4, 0, 3, 1, 2)))
    assert_counts_match(result.counts, {"11011": 0.5, "10100": 0.5}, 1000)


LEFT = (
    f"{HEAD}qubit[3] q; bit c; x q[0]; c = measure q[0]; "
    "for int k in [0:1] { cx q[0], q[1]; cx q[1], q[2]; MORE if (c) { JUMP; } x q[2]; } c = measure q[2];"
)


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize(("jump", "answer"), [("break", "1"), ("continue", "1")])
def test_loops_that_are_left_are_not_routed(executor: Executor, level: int, jump: str, answer: str) -> None:
    """Qiskit's routing moves qubits back at the end of a body, which is not reached; where none moves they run."""
    program = LEFT.replace("JUMP", jump)
    found = executor.run(request_on(CLEAN, program.replace("MORE", ""), optimization_level=level, shots=50))
    assert found.counts == {answer: 50}
    with pytest.raises(DeviceMismatch, match="without moving qubits, which 'break' and 'continue'"):
        executor.run(request_on(CLEAN, program.replace("MORE", "cx q[0], q[2];"), optimization_level=level))


@pytest.mark.parametrize("level", range(4))
def test_switch_of_qiskit(executor: Executor, level: int) -> None:
    circuit = QuantumCircuit(3, 3)
    circuit.x(0)
    circuit.measure([0, 1], [0, 1])
    with circuit.switch(circuit.clbits[0]) as case:
        with case(0):
            circuit.x(1)
        with case(1):
            circuit.cx(0, 2)
    circuit.measure([1, 2], [1, 2])
    result = executor.run(request_on(CLEAN, circuit, optimization_level=level))
    assert result.counts == {"101": 1000}


@pytest.mark.parametrize("form", ["text", "qpy"])
def test_sweep_is_transpiled_at_each_point(executor: Executor, form: str) -> None:
    angles = [0.0, 1.2, np.pi]
    if form == "text":
        program: Any = f"{HEAD}input float theta; qubit[2] q; bit[1] c; ry(theta) q[0]; swap q[0], q[1]; "
        program += "c[0] = measure q[1];"
    else:
        program = QuantumCircuit(2, 1)
        program.ry(Parameter("theta"), 0)
        program.swap(0, 1)
        program.measure(1, 0)
    result = executor.run(request_on(CLEAN, program, inputs={"theta": angles}, optimization_level=2))
    assert result.points is not None
    for angle, point in zip(angles, result.points, strict=True):
        one = float(np.sin(angle / 2) ** 2)
        expected = {key: value for key, value in {"1": one, "0": 1 - one}.items() if value > 1e-12}
        assert_counts_match(point.counts, expected, 1000)
    single = executor.run(request_on(CLEAN, program, inputs={"theta": np.pi}))
    assert single.counts == {"1": 1000}


def test_openqasm2_and_gates_that_a_program_defines(executor: Executor) -> None:
    """A program's own gate of a library's name is what the program says."""
    program = """OPENQASM 2.0; gate x a { U(0, 0, 0) a; } gate flip a { U(pi, 0, pi) a; }
    qreg q[2]; creg c[2]; x q[0]; flip q[1]; measure q -> c;"""
    result = executor.run(request_on(CLEAN, program, form=ProgramFormat.OPENQASM2, optimization_level=0))
    assert result.counts == {"10": 1000}
    bell = QuantumCircuit(2, 2)
    bell.h(0)
    bell.cx(0, 1)
    bell.measure([0, 1], [0, 1])
    found = executor.run(request_on(CLEAN, qasm2.dumps(bell), form=ProgramFormat.OPENQASM2))
    assert set(found.counts) == {"00", "11"}


WIDE_GATES = (
    f"{HEAD}qubit[4] q; bit[4] c; x q; ctrl(3) @ x q[0], q[1], q[2], q[3]; cswap q[0], q[1], q[2]; c = measure q;"
)


@pytest.mark.parametrize("level", range(4))
def test_gates_on_many_qubits(executor: Executor, level: int) -> None:
    assert executor.run(request_on(CLEAN, WIDE_GATES, optimization_level=level)).counts == {"0111": 1000}


# Relaxation only, with times in microseconds.
IDLE = device_of(of_qubit={"t1_us": 50.0, "t2_us": 30.0, "p01": 0.0, "p10": 0.0}, noisy=False)
DELAYED = {
    "text": f"{HEAD}qubit[2] q; bit[1] c; x q[1]; delay[20us] q[1]; c[0] = measure q[1];",
    "text in dt": f"{HEAD}qubit[2] q; bit[1] c; x q[1]; delay[20000dt] q; c[0] = measure q[1];",
    "two": f"{HEAD}qubit[2] q; bit[1] c; x q[1]; delay[12us] q[1]; delay[8000ns] q[1]; c[0] = measure q[1];",
    "loop": f"{HEAD}qubit[2] q; bit[1] c; x q[1]; for int k in [1:4] {{ delay[5us] q[1]; }} c[0] = measure q[1];",
    "all": f"{HEAD}qubit[2] q; bit[1] c; x q[1]; delay[20us]; c[0] = measure q[1];",
    "classical": f"{HEAD}qubit[2] q; bit[1] c; int n = 1; if (n == 1) {{ x q[n]; }} delay[0.02ms] q[n]; "
    "c[0] = measure q[1];",
    "branch": f"{HEAD}qubit[2] q; bit[2] c; x q; c[1] = measure q[0]; if (c[1]) {{ delay[20us] q[1]; }} "
    "c[0] = measure q[1];",
}


@pytest.mark.parametrize("level", [0, 3])
@pytest.mark.parametrize("name", DELAYED)
def test_qubits_relax_in_delays(executor: Executor, name: str, level: int) -> None:
    """A qubit in state 1 decays with T1: of 50 us, 20 go by."""
    result = executor.run(request_on(IDLE, DELAYED[name], optimization_level=level, shots=4000))
    one = float(np.exp(-20 / 50))
    kept = {"branch": ("11", "10")}.get(name, ("1", "0"))
    assert_counts_match(result.counts, dict(zip(kept, (one, 1 - one), strict=True)), 4000)
    ideal = executor.run(request_on(IDLE, DELAYED[name], optimization_level=level, noise=False))
    assert set(ideal.counts) == {kept[0]}


def test_delay_of_a_program_with_inputs(executor: Executor) -> None:
    program = f"{HEAD}input float theta; qubit q; bit c; rx(theta) q; delay[20us] q; c = measure q;"
    result = executor.run(request_on(IDLE, program, inputs={"theta": [np.pi, np.pi / 2]}, shots=4000))
    assert result.points is not None
    for point, full in zip(result.points, (1.0, 0.5), strict=True):
        one = full * float(np.exp(-20 / 50))
        assert_counts_match(point.counts, {"1": one, "0": 1 - one}, 4000)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(4))
def test_delays_agree_with_aer(executor: Executor, seed: int) -> None:
    """Aer's pass attaches the relaxation to delays of several lengths."""
    choose, device = random.Random(seed), even(LINE)
    circuit = random_circuit(seed, 3)
    for qubit in range(3):
        circuit.delay(choose.choice([0, 3000, 17500]), qubit, unit="dt")
        circuit.sx(qubit)
        circuit.delay(choose.randint(0, 20000), qubit, unit="dt")
    circuit.measure(range(3), range(3))
    request = request_on(device, circuit, optimization_level=seed % 4, shots=4000, seed=seed)
    assert_same_source(executor.run(request).counts, of_aer(device, request, 4000))


def test_ramsey_fringe_has_the_phase_of_the_program(executor: Executor) -> None:
    """Dephasing with T2, and no other effect on the phase."""
    program = f"{HEAD}qubit q; bit c; h q; delay[15us] q; rz(0.7) q; h q; c = measure q;"
    result = executor.run(request_on(IDLE, program, shots=8000, optimization_level=1))
    zero = 0.5 + 0.5 * float(np.exp(-15 / 30)) * float(np.cos(0.7))
    assert_counts_match(result.counts, {"0": zero, "1": 1 - zero}, 8000)


@pytest.mark.parametrize("method", [Method.STATEVECTOR, Method.STABILIZER, Method.STIM, Method.DENSITY_MATRIX])
def test_every_method_has_the_errors_of_delays(executor: Executor, method: Method) -> None:
    """With T2 alone the errors are Pauli operators, which stim has too."""
    dephasing = device_of(one_qubit=("id", "h", "x", "s"), of_qubit={"t2_us": 30.0}, noisy=False)
    program = f"{HEAD}qubit q; bit c; h q; delay[15us] q; h q; c = measure q;"
    result = executor.run(request_on(dephasing, program, shots=4000, method=method, optimization_level=0))
    zero = 0.5 + 0.5 * float(np.exp(-15 / 30))
    assert result.profile.method == method
    assert_counts_match(result.counts, {"0": zero, "1": 1 - zero}, 4000)


@pytest.mark.parametrize("of_task", [{}, {"observables": ({"Z": 1.0},)}], ids=["counts", "values"])
def test_noise_of_a_task_has_no_errors_in_delays(executor: Executor, of_task: Mapping[str, Any]) -> None:
    """As without a device: an error of `id` is not one of delays, and their length need not be known."""
    error = {"type": "qerror", "operations": ["id"], "probabilities": [1.0]}
    model = {"model": {"errors": [{**error, "instructions": [[{"name": "x", "qubits": [0]}]]}]}}
    document: Any = CLEAN.as_json()
    del document["dt_ns"]
    device = device_from_json(document)
    idle = f"{HEAD}qubit q; bit c; {{}} q; delay[100dt] q;"
    program = idle if of_task else f"{idle} c = measure q;"
    more: Any = {"noise": False, "noise_of_task": model, "of_task": of_task}
    delayed = executor.run(request_on(device, program.format("barrier"), **more))
    with_gate = executor.run(request_on(device, program.format("id"), optimization_level=0, **more))
    assert (delayed.counts, delayed.expectation_values) == ({}, [1.0]) if of_task else ({"0": 1000}, None)
    assert (with_gate.counts, with_gate.expectation_values) == ({}, [-1.0]) if of_task else ({"1": 1000}, None)


def test_delays_of_unknown_length(executor: Executor) -> None:
    document: Any = IDLE.as_json()
    del document["dt_ns"]
    timeless = device_from_json(document)
    with pytest.raises(ExecutionFailed, match="dt"):
        executor.run(request_on(timeless, DELAYED["text in dt"]))
    old = 'OPENQASM 2.0; include "qelib1.inc"; opaque delay(t) q; qreg q[1]; creg c[1]; delay(10) q[0]; measure q -> c;'
    circuit = QuantumCircuit(1, 1)
    circuit.delay(17.5, 0, unit="us")
    circuit.measure(0, 0)
    with pytest.raises(ProgramUnsupported, match="does not keep the unit"):
        executor.run(request_on(IDLE, circuit))
    task = TaskSpec(circuit=as_qpy(circuit), shots=10, options=RunOptions(format=ProgramFormat.QPY))
    assert executor.run(Request(task)).counts == {"0": 10}, "without a device delays have no effect"
    with pytest.raises(ProgramUnsupported, match="has no unit of time"):
        executor.run(request_on(IDLE, old, form=ProgramFormat.OPENQASM2))


def test_barriers_hold_the_transpiler_back(executor: Executor) -> None:
    for program in (
        f"{HEAD}qubit q; bit c; x q; barrier q; x q; c = measure q;",
        f"{HEAD}qubit[2] q; bit c; int n = 0; if (n == 0) {{ x q[n]; }} barrier q; x q[0]; c = measure q[0];",
    ):
        result = executor.run(request_on(CLEAN, program, optimization_level=3))
        assert result.profile.operations["x"] == 2
        assert result.counts == {"0": 1000}


def test_labels_of_a_program_are_no_delays(executor: Executor) -> None:
    """A gate with a label that looks like that of a delay is the gate."""
    circuit = QuantumCircuit(1, 1)
    circuit.x(0)
    circuit.append(IGate(label="delay 1000000000.0 ns"), [0])
    circuit.measure(0, 0)
    assert executor.run(request_on(IDLE, circuit, optimization_level=0)).counts == {"1": 1000}
    plain = RunOptions(noise={"name": "depolarizing"}, seed=1, format=ProgramFormat.QPY)
    task = TaskSpec(circuit=as_qpy(circuit), shots=10, options=plain)
    assert executor.run(Request(task)).counts == {"1": 10}


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize(
    "rest", ["", "int n = 1; n += 1; ", "// q $1\n"], ids=["scanned", "unrolled", "with a comment"]
)
def test_physical_qubits_are_those_of_the_device(executor: Executor, level: int, rest: str) -> None:
    """Only one pair of the device, far from where it would be placed, has misread bits."""
    document: Any = LINE.as_json()
    for number, qubit in enumerate(document["qubits"]):
        qubit |= {"t1_us": 1e9, "t2_us": 1e9, "p01": 0.0, "p10": float(number == 1)}
    for gate in document["gates"]:
        gate["error"] = 0.0
    program = f"{HEAD}{rest}bit[2] c; x $1; cx $1, $2; c[0] = measure $1; c[1] = measure $2;"
    result = executor.run(request_on(device_from_json(document), program, optimization_level=level))
    assert result.counts == {"10": 1000}
    assert result.profile.placement is not None
    assert list(result.profile.placement.layout) == [0, 1, 2]


def test_comments_name_no_physical_qubits(executor: Executor) -> None:
    program = BELL.replace("h q[0];", "/* $0 */ h q[0]; // $1\n")
    placement = executor.run(request_on(LINE, program, initial_layout=(3, 2))).profile.placement
    assert placement is not None
    assert list(placement.layout) == [3, 2]


ISLANDS = device_of([(0, 1), (2, 3)], 4, noisy=False)
REJECTED: dict[str, tuple[Device, str, dict[str, Any], str]] = {
    "too wide": (CLEAN, f"{HEAD}qubit[6] q; bit[6] c; c = measure q;", {}, "has 6 qubits, and the device 5"),
    "short layout": (CLEAN, BELL, {"initial_layout": (1,)}, "1 entry for 2 qubits: give one qubit of the device"),
    "long layout": (CLEAN, BELL, {"initial_layout": (1, 2, 3)}, "3 entries for 2 qubits: give one qubit of"),
    "layout beyond": (
        CLEAN,
        BELL,
        {"initial_layout": (1, 7)},
        "entry 1 is 7: choose one of the device's qubits, 0 to 4",
    ),
    "layout twice": (CLEAN, BELL, {"initial_layout": (1, 1)}, "entries 0 and 1 are both 1: choose another"),
    "islands": (
        ISLANDS,
        f"{HEAD}qubit[3] q; bit[3] c; cx q[0], q[1]; cx q[1], q[2]; c = measure q;",
        {},
        "cannot be transpiled",
    ),
    "islands by layout": (ISLANDS, BELL, {"initial_layout": (0, 2)}, "cannot be transpiled"),
    "no two-qubit gate": (device_of([], 2), BELL, {}, "cannot be transpiled"),
    "physical and declared": (CLEAN, f"{HEAD}qubit q; bit c; x $1; cx q, $1; c = measure q;", {}, "beside physical"),
    "physical and placed": (
        CLEAN,
        f"{HEAD}bit c; x $1; c = measure $1;",
        {"initial_layout": (3, 2)},
        "leave initial_layout out",
    ),
    "physical beyond": (CLEAN, f"{HEAD}bit c; x $5; c = measure $5;", {}, "has 6 qubits, and the device 5"),
    "no reset": (device_of(reset=False), f"{HEAD}qubit q; bit c; x q; reset q; x q; c = measure q;", {}, "reset"),
}


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("name", REJECTED)
def test_what_does_not_fit_the_device(executor: Executor, name: str, level: int) -> None:
    device, program, options, why = REJECTED[name]
    request = request_on(device, program, optimization_level=level, **options)
    with pytest.raises(DeviceMismatch, match=why) as caught:
        executor.run(request)
    assert caught.value.failure.code is FailureCode.DEVICE_MISMATCH
    assert f"'{device.name}'" in caught.value.message
    with pytest.raises(DeviceMismatch, match=why):
        executor.inspect(Request(request.spec, command=Command.INSPECT))


def test_program_without_measurements(executor: Executor) -> None:
    with pytest.raises(ProgramUnsupported, match="nothing is measured"):
        executor.run(request_on(CLEAN, f"{HEAD}qubit q; h q;"))


@pytest.mark.parametrize("method", [Method.STATEVECTOR, Method.DENSITY_MATRIX, Method.STABILIZER])
def test_methods_agree(executor: Executor, method: Method) -> None:
    """T2 is less than T1, so that errors are Pauli operators and resets, which the tableau has too."""
    clifford = device_of(one_qubit=("id", "h", "s", "x", "sx"))
    program = f"{HEAD}qubit[3] q; bit[3] c; h q[0]; cx q[0], q[1]; cx q[0], q[2]; c = measure q;"
    found = executor.run(request_on(clifford, program, method=method, shots=4000, optimization_level=0))
    assert found.profile.method == method
    other = executor.run(request_on(clifford, program, shots=4000, seed=77, optimization_level=0))
    assert_same_source(found.counts, other.counts)


def test_many_qubits_of_a_large_device(executor: Executor) -> None:
    """Twenty of 57 qubits: only those that are used are simulated."""
    pairs = "".join(f"cx q[{number}], q[{number + 1}]; " for number in range(13))
    program = f"{HEAD}qubit[14] q; bit[14] c; h q[0]; {pairs}c = measure q;"
    result = executor.run(request_on(HEAVY_HEX, program, shots=20))
    assert 14 <= result.profile.qubits < 20
    assert sum(result.counts.values()) == 20


def test_inspection_is_of_the_transpiled_circuit(executor: Executor) -> None:
    far = f"{HEAD}qubit[5] q; bit[5] c; h q[0]; cx q[0], q[4]; cx q[1], q[3]; cx q[0], q[2]; c = measure q;"
    request = request_on(LINE, far, initial_layout=(0, 1, 2, 3, 4), command=Command.INSPECT)
    found, ran = executor.inspect(request), executor.run(request)
    assert isinstance(found, Inspection)
    assert found.placement == ran.profile.placement
    assert (found.depth, found.qubits, found.operations) == (
        ran.profile.depth,
        ran.profile.qubits,
        ran.profile.operations,
    )
    assert found.method == ran.profile.method
    assert found.unused_qubits == 0
    assert found.estimated_seconds is not None
    assert found.placement is not None
    assert found.placement.two_qubit_gates > 3


@pytest.mark.parametrize("drawing", Drawing)
def test_drawing_is_of_the_circuit_that_runs(executor: Executor, drawing: Drawing) -> None:
    spec = request_on(LINE, BELL, initial_layout=(3, 2), optimization_level=1).spec
    request = Request(spec, command=Command.DRAW, drawing=drawing)
    drawn = executor.draw(request)
    assert drawn == Executor(LIMITS).draw(request)
    assert "q3" in drawn
    assert "q2" in drawn
    assert "q4" not in drawn
    if drawing is Drawing.FLAT:
        again = executor.run(request_on(CLEAN, drawn, noise=False))
        assert set(again.counts) == {"00", "11"}
        operations = executor.run(Request(spec)).profile.operations
        assert drawn.count("cx ") == operations["cx"]


@pytest.mark.parametrize("name", FEEDBACK)
def test_drawing_of_branches(executor: Executor, name: str) -> None:
    spec = request_on(CLEAN, FEEDBACK[name]).spec
    for drawing in Drawing:
        assert executor.draw(Request(spec, command=Command.DRAW, drawing=drawing))


@pytest.mark.parametrize("drawing", Drawing)
def test_drawing_shows_delays(executor: Executor, drawing: Drawing) -> None:
    spec = request_on(LINE, DELAYED["text"]).spec
    drawn = executor.draw(Request(spec, command=Command.DRAW, drawing=drawing))
    assert "delay" in drawn.lower()
    assert drawing is Drawing.SVG or "20000" in drawn


def test_projects_share_no_devices_and_programs(executor: Executor) -> None:
    programs = DevicePrograms(LIMITS)
    spec = request_on(LINE, BELL).spec
    one, same, other = (programs.load(spec, project) for project in ("a", "a", "b"))  # type: ignore[arg-type]
    assert one is same
    assert one is not other


@pytest.fixture
def no_collections() -> Iterator[None]:
    """No garbage collections: Hypothesis measures each, and in its callback what an alarm raises would be lost."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collections")
def test_soft_time_limit_bounds_transpiling() -> None:
    """Reading, of which transpiling is a part, ends with `TimeLimitExceeded` and not with a dead process."""
    request = request_on(HEAVY_HEX, BELL)
    response = Executor(LIMITS).respond(Request(replace(request.spec, time_limit_seconds=1e-3)))
    assert isinstance(response.outcome, ExecutionFailed)
    assert response.outcome.failure.code is FailureCode.TIMEOUT
    assert response.retiring
    assert isinstance(Executor(LIMITS).respond(request).outcome, RunResult)
