"""Random programs whose angles depend on inputs, each as text and as what Qiskit builds from the same choices."""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from qiskit.circuit import QuantumCircuit
from qiskit.circuit.library import (
    CPhaseGate,
    CRXGate,
    CRYGate,
    CRZGate,
    CUGate,
    HGate,
    PhaseGate,
    RXGate,
    RXXGate,
    RYGate,
    RYYGate,
    RZGate,
    RZXGate,
    RZZGate,
    SGate,
    SXGate,
    UGate,
    XGate,
    XXPlusYYGate,
)

# The values of all inputs by the text that names them.
Values = Mapping[str, float]
Angle = tuple[str, Callable[[Values], float]]

NAMES = ["a", "b", "c[0]", "c[1]", "d"]
DECLARED = "input float a; input float[64] b; input array[float, 2] c; input angle d;"
GATES: Mapping[str, tuple[Any, int, int]] = {
    "rx": (RXGate, 1, 1),
    "ry": (RYGate, 1, 1),
    "rz": (RZGate, 1, 1),
    "p": (PhaseGate, 1, 1),
    "crx": (CRXGate, 1, 2),
    "cry": (CRYGate, 1, 2),
    "crz": (CRZGate, 1, 2),
    "cp": (CPhaseGate, 1, 2),
    "rxx": (RXXGate, 1, 2),
    "ryy": (RYYGate, 1, 2),
    "rzz": (RZZGate, 1, 2),
    "rzx": (RZXGate, 1, 2),
    "u3": (UGate, 3, 1),
    "cu": (CUGate, 4, 2),
    "xx_plus_yy": (XXPlusYYGate, 2, 2),
}
FIXED: Mapping[str, tuple[Any, int]] = {"h": (HGate, 1), "sx": (SXGate, 1), "s": (SGate, 1), "x": (XGate, 1)}


@dataclass
class RandomProgram:
    """A program's text, without its header, and the circuit that Qiskit makes for values of its inputs."""

    qubits: int
    statements: list[str] = field(default_factory=list)
    builders: list[Callable[[QuantumCircuit, Values], None]] = field(default_factory=list)

    @property
    def text(self) -> str:
        return f"{DECLARED} {DEFINITION} qubit[{self.qubits}] q; {' '.join(self.statements)}"

    def circuit(self, values: Values) -> QuantumCircuit:
        circuit = QuantumCircuit(self.qubits)
        for build in self.builders:
            build(circuit, values)
        return circuit


# Of two angles; its phase shows under controls.
DEFINITION = "gate mine(one, two) f, g { rx(2 * one - two) f; gphase(one * two); cx f, g; ry(sin(two)) g; }"


def mine(s: float, t: float) -> Any:
    circuit = QuantumCircuit(2, global_phase=s * t)
    circuit.rx(2 * s - t, 0)
    circuit.cx(0, 1)
    circuit.ry(math.sin(t), 1)
    return circuit.to_gate()


def angle(draw: random.Random, names: Sequence[str]) -> Angle:
    """An expression of one or two inputs, or a number."""
    one, other = draw.choice(names), draw.choice(names)
    number = round(draw.uniform(0.2, 2), 3)
    match draw.randrange(9):
        case 0:
            return one, lambda v: v[one]
        case 1:
            return f"{number} * {one} - 0.3", lambda v: number * v[one] - 0.3
        case 2:
            return f"{one} * {other}", lambda v: v[one] * v[other]
        case 3:
            return f"sin({one}) + cos({other}) / 2", lambda v: math.sin(v[one]) + math.cos(v[other]) / 2
        case 4:
            return f"exp(-{one}) * {number}", lambda v: math.exp(-v[one]) * number
        case 5:
            return f"{one} / ({number} + {other} ** 2)", lambda v: v[one] / (number + v[other] ** 2)
        case 6:
            return (
                f"arctan({one}) - sqrt(2 + {other}) + log(3 + {one})",
                lambda v: math.atan(v[one]) - math.sqrt(2 + v[other]) + math.log(3 + v[one]),
            )
        case 7:
            return f"-{one} + pi / 3", lambda v: -v[one] + math.pi / 3
    return str(number), lambda _: number


def random_program(seed: int, *, flat: bool) -> RandomProgram:
    """A `flat` program has no arrays, modifiers or loops: the scanner reads it."""
    draw = random.Random(seed)
    program = RandomProgram(draw.randint(2, 4))
    names = ["a", "b"] if flat else NAMES[:4]
    _add(program, "h q;", lambda circuit, _: circuit.h(range(program.qubits)))
    for _ in range(draw.randint(3, 10)):
        choices = [_call, _fixed, _own] if flat else [_call, _fixed, _own, _modified, _modified, _power, _phase, _loop]
        draw.choice(choices)(program, draw, names)
    if not flat:
        _add(program, "rx(d) q[0];", lambda circuit, values: circuit.rx(values["d"], 0))
    return program


