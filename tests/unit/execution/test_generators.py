"""Generators and inverses of gates, against differences and products of their matrices."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from ketline.domain.circuits.gates import GATE_TABLE, Gate
from ketline.domain.circuits.method import Method
from ketline.execution.circuit.observables.pauli_images import PauliImage
from ketline.execution.circuit.operations import Step
from ketline.execution.simulators.gradients.generators import GATES, generator_of
from ketline.execution.simulators.gradients.inverses import inverse_of
from ketline.execution.simulators.gradients.overlaps import slope_of, transition
from ketline.execution.simulators.states.lightning_state import load_lightning
from ketline.execution.simulators.states.numpy_state import NumpyState

ANGLES = (0.7, -1.1, 2.3, 0.4)
QUBITS = 5
STEP = 1e-3
NATIVE = [gate for gate in GATE_TABLE if Method.STATEVECTOR in gate.methods]
WITH_ANGLES = [(gate, place) for gate in NATIVE if gate.unitary for place in range(gate.parameters)]
operands_of = pytest.mark.parametrize("start", [0, 2])


def step_of(gate: Gate, operands: Sequence[int], shift: float = 0.0, place: int = 0) -> Step:
    if gate.unitary is None:
        return gate.name, operands, (), [some_unitary(1 << len(operands))], None
    parameters = [angle + shift * (number == place) for number, angle in enumerate(ANGLES[: gate.parameters])]
    return gate.name, operands, (), parameters, None


def some_unitary(size: int) -> Any:
    random = np.random.default_rng(size)
    return np.linalg.qr(random.normal(size=(size, size)) + 1j * random.normal(size=(size, size)))[0]


def operands(gate: Gate, start: int) -> list[int]:
    width = 3 if gate.qubits is None else gate.qubits
    return [(start + 3 * number) % QUBITS for number in range(width)]


def applied(steps: Sequence[Step], amplitudes: Any) -> Any:
    state = NumpyState(QUBITS)
    state.load(amplitudes)
    state.apply(steps)
    return state.amplitudes()


def state(seed: int) -> Any:
    random = np.random.default_rng(seed)
    amplitudes = random.normal(size=1 << QUBITS) + 1j * random.normal(size=1 << QUBITS)
    return amplitudes / np.linalg.norm(amplitudes)


@pytest.mark.parametrize(("gate", "place"), WITH_ANGLES, ids=lambda one: getattr(one, "name", str(one)))
@operands_of
def test_slope_is_that_of_differences(gate: Gate, place: int, start: int) -> None:
    qubits, before = operands(gate, start), state(1)
    image = PauliImage({"XYZXY": 0.7, "ZZIIX": -1.1, "IIIII": 0.3}, range(QUBITS))

    def value(shift: float) -> float:
        after = applied([step_of(gate, qubits, shift, place)], before)
        return float(np.real(np.vdot(after, image.of(after))))

    near, far = (value(size) - value(-size) for size in (STEP, 2 * STEP))
    expected = (8 * near - far) / (12 * STEP)
    after = applied([step_of(gate, qubits)], before)
    generator = generator_of(step_of(gate, qubits), place)
    overlap = transition(image.of(after).conj(), after, generator.controls, generator.targets)
    assert slope_of(generator, overlap) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("gate", NATIVE, ids=lambda one: one.name)
@operands_of
def test_inverse_undoes_a_gate(gate: Gate, start: int) -> None:
    step = step_of(gate, operands(gate, start))
    assert inverse_of(step)[0] in GATES
    before = state(3)
    overlap = np.vdot(before, applied([step, inverse_of(step)], before))
    assert abs(overlap) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("gate", NATIVE, ids=lambda one: one.name)
@operands_of
def test_numpy_applies_gates_as_lightning(gate: Gate, start: int) -> None:
    lightning = load_lightning()
    assert lightning is not None
    step, before = step_of(gate, operands(gate, start)), state(4)
    overlap = np.vdot(lightning.applied([step], before), applied([step], before))
    assert abs(overlap) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("seed", range(10))
def test_image_is_the_product_with_the_matrix(seed: int) -> None:
    random = np.random.default_rng(seed)
    matrices = {"I": np.eye(2), "X": [[0, 1], [1, 0]], "Y": [[0, -1j], [1j, 0]], "Z": [[1, 0], [0, -1]]}
    labels = {"".join(random.choice(list("IXYZ"), QUBITS)): float(random.normal()) for _ in range(40)}
    total: Any = 0
    for label, factor in labels.items():
        product: Any = np.eye(1)
        for letter in label:
            product = np.kron(product, np.array(matrices[letter]))
        total = total + factor * product
    amplitudes = state(seed)
    assert np.abs(PauliImage(labels, range(QUBITS)).of(amplitudes) - total @ amplitudes).max() < 1e-12


def test_image_leaves_out_other_qubits() -> None:
    amplitudes = state(7)
    wide = PauliImage({"IXIYIZIXIZ": 0.4}, [0, 2, 4, 6, 8])
    assert np.abs(wide.of(amplitudes) - PauliImage({"XYZXZ": 0.4}, range(5)).of(amplitudes)).max() < 1e-15
