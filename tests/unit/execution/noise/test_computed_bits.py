"""Programs that switch, assign and loop on bits that are misread, against exact distributions by numpy."""

import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from qiskit.circuit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit.classical import expr, types

from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.errors import ProgramUnsupported
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.limits import ExecutionLimits
from ketline.execution.protocol.requests import Request
from tests.blocks import long_after, numbers
from tests.circuits import as_qpy
from tests.devices import GATES_ON_ONE, device_of, request_on
from tests.noise import assert_drawn_from
from tests.noisy_branches import noisy_distribution

P01, P10 = 0.1, 0.2
READOUT = {"name": "readout", "p01": P01, "p10": P10}
DEPOLARIZING = {"name": "depolarizing", "one_qubit": 0.05, "two_qubit": 0.1}
DEPOLARIZED = {1: 0.05, 2: 0.1}
TRAJECTORIES = [Method.STATEVECTOR, Method.STABILIZER]
MISREADING = device_of(noisy=False, of_qubit={"p01": P01, "p10": P10}, one_qubit=(*GATES_ON_ONE, "h"))
SHOTS = 2000
BLOCK = 10


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(ExecutionLimits(memory_bytes=64 << 20))


def counts_of(
    executor: Executor, circuit: Any, noise: Any, method: Method = Method.AUTOMATIC, shots: int = SHOTS
) -> Mapping[str, int]:
    options = RunOptions(seed=7, method=method, noise=noise, format=ProgramFormat.QPY)
    return executor.run(Request(TaskSpec(circuit=as_qpy(circuit), shots=shots, options=options))).counts


def two_coins() -> QuantumCircuit:
    """Measures two of three qubits into `c`; the bit of `d`, the last, is not measured."""
    circuit = QuantumCircuit(QuantumRegister(3, "q"), ClassicalRegister(2, "c"), ClassicalRegister(1, "d"))
    circuit.h([0, 1])
    circuit.measure([0, 1], [0, 1])
    return circuit


def switching(target: Callable[[QuantumCircuit], Any]) -> QuantumCircuit:
    circuit = two_coins()
    with circuit.switch(target(circuit)) as case:
        with case(0):
            circuit.x(2)
        with case(1):
            circuit.h(2)
    circuit.measure(2, 2)
    return circuit


def assigning() -> QuantumCircuit:
    circuit = two_coins()
    circuit.store(circuit.clbits[2], expr.logic_and(circuit.clbits[0], circuit.clbits[1]))
    return circuit


def branching_on_a_variable() -> QuantumCircuit:
    circuit = two_coins()
    number = circuit.add_var("number", expr.lift(circuit.cregs[0]))
    with circuit.if_test(expr.equal(number, 2)):
        circuit.x(2)
    circuit.measure(2, 2)
    return circuit


def reading_an_unmeasured_bit() -> QuantumCircuit:
    circuit = QuantumCircuit(QuantumRegister(1, "q"), ClassicalRegister(3, "c"))
    circuit.measure(0, 0)
    with circuit.if_test(expr.logic_not(expr.logic_or(circuit.clbits[1], circuit.clbits[2]))):
        circuit.x(0)
    circuit.measure(0, 1)
    return circuit


def overwriting() -> QuantumCircuit:
    """A bit that is measured twice, and one that is assigned only."""
    circuit = two_coins()
    circuit.store(circuit.clbits[2], circuit.clbits[0])
    circuit.measure([0, 1], [0, 0])
    return circuit


PROGRAMS: dict[str, tuple[Callable[[], QuantumCircuit], list[Method]]] = {
    "switch on an expression": (lambda: switching(lambda made: expr.bit_xor(made.cregs[0], 1)), TRAJECTORIES),
    "switch on a register": (lambda: switching(lambda made: made.cregs[0]), TRAJECTORIES),
    "switch on a bit": (lambda: switching(lambda made: made.clbits[1]), TRAJECTORIES),
    "assignment": (assigning, TRAJECTORIES),
    "variable": (branching_on_a_variable, TRAJECTORIES),
    "unmeasured bit": (reading_an_unmeasured_bit, [Method.DENSITY_MATRIX, *TRAJECTORIES]),
    "bit that is written twice": (overwriting, TRAJECTORIES),
}


