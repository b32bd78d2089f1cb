"""Random programs for all front ends at once: integers of all signs and widths, angles from them, loops, conditions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from tests.difference.language import (
    Apply,
    Assign,
    Binary,
    Bit,
    Cast,
    Declare,
    Expression,
    For,
    GateDefinition,
    If,
    Kind,
    Leave,
    Measure,
    Name,
    Number,
    Pi,
    Program,
    Statement,
    Switch,
    Unary,
    While,
    Whole,
)

Profile = Literal["flat", "control", "classical", "circuit"]
PROFILES: Sequence[Profile] = ("flat", "control", "classical", "circuit")

_QUBITS = 4
_MAX_DEPTH = 2
_WIDEST = 130
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
_WIDTHS = (None, None, 2, 3, 4, 5, 8, 13, 16, 32, 33, 64)
_BITWISE = ("&", "|", "^")
_ARITHMETIC = ("+", "-", "*", "/", "/", "%")


@dataclass
class MixedMaker:
    """Makes one program.

    `flat` ones have neither loops nor conditions, `control` ones no variables, `classical` ones everything that text
    can say, and `circuit` ones what Qiskit's circuits can say as well.
    """

    choices: Random
    profile: Profile
    names: list[tuple[str, Kind]] = field(default_factory=list)  # that can be read
    writable: list[str] = field(default_factory=list)
    inputs: list[tuple[Kind, str, int | float | bool]] = field(default_factory=list)
    gates: list[GateDefinition] = field(default_factory=list)
    indexing: bool = True  # whether variables may be indices
    made: int = 0
    loops: int = 0

    def program(self) -> Program:
        width = self.choices.choice(
            (1, 2, 3, 5, 31, 32, 33, 63, 64, 65, 127, self.choices.randint(1, _WIDEST), _WIDEST)
        )
        self.registers = [("m", 3), ("w", width), ("v", width), ("out", _QUBITS)]
        if self.profile != "circuit":
            self.gates = [self.gate() for _ in range(self.choices.randrange(3))]
        body = self.preparation()
        if self.profile == "classical":
            body += self.declarations()
        body += self.block(0, self.choices.randint(2, 5))
        if self.profile == "classical" or self.chance(0.5):
            body += self.shown(self.integer(1))
        body += [Measure(qubit, "out", qubit) for qubit in range(_QUBITS)]
        return Program(_QUBITS, self.registers, self.inputs, self.gates, body)

    def chance(self, probability: float) -> bool:
        return self.choices.random() < probability

    def preparation(self) -> list[Statement]:
        """Outcomes to depend on, some of them open, then qubits of known state."""
        found: list[Statement] = []
        for place in range(3):
            gate = self.choice_of_outcome()
            found += [Apply(gate, [], [Number(place)])] if gate else []
            found.append(Measure(place, "m", place))
            if gate and self.chance(0.7):
                found += self.widely_measured(place)
        if self.profile != "flat" and self.chance(0.15):
            place = self.choices.randrange(3)
            flip: list[Statement] = [Apply("x", [], [Number(place)]), Measure(place, "m", place)]
            found.append(While(Bit("m", place), flip))
        return found

    def choice_of_outcome(self) -> str:
        return self.choices.choices(("", "x", "h"), (3, 4, 0 if self.profile == "flat" else 1))[0]

    def widely_measured(self, qubit: int) -> list[Statement]:
        register = self.choices.choice(("w", "v"))
        return [Measure(qubit, register, self.place(register))]

    def place(self, register: str) -> int:
        width = dict(self.registers)[register]
        return self.choices.choice((0, width - 1, self.choices.randrange(width), min(width - 1, 32)))

    def gate(self) -> GateDefinition:
        self.made += 1
        first, second = Name("a"), Name("b")
        forms: tuple[Expression, ...] = (
            Binary("*", Binary("/", first, Number(2)), Pi()),
            Binary("*", Binary("+", first, Binary("/", second, Number(4))), Pi()),
            Binary("*", Binary("*", self.constant(1), first), Pi()),
            Binary("*", Binary("-", Binary("/", Number(self.small()), Number(2)), first), Pi()),
            Binary("*", Unary("-", Binary("/", first, second)), Pi()),
        )
        return GateDefinition(f"g{self.made}", ["a", "b"], self.choices.choice(forms))

    def declarations(self) -> list[Statement]:
        found: list[Statement] = []
        for _ in range(self.choices.randint(1, 4)):
            self.made += 1
            kind, name = self.integer_kind(), f"n{self.made}"
            if self.chance(0.15):
                self.inputs.append((kind, name, self.small_of(kind)))
            else:
                constant = self.chance(0.3)
                value = self.constant(1) if constant else self.integer(1)
                found.append(Declare(kind, name, value, constant))
                if not constant:
                    self.writable.append(name)
            self.names.append((name, kind))
        return found

    def integer_kind(self) -> Kind:
        return Kind(self.choices.choice(("int", "int", "uint")), self.choices.choice(_WIDTHS))

    def small(self) -> int:
        return self.choices.choice((-9, -8, -7, -5, -3, -2, -1, 0, 1, 1, 2, 2, 3, 4, 5, 7, 8, 15, 100))

    def small_of(self, kind: Kind) -> int:
        if kind.name == "uint":
            return self.choices.randrange(1 << min(kind.width or 8, 8))
        half = 1 << min(kind.width or 8, 8) - 1
        return self.choices.randrange(-half, half)

    # Expressions.

    def constant(self, depth: int) -> Expression:
        return self.integer(depth, readable=False)

    def integer(self, depth: int = 0, *, readable: bool = True) -> Expression:
        if depth > _MAX_DEPTH or self.chance(0.3):
            return self.leaf(readable=readable)

        def inner() -> Expression:
            return self.integer(depth + 1, readable=readable)

        kinds = self.choices.randrange(10)
        if kinds == 0:
            return Unary("-", inner())
        if kinds == 1 and self.profile != "circuit":
            return Binary("**", inner(), Number(self.choices.randrange(4)))
        if self.profile == "classical" and kinds == 2:
            return Cast(self.choices.choice((Kind("float"), Kind("bool"), self.integer_kind())), inner())
        if self.profile == "classical" and kinds == 3:
            return Binary(self.choices.choice(("<<", ">>")), inner(), Number(self.choices.randrange(5)))
        if self.profile == "classical" and kinds == 4:
            return Binary(self.choices.choice(_BITWISE), inner(), inner())
        return Binary(self.choices.choice(_ARITHMETIC), inner(), inner())

    def leaf(self, *, readable: bool) -> Expression:
        if readable and self.names and self.chance(0.6):
            return Name(self.choices.choice(self.names)[0])
        if readable and self.profile == "classical" and self.chance(0.2):
            return Cast(Kind(self.choices.choice(("int", "uint")), 3), Whole("m"))
        return Number(self.small())

    def angle(self) -> Expression:
        if self.profile == "circuit" and self.names:  # Qiskit's parameters are real numbers
            return Binary("/", Binary("*", Name(self.names[-1][0]), Pi()), Number(self.choices.choice((1, 2, 4))))
        number = self.integer(0)
        if self.chance(0.7):
            return Binary("*", Binary("/", number, Number(self.choices.choice((1, 2, 4, -2)))), Pi())
        return Binary("/", Binary("*", Pi(), number), Number(self.choices.choice((2, 4, 8))))

    def qubit(self) -> Expression:
        if self.indexing and self.profile in ("control", "classical") and self.names and self.chance(0.2):
            return Name(self.choices.choice(self.names)[0])
        place = self.choices.randrange(_QUBITS)
        return Number(place - _QUBITS if self.profile != "circuit" and self.chance(0.1) else place)

    def condition(self, depth: int = 0) -> Expression:
        makers: list[Callable[[int], Expression]] = [self.bit_condition, self.register_condition]
        makers += [self.register_condition] if self.profile != "control" else []
        if depth < _MAX_DEPTH and self.profile != "control":
            makers += [self.joined_condition, self.negated_condition, self.pair_condition]
        if self.profile == "classical":
            makers += [self.number_condition, self.number_condition]
        return self.choices.choice(makers)(depth)

    def bit_condition(self, _depth: int) -> Expression:
        register = self.choices.choice(("m", "m", "w", "v"))
        bit = Bit(register, self.place(register))
        match self.choices.randrange(3):
            case 0:
                return Unary("!", bit)
            case 1 if self.profile != "circuit":
                return Binary(self.choices.choice(("==", "!=")), bit, Number(self.choices.randrange(2)))
        return bit

    def register_condition(self, _depth: int) -> Expression:
        register = self.choices.choice(("m", "w", "v"))
        signs = ("==", "==", "!=") if self.profile == "control" else _COMPARISONS
        return Binary(self.choices.choice(signs), Whole(register), Number(self.register_value(register)))

    def register_value(self, register: str) -> int:
        """One that the register is likely to have, or almost."""
        width = dict(self.registers)[register]
        if register == "m":
            return self.choices.randrange(8)
        value = sum({1 << self.place(register) for _ in range(self.choices.randrange(3))})
        return min(value + self.choices.choice((0, 0, 0, 1)), (1 << width) - 1)

    def joined_condition(self, depth: int) -> Expression:
        return Binary(self.choices.choice(("&&", "||")), self.condition(depth + 1), self.condition(depth + 1))

    def negated_condition(self, depth: int) -> Expression:
        if self.chance(0.5):
            cast = Cast(Kind("bool"), Whole(self.choices.choice(("m", "w", "v"))))
            return Unary("!", cast) if self.chance(0.6) else cast
        return Unary("!", self.condition(depth + 1))

    def pair_condition(self, _depth: int) -> Expression:
        if self.chance(0.5):
            return Binary(self.choices.choice(_COMPARISONS), Whole("w"), Whole("v"))
        both = Binary(self.choices.choice(_BITWISE), Whole("w"), Whole("v"))
        return Binary(self.choices.choice(("==", "!=")), both, Number(self.register_value("w")))

    def number_condition(self, _depth: int) -> Expression:
        return Binary(self.choices.choice(_COMPARISONS), self.integer(1), self.integer(1))

    # Statements.

    def block(self, depth: int, count: int | None = None) -> list[Statement]:
        names, writable = list(self.names), list(self.writable)
        makers: list[Callable[[int], list[Statement]]] = [self.rotation, self.rotation, self.rotation, self.flip]
        if self.profile != "flat" and depth < _MAX_DEPTH:
            makers += [self.branch, self.branch, self.loop, self.loop]
        if self.profile == "classical":
            makers += [self.assignment, self.assignment, self.assignment]
        if self.profile == "classical" and depth < _MAX_DEPTH:
            makers += [self.counted_loop, self.switch]
        number = self.choices.randint(1, 2) if count is None else count
        found = [one for _ in range(number) for one in self.choices.choice(makers)(depth)]
        if depth:
            self.names, self.writable = names, writable
        return found

    def rotation(self, _depth: int) -> list[Statement]:
        if self.gates and self.chance(0.3):
            gate = self.choices.choice(self.gates)
            # Of a truth value the specification does not say that it is an angle.
            arguments = [Binary("+", self.integer(1), Number(0)) for _ in range(2)]
            return [Apply(gate.name, arguments, [self.qubit()])]
        return [Apply("rx", [self.angle()], [self.qubit()])]

    def flip(self, _depth: int) -> list[Statement]:
        if self.chance(0.5):
            first, second = self.choices.sample(range(_QUBITS), 2)
            return [Apply("cx", [], [Number(first), Number(second)])]
        return [Apply("x", [], [self.qubit()])]

    def branch(self, depth: int) -> list[Statement]:
        otherwise = self.block(depth + 1) if self.chance(0.5) else []
        return [If(self.condition(), self.block(depth + 1), otherwise)]

    def loop(self, depth: int) -> list[Statement]:
        self.loops += 1
        name, kind = f"i{self.loops}", self.loop_kind()
        is_range = self.chance(0.6)
        values = self.range_values(kind) if is_range else self.set_values(kind)
        outside, indexing = list(self.names), self.indexing
        self.names.append((name, kind))
        leaves = self.chance(0.45)
        self.indexing = indexing and not leaves  # the importer takes the variables of such loops for angles only
        body = self.block(depth + 1)
        if leaves:
            body.insert(self.choices.randint(0, len(body)), self.leaving())
        if leaves and self.profile == "control":
            body.insert(0, self.divided(Name(name)))
        self.indexing = indexing
        self.names = outside
        return [For(kind, name, values, is_range, body)]

    def divided(self, variable: Expression) -> Statement:
        """A rotation by half turns of an integer that the loop's variable is divided for."""
        number = Binary(self.choices.choice("+-*"), variable, Number(self.small()))
        part = Binary("/", number, Number(self.choices.choice((2, 3, -2, 5))))
        return Apply("rx", [Binary("*", part, Pi())], [Number(self.choices.randrange(_QUBITS))])

    def loop_kind(self) -> Kind:
        if self.profile == "circuit" or self.chance(0.6):
            return Kind("int")
        return self.integer_kind()

    def range_values(self, kind: Kind) -> list[Expression]:
        low = 0 if kind.name == "uint" else self.choices.choice((0, 0, -3, -1))
        start, end = Number(self.choices.randint(low, 2)), Number(self.choices.randint(low, 3))
        return [start, Number(self.choices.choice((1, 1, 1, 2, -1))), end]

    def set_values(self, kind: Kind) -> list[Expression]:
        values = {self.choices.randint(0 if kind.name == "uint" else -7, 7) for _ in range(3)}
        return [Number(value) for value in values]

    def leaving(self) -> Statement:
        word: Literal["break", "continue"] = self.choices.choice(("break", "continue"))
        if self.profile in ("control", "circuit") or self.chance(0.3):
            return If(self.bit_condition(0), [Leave(word)], [])
        return If(self.number_condition(0), [Leave(word)], [])

    def counted_loop(self, depth: int) -> list[Statement]:
        self.made += 1
        name, kind = f"k{self.made}", self.choices.choice((Kind("int"), Kind("uint", 4)))
        turn = [Assign(name, "-", Number(1)), *self.block(depth + 1)]
        start = Declare(kind, name, Number(self.choices.randrange(4)))
        return [start, While(Binary(">", Name(name), Number(0)), turn)]

    def switch(self, depth: int) -> list[Statement]:
        measured = Cast(Kind("uint", 3), Whole("m"))
        target = Cast(Kind("int"), self.integer(1)) if self.chance(0.6) else measured
        labels = self.choices.sample(range(-3, 8), 4)
        cases: list[tuple[Sequence[Expression], Sequence[Statement]]] = [
            ([Number(label) for label in labels[:2]], self.block(depth + 1)),
            ([Number(label) for label in labels[2:]], self.block(depth + 1)),
        ]
        return [Switch(target, cases, self.block(depth + 1) if self.chance(0.7) else [])]

    def assignment(self, _depth: int) -> list[Statement]:
        if not self.writable:
            return []
        sign = self.choices.choice(("", "", "+", "-", "*", "/", "%"))
        return [Assign(self.choices.choice(self.writable), sign, self.integer(0))]

    def shown(self, number: Expression) -> list[Statement]:
        """Flips qubit k where bit k of a number is 1."""
        found: list[Statement] = []
        for place in range(_QUBITS):
            part = Binary("/", Binary("+", number, Number(1 << 10)), Number(1 << place))
            found.append(Apply("rx", [Binary("*", part, Pi())], [Number(place)]))
        return found
