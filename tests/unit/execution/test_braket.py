"""Amazon Braket's dialect means what it means to Braket's default simulator, or is rejected where it would not."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from braket.circuits import Circuit, Instruction
from braket.circuits.serialization import IRType
from braket.default_simulator.gate_operations import BRAKET_GATES
from braket.default_simulator.openqasm.interpreter import Interpreter
from braket.devices import LocalSimulator
from braket.ir.openqasm import Program as BraketProgram
from qiskit.quantum_info import Operator, Statevector
from scipy.stats import unitary_group

from ketline.domain.errors import ExecutionFailed, ProgramInvalid, ProgramUnsupported
from ketline.domain.results.result import WarningCode
from ketline.execution.circuit.observables.aer_instructions import Support
from ketline.execution.frontend.braket.names import BRAKET, ONLY_BRAKET, SHARED
from ketline.execution.frontend.parsed_program import ParsedProgram
from ketline.execution.frontend.program import load_program
from ketline.execution.frontend.readers import read_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from tests.blocks import long_after

LIMITS = ExecutionLimits()
HEADER = "OPENQASM 3.0;\n"
# Makes the scanner leave a program to the unroller.
UNROLLED = "int unused = 0;\n"
ANGLES = (0.3, 0.5, 0.7)
MODIFIERS = ("", "inv @ ", "ctrl @ ", "negctrl @ ", "ctrl @ inv @ ", "pow(2) @ ", "pow(0.5) @ ", "ctrl @ pow(-2) @ ")


def parameters_of(name: str) -> int:
    return {"U": 3, "ms": 3, "prx": 2}.get(
        name, int(name.startswith(("r", "gpi", "phaseshift", "cphaseshift", "xx", "xy", "yy", "zz", "psw")))
    )


def qubits_of(name: str) -> int:
    if name in ("ccnot", "cswap"):
        return 3
    two = ("cnot", "cv", "cy", "cz", "cphaseshift", "ecr", "iswap", "swap", "pswap", "xx", "xy", "yy", "zz", "ms")
    return 2 if name.startswith(two) else 1


def called(name: str, qubits: str, modifiers: str = "") -> str:
    parameters = parameters_of(name)
    angles = f"({', '.join(map(str, ANGLES[:parameters]))})" if parameters else ""
    return f"{modifiers}{name}{angles} {qubits};"


def matrix_of(parsed: ParsedProgram) -> Any:
    """The unitary of a program, the first qubit most significant, up to the measurement at the end."""
    return Operator(parsed.circuit.remove_final_measurements(inplace=False).reverse_bits()).data


def counts_of(text: str, shots: int = 10) -> Mapping[str, int]:
    return Simulator(LIMITS).run(load_program(text, LIMITS), shots).counts


def equal_up_to_phase(ours: Any, theirs: Any) -> bool:
    return bool(abs(abs(np.trace(ours @ theirs.conj().T)) - len(ours)) < 1e-9)


def test_names_are_those_of_the_default_simulator() -> None:
    assert BRAKET_GATES.keys() - {"unitary", "U", "gphase"} == BRAKET
    assert not SHARED & ONLY_BRAKET


@pytest.mark.parametrize("before", ["", UNROLLED], ids=["scanner", "unroller"])
@pytest.mark.parametrize("modifiers", MODIFIERS)
@pytest.mark.parametrize("name", sorted(BRAKET | {"U"}))
def test_gate_has_the_matrix_of_the_default_simulator(name: str, modifiers: str, before: str) -> None:
    """`i` on each qubit makes it certain that the program is in the dialect."""
    controls = modifiers.count("ctrl")
    qubits = qubits_of(name) + controls
    operands = ", ".join(f"q[{index}]" for index in range(qubits))
    text = f"{HEADER}{before}qubit[{qubits}] q;\ni q;\n{called(name, operands, modifiers)}"
    base = BRAKET_GATES[name](list(range(qubits_of(name))), *ANGLES[: parameters_of(name)]).matrix
    power = {"pow(2) @ ": 2.0, "pow(0.5) @ ": 0.5, "ctrl @ pow(-2) @ ": -2.0}.get(modifiers, 1.0)
    power = -power if "inv" in modifiers else power
    values, vectors = np.linalg.eig(base)
    # The principal power is unique unless an eigenvalue is -1, where rounding decides about the sign.
    if power == 0.5 and np.abs(values + 1).min() < 1e-9:
        expected = matrix_of(read_program(text, LIMITS))
        assert equal_up_to_phase(expected @ expected, base)
        return
    powered = vectors @ np.diag(np.exp(1j * power * np.angle(values))) @ np.linalg.inv(vectors)
    expected = np.eye(len(powered) << controls, dtype=complex)
    at = 0 if "negctrl" in modifiers else len(expected) - len(powered)
    expected[at : at + len(powered), at : at + len(powered)] = powered
    assert equal_up_to_phase(matrix_of(read_program(text, LIMITS)), expected)


@pytest.mark.parametrize("seed", long_after(20, range(60)))
def test_random_program_has_the_state_of_brakets_interpreter(seed: int) -> None:
    """Braket's interpreter reads the program, and numpy applies the operations that it gives."""
    text = random_program(np.random.default_rng(seed), MODIFIERS)
    assert abs(np.vdot(state_of(text), brakets_state_of(text))) == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("seed", long_after(10, range(100, 130)))
