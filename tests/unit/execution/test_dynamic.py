"""Classical values of Qiskit's circuits: conditions, variables, loops, arithmetic, as Qiskit means them."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from qiskit import qasm3
from qiskit.circuit import (
    ClassicalRegister,
    Clbit,
    Instruction,
    Parameter,
    QuantumCircuit,
    QuantumRegister,
)
from qiskit.circuit.classical import expr, types

from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.errors import ExecutionFailed, ProgramInvalid, ProgramTooLarge, ProgramUnsupported
from ketline.domain.tasks.inspection import Drawing
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.drawing import draw
from ketline.execution.frontend.program import load_program
from ketline.execution.frontend.readers import read_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from tests.blocks import long_after
from tests.circuits import as_qpy
from tests.difference.dynamic import assert_dynamic_agrees

LIMITS = ExecutionLimits(max_operations=20_000, max_bits=600)


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    return Simulator(LIMITS)


def counts_of(simulator: Simulator, circuit: Any) -> Mapping[str, int]:
    program = load_program(as_qpy(circuit), LIMITS, form=ProgramFormat.QPY)
    return simulator.run(program, 40, RunOptions(seed=5)).counts


def holding(*widths_and_values: tuple[int, int]) -> tuple[Any, list[Any]]:
    """A circuit of two qubits with registers that hold these numbers; qubit 1 is 1, qubit 0 is 0."""
    registers = [ClassicalRegister(width, f"r{place}") for place, (width, _) in enumerate(widths_and_values)]
    circuit = QuantumCircuit(QuantumRegister(2, "q"), *registers)
    circuit.x(1)
    for register, (width, value) in zip(registers, widths_and_values, strict=True):
        for place in range(width):
            if value >> place & 1:
                circuit.measure(1, register[place])
    return circuit, registers


def holds(simulator: Simulator, circuit: Any, condition: Any) -> bool:
    """Whether a condition holds at the end of a circuit."""
    out = ClassicalRegister(1, "out")
    circuit.add_register(out)
    with circuit.if_test(condition):
        circuit.x(0)
    circuit.measure(0, out[0])
    (key,) = counts_of(simulator, circuit)
    return key.split(" ")[0] == "1"


@pytest.mark.parametrize("one", range(4))
@pytest.mark.parametrize("other", range(4))
@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda a, _: expr.logic_not(a), lambda a, _: not a),
        (lambda a, _: expr.cast(a, types.Bool()), lambda a, _: bool(a)),
        (expr.logic_and, lambda a, b: bool(a and b)),
        (expr.logic_or, lambda a, b: bool(a or b)),
    ],
)
def test_registers_are_true_unless_they_are_0(
    simulator: Simulator, one: int, other: int, make: Callable[..., Any], expected: Callable[..., bool]
) -> None:
    circuit, (a, b) = holding((2, one), (2, other))
    condition = make(a, b)
    as_text = circuit.copy()
    assert holds(simulator, circuit, condition) is expected(one, other)
    with as_text.if_test(condition):
        as_text.x(0)
    as_text.add_register(ClassicalRegister(1, "out"))
    as_text.measure(0, as_text.cregs[-1][0])
    (key,) = simulator.run(load_program(qasm3.dumps(as_text), LIMITS), 10).counts
    assert key.startswith("1") is expected(one, other)


@pytest.mark.parametrize("width", [31, 32, 33, 63, 64, 65, 130])
@pytest.mark.parametrize(
    ("compare", "expected"),
    [(expr.equal, False), (expr.not_equal, True), (expr.less, False), (expr.greater, True), (expr.less_equal, False)],
)
def test_comparisons_see_every_bit(
    simulator: Simulator, width: int, compare: Callable[..., Any], expected: bool
) -> None:
    circuit, (register,) = holding((width, (1 << width - 1) + 1))
    assert holds(simulator, circuit, compare(register, 1)) is expected


@pytest.mark.parametrize("width", [1, 2, 31, 32, 33, 64, 65, 130])
def test_registers_equal_a_number_or_not(simulator: Simulator, width: int) -> None:
    high = 1 << width - 1
    circuit, (register,) = holding((width, 1))
    assert holds(simulator, circuit.copy(), (register, 1))
    circuit.measure(1, register[width - 1])
    assert holds(simulator, circuit.copy(), (register, 1)) is (width == 1)
    if width < 64:  # Qiskit writes no wider numbers into conditions of this kind
        assert holds(simulator, circuit.copy(), (register, high | 1))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (lambda a, b: expr.equal(expr.add(a, b), 2), True),  # 5 + 5 in 3 bits
        (lambda a, b: expr.equal(expr.sub(a, expr.lift(6, types.Uint(3))), 7), True),
        (lambda a, b: expr.equal(expr.mul(a, b), 1), True),
        (lambda a, b: expr.equal(expr.div(a, expr.lift(2, types.Uint(3))), 2), True),
        (lambda a, b: expr.equal(expr.shift_left(a, 1), 2), True),
        (lambda a, b: expr.equal(expr.shift_right(a, b), 0), True),
        (lambda a, b: expr.index(a, 1), False),
        (lambda a, b: expr.index(a, expr.shift_right(b, 1)), True),
        (lambda a, b: expr.less(1.5, 2.5), True),
        (lambda a, b: expr.equal(expr.cast(2.75, types.Uint(3)), 2), True),
        # The second operand is not evaluated where the first decides.
        (lambda a, b: expr.logic_and(expr.equal(a, 4), expr.equal(expr.div(b, expr.bit_xor(a, b)), 1)), False),
    ],
)
def test_arithmetic_wraps_at_the_width_of_its_type(
    simulator: Simulator, expression: Callable[..., Any], expected: bool
) -> None:
    circuit, (a, b) = holding((3, 5), (3, 5))
    assert holds(simulator, circuit, expression(a, b)) is expected


def test_variables_keep_values(simulator: Simulator) -> None:
    circuit, (register,) = holding((4, 3))
    number = circuit.add_var("n", expr.lift(register))
    flag = circuit.add_var("flag", expr.lift(False))
    with circuit.while_loop(expr.less(number, 9)):
        circuit.store(number, expr.add(number, 2))
        circuit.store(flag, expr.logic_not(flag))
        with circuit.if_test(flag):
            circuit.continue_loop()
    circuit.store(register, number)
    circuit.store(expr.index(register, 2), flag)
    assert counts_of(simulator, circuit) == {"1101": 40}


def test_a_switch_runs_the_first_case_that_matches(simulator: Simulator) -> None:
    circuit, (register,) = holding((3, 2))
    with circuit.switch(expr.bit_xor(register, 3)) as case:
        with case(0, 1):
            circuit.store(register, expr.lift(6, types.Uint(3)))
        with case(5):
            circuit.store(register, expr.lift(7, types.Uint(3)))
        with case(case.DEFAULT):
            circuit.store(register, expr.lift(0, types.Uint(3)))
    assert counts_of(simulator, circuit) == {"110": 40}


def test_loops_are_left_where_they_say_so(simulator: Simulator) -> None:
    circuit, (register, _) = holding((3, 0), (1, 1))
    with circuit.for_loop((1, 1, 5, 1)):
        with circuit.if_test(expr.equal(register, 2)):
            circuit.break_loop()
        circuit.store(register, expr.add(register, 1))
    turn = expr.Var.new("i", types.Uint(3))
    with circuit.for_loop((4, 0), turn):
        circuit.store(register, expr.bit_or(register, turn))
    assert counts_of(simulator, circuit) == {"1 110": 40}


def test_parameters_of_loops_are_angles(simulator: Simulator) -> None:
    circuit, (register,) = holding((1, 0))
    with circuit.for_loop((1, 2, 2, 1)) as turn:
        circuit.rx(turn * 3.141592653589793 / 6, 0)
    circuit.measure(0, register[0])
    assert counts_of(simulator, circuit) == {"1": 40}


def test_branches_stand_in_boxes_and_instructions(simulator: Simulator) -> None:
    inner = QuantumCircuit(1, 2)
    with inner.if_test(expr.logic_not(inner.clbits[0])):
        inner.x(0)
    inner.measure(0, 1)
    instruction = Instruction("block", 1, 2, [])
    instruction.definition = inner
    circuit, (register,) = holding((3, 1))
    circuit.append(instruction, [0], [register[1], register[2]])
    with circuit.box(), circuit.if_test((register, 5)):
        circuit.measure(0, register[1])
    assert counts_of(simulator, circuit) == {"111": 40}


def test_registers_that_share_bits_are_compared_by_their_own_order(simulator: Simulator) -> None:
    bits = [Clbit() for _ in range(3)]
    forward = ClassicalRegister(name="a", bits=bits)
    backward = ClassicalRegister(name="b", bits=bits[::-1])
    circuit = QuantumCircuit(QuantumRegister(1, "q"), bits)
    circuit.add_register(forward, backward)
    circuit.x(0)
    circuit.measure(0, bits[0])
    with circuit.if_test(expr.equal(backward, 4)):
        circuit.measure(0, bits[1])
    with circuit.if_test((backward, 6)):
        circuit.measure(0, bits[2])
    assert counts_of(simulator, circuit) == {"111 111": 40}


def test_assignments_alone_are_seen(simulator: Simulator) -> None:
    circuit, (register,) = holding((2, 1))
    circuit.store(register, expr.shift_left(register, 1))
    assert counts_of(simulator, circuit) == {"10": 40}


def test_stretches_and_delays_have_no_effect(simulator: Simulator) -> None:
    circuit, (register,) = holding((1, 1))
    stretch = circuit.add_stretch("s")
    circuit.delay(stretch, 0)
    with circuit.if_test(expr.logic_not(register)):
        circuit.measure(0, 0)
    assert counts_of(simulator, circuit) == {"1": 40}


def test_parameters_are_inputs_beside_branches(simulator: Simulator) -> None:
    circuit, (register,) = holding((2, 1))
    with circuit.if_test(expr.less(register, 2)):
        circuit.rx(Parameter("t"), 0)
    with circuit.for_loop(range(0)):
        circuit.rx(Parameter("unused"), 0)
    circuit.measure(0, register[1])
    from_file = load_program(as_qpy(circuit), LIMITS, form=ProgramFormat.QPY)
    assert from_file.parameters == {"t", "unused"}


def undefined(make: Callable[..., Any]) -> Any:
    circuit, (a, b) = holding((3, 7), (3, 0))
    circuit.h(0)
    circuit.measure(0, b[0])
    with circuit.if_test(make(a, b)):
        circuit.x(0)
    return circuit


def test_what_might_have_no_value_and_always_has_one_runs(simulator: Simulator) -> None:
    circuit = undefined(expr.index)  # the index is 0 or 1, of three bits
    assert sum(counts_of(simulator, circuit).values()) == 40


def with_input() -> Any:
    circuit, _ = holding((1, 1))
    circuit.add_input("x", types.Uint(2))
    return circuit


def with_float() -> Any:
    circuit, _ = holding((1, 1))
    circuit.add_var("x", expr.lift(0.5))
    return circuit


def with_wider_number() -> Any:
    circuit, (register,) = holding((2, 1))
    with circuit.if_test((register, 5)):
        circuit.x(0)
    return circuit


def with_wide_product() -> Any:
    circuit, (a,) = holding((130, 1))
    with circuit.if_test(expr.equal(expr.mul(a, a), 1)):
        circuit.x(0)
    return circuit


@pytest.mark.parametrize(
    ("make", "kind", "words"),
    [
        (lambda: undefined(lambda a, b: expr.less(expr.div(a, b), 3)), ProgramInvalid, "in some shots .* divides by 0"),
        (lambda: undefined(lambda a, b: expr.index(b, a)), ProgramInvalid, "in some shots .* beyond the end"),
        (with_input, ProgramUnsupported, "variable 'x' is an input: give it a value"),
        (with_float, ProgramUnsupported, "variable 'x' of type Float"),
        (with_wider_number, ProgramUnsupported, "2 bits with 5"),
        (with_wide_product, ProgramTooLarge, "more than 600 bits"),
    ],
)
def test_what_has_no_value_is_rejected(
    simulator: Simulator, make: Callable[[], Any], kind: type[ExecutionFailed], words: str
) -> None:
    circuit = make()
    with pytest.raises(kind, match=words):
        counts_of(simulator, circuit)


def test_what_cannot_be_drawn_as_written_is_drawn_in_bits() -> None:
    circuit, (register,) = holding((2, 1))
    with circuit.switch(register) as case, case(1):
        circuit.x(0)
    circuit.measure(0, register[1])
    reading = read_program(as_qpy(circuit), LIMITS, form=ProgramFormat.QPY)
    for drawing in (Drawing.TEXT, Drawing.SVG):
        assert "x" in draw(reading, drawing, LIMITS).lower()
    flat = load_program(draw(reading, Drawing.FLAT, LIMITS), LIMITS)
    assert {key[-2:] for key in Simulator(LIMITS).run(flat, 20).counts} == {"11"}


@pytest.mark.parametrize("seed", long_after(25, range(60)))
def test_random_circuits_do_what_the_interpreter_does(simulator: Simulator, seed: int) -> None:
    """More of them: `python -m tests.difference`."""
    assert assert_dynamic_agrees(seed, simulator) in ("agrees", "undefined")
