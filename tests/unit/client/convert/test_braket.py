"""Circuits of Amazon Braket: the same unitary, and the same measurements as its local simulator."""

import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from braket.circuits import Circuit, FreeParameter, Gate, Instruction, Observable
from braket.devices import LocalSimulator
from scipy.stats import unitary_group

from ketline.client import CircuitNotConvertible
from ketline.client.convert import ConvertedProgram, from_braket
from tests.blocks import long_after
from tests.unit.client.convert.comparison import (
    SHOTS,
    assert_sampled_alike,
    counts_of,
    unitary_of,
)

GATES = [
    kind
    for _, kind in inspect.getmembers(Gate, inspect.isclass)
    if issubclass(kind, Gate) and kind.__name__ not in ("PulseGate", "GPhase", "Unitary")
]
MODIFIERS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    "negative control": {"control": [7], "control_state": [0]},
    "inverse": {"power": -1},
    "power": {"power": 0.3},
    "controlled power": {"control": [7, 8], "power": 2},
}


def _made(kind: Any) -> Any:
    parameters = len(inspect.signature(kind).parameters) - ("display_name" in inspect.signature(kind).parameters)
    return kind(*[0.3, 0.5, 0.7][:parameters])


def _gates_only(program: ConvertedProgram) -> ConvertedProgram:
    lines = [line for line in program.text.splitlines() if "measure" not in line]
    return ConvertedProgram(text="\n".join(lines))


@pytest.mark.parametrize("modifiers", MODIFIERS.values(), ids=MODIFIERS)
@pytest.mark.parametrize(
    "gate",
    [*map(_made, GATES), Gate.Unitary(unitary_group.rvs(8, random_state=1))],
    ids=lambda gate: gate.name,
)
def test_gate_has_its_unitary(gate: Any, modifiers: Mapping[str, Any]) -> None:
    circuit = Circuit().add_instruction(Instruction(gate, list(range(gate.qubit_count)), **modifiers))
    assert np.allclose(unitary_of(_gates_only(from_braket(circuit))), circuit.to_unitary(), atol=1e-9)


def test_controlled_global_phase_is_a_phase() -> None:
    circuit = Circuit().gphase(0.3, control=[0, 1], control_state=[1, 0], power=2)
    expected = np.diag([1, 1, np.exp(0.6j), 1])
    assert np.allclose(unitary_of(_gates_only(from_braket(circuit))), expected, atol=1e-9)


@pytest.mark.parametrize("seed", long_after(8, range(16)))
def test_random_circuit_has_the_counts_of_brakets_simulator(seed: int) -> None:
    """With and without measurements, in any order of qubits that are not neighbours; at a level of 1e-9 each."""
    random = np.random.default_rng(seed)
    qubits = [int(qubit) for qubit in sorted(random.choice(12, 4, replace=False))]
    circuit = Circuit()
    for qubit in qubits:
        circuit.ry(qubit, float(random.uniform(0.2, 1.2)))
    for _ in range(12):
        gate = _made(GATES[random.integers(len(GATES))])
        circuit.add_instruction(
            Instruction(gate, [int(each) for each in random.permutation(qubits)[: gate.qubit_count]])
        )
    if seed % 2:
        for qubit in random.permutation(qubits)[:3]:
            circuit.measure(int(qubit))
    theirs = LocalSimulator().run(circuit, shots=SHOTS).result().measurement_counts
    assert_sampled_alike(counts_of(from_braket(circuit)), {key[::-1]: count for key, count in theirs.items()})


def test_bit_order_is_that_of_the_measurements() -> None:
    circuit = Circuit().x(0).i(3).i(7)
    assert counts_of(from_braket(circuit), 5) == {"001": 5}
    circuit.measure([3, 0, 7])
    program = from_braket(circuit)
    assert program.registers == {"b": "b"}
    assert counts_of(program, 5) == {"010": 5}
    assert LocalSimulator().run(circuit, shots=5).result().measurement_counts == {"010": 5}


def test_free_parameters_become_inputs() -> None:
    circuit = Circuit().rx(0, FreeParameter("theta") * 2 + 0.1).phaseshift(0, FreeParameter("phi")).h(0)
    program = from_braket(circuit)
    assert dict(program.inputs) == {"theta": "theta", "phi": "phi"}
    theirs = LocalSimulator().run(circuit, shots=SHOTS, inputs={"theta": 0.4, "phi": 1.1}).result().measurement_counts
    assert_sampled_alike(counts_of(program, inputs={"theta": 0.4, "phi": 1.1}), theirs)


def test_verbatim_box_and_barrier_run() -> None:
    circuit = Circuit().add_verbatim_box(Circuit().x(0)).barrier([0, 1]).x(1)
    assert counts_of(from_braket(circuit), 5) == {"11": 5}


@pytest.mark.parametrize(
    ("circuit", "message"),
    [
        (Circuit().h(0).bit_flip(0, 0.1), "BitFlip is noise"),
        (Circuit().h(0).kraus([0], [np.eye(2)]), "Kraus is noise"),
        (Circuit().h(0).expectation(Observable.Z(), 0), r"result types \(Expectation\).*observables"),
        (Circuit().h(0).probability(), r"result types \(Probability\)"),
        (Circuit().rx(0, FreeParameter("a"), power=2), "power of Rx with free parameters"),
    ],
    ids=["bit flip", "kraus", "expectation", "probability", "parametric power"],
)
def test_what_cannot_be_converted_is_rejected_by_name(circuit: Any, message: str) -> None:
    with pytest.raises(CircuitNotConvertible, match=message):
        from_braket(circuit)


def test_each_measurement_has_a_bit_of_its_own() -> None:
    """Braket itself stores the outcome of a list of qubits over that of a qubit before it."""
    assert counts_of(from_braket(Circuit().x(0).i(3).measure(3).measure([0])), 5) == {"10": 5}
    assert counts_of(from_braket(Circuit().x(0).i(3).i(7).measure(0).measure([3, 7])), 5) == {"001": 5}