def test_random_program_has_the_probabilities_of_the_default_simulator(seed: int) -> None:
    """Without what version 1.41 applies wrongly: `x q[1]; ctrl @ rx(0.3) q[1], q[3];`, `pow(2) @ swap`."""
    text = random_program(np.random.default_rng(seed), ["", "inv @ "])
    exact = BraketProgram(source=f"{text}#pragma braket result probability\n")
    theirs = LocalSimulator().run(exact, shots=0).result().values[0]
    assert np.allclose(np.abs(state_of(text)) ** 2, theirs, atol=1e-9)


def state_of(text: str) -> Any:
    """The final state, the first qubit the most significant bit of an index."""
    circuit = read_program(text, LIMITS).circuit.remove_final_measurements(inplace=False)
    return Statevector(circuit.reverse_bits()).data


def brakets_state_of(text: str) -> Any:
    state = np.zeros((2,) * 4, dtype=complex)
    state[0, 0, 0, 0] = 1
    for operation in Interpreter().build_circuit(text).instructions:
        state = applied(operation, state)
    return state.reshape(-1)


def applied(operation: Any, state: Any) -> Any:
    """A state of shape (2, …) after an operation whose first targets are controls by these states."""
    controls, targets = np.split(np.array(operation.targets, dtype=int), [len(operation.control_state)])
    chosen: list[Any] = [slice(None)] * state.ndim
    for qubit, value in zip(controls, operation.control_state, strict=True):
        chosen[qubit] = slice(value, value + 1)
    part = state[tuple(chosen)]
    moved = np.moveaxis(part, targets, range(len(targets)))
    after = (operation.matrix @ moved.reshape(2 ** len(targets), -1)).reshape(moved.shape)
    state = state.copy()
    state[tuple(chosen)] = np.moveaxis(after, range(len(targets)), targets)
    return state


def random_program(random: np.random.Generator, modifiers: Sequence[str]) -> str:
    """Calls of Braket's gates with modifiers, of gates of the program, in loops, and of matrices.

    Without what version 1.41 of the interpreter gets wrong: powers of the program's gates, which it takes of each part,
    and operands of those gates that have the names of declared qubits. Without roots about whose sign rounding decides.
    """
    physical = random.random() < 0.2
    qubits = [f"${index}" for index in range(4)] if physical else ["a[0]", "a[1]", "a[2]", "b"]
    own = "gate v s1 { h s1; t s1; }\n" if random.random() < 0.3 else ""
    lines = [HEADER, own, "gate mine(x) s1, s2 { rx(x) s1; cnot s1, s2; prx(x, 0.2) s2; }\n"]
    lines.append("" if physical else "qubit[3] a;\nqubit b;\n")
    lines.append("".join(f"i {qubit}; " for qubit in qubits) + "\n")
    names = sorted(BRAKET | {"mine"})
    for _ in range(14):
        chosen = list(random.permutation(qubits))
        kind = random.random()
        name = names[random.integers(len(names))]
        if kind < 0.1:
            size = int(random.integers(1, 4))
            matrix = unitary_group.rvs(2**size, random_state=int(random.integers(1000))) if size else None
            lines.append(f"#pragma braket unitary({written(matrix)}) {', '.join(chosen[:size])}\n")
        elif name == "mine":
            lines.append(f"mine({random.uniform(-3, 3):.3}) {chosen[0]}, {chosen[1]};\n")
        elif kind < 0.2 and not physical:
            lines.append(f"for int k in [0:2] {{ rx(0.{random.integers(9)}) a[k]; cnot a[k], b; }}\n")
        else:
            modifier = modifiers[int(random.integers(len(modifiers)))]
            if "pow" in modifier and own and name == "v":
                modifier = "inv @ "
            if modifier == "pow(0.5) @ " and has_eigenvalue_minus_one(name):
                modifier = "pow(2) @ "
            needed = qubits_of(name) + modifier.count("ctrl")
            lines.append(called(name, ", ".join(chosen[:needed]), modifier) + "\n")
    return "".join(lines)


