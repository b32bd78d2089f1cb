"""Circuits of Cirq: the same unitary, and the same measurements as Cirq's simulator."""

from collections import Counter
from typing import Any

import cirq
import numpy as np
import pytest
import sympy

from ketline.client import CircuitNotConvertible
from ketline.client.convert import from_cirq
from tests.blocks import long_after
from tests.unit.client.convert.comparison import (
    SHOTS,
    assert_sampled_alike,
    counts_of,
    key_of,
    unitary_of,
)

LINE = cirq.LineQubit.range(5)
INSTANCES = [gate for name in dir(cirq) if isinstance(gate := getattr(cirq, name), cirq.Gate)]
POWERS = [
    kind(exponent=exponent, global_shift=shift)
    for kind in (
        cirq.XPowGate,
        cirq.YPowGate,
        cirq.ZPowGate,
        cirq.HPowGate,
        cirq.CXPowGate,
        cirq.CZPowGate,
        cirq.CCXPowGate,
        cirq.CCZPowGate,
        cirq.SwapPowGate,
        cirq.ISwapPowGate,
        cirq.XXPowGate,
        cirq.YYPowGate,
        cirq.ZZPowGate,
    )
    for exponent in (0.3, -0.5, 1, 3, 0.25)
    for shift in (0, 0.25, -0.5)
]
OTHERS = [
    cirq.CY**0.3,
    cirq.CCY**0.3,
    cirq.rx(0.3),
    cirq.ms(0.3),
    cirq.FSimGate(0.3, 0.4),
    cirq.PhasedFSimGate(0.1, 0.2, 0.3, 0.4, 0.5),
    cirq.PhasedXPowGate(phase_exponent=0.2, exponent=0.4, global_shift=0.1),
    cirq.PhasedXZGate(x_exponent=0.1, z_exponent=0.2, axis_phase_exponent=0.3),
    cirq.PhasedISwapPowGate(phase_exponent=0.2, exponent=0.3),
    cirq.QuantumFourierTransformGate(4),
    cirq.PhaseGradientGate(num_qubits=4, exponent=0.3),
    cirq.DiagonalGate(list(range(16))),
    cirq.ThreeQubitDiagonalGate(list(range(8))),
    cirq.TwoQubitDiagonalGate([1, 2, 3, 4]),
    cirq.QubitPermutationGate([2, 0, 3, 1]),
    cirq.MatrixGate(cirq.testing.random_unitary(8, random_state=1)),
    cirq.DensePauliString("XYZI"),
    cirq.ControlledGate(cirq.Y**0.3, num_controls=2, control_values=[0, 1]),
    cirq.ControlledGate(cirq.GlobalPhaseGate(1j)),
    cirq.ControlledGate(cirq.QuantumFourierTransformGate(4)),
    cirq.ControlledGate(cirq.ControlledGate(cirq.SWAP**0.3), control_values=[0]),
    cirq.ControlledGate(cirq.X, num_controls=2, control_values=cirq.SumOfProducts([(0, 1), (1, 0)])),
    cirq.ControlledGate(cirq.X, control_values=[(0, 1)]),
    cirq.ParallelGate(cirq.Y**0.3, 3),
    cirq.SingleQubitCliffordGate.X_sqrt,
    cirq.PauliInteractionGate.CNOT,
    cirq.PauliStringPhasorGate(cirq.DensePauliString("XY"), exponent_neg=0.3),
    cirq.BooleanHamiltonianGate({"a": 0, "b": 1}, ["a ^ b"], 0.3),
    cirq.IdentityGate(3),
    cirq.WaitGate(cirq.Duration(nanos=3)),
]


@pytest.mark.parametrize("gate", INSTANCES + POWERS + OTHERS, ids=repr)
def test_gate_has_its_unitary(gate: Any) -> None:
    circuit = cirq.Circuit(gate.on(*LINE[: cirq.num_qubits(gate)]))
    assert np.allclose(unitary_of(from_cirq(circuit)), cirq.unitary(circuit), atol=1e-7)


@pytest.mark.parametrize("seed", long_after(8, range(25)))
def test_random_circuit_has_its_unitary(seed: int) -> None:
    circuit = cirq.Circuit(cirq.testing.random_circuit(4, 10, 0.7, random_state=seed), cirq.I.on_each(*LINE[:4]))
    assert np.allclose(unitary_of(from_cirq(circuit)), cirq.unitary(circuit), atol=1e-7)


@pytest.mark.parametrize("seed", long_after(4, range(12)))
def test_random_measurements_are_those_of_cirqs_simulator(seed: int) -> None:
    """Two keys of permuted qubits and a gate that depends on the first, at a level of 1e-9 for each circuit."""
    random = np.random.default_rng(seed)
    order = random.permutation(4)
    circuit = cirq.Circuit(
        _random_layer(random),
        cirq.measure(*(LINE[at] for at in order[:2]), key="first", invert_mask=(bool(seed % 2),)),
        cirq.ry(1.0)(LINE[order[2]]).with_classical_controls("first"),
        cirq.measure(*(LINE[at] for at in order[1:]), key="second"),
    )
    # The simulator runs a circuit with a measurement in its middle anew for each shot: a hundred times as long.
    result = cirq.Simulator(seed=seed).run(cirq.defer_measurements(circuit), repetitions=SHOTS)
    theirs = Counter(
        key_of(bits) for bits in zip(*(result.measurements[key] for key in ("first", "second")), strict=True)
    )
    program = from_cirq(circuit)
    assert list(program.registers) == ["first", "second"]
    assert_sampled_alike(counts_of(program), theirs)


