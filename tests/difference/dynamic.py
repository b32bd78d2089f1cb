"""Random circuits of Qiskit's with conditions, variables, loops and arithmetic."""

import random
from collections.abc import Mapping
from functools import partial
from typing import Any

from qiskit.circuit import ClassicalRegister, Clbit, Instruction, QuantumCircuit, QuantumRegister
from qiskit.circuit.classical import expr, types

from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.errors import ProgramInvalid
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.frontend.program import load_program
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator
from tests.circuits import as_qpy
from tests.difference.interpreter import Machine, Undefined

LIMITS = ExecutionLimits()
_COINS = 4
_TARGETS = 3
_LOGIC = (expr.logic_and, expr.logic_or)
_BITWISE = (expr.bit_and, expr.bit_or, expr.bit_xor)
_COMPARISONS = (expr.equal, expr.not_equal, expr.less, expr.less_equal, expr.greater, expr.greater_equal)
_ARITHMETIC = (expr.add, expr.sub, expr.mul, expr.div)
_WIDTHS = (1, 1, 2, 3, 3, 4, 5, 8)
_WIDE = (31, 32, 33, 40, 63, 64, 65, 130)
# Wide products and quotients take thousands of operations.
_MAX_PRODUCT_QUBITS = 10


class Generator:
    """Writes one circuit; `coins` are read by `h` first of all and kept in a register of their own."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.circuit = QuantumCircuit(QuantumRegister(_COINS, "s"), QuantumRegister(_TARGETS, "t"))
        self._one = QuantumRegister(1, "one")
        self.circuit.add_register(self._one, ClassicalRegister(_COINS, "coins"))
        self._registers: list[Any] = []
        self._loose: list[Any] = []
        self._variables: list[Any] = []
        self._loops = 0
        self._changeable: list[Any] = []

    def build(self) -> Any:
        circuit = self.circuit
        circuit.h(range(_COINS))
        circuit.x(self._one[0])
        circuit.measure(range(_COINS), circuit.cregs[0])
        self._declare()
        for _ in range(self._random.randint(2, 5)):
            self._statement(2)
        out = ClassicalRegister(_TARGETS, "out")
        circuit.add_register(out)
        for place in range(_TARGETS):
            circuit.measure(_COINS + place, out[place])
        return circuit

    def _declare(self) -> None:
        chosen = self._random
        for number in range(chosen.randint(1, 3)):
            width = chosen.choice(_WIDE if chosen.random() < 0.2 else _WIDTHS)
            register = ClassicalRegister(width, f"r{number}")
            self.circuit.add_register(register)
            self._registers.append(register)
            self._fill(register)
        if chosen.random() < 0.3:
            self._loose = [Clbit() for _ in range(chosen.randint(1, 2))]
            self.circuit.add_bits(self._loose)
            self._fill(self._loose)
        if chosen.random() < 0.3:
            pool = [bit for register in self._registers for bit in register] + self._loose
            shared = ClassicalRegister(name="shared", bits=chosen.sample(pool, min(len(pool), chosen.randint(1, 5))))
            self.circuit.add_register(shared)
            self._registers.append(shared)
        for number in range(chosen.randint(0, 2)):
            self._declare_variable(f"v{number}")
        self._changeable = [*self._registers, *self._loose]

    def _declare_variable(self, name: str) -> None:
        kind = types.Bool() if self._random.random() < 0.2 else types.Uint(self._random.choice(_WIDTHS))
        variable = expr.Var.new(name, kind)
        self.circuit.add_var(variable, self._of_type(kind, 2))
        self._variables.append(variable)

    def _fill(self, bits: Any) -> None:
        """Give bits values: known ones and such as the coins decide."""
        for bit in bits:
            source = self._random.choice([*range(_COINS), _COINS + _TARGETS, None])
            if source is not None:
                self.circuit.measure(source, bit)

    def _statement(self, depth: int) -> None:
        if self._loops and self._random.random() < 0.15:
            self._leave()
        elif depth and self._random.random() < 0.6:
            nested = (self._if, self._if, self._switch, self._while, self._for, self._box, self._call)
            self._random.choice(nested)(depth - 1)
        else:
            self._random.choice((self._flip, self._assign, self._assign_bit, self._read))()

    def _block(self, depth: int) -> None:
        for _ in range(self._random.randint(1, 2)):
            self._statement(depth)

    def _flip(self) -> None:
        self.circuit.x(_COINS + self._random.randrange(_TARGETS))

    def _read(self) -> None:
        bit = self._random.choice([*self._random.choice(self._registers), *self._loose])
        self.circuit.measure(_COINS + self._random.randrange(_TARGETS), bit)

    def _assign(self) -> None:
        target = expr.lift(self._random.choice([*self._changeable, *self._variables]))
        self.circuit.store(target, self._of_type(target.type, 2))

    def _assign_bit(self) -> None:
        words = [one for one in map(expr.lift, [*self._registers, *self._variables]) if one.type != types.Bool()]
        target = self._random.choice(words)
        self.circuit.store(expr.index(target, self._index(target.type.width)), self._boolean(2))

    def _leave(self) -> None:
        with self.circuit.if_test(self._condition()):
            (self.circuit.break_loop if self._random.random() < 0.5 else self.circuit.continue_loop)()

    def _if(self, depth: int) -> None:
        with self.circuit.if_test(self._condition()) as otherwise:
            if self._random.random() < 0.2:
                variable = expr.Var.new(f"local{self._random.random()}", types.Uint(3))
                self.circuit.add_var(variable, self._of_type(variable.type, 1))
                self.circuit.store(self._changeable_bit(), expr.less(variable, 4))
            self._block(depth)
        if self._random.random() < 0.5:
            with otherwise:
                self._block(depth)

    def _changeable_bit(self) -> Any:
        return self._random.choice(list(self._random.choice(self._registers)))

    def _switch(self, depth: int) -> None:
        kind = self._random.choice(["register", "bit", "expression"])
        if kind == "bit":
            target: Any = self._changeable_bit()
            most = 2
        else:
            target = self._random.choice(self._registers) if kind == "register" else self._word(3, 2)
            most = 1 << min(3, target.type.width if kind == "expression" else len(target))
        labels = self._random.sample(range(most), self._random.randint(1, most))
        with self.circuit.switch(target) as case:
            while labels:
                taken = [labels.pop() for _ in range(min(len(labels), self._random.randint(1, 2)))]
                with case(*taken):
                    self._block(depth)
            if self._random.random() < 0.5:
                with case(case.DEFAULT):
                    self._block(depth)

    def _while(self, depth: int) -> None:
        counter = expr.Var.new(f"n{self._random.random()}", types.Uint(3))
        self.circuit.add_var(counter, expr.lift(0, types.Uint(3)))
        limit = expr.less(counter, self._random.randint(1, 3))
        condition = expr.logic_and(limit, self._boolean(2)) if self._random.random() < 0.7 else limit
        with self.circuit.while_loop(condition):
            self.circuit.store(counter, expr.add(counter, expr.lift(1, types.Uint(3))))
            self._loops += 1
            self._block(depth)
            self._loops -= 1

    def _for(self, depth: int) -> None:
        values: Any = [self._random.randrange(4) for _ in range(self._random.randint(0, 3))]
        if self._random.random() < 0.3:
            values = range(self._random.randint(0, 3))
        parameter = None
        if not depth and not self._variables:  # Qiskit lets no other body have a variable for its parameter
            parameter = expr.Var.new(f"i{self._random.random()}", types.Uint(2))
        with self.circuit.for_loop(values, parameter):
            if parameter is not None:
                self.circuit.store(self._changeable_bit(), expr.index(parameter, 0))
            self._loops += 1
            self._block(depth)
            self._loops -= 1

    def _box(self, depth: int) -> None:
        loops, self._loops = self._loops, 0
        with self.circuit.box():
            self._block(depth)
        self._loops = loops

    def _call(self, _depth: int) -> None:
        """An instruction that measures, branches and assigns on bits of its own."""
        inner = QuantumCircuit(QuantumRegister(2, "q"), ClassicalRegister(3, "c"), name="block")
        inner.x(0)
        inner.measure(0, 0)
        with inner.if_test(expr.less(inner.cregs[0], self._random.randrange(8))):
            inner.x(1)
            inner.store(expr.index(inner.cregs[0], 2), expr.logic_not(inner.clbits[1]))
        inner.measure(1, 1)
        pool = [bit for register in self._registers for bit in register] + self._loose
        bits = self._random.sample(list(dict.fromkeys(pool)), 3) if len(set(pool)) >= 3 else []
        if bits:
            call = Instruction("block", 2, 3, [])
            call.definition = inner  # `to_instruction` rejects branches
            self.circuit.append(call, [_COINS, _COINS + 1], bits)

    def _condition(self) -> Any:
        if self._random.random() < 0.3:
            target = self._random.choice([*self._registers, *self._loose, self._changeable_bit()])
            width = len(target) if isinstance(target, ClassicalRegister) else 1
            return target, self._random.randrange(1 << min(3, width))
        return self._boolean(3)

    def _of_type(self, kind: Any, depth: int) -> Any:
        return self._boolean(depth) if kind == types.Bool() else self._word(kind.width, depth)

    def _boolean(self, depth: int) -> Any:
        bits = [*self._loose, *(one for one in self._variables if one.type == types.Bool()), self._changeable_bit()]
        choice = self._random.randrange(9) if depth else 0
        match choice:
            case 0:
                return expr.lift(self._random.choice([*bits, *bits, self._random.random() < 0.5]))
            case 1:
                return expr.logic_not(self._anything(depth - 1))
            case 2:
                return self._random.choice(_LOGIC)(self._anything(depth - 1), self._anything(depth - 1))
            case 3 | 4 | 5:
                width = self._some_width()
                compare = self._random.choice(_COMPARISONS)
                return compare(self._word(width, depth - 1), self._word(width, depth - 1))
            case 6:
                word = self._word(self._some_width(), depth - 1)
                return expr.index(word, self._index(word.type.width))
            case 7:
                return expr.cast(self._anything(depth - 1), types.Bool())
            case _:
                operation = self._random.choice(_BITWISE)
                return operation(self._boolean(depth - 1), self._boolean(depth - 1))

    def _anything(self, depth: int) -> Any:
        return self._boolean(depth) if self._random.random() < 0.4 else self._word(self._some_width(), depth)

    def _some_width(self) -> int:
        if self._random.random() < 0.6:
            return len(self._random.choice(self._registers))
        return self._random.choice(_WIDTHS)

    def _index(self, size: int) -> Any:
        if self._random.random() < 0.6:
            return self._random.randrange(size)
        return self._word(max(1, (size - 1).bit_length() - (size & size - 1 != 0)), 1)

    def _word(self, width: int, depth: int) -> Any:
        """An expression of so many bits."""
        kind = types.Uint(width)
        choice = self._random.randrange(7) if depth else self._random.randrange(2)
        match choice:
            case 0:
                return expr.lift(self._random.choice([0, 1, (1 << width) - 1, self._random.getrandbits(width)]), kind)
            case 1:
                return expr.cast(self._random.choice(self._leaves()), kind)
            case 2:
                return expr.bit_not(self._word(width, depth - 1))
            case 3:
                move = self._random.choice([expr.shift_left, expr.shift_right])
                return move(self._word(width, depth - 1), self._distance(depth - 1))
            case 4:
                operation = self._random.choice(_ARITHMETIC if width <= _MAX_PRODUCT_QUBITS else _ARITHMETIC[:2])
                right = self._word(width, depth - 1)
                if operation is expr.div and self._random.random() < 0.9:
                    right = expr.bit_or(right, expr.lift(1, kind))
                return operation(self._word(width, depth - 1), right)
            case 5:
                operation = self._random.choice(_BITWISE)
                return operation(self._word(width, depth - 1), self._word(width, depth - 1))
            case _:
                return expr.cast(self._anything(depth - 1), kind)

    def _distance(self, depth: int) -> Any:
        return (
            self._random.randrange(9)
            if self._random.random() < 0.5
            else self._word(self._random.choice(_WIDTHS), depth)
        )

    def _leaves(self) -> list[Any]:
        return [expr.lift(one) for one in (*self._registers, *self._loose, *self._variables)]


def assert_dynamic_agrees(seed: int, simulator: Simulator, shots: int = 60) -> str:
    """Check each outcome of a random circuit against the interpreter; says what became of the circuit."""
    circuit = Generator(seed).build()
    try:
        program = load_program(as_qpy(circuit), LIMITS, form=ProgramFormat.QPY)
        counts = simulator.run(program, shots, RunOptions(seed=seed)).counts
    except ProgramInvalid as error:
        if "in some shots" not in error.message or None not in map(partial(_expected, circuit), range(1 << _COINS)):
            raise AssertionError(f"circuit {seed}: {error}") from error
        return "undefined"
    for key in counts:
        found = {name: int(bits, 2) for name, bits in zip(program.names, reversed(key.split(" ")), strict=True) if name}
        expected = _expected(circuit, found["coins"])
        assert expected is not None, f"circuit {seed}: {key} is not defined"
        assert found == {name: expected[name] for name in found}, f"circuit {seed}"
    return "agrees"


def _expected(circuit: Any, coins: int) -> Mapping[str, int] | None:
    try:
        return Machine(circuit, [coins >> place & 1 for place in range(_COINS)]).run()
    except Undefined:
        return None
