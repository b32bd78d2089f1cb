"""The entry for circuits of any library, circuits of Qiskit, and what is not installed or not a circuit."""

import re
import subprocess
import sys
from typing import Any

import cirq
import numpy as np
import pytest
from braket.circuits import Circuit as BraketCircuit
from pennylane import X, counts
from pennylane.tape import QuantumScript
from pytket import Circuit as PytketCircuit
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.circuit.random import random_circuit
from qiskit.quantum_info import Operator

from ketline.client.convert import ConvertedProgram, convert, from_cirq, from_qiskit
from ketline.client.convert.names import RESERVED
from ketline.client.programs import as_text, items_of
from ketline.domain.circuits.gates import Origin, gates_from
from ketline.execution.frontend.mistakes.words import KEYWORDS
from tests.unit.client.convert.comparison import counts_of, unitary_of

PAIR = QuantumCircuit(2, 2)
PAIR.x(1)
PAIR.measure([0, 1], [0, 1])
CIRCUITS = [
    PAIR,
    cirq.Circuit(cirq.I(cirq.q(0)), cirq.X(cirq.q(1)), cirq.measure(cirq.q(0), cirq.q(1), key="c")),
    cirq.FrozenCircuit(cirq.I(cirq.q(0)), cirq.X(cirq.q(1)), cirq.measure(cirq.q(0), cirq.q(1), key="c")),
    BraketCircuit().i(0).x(1),
    QuantumScript([X(1)], [counts(wires=[0, 1])]),
    PytketCircuit(2, 2).X(1).measure_all(),
]


@pytest.mark.parametrize("circuit", CIRCUITS, ids=lambda circuit: type(circuit).__module__)
def test_each_library_is_recognised(circuit: Any) -> None:
    assert counts_of(convert(circuit), 5) == {"10": 5}


def test_subclass_of_a_circuit_is_recognised() -> None:
    circuit = type("Mine", (QuantumCircuit,), {})(1, 1)
    circuit.measure(0, 0)
    assert counts_of(convert(circuit), 5) == {"0": 5}


@pytest.mark.parametrize("seed", range(10))
def test_circuit_of_qiskit_has_its_unitary(seed: int) -> None:
    circuit = random_circuit(3, 6, max_operands=3, seed=seed)
    program = from_qiskit(circuit)
    if program.format == "openqasm3":
        assert np.allclose(unitary_of(program), Operator(circuit.reverse_bits()).data)
    else:
        measured = circuit.measure_all(inplace=False)
        assert counts_of(from_qiskit(measured), 10).keys() <= {format(value, "03b") for value in range(8)}


def test_registers_of_qiskit_keep_their_names_where_they_can() -> None:
    qubits, first, second = QuantumRegister(1, "q"), ClassicalRegister(1, "a b"), ClassicalRegister(2, "out")
    circuit = QuantumCircuit(qubits, first, second)
    circuit.x(0)
    circuit.measure(0, second[1])
    program = from_qiskit(circuit)
    assert list(program.registers.values()) == ["a b", "out"]
    assert "out" in program.registers
    assert counts_of(program, 5) == {"10 0": 5}


def test_parameters_of_qiskit_become_inputs_of_qpy() -> None:
    circuit = QuantumCircuit(1, 1)
    circuit.rx(Parameter("θ"), 0)
    circuit.measure(0, 0)
    program = from_qiskit(circuit)
    assert (program.format, list(program.inputs)) == ("qpy", ["θ"])
    assert counts_of(program, 5, inputs={"θ": np.pi}) == {"1": 5}


def test_options_of_a_task_have_the_names_of_the_program() -> None:
    program = ConvertedProgram(text="…", format="openqasm3", inputs={"if": "if_1"})
    text, options = as_text(program, {"inputs": {"if": 0.5}, "shots": 7})
    assert text == "…"
    assert options == {"inputs": {"if_1": 0.5}, "shots": 7, "format": "openqasm3"}


def test_batch_takes_circuits_with_and_without_options() -> None:
    items = items_of(["text", PAIR, {"program": CIRCUITS[1], "seed": 1}], {"shots": 5})
    assert [sorted(options) for _, options in items] == [
        ["shots"],
        ["format", "inputs", "shots"],
        ["format", "inputs", "seed", "shots"],
    ]
    assert all(isinstance(text, str) for text, _ in items)


def test_format_other_than_the_circuits_is_rejected() -> None:
    with pytest.raises(TypeError, match="leave out the format 'qpy'"):
        as_text(PAIR, {"format": "qpy"})


@pytest.mark.parametrize("value", [None, 5, b"OPENQASM 3.0;", PAIR.data], ids=lambda value: type(value).__name__)
def test_what_is_no_circuit_is_rejected(value: Any) -> None:
    with pytest.raises(TypeError, match=r"A program is OpenQASM text, or a circuit of Qiskit.* not "):
        convert(value)


def test_circuit_of_another_library_is_rejected_by_its_class() -> None:
    with pytest.raises(TypeError, match="Expected AbstractCircuit of cirq, not QuantumCircuit"):
        from_cirq(PAIR)


@pytest.mark.parametrize(
    ("library", "function", "package"),
    [
        ("qiskit", "from_qiskit", "qiskit"),
        ("cirq", "from_cirq", "cirq-core"),
        ("braket", "from_braket", "amazon-braket-sdk"),
        ("pennylane", "from_pennylane", "pennylane"),
        ("pytket", "from_pytket", "pytket"),
    ],
)
def test_missing_library_is_named_with_its_package(library: str, function: str, package: str) -> None:
    code = (
        f"import sys; sys.modules[{library!r}] = None\n"
        f"from ketline.client import LibraryMissing\nfrom ketline.client.convert import {function}\n"
        f"try:\n    {function}(object())\nexcept LibraryMissing as error:\n    print(error.code, error)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert re.fullmatch(rf"library_missing Converting circuits of .* pip install {package}\n", found.stdout)


def test_names_that_programs_cannot_declare_are_reserved() -> None:
    gates = {gate.name for origin in (Origin.LANGUAGE, Origin.STANDARD) for gate in gates_from(origin)}
    assert (KEYWORDS | gates) - RESERVED == set()