def has_eigenvalue_minus_one(name: str) -> bool:
    """Whether rounding decides about the sign of a square root of this gate."""
    matrix = BRAKET_GATES[name](list(range(qubits_of(name))), *ANGLES[: parameters_of(name)]).matrix
    return bool(np.abs(np.linalg.eigvals(matrix) + 1).min() < 1e-9)


def written(matrix: Any) -> str:
    rows = [", ".join(f"{each.real} + {each.imag}im" for each in row) for row in np.atleast_2d(matrix)]
    return f"[{', '.join(f'[{row}]' for row in rows)}]".replace("+ -", "- ")


@pytest.mark.parametrize("seed", range(6))
def test_circuit_that_braket_exports_has_its_counts(seed: int) -> None:
    """Certain outcomes: gates that permute basis states, measured in any order."""
    random = np.random.default_rng(seed)
    circuit = Circuit()
    for qubit in range(4):
        circuit.x(qubit) if random.random() < 0.5 else circuit.i(qubit)
    for _ in range(6):
        first, second, third = (int(each) for each in random.permutation(4)[:3])
        circuit.cnot(first, second).ccnot(first, second, third).add_instruction(
            Instruction(circuit.instructions[0].operator, third)
        )
    circuit.unitary(matrix=np.eye(4)[[0, 1, 3, 2]], targets=[1, 3])
    if seed % 2:
        circuit.measure([int(each) for each in random.permutation(4)[:3]])
    theirs = LocalSimulator().run(circuit, shots=10).result().measurement_counts
    ours = counts_of(circuit.to_ir(IRType.OPENQASM).source)
    assert ours == {key[::-1]: count for key, count in theirs.items()}


@pytest.mark.parametrize(
    ("body", "counts"),
    [
        ("qubit[4] q; x q[0]; cnot q[0], q[3];", {"1001": 10}),
        ("bit[2] c; qubit[3] q; x q[0]; i q;", {"001": 10}),
        ("qubit[2] q; qubit a; x a; i q;", {"100": 10}),
        ("qubit[2] b; qubit b_1; x b_1; i b;", {"100": 10}),
        ("x $0; cnot $0, $2;", {"101": 10}),
        ("qubit[4] q; bit[4] b; x q[0]; cnot q[0], q[3]; b[1] = measure q[3];", {"0010": 10}),
        (
            "qubit[2] q; x q[1];\n#pragma braket unitary([[1,0,0,0],[0,1,0,0],[0,0,0,1],[0,0,1,0]]) q[1], q[0]\n",
            {"11": 10},
        ),
        ("#pragma braket verbatim\nbox { x $0; }\ni $1;", {"01": 10}),
        ("qubit q; bit[2] b; x q; b[0] = measure q; if (b[0]) { v q; v q; } b[1] = measure q;", {"01": 10}),
        ("gate cnot a, b { x a; } qubit[2] q; bit[2] b; cnot q[0], q[1]; b = measure q;", {"01": 10}),
        ("qubit[2000] q; x q[0]; cnot q[0], q[1999];", {"1" + 1998 * "0" + "1": 10}),
    ],
    ids=range(11),
)
def test_outcomes_are_certain(body: str, counts: Mapping[str, int]) -> None:
    assert counts_of(HEADER + body) == counts
    assert counts_of(HEADER + UNROLLED + body) == counts