def _add(program: RandomProgram, text: str, build: Callable[[QuantumCircuit, Values], Any]) -> None:
    program.statements.append(text)
    program.builders.append(build)


def _operands(program: RandomProgram, draw: random.Random, width: int) -> tuple[list[int], str]:
    qubits = draw.sample(range(program.qubits), width)
    return qubits, ", ".join(f"q[{qubit}]" for qubit in qubits)


def _angles(draw: random.Random, names: Sequence[str], count: int) -> tuple[str, Callable[[Values], list[float]]]:
    drawn = [angle(draw, names) for _ in range(count)]
    return ", ".join(text for text, _ in drawn), lambda values: [value(values) for _, value in drawn]


def _call(program: RandomProgram, draw: random.Random, names: Sequence[str]) -> None:
    name = draw.choice(list(GATES))
    kind, count, width = GATES[name]
    (qubits, operands), (text, angles) = _operands(program, draw, width), _angles(draw, names, count)
    _add(program, f"{name}({text}) {operands};", lambda circuit, values: circuit.append(kind(*angles(values)), qubits))


def _fixed(program: RandomProgram, draw: random.Random, _names: Sequence[str]) -> None:
    qubits, operands = _operands(program, draw, 2)
    _add(program, f"cx {operands};", lambda circuit, _: circuit.cx(*qubits))


def _own(program: RandomProgram, draw: random.Random, names: Sequence[str]) -> None:
    (qubits, operands), (text, angles) = _operands(program, draw, 2), _angles(draw, names, 2)
    _add(program, f"mine({text}) {operands};", lambda circuit, values: circuit.append(mine(*angles(values)), qubits))


def _modified(program: RandomProgram, draw: random.Random, names: Sequence[str]) -> None:
    """A gate, or that of the program, behind `ctrl` or `negctrl` and `inv`."""
    choices = [(name, GATES[name]) for name in GATES if GATES[name][2] < program.qubits and name != "u3"]
    if program.qubits > 2:
        choices.append(("mine", (mine, 2, 2)))
    name, (kind, count, width) = draw.choice(choices)
    controls = draw.randint(1, program.qubits - width)
    (qubits, operands), (text, angles) = _operands(program, draw, width + controls), _angles(draw, names, count)
    states = [draw.random() < 0.6 for _ in range(controls)]
    modifiers = "".join("ctrl @ " if state else "negctrl @ " for state in states)
    inverted = draw.random() < 0.3
    state = sum(one << index for index, one in enumerate(states))

    def build(circuit: QuantumCircuit, values: Values) -> None:
        gate = kind(*angles(values))
        gate = gate.inverse() if inverted else gate
        circuit.append(gate.control(controls, ctrl_state=state, annotated=False), qubits)

    _add(program, f"{modifiers}{'inv @ ' if inverted else ''}{name}({text}) {operands};", build)


def _power(program: RandomProgram, draw: random.Random, names: Sequence[str]) -> None:
    """A power with an input in the exponent, in the angle, or in both, perhaps behind a control."""
    (one, value), (qubits, operands) = angle(draw, names), _operands(program, draw, 2)
    target = f"q[{qubits[1]}]"
    match draw.randrange(4):
        case 0:
            name = draw.choice(list(FIXED))
            kind, _ = FIXED[name]
            _add(
                program,
                f"ctrl @ pow({one}) @ {name} {operands};",
                lambda circuit, v: circuit.append(_controlled(kind().power(value(v))), qubits),
            )
        case 1:
            other, exponent = angle(draw, names)
            _add(
                program,
                f"pow({other}) @ rx({one}) {target};",
                lambda circuit, v: circuit.append(RXGate(value(v) * exponent(v)), qubits[1:]),
            )
        case 2:
            repeats = draw.choice([2, 3, -2])

            def build(circuit: QuantumCircuit, v: Values) -> None:
                for _ in range(abs(repeats)):
                    circuit.append(mine(value(v), 0.4) if repeats > 0 else mine(value(v), 0.4).inverse(), qubits)

            _add(program, f"pow({repeats}) @ mine({one}, 0.4) {operands};", build)
        case _:
            _add(
                program,
                f"pow({one}) @ cx {operands};",
                lambda circuit, v: circuit.append(_controlled(XGate().power(value(v))), qubits),
            )


def _controlled(gate: Any) -> Any:
    return gate.control(1, annotated=False)


def _phase(program: RandomProgram, draw: random.Random, names: Sequence[str]) -> None:
    (text, value), (qubits, operands) = angle(draw, names), _operands(program, draw, 1)
    _add(program, f"ctrl @ gphase({text}) {operands};", lambda circuit, v: circuit.p(value(v), qubits[0]))


def _loop(program: RandomProgram, draw: random.Random, names: Sequence[str]) -> None:
    text, value = angle(draw, names)

    def build(circuit: QuantumCircuit, values: Values) -> None:
        for number in range(program.qubits):
            circuit.ry(number * value(values), number)

    _add(program, f"for int i in [0:{program.qubits - 1}] {{ ry(i * ({text})) q[i]; }}", build)
