"""What the transpiler makes of programs is the same program: on ideal devices, at each level, by each layout."""

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import QuantumCircuit
from qiskit.quantum_info import Statevector
from qiskit.transpiler.passes import VF2Layout, VF2PostLayout

from ketline.domain.access.principals import DEFAULT_PROJECT
from ketline.domain.devices.device import Device, device_from_json
from ketline.domain.devices.generic_devices import generic_devices
from ketline.domain.limits import MAX_DEVICE_QUBITS
from ketline.domain.tasks.spec import TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.frontend.program import Program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.transpiling import DevicePrograms
from ketline.execution.transpiling.transpiler import MAX_REFINEMENT_STEPS, MAX_SEARCH_STEPS, Transpiler, operations_in
from tests.blocks import long_after, numbers
from tests.devices import LINE_EDGES, RING_EDGES, device_of, request_on, run_on
from tests.noise import GATES, random_circuit
from tests.reference import assert_counts_match

LIMITS = ExecutionLimits()
BLOCK = 4
DEVICES = {
    "line": device_of(noisy=False),
    "directed ring": device_of(RING_EDGES, two_qubit="ecr", noisy=False),
    "symmetric": device_of((*LINE_EDGES, (4, 3), (3, 2), (2, 1), (1, 0)), two_qubit="cz", noisy=False),
    "rzz": device_of(LINE_EDGES, two_qubit="rzz", one_qubit=("id", "rx", "rz"), noisy=False),
    "u": device_of(LINE_EDGES, two_qubit="cx", one_qubit=("id", "u"), noisy=False),
    **generic_devices(),
}


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(LIMITS)


def measured(circuit: QuantumCircuit, seed: int) -> QuantumCircuit:
    """The circuit with its qubits measured in any order, so that a mixture of two bits shows."""
    result = circuit.copy()
    bits = list(range(circuit.num_clbits))
    random.Random(seed).shuffle(bits)
    result.measure(range(circuit.num_qubits), bits)
    return result


def exact(circuit: Any) -> Mapping[str, float]:
    """The distribution of a circuit that is measured at its end, by Qiskit's statevector."""
    read = {}
    for instruction in circuit.data:
        if instruction.name == "measure":
            bit = circuit.find_bit(instruction.clbits[0]).index
            read[bit] = circuit.find_bit(instruction.qubits[0]).index
    bare = circuit.remove_final_measurements(inplace=False)
    # Removing measurements may remove idle bits, never qubits.
    probabilities = Statevector(bare).probabilities([read[bit] for bit in sorted(read)])
    width = len(read)
    found = {format(index, f"0{width}b"): float(one) for index, one in enumerate(probabilities) if one > 1e-12}
    return {key: value / sum(found.values()) for key, value in found.items()}


def program_of(spec: TaskSpec) -> Program:
    return DevicePrograms(LIMITS).load(spec, DEFAULT_PROJECT)


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("name", DEVICES)
@pytest.mark.parametrize("block", long_after(1, range(6)))
def test_circuit_on_an_ideal_device_has_the_same_distribution(name: str, level: int, block: int) -> None:
    device = DEVICES[name]
    for number in numbers(block, BLOCK):
        choose = random.Random(number)
        qubits = choose.randint(1, 4)
        circuit = measured(random_circuit(number, qubits, names=GATES), number)
        layout = None if number % 2 else tuple(choose.sample(range(device.num_qubits), qubits))
        request = request_on(device, circuit, optimization_level=level, noise=False, initial_layout=layout, seed=number)
        program = program_of(request.spec)
        found, expected = exact(program.lowered.circuit), exact(circuit)
        assert found.keys() == expected.keys()
        assert np.allclose([found[key] for key in expected], list(expected.values()), atol=1e-9)
        placement = program.placement
        assert placement is not None
        if layout is not None:
            assert tuple(placement.layout) == layout
        assert len(set(placement.final_layout)) == qubits == len(set(placement.layout))


@pytest.mark.parametrize("level", range(4))
def test_only_operations_of_the_device_are_left(level: int) -> None:
    device = DEVICES["directed ring"]
    gates = {(gate.name, gate.qubits) for gate in device.gates}
    for number in range(6):
        circuit = measured(random_circuit(number, 4), number)
        request = request_on(device, circuit, optimization_level=level)
        placed = DevicePrograms(LIMITS).placer(request.spec, DEFAULT_PROJECT)({})
        for name, qubits in operations_in(placed.transpiled.circuit, range(5)):
            assert name in ("measure", "barrier") or (name, qubits) in gates