@pytest.mark.parametrize(
    ("name", "method"), [(name, method) for name, (_, methods) in PROGRAMS.items() for method in methods]
)
@pytest.mark.parametrize("depolarized", [{}, DEPOLARIZED], ids=["misread", "depolarized too"])
def test_computed_bits_are_those_of_misread_ones(
    executor: Executor, name: str, method: Method, depolarized: Mapping[int, float]
) -> None:
    circuit = PROGRAMS[name][0]()
    noise = [DEPOLARIZING, READOUT] if depolarized else READOUT
    counts = counts_of(executor, circuit, noise, method)
    assert_drawn_from(counts, noisy_distribution(circuit, (P01, P10), depolarized))


def test_switch_is_as_the_branches_that_it_stands_for(executor: Executor) -> None:
    """The same distribution is known without any simulation of a switch."""
    circuit = two_coins()
    for number, gate in ((0, circuit.x), (1, circuit.h)):
        with circuit.if_test((circuit.cregs[0], number)):
            gate(2)
    circuit.measure(2, 2)
    expected = noisy_distribution(circuit, (P01, P10))
    switch = switching(lambda made: made.cregs[0])
    assert noisy_distribution(switch, (P01, P10)) == pytest.approx(expected)
    assert_drawn_from(counts_of(executor, switch, READOUT, shots=8000), expected)


@pytest.mark.parametrize("method", TRAJECTORIES)
def test_text_assigns_to_unmeasured_bits(executor: Executor, method: Method) -> None:
    program = (
        'OPENQASM 3.0; include "stdgates.inc"; qubit[2] q; bit[2] c; bit d; h q; c = measure q; '
        "d = c[0] & c[1]; if (c == 2) { d = 1; } reset q[0]; if (d) { x q[0]; } c[0] = measure q[0];"
    )
    options = RunOptions(seed=7, method=method, noise=READOUT)
    counts = executor.run(Request(TaskSpec(circuit=program, shots=8000, options=options))).counts
    one = (P01 + 1 - P10) / 2
    # The bit of `d` is the second of `c`; the first is read again.
    expected = {"0 00": (1 - one) * (1 - P01), "0 01": (1 - one) * P01, "1 10": one * P10, "1 11": one * (1 - P10)}
    assert_drawn_from(counts, expected)


@pytest.mark.parametrize(
    ("method", "words"),
    [
        (Method.AUTOMATIC, "that method cannot compute on bits.*write a 'for' loop without 'break'$"),
        (Method.DENSITY_MATRIX, "'density_matrix' cannot compute on bits"),
        (Method.STATEVECTOR, "'statevector' has the same errors.*'while' loop; write a 'for' loop without 'break'$"),
    ],
)
def test_while_loops_with_errors_that_compute_on_bits_are_rejected(
    executor: Executor, method: Method, words: str
) -> None:
    circuit = two_coins()
    with circuit.while_loop((circuit.clbits[0], 1)):
        circuit.h(0)
        circuit.measure(0, 0)
        circuit.store(circuit.clbits[2], circuit.clbits[1])
    for noise in (READOUT, [DEPOLARIZING, READOUT])[method is not Method.DENSITY_MATRIX :]:
        with pytest.raises(ProgramUnsupported, match=words) as failed:
            counts_of(executor, circuit, noise, method)
        assert failed.value.code == "unsupported"


def test_each_shot_has_its_bits_in_the_order_of_declaration(executor: Executor) -> None:
    options = RunOptions(seed=7, noise=READOUT, format=ProgramFormat.QPY, memory=True)
    result = executor.run(Request(TaskSpec(circuit=as_qpy(assigning()), shots=200, options=options)))
    assert result.memory is not None
    assert {key[0] == "1" for key in result.memory if key[2:] == "11"} == {True}
    assert {key[0] == "1" for key in result.memory if key[2:] != "11"} == {False}


