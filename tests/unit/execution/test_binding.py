"""Angles computed from parameters, beside those of Qiskit's `assign_parameters`."""

import math
from collections.abc import Sequence
from random import Random
from typing import Any

import numpy as np
import pytest
from qiskit.circuit import Parameter, ParameterVector, QuantumCircuit
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.quantum_info import Operator

from ketline.domain.errors import ProgramInvalid
from ketline.execution.circuit.derivatives.binding import template_of
from ketline.execution.circuit.operations import instructions_of, steps_of
from ketline.execution.frontend.qpy import bind_inputs, bind_steps
from tests.blocks import long_after

A, B, C = Parameter("a"), Parameter("b"), Parameter("ä c")
V = ParameterVector("v", 3)
NAMES = ["a", "b", "ä c", "v[0]", "v[1]", "v[2]"]
EXPRESSIONS: dict[str, Any] = {
    "one parameter": A,
    "element of a vector": V[1],
    "sum of multiples": 2 * A + B / 3 - C + math.pi,
    "negative": -A,
    "parameter that cancels": A - A + 0.25,
    "product": A * B,
    "quotient": A / (B + 7),
    "power": A**2,
    "function": (A + B).sin() * C.exp(),
    "absolute value": abs(A - B),
    "sign": (A - B).sign(),
    # Qiskit's `gradient` takes minutes for it.
    "squares of sums": (A + B + C + V[0]) * (A + B + C + V[1]) / ((A - B + C) * (A - B + C) + 1.5),
}
GATES = {name: gate for name, gate in get_standard_gate_name_mapping().items() if gate.params and name != "delay"}


def numbers(seed: int) -> dict[str, float]:
    return {name: Random(f"{seed} {name}").uniform(-3, 3) for name in NAMES}


def bound(circuit: QuantumCircuit, values: dict[str, float]) -> QuantumCircuit:
    """The circuit as the steps have it."""
    template = template_of(steps_of(circuit))
    assert template is not None
    used = frozenset(parameter.name for parameter in circuit.parameters)
    steps = bind_steps(template, used, {name: values[name] for name in used})
    found = QuantumCircuit(circuit.num_qubits)
    for instruction in instructions_of(found, steps):
        found.append(instruction)
    return found


def angles(circuit: QuantumCircuit) -> Sequence[float]:
    return [float(angle) for instruction in circuit.data for angle in instruction.params]


def assigned(circuit: QuantumCircuit, values: dict[str, float]) -> QuantumCircuit:
    return circuit.assign_parameters({one: values[one.name] for one in circuit.parameters})


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_expression_has_qiskits_value(name: str, seed: int) -> None:
    circuit = QuantumCircuit(1)
    circuit.rx(EXPRESSIONS[name], 0)
    circuit.u(EXPRESSIONS[name], 0.5, EXPRESSIONS[name], 0)
    values = numbers(seed)
    assert angles(bound(circuit, values)) == pytest.approx(angles(assigned(circuit, values)), abs=1e-14)


@pytest.mark.parametrize("name", GATES)
def test_gate_is_qiskits(name: str) -> None:
    gate = GATES[name].base_class(*V.params[: len(GATES[name].params)] if len(GATES[name].params) < 4 else (*V, A))
    circuit = QuantumCircuit(gate.num_qubits)
    circuit.append(gate, range(gate.num_qubits))
    values = numbers(3)
    assert np.allclose(Operator(bound(circuit, values)).data, Operator(assigned(circuit, values)).data)


@pytest.mark.parametrize("seed", long_after(8, range(20)))
def test_random_circuit_is_qiskits(seed: int) -> None:
    random, circuit = Random(seed), QuantumCircuit(3)
    expressions = [*EXPRESSIONS.values(), 0.75]
    for _ in range(30):
        gate = random.choice([one for one in GATES.values() if one.num_qubits <= 3 and len(one.params) <= 3])
        chosen = [random.choice(expressions) for _ in gate.params]
        circuit.append(gate.base_class(*chosen), random.sample(range(3), gate.num_qubits))
        circuit.cx(*random.sample(range(3), 2))
    values = numbers(seed)
    assert np.allclose(Operator(bound(circuit, values)).data, Operator(assigned(circuit, values)).data)


def test_points_do_not_share_steps() -> None:
    circuit = QuantumCircuit(1)
    circuit.rx(A, 0)
    template = template_of(steps_of(circuit))
    assert template is not None
    first = template.steps(template.values({"a": 1.0}))
    assert template.steps(template.values({"a": 2.0})) != first == template.steps(template.values({"a": 1.0}))


def test_parameter_in_a_branch_is_left_to_qiskit() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.rx(A, 0)
    assert template_of(steps_of(circuit)) is None


@pytest.mark.parametrize("expression", [1 / A, A.log()])
def test_expression_without_a_finite_value_is_invalid(expression: Any) -> None:
    circuit = QuantumCircuit(1)
    circuit.rx(expression, 0)
    template = template_of(steps_of(circuit))
    assert template is not None
    for bind in (
        lambda: bind_steps(template, frozenset({"a"}), {"a": 0.0}),
        lambda: bind_inputs(circuit, frozenset({"a"}), {"a": 0.0}),
    ):
        with pytest.raises(ProgramInvalid, match="angle"):
            bind()


def test_expression_whose_parameters_cancel_out_is_a_number() -> None:
    """Qiskit 2.6 raises OverflowError for the hash of one that is negative."""
    circuit = QuantumCircuit(1)
    circuit.rx(0 * A - 1.5, 0)
    circuit.rz(A, 0)
    template = template_of(steps_of(circuit))
    assert template is not None
    assert [step[3] for step in template.steps(template.values({"a": 0.25}))] == [[-1.5], [0.25]]