def test_qubits_without_operations_are_not_simulated() -> None:
    program = load_program(f"{HEADER}qubit[2000] q; h q[0]; cnot q[0], q[1999];", LIMITS)
    assert program.lowered.circuit.num_qubits == 2


def test_measurement_of_all_qubits_is_announced() -> None:
    program = load_program(f"{HEADER}qubit[2] q; cnot q[0], q[1];", LIMITS)
    assert [warning.code for warning in program.warnings] == [WarningCode.BRAKET_DIALECT]
    assert program.names == ("b",)


def test_task_with_observables_measures_nothing() -> None:
    program = load_program(
        f"{HEADER}qubit[2] q; x q[0]; cnot q[0], q[1];", LIMITS, observed=Support(2, frozenset({0, 1}))
    )
    assert not program.lowered.circuit.num_clbits
    assert not program.warnings


def test_inputs_are_angles_of_brakets_gates() -> None:
    text = f"{HEADER}input float t; qubit q; prx(t, 0) q;"
    assert Simulator(LIMITS).run(load_program(text, LIMITS, {"t": np.pi}), 10).counts == {"1": 10}


@pytest.mark.parametrize("body", ["h q[0];", "rx(0.5) q[0]; cz q[0], q[1];"])
def test_names_that_mean_the_same_are_read_with_a_warning(body: str) -> None:
    program = load_program(f"{HEADER}qubit[2] q; bit[2] c; {body} c = measure q;", LIMITS)
    assert [warning.code for warning in program.warnings] == [WarningCode.BRAKET_DIALECT]


def test_names_that_mean_the_same_measure_nothing() -> None:
    with pytest.raises(ProgramUnsupported, match="nothing is measured"):
        load_program(f"{HEADER}qubit q; h q;", LIMITS)


@pytest.mark.parametrize("before", ["", UNROLLED])
def test_phase_of_u_is_that_of_the_dialect_only_in_the_dialect(before: str) -> None:
    body = f"{before}qubit[2] q; ctrl @ U(1.0, 0.2, 0.3) q[0], q[1];"
    plain = matrix_of(read_program(HEADER + body, LIMITS))
    braket = matrix_of(read_program(f"{HEADER}{body} i q;", LIMITS))
    assert np.isclose(np.linalg.det(plain[2:, 2:]) / np.linalg.det(braket[2:, 2:]), np.exp(1j))


def test_program_of_openqasm_3_without_an_include_is_not_in_the_dialect() -> None:
    text = f"{HEADER}gate cnot a, b {{ ctrl @ U(π, 0, π) a, b; }} gate v a {{ U(0, 0, 0) a; }}\n"
    program = read_program(f"{text}qubit[2] q; bit b; v q[0]; cnot q[0], q[1]; b = measure q[1];", LIMITS)
    assert {warning.code for warning in program.warnings} <= {WarningCode.GATE_PHASE}
    with pytest.raises(ProgramUnsupported, match="nothing is measured"):
        load_program(f"{text}qubit[2] q; v q[0]; cnot q[0], q[1];", LIMITS)