class Generator:
    """Writes one circuit of gates, measurements and resets, and of all that Qiskit does with bits.

    `repeats` says whether it has `while` loops, and `leaves` whether `for` loops have a `break`, which makes them such.
    `assigns` says whether it has variables, assignments, arithmetic and `switch`, which all assign to bits.
    """

    def __init__(self, seed: int, *, repeats: bool = True, leaves: bool = True, assigns: bool = True) -> None:
        self._random = random.Random(seed)
        self._repeats, self._leaves, self._assigns = repeats, leaves, assigns
        self._qubits = self._random.randint(1, 3)
        registers = [ClassicalRegister(self._random.randint(1, 2), f"c{number}") for number in range(3)]
        self.circuit = QuantumCircuit(QuantumRegister(self._qubits, "q"), *registers)
        self.clifford = self._random.random() < 0.4
        self._counter: Any = expr.lift(self.circuit.cregs[0])
        self._flag: Any = expr.lift(self.circuit.clbits[0])
        if assigns:
            self._counter = self.circuit.add_var("counter", expr.lift(0, types.Uint(2)))
            self._flag = self.circuit.add_var("flag", expr.lift(False))
        # Some circuits measure into few of their bits, and assign to the others.
        self._measured = self._random.sample(self.circuit.clbits, self._random.randint(1, 3))

    def build(self) -> QuantumCircuit:
        for qubit in range(self._qubits):
            self.circuit.h(qubit)
        self._measure()
        for _ in range(self._random.randint(3, 6)):
            self._statement(2)
        self._measure()
        return self.circuit

    def _statement(self, depth: int) -> None:
        nested = [self._if, *[self._until] * self._repeats]
        simple = [self._gate, self._gate, self._measure, self._measure, self._reset]
        if self._assigns:
            nested += [self._switch, self._switch, self._for, *[self._while] * self._repeats]
            simple += [self._store, self._store]
        if depth and self._random.random() < 0.5:
            self._random.choice(nested)(depth - 1)
        else:
            self._random.choice(simple)()

    def _block(self, depth: int) -> None:
        for _ in range(self._random.randint(1, 2)):
            self._statement(depth)

    def _qubit(self) -> int:
        return self._random.randrange(self._qubits)

    def _gate(self) -> None:
        if self._qubits > 1 and self._random.random() < 0.4:
            self.circuit.cx(*self._random.sample(range(self._qubits), 2))
        elif self.clifford:
            getattr(self.circuit, self._random.choice(("h", "s", "x")))(self._qubit())
        else:
            self.circuit.ry(self._random.uniform(-3, 3), self._qubit())

    def _measure(self) -> None:
        self.circuit.measure(self._qubit(), self._random.choice(self._measured))

    def _reset(self) -> None:
        self.circuit.reset(self._qubit())

    def _store(self) -> None:
        register = self._random.choice(self.circuit.cregs)
        match self._random.randrange(3):
            case 0:
                self.circuit.store(self._random.choice(self.circuit.clbits), self._condition())
            case 1:
                self.circuit.store(register, self._word(len(register)))
            case _:
                self.circuit.store(self._flag, self._condition())

    def _word(self, width: int) -> Any:
        word = expr.cast(expr.lift(self._random.choice(self.circuit.cregs)), types.Uint(width))
        other = expr.cast(self._random.choice((self._counter, *map(expr.lift, self.circuit.cregs))), types.Uint(width))
        return self._random.choice((expr.bit_xor, expr.bit_or, expr.add, expr.sub))(word, other)

    def _condition(self) -> Any:
        bit = expr.lift(self._random.choice(self.circuit.clbits))
        match self._random.randrange(4 if self._assigns else 3):
            case 0:
                return expr.logic_not(bit)
            case 1:
                return self._random.choice((expr.logic_or, expr.bit_xor))(bit, self._flag)
            case 2:
                return bit
            case _:
                return expr.less(self._word(2), expr.lift(self._random.choice((1, 2)), types.Uint(2)))

    def _if(self, depth: int) -> None:
        register = self._random.choice(self.circuit.cregs)
        of_register = (register, self._random.randrange(1 << len(register)))
        condition = of_register if self._random.random() < 0.4 else self._condition()
        with self.circuit.if_test(condition) as otherwise:
            self._block(depth)
        if self._random.random() < 0.5:
            with otherwise:
                self._block(depth)

    def _switch(self, depth: int) -> None:
        target = self._random.choice((*self.circuit.cregs, self._counter, self._word(2), self.circuit.clbits[0]))
        labels = self._random.sample(range(2), 2)
        with self.circuit.switch(target) as case:
            for label in labels[: self._random.randint(1, 2)]:
                with case(label):
                    self._block(depth)
            if self._random.random() < 0.5:
                with case(case.DEFAULT):
                    self._block(depth)

    def _while(self, depth: int) -> None:
        """At most as often as the counter says, which counts all loops."""
        with self.circuit.while_loop(expr.logic_and(expr.less(self._counter, 3), self._condition())):
            self.circuit.store(self._counter, expr.add(self._counter, 1))
            self._block(depth)

    def _until(self, _depth: int) -> None:
        """Until a bit reads 0."""
        bit, qubit = self._random.choice(self.circuit.clbits), self._qubit()
        with self.circuit.while_loop((bit, 1)):
            self.circuit.reset(qubit)
            self.circuit.measure(qubit, bit)

    def _for(self, depth: int) -> None:
        with self.circuit.for_loop(range(2)):
            self._block(depth)
            if self._leaves and self._random.random() < 0.3:
                with self.circuit.if_test(self._condition()):
                    self.circuit.break_loop()