def _random_layer(random: np.random.Generator) -> Any:
    angles = random.uniform(0.2, 1.2, 4)
    yield (cirq.ry(angle)(qubit) for angle, qubit in zip(angles, LINE, strict=False))
    yield (cirq.CX(LINE[a], LINE[b]) for a, b in (random.permutation(4)[:2] for _ in range(3)))
    yield (cirq.ry(angle)(qubit) for angle, qubit in zip(angles[::-1], LINE, strict=False))


def test_bit_order_is_that_of_the_measurement() -> None:
    a, b, c = (cirq.NamedQubit(name) for name in "abc")
    circuit = cirq.Circuit(cirq.X(a), cirq.I(b), cirq.I(c), cirq.measure(c, a, b, key="m"))
    assert cirq.Simulator().run(circuit).measurements["m"].tolist() == [[0, 1, 0]]
    assert counts_of(from_cirq(circuit), 5) == {"010": 5}
    circuit = cirq.Circuit(cirq.X(a), cirq.I(b), cirq.measure(a, b, key="m"))
    assert counts_of(from_cirq(circuit), 5) == {"01": 5}


def test_qubit_order_is_that_of_cirq_or_the_given_one() -> None:
    circuit = cirq.Circuit(cirq.X(cirq.NamedQubit("b")), cirq.I(cirq.NamedQubit("a")))
    assert "x q[1];" in from_cirq(circuit).text
    assert "x q[0];" in from_cirq(circuit, qubit_order=[cirq.NamedQubit("b"), cirq.NamedQubit("a")]).text


def test_keys_that_are_no_names_get_similar_ones() -> None:
    circuit = cirq.Circuit(cirq.measure(LINE[0], key="gate"), cirq.measure(LINE[1], LINE[2]))
    assert from_cirq(circuit).registers == {"gate_1": "gate", "q_1__q_2_": "q(1),q(2)"}


def test_key_measured_twice_has_two_registers() -> None:
    circuit = cirq.Circuit(
        cirq.measure(LINE[0], key="m"),
        cirq.X(LINE[0]),
        cirq.measure(LINE[0], key="m"),
        cirq.X(LINE[1]).with_classical_controls("m"),
        cirq.measure(LINE[1], key="last"),
    )
    program = from_cirq(circuit)
    assert program.registers == {"m": "m", "m_1": "m", "last": "last"}
    assert counts_of(program, 5) == {"1 1 0": 5}


def test_reset_subcircuit_and_tags_are_kept() -> None:
    inside = cirq.FrozenCircuit(cirq.X(LINE[0]), cirq.measure(LINE[0], key="k"))
    circuit = cirq.Circuit(
        cirq.CircuitOperation(inside, repetitions=2, use_repetition_ids=False),
        cirq.reset(LINE[0]),
        cirq.X(LINE[0]).with_tags("virtual"),
        cirq.measure(LINE[0], key="last"),
    )
    assert counts_of(from_cirq(circuit), 5) == {"1 0 1": 5}


@pytest.mark.parametrize("value", [0.2, 1.3])
def test_symbols_become_inputs(value: float) -> None:
    a, b = sympy.symbols("a θ")
    circuit = cirq.Circuit(
        (cirq.X ** (a / 3 + 0.5 * b**2))(LINE[0]),
        (cirq.CZ**a)(*LINE[:2]),
        (cirq.H**b)(LINE[1]),
        (cirq.Y**-a)(LINE[0]),
        cirq.PhasedXZGate(x_exponent=a, z_exponent=b, axis_phase_exponent=a * b)(LINE[1]),
        cirq.measure(*LINE[:2], key="m"),
    )
    program = from_cirq(circuit)
    assert set(program.inputs) == {"a", "θ"}
    result = cirq.Simulator(seed=1).run(circuit, {"a": value, "θ": 0.7}, repetitions=SHOTS)
    theirs = Counter(key_of([bits]) for bits in result.measurements["m"])
    assert_sampled_alike(counts_of(program, inputs={"a": value, "θ": 0.7}), theirs)


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        ([cirq.depolarize(0.1)(LINE[0])], "depolarize"),
        ([cirq.amplitude_damp(0.1)(LINE[0])], "amplitude_damp"),
        ([cirq.IdentityGate(1, (3,))(cirq.LineQid(0, 3))], "3 levels"),
        ([cirq.measure(LINE[0], key="m", confusion_map={(0,): np.array([[0.9, 0.1], [0.2, 0.8]])})], "confusion map"),
        (
            [cirq.measure(LINE[0], key="m"), cirq.X(LINE[0]).with_classical_controls(sympy.Symbol("m") > 0)],
            "condition .*m",
        ),
        ([(cirq.X ** sympy.Function("f")(sympy.Symbol("a")))(LINE[0])], "'f'"),
        (
            [
                cirq.CircuitOperation(
                    cirq.FrozenCircuit(cirq.H(LINE[0]), cirq.measure(LINE[0], key="m")),
                    repeat_until=cirq.KeyCondition(cirq.MeasurementKey("m")),
                    use_repetition_ids=False,
                )
            ],
            "repeat_until",
        ),
    ],
)
def test_what_cannot_be_converted_is_rejected_by_name(operations: Any, message: str) -> None:
    with pytest.raises(CircuitNotConvertible, match=message):
        from_cirq(cirq.Circuit(operations))
