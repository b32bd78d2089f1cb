"""Ancillas that are computed and given back are left out; the state stays what Qiskit says it is."""

from random import Random

import numpy as np
import pytest
from qiskit.circuit import QuantumCircuit
from qiskit.quantum_info import Statevector

from ketline.execution.circuit.operations import instructions_of, steps_of
from ketline.execution.circuit.passes.ancillas import without_clean_ancillas
from ketline.execution.circuit.passes.lowering import lower
from ketline.execution.circuit.plain import plain_of
from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from tests.blocks import long_after
from tests.reference import assert_counts_match

QUBITS = 7
DATA, ANCILLAS = range(4), range(4, QUBITS)
SHOTS = 2000


def spread() -> QuantumCircuit:
    circuit = QuantumCircuit(QUBITS)
    for qubit in DATA:
        circuit.u(0.3 + qubit, 1.1, 0.2 * qubit, qubit)
    return circuit


def shortened(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit without ancillas; fails if its state is another one, up to a global phase."""
    found = QuantumCircuit(circuit.num_qubits)
    for instruction in instructions_of(found, without_clean_ancillas(steps_of(circuit), circuit.num_qubits)):
        found.append(instruction)
    overlap = np.vdot(Statevector(circuit).data, Statevector(found).data)
    assert abs(overlap) == pytest.approx(1, abs=1e-9), f"\n{circuit}\n{found}"
    return found


def test_chain_becomes_one_gate_under_many_controls() -> None:
    circuit = spread()
    circuit.ccx(0, 1, 4)
    circuit.ccx(2, 4, 5)
    circuit.cz(5, 3)
    circuit.ccx(2, 4, 5)
    circuit.ccx(0, 1, 4)
    assert shortened(circuit).count_ops() == {"u": 4, "mcphase": 1}


def test_what_an_ancilla_controls_is_controlled_by_what_it_was_computed_from() -> None:
    circuit = spread()
    circuit.ccx(0, 1, 4)
    circuit.cx(4, 2)
    circuit.t(4)
    circuit.cp(0.4, 3, 4)
    circuit.cz(0, 4)
    circuit.barrier()
    circuit.rz(0.7, 4)
    circuit.ccx(1, 0, 4)
    assert shortened(circuit).count_ops() == {"u": 4, "ccx": 1, "cp": 2, "mcphase": 1, "cz": 1, "barrier": 1}


KEPT = {
    "not given back": [("ccx", 0, 1, 4), ("cx", 4, 2)],
    "given back by another gate": [("ccx", 0, 1, 4), ("cx", 4, 2), ("ccx", 0, 3, 4)],
    "a control changed meanwhile": [("ccx", 0, 1, 4), ("cx", 4, 2), ("h", 0), ("ccx", 0, 1, 4)],
    "the ancilla changed meanwhile": [("ccx", 0, 1, 4), ("h", 4), ("ccx", 0, 1, 4)],
    "swapped away": [("ccx", 0, 1, 4), ("swap", 4, 5), ("ccx", 0, 1, 4)],
    "an ancilla that is not 0": [("h", 4), ("ccx", 0, 1, 4), ("cx", 4, 2), ("ccx", 0, 1, 4)],
    "a gate that no simulator has under controls": [("ccx", 0, 1, 4), ("ch", 4, 2), ("ccx", 0, 1, 4)],
    "one control only": [("cx", 0, 4), ("cx", 4, 2), ("cx", 0, 4)],
}


@pytest.mark.parametrize("gates", KEPT.values(), ids=KEPT.keys())
def test_others_are_kept(gates: list[tuple[str, int]]) -> None:
    circuit = spread()
    for name, *qubits in gates:
        getattr(circuit, name)(*qubits)
    assert shortened(circuit).count_ops() == circuit.count_ops()


def test_ancilla_that_is_measured_between_is_kept() -> None:
    circuit = QuantumCircuit(3, 1)
    circuit.h([0, 1])
    circuit.ccx(0, 1, 2)
    circuit.measure(2, 0)
    circuit.ccx(0, 1, 2)
    steps = steps_of(circuit)
    assert without_clean_ancillas(steps, 3) == steps


def test_qubit_that_was_reset_is_clean() -> None:
    circuit = QuantumCircuit(4, 1)
    circuit.h([0, 1, 2])
    circuit.reset(2)
    circuit.ccx(0, 1, 2)
    circuit.cx(2, 3)
    circuit.ccx(0, 1, 2)
    circuit.measure(3, 0)
    assert lower(plain_of(circuit), 100).operations == {"h": 2, "ccx": 1, "measure": 1}


@pytest.mark.parametrize("number", long_after(60, range(600)))
def test_random_circuits_keep_their_states(number: int) -> None:
    choices = Random(f"ancillas/{number}")
    circuit = spread()
    for _ in range(choices.randrange(1, 4)):
        write_chain(circuit, choices)
    shortened(circuit)


def write_chain(circuit: QuantumCircuit, choices: Random) -> None:
    """Compute an ancilla or two, use them, and mostly give them back, among other gates."""
    write_others(circuit, choices)
    first, second, third, target = choices.sample([*DATA, *ANCILLAS[:2]], 4)
    free = [qubit for qubit in ANCILLAS if qubit not in (first, second, third, target)]
    circuit.ccx(first, second, free[0])
    match choices.randrange(3):
        case 0 if len(free) > 1:
            circuit.ccx(third, free[0], free[1])
            circuit.cx(free[1], target)
            circuit.rz(0.3, free[1])
            circuit.ccx(third, free[0], free[1])
        case 1:
            circuit.t(free[0])
            write_others(circuit, choices)
        case _:
            circuit.ccx(free[0], third, target)
    back = (first, second) if choices.random() < 0.9 else (first, third)
    circuit.ccx(*back, free[0])
    write_others(circuit, choices)


def write_others(circuit: QuantumCircuit, choices: Random) -> None:
    for _ in range(choices.randrange(3)):
        first, second, third = choices.sample([*DATA, *DATA, *ANCILLAS], 3)
        if len({first, second, third}) < 3:
            continue
        match choices.choice(("h", "x", "cx", "swap", "ccx", "cp", "rzz", "crz")):
            case "h" | "x" as name:
                getattr(circuit, name)(first)
            case "cx" | "swap" as name:
                getattr(circuit, name)(first, second)
            case "ccx":
                circuit.ccx(first, second, third)
            case name:
                getattr(circuit, name)(0.7, first, second)


def test_counts_of_a_search_with_ancillas() -> None:
    """Grover's search for 11111 with three ancillas, one turn: the state is known."""
    text = 'include "stdgates.inc"; qubit[5] q; qubit[3] a; bit[5] c; h q; '
    flip = (
        "ccx q[0], q[1], a[0]; ccx q[2], a[0], a[1]; ccx q[3], a[1], a[2]; cz a[2], q[4]; "
        "ccx q[3], a[1], a[2]; ccx q[2], a[0], a[1]; ccx q[0], q[1], a[0]; "
    )
    text += f"{flip}h q; x q; {flip}x q; h q; c = measure q;"
    program = load_program(text, ExecutionLimits())
    assert program.lowered.num_qubits == 5
    chance = float(np.sin(3 * np.arcsin(2**-2.5)) ** 2)
    expected = {f"{number:05b}": (1 - chance) / 31 for number in range(31)} | {"11111": chance}
    assert_counts_match(Simulator(ExecutionLimits()).run(program, SHOTS).counts, expected, SHOTS)


def test_wide_circuits_are_left_to_matrix_product_states() -> None:
    text = 'include "stdgates.inc"; qubit[40] q; qubit a; bit[40] c; h q[0]; '
    text += "".join(f"cx q[{qubit}], q[{qubit + 1}]; " for qubit in range(39))
    text += "ccx q[0], q[1], a; cx a, q[2]; ccx q[0], q[1], a; c = measure q;"
    assert load_program(text, ExecutionLimits()).lowered.operations["ccx"] == 2