@pytest.mark.parametrize("block", long_after(2, range(20)))
def test_random_programs_have_their_distribution(executor: Executor, block: int) -> None:
    """Each comparison fails for the right distribution with a probability of about 1e-7."""
    for number in numbers(block, BLOCK):
        depolarized = DEPOLARIZED if number % 2 else {}
        # Trajectories have no errors of gates in `while` loops.
        generator = Generator(number, repeats=not depolarized, leaves=not depolarized)
        circuit = generator.build()
        method = (Method.AUTOMATIC, Method.STATEVECTOR, Method.STABILIZER)[number % (3 if generator.clifford else 2)]
        counts = counts_of(executor, circuit, [DEPOLARIZING, READOUT] if depolarized else READOUT, method)
        assert_drawn_from(counts, noisy_distribution(circuit, (P01, P10), depolarized))


@pytest.mark.parametrize("block", long_after(1, range(5)))
def test_random_programs_have_their_distribution_as_density_matrices(executor: Executor, block: int) -> None:
    """Formulas are in conditions only: a density matrix of Aer's has no assignments."""
    for number in numbers(block, BLOCK):
        circuit = Generator(number, assigns=False).build()
        counts = counts_of(executor, circuit, [DEPOLARIZING, READOUT], Method.DENSITY_MATRIX)
        assert_drawn_from(counts, noisy_distribution(circuit, (P01, P10), DEPOLARIZED))


@pytest.mark.parametrize("block", long_after(1, range(10)))
def test_random_programs_on_a_device_have_their_distribution(executor: Executor, block: int) -> None:
    """The device misreads each qubit alike, so that it does not matter where a program is placed."""
    for number in numbers(block, BLOCK):
        circuit = Generator(1000 + number, leaves=False).build()
        request = request_on(MISREADING, circuit, shots=SHOTS, seed=number, optimization_level=number % 4)
        assert_drawn_from(executor.run(request).counts, noisy_distribution(circuit, (P01, P10)))