@pytest.mark.parametrize("level", range(4))
def test_counts_keep_the_order_of_bits(executor: Executor, level: int) -> None:
    """Every qubit has its own probability of a 1, and the program's bits are in two registers of mixed order."""
    program = """OPENQASM 3.0; include "stdgates.inc"; qubit[4] q; bit[3] a; bit b;
    for int k in [0:3] { ry(0.4 + 0.6 * k) q[k]; }
    swap q[0], q[3]; cx q[1], q[2]; cx q[1], q[2]; swap q[1], q[3];
    a[2] = measure q[0]; b = measure q[1]; a[0] = measure q[2]; a[1] = measure q[3];"""
    ones = {0: 2.2, 3: 1.0, 1: 0.4, 2: 1.6}  # the angle that each qubit has at the end
    probability = {qubit: float(np.sin(angle / 2) ** 2) for qubit, angle in ones.items()}
    expected = {}
    for index in range(16):
        bits = {"a0": index & 1, "a1": index >> 1 & 1, "a2": index >> 2 & 1, "b": index >> 3 & 1}
        value = 1.0
        for bit, qubit in (("a2", 0), ("b", 1), ("a0", 2), ("a1", 3)):
            value *= probability[qubit] if bits[bit] else 1 - probability[qubit]
        expected[f"{bits['b']} {bits['a2']}{bits['a1']}{bits['a0']}"] = value
    request = request_on(DEVICES["line"], program, optimization_level=level, noise=False, shots=4000)
    result = executor.run(request)
    assert_counts_match(result.counts, expected, 4000)
    assert result.profile.placement is not None
    assert result.profile.placement.device == "small"


def test_same_seed_gives_the_same_circuit_and_another_may_give_another() -> None:
    device: Device = generic_devices()["heavy-hex-57"]
    circuit = QuantumCircuit(7, 7)
    for one in range(7):
        for other in range(one):
            circuit.cx(one, other)
    circuit.measure(range(7), range(7))

    def lowered(seed: int | None) -> Any:
        spec = request_on(device, circuit, noise=False).spec
        assert spec.options.device is not None
        run = replace(spec.options.device, seed=seed)
        return program_of(replace(spec, options=replace(spec.options, device=run))).lowered.circuit

    assert lowered(None) == lowered(0) == lowered(0)
    assert any(lowered(seed) != lowered(0) for seed in range(1, 5))


@pytest.mark.parametrize("level", [1, 2, 3])
def test_search_for_a_layout_without_swaps_is_bounded(level: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ring of 13 qubits is nowhere in a grid: without the bound Qiskit searches for minutes on 2,000 qubits."""
    limits: list[tuple[int, int]] = []

    def search(self: VF2Layout, dag: Any) -> Any:
        limits.append(self.call_limit)
        return original(self, dag)

    original = VF2Layout.run
    monkeypatch.setattr(VF2Layout, "run", search)
    ring = QuantumCircuit(13, 13)
    for qubit in range(13):
        ring.cx(qubit, (qubit + 1) % 13)
    ring.measure(range(13), range(13))
    grid = generic_devices()["grid-25"]
    program_of(request_on(grid, ring, optimization_level=level, noise=False).spec)
    assert limits
    assert all(first <= MAX_SEARCH_STEPS for first, _ in limits)


def large_device() -> Device:
    """As many qubits as a device can have, and 16,000 couplings between random ones."""
    choose = random.Random(5)
    edges: set[tuple[int, int]] = set()
    while len(edges) < 16_000:
        low, high = sorted(choose.sample(range(MAX_DEVICE_QUBITS), 2))
        edges.add((low, high))
    operands = [("u", [qubit]) for qubit in range(MAX_DEVICE_QUBITS)] + [("cx", list(edge)) for edge in sorted(edges)]
    gates = [{"name": name, "qubits": qubits, "error": choose.uniform(0, 0.01)} for name, qubits in operands]
    return device_from_json({"name": "large", "qubits": [{}] * MAX_DEVICE_QUBITS, "gates": gates})


def test_search_for_smaller_errors_on_the_largest_device_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """By Qiskit's own limits it takes minutes for 20 qubits; there is no layout without swaps."""
    limits: list[int] = []

    def search(self: VF2PostLayout, dag: Any) -> Any:
        limits.append(self.call_limit)
        assert self.call_limit <= MAX_REFINEMENT_STEPS, "would search for minutes"
        return original(self, dag)

    original = VF2PostLayout.run
    monkeypatch.setattr(VF2PostLayout, "run", search)
    choose = random.Random(1)
    circuit = QuantumCircuit(20, 20)
    for _ in range(60):
        circuit.ry(choose.random(), choose.randrange(20))
        circuit.cx(*choose.sample(range(20), 2))
    circuit.measure(range(20), range(20))
    device = large_device()
    found = Transpiler(device).transpiled(circuit, run_on(device, optimization_level=3))
    assert len(limits) == 2
    assert len(set(found.placement.layout)) == 20