MATRIX = "[[0, 1], [1, 0]]"
REJECTED = {
    "qubit[2] q; i q;\n x $0;": (ProgramUnsupported, "'$0' is one of the declared qubits", 3, 4),
    "qubit[2] q; i q;\nmeasure q;": (ProgramUnsupported, "not stored: write 'b = measure", 3, 1),
    "qubit[2] q; bit b; h q[0];\nctrl @ U(1, 2, 3) q[0], q[1]; b = measure q[0];": (
        ProgramUnsupported,
        "the phase of 'U'",
        3,
        1,
    ),
    "qubit[2] q; v q[0];\ncx q[0], q[1];": (ProgramInvalid, "so write 'cnot'", 3, 1),
    "qubit[2] q; v q[0];\ncnott q[0], q[1];": (ProgramInvalid, "did you mean 'cnot'", 3, 1),
    "qubit[2] q;\ncnot q[0];": (ProgramInvalid, "'cnot' takes 2 qubits, not 1", 3, 1),
    "qubit[2] q;\nms(0.1) q[0], q[1];": (ProgramInvalid, "'ms' takes 3 parameters, not 1", 3, 1),
    "qubit[2] q; int i = 3;\ni q[0]; v q[1];": (ProgramInvalid, "'i' is a value of type 'int'", 3, 1),
    "qubit[2] q;\nv q[0];\ngate v a { h a; }": (ProgramInvalid, "'v' is not defined before line 4", 3, 1),
    'include "stdgates.inc"; qubit q; bit b;\nv q; b = measure q;': (ProgramInvalid, "did you mean 'sx'", 3, 1),
    'include "stdgates.inc"; qubit[2] q; bit b;\ncnot q[0], q[1]; b = measure q[0];': (
        ProgramInvalid,
        "did you mean 'cx'",
        3,
        1,
    ),
    "qubit[2] q; i q;\n#pragma braket noise bit_flip(0.1) q[0]\n": (ProgramUnsupported, "asks for noise", 3, 1),
    "qubit[2] q; i q;\n#pragma braket result expectation z(q[0])\n": (ProgramUnsupported, "an expectation value", 3, 1),
    "qubit[2] q; i q;\n#pragma braket result sample z(q[0])\n": (ProgramUnsupported, "samples of an observable", 3, 1),
    "qubit[2] q; i q;\n#pragma braket result variance z(q[0])\n": (ProgramUnsupported, "a variance", 3, 1),
    'qubit[2] q; i q;\n#pragma braket result amplitude "00"\n': (ProgramUnsupported, "amplitudes", 3, 1),
    "qubit[2] q; i q;\n#pragma braket result state_vector\n": (ProgramUnsupported, "the state", 3, 1),
    "qubit[2] q; i q;\n#pragma braket result density_matrix\n": (ProgramUnsupported, "the density matrix", 3, 1),
    "qubit[2] q; i q;\n#pragma braket result other\n": (ProgramUnsupported, "not known here", 3, 1),
    "qubit[2] q; i q;\n#pragma braket verbatim\nx q[0];": (ProgramInvalid, "stands before a 'box'", 3, 1),
    "qubit[2] q; i q;\n#pragma braket other\n": (ProgramUnsupported, "no pragma of Amazon Braket", 3, 1),
    f"qubit[2] q; i q;\n#pragma braket unitary({MATRIX}) q\n": (ProgramUnsupported, "name each qubit", 3, 1),
    f"qubit[2] q; i q;\n#pragma braket unitary({MATRIX}) q[0], q[1]\n": (ProgramInvalid, "4 rows of 4", 3, 1),
    f"qubit[2] q; i q;\n#pragma braket unitary({MATRIX}) q[5]\n": (ProgramInvalid, "index 5 is out of range", 3, 1),
    f"qubit[2] q; i q;\n#pragma braket unitary({MATRIX}) q[0] q[1]\n": (ProgramInvalid, "no list of qubits", 3, 1),
    f"qubit[2] q; i q;\n#pragma braket unitary {MATRIX} q[0]\n": (ProgramInvalid, "this pragma is written", 3, 1),
    "qubit[2] q; i q;\n#pragma braket unitary([[1, 1], [0, 1]]) q[0]\n": (ProgramInvalid, "not unitary", 3, 1),
    "qubit[2] q; i q;\n#pragma braket unitary([[1, z], [0, 1]]) q[0]\n": (ProgramInvalid, "'z' is not a number", 3, 1),
    "qubit[2] q; i q;\n#pragma braket unitary([[1e999, 0], [0, 1]]) q[0]\n": (ProgramInvalid, "not unitary", 3, 1),
    "qubit[2] q; i q;\n#pragma braket unitary(1) q[0]\n": (ProgramInvalid, "one list for each row", 3, 1),
}


@pytest.mark.parametrize("body", REJECTED, ids=range(len(REJECTED)))
def test_what_is_not_accepted_is_rejected_with_its_place(body: str) -> None:
    kind, words, line, column = REJECTED[body]
    with pytest.raises(ExecutionFailed) as caught:
        load_program(HEADER + body, LIMITS)
    assert type(caught.value) is kind
    assert words in caught.value.message
    assert (caught.value.line, caught.value.column) == (line, column)
