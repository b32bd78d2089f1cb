"""Programs with known answers, each with its task's number in it: a swapped result is found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

NUMBER_BITS = 14
LONG_QUBITS = 20
_HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'


_PRIORITIES = (0, 30, 0, -30, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTask:
    """A program and what must come of it: a distribution of outcomes, or an error on a line."""

    number: int
    kind: str
    program: str
    shots: int
    probabilities: Mapping[str, float] = field(default_factory=dict)
    error_code: str | None = None
    error_line: int | None = None

    @property
    def priority(self) -> int:
        """Two in five go before or after the rest, so that messages are used for other tasks than they name."""
        return _PRIORITIES[self.number % len(_PRIORITIES)]


def make_tasks(count: int, *, seed: int, long_share: float) -> Sequence[KnownTask]:
    """The seed's mix of short, long and wrong programs, numbered from 0."""
    rng = Random(seed)
    return [_make_task(number, rng, long_share) for number in range(count)]


def _make_task(number: int, rng: Random, long_share: float) -> KnownTask:
    draw = rng.random()
    if draw < long_share:
        return echo(number, layers=rng.randint(8, 24))
    if draw < long_share + 0.04:
        return wrong(number)
    if draw < 0.4:
        return basis_state(number)
    return entangled(number, qubits=2 if draw < 0.7 else rng.randint(3, 12))


def entangled(number: int, *, qubits: int) -> KnownTask:
    """A Bell or GHZ state beside a register that reads the number."""
    lines = [f"qubit[{qubits}] q;", f"bit[{qubits}] c;", "h q[0];"]
    lines += [f"cx q[{qubit}], q[{qubit + 1}];" for qubit in range(qubits - 1)]
    program = _HEAD + _write_number(number) + "\n".join([*lines, "c = measure q;", ""])
    halves = {f"{bit * qubits} {_bits(number)}": 0.5 for bit in "01"}
    kind = "bell" if qubits == 2 else "ghz"
    return KnownTask(number=number, kind=kind, program=program, shots=_shots(number), probabilities=halves)


def basis_state(number: int) -> KnownTask:
    """A register that reads the number, and nothing else."""
    return KnownTask(
        number=number,
        kind="basis",
        program=_HEAD + _write_number(number),
        shots=_shots(number),
        probabilities={_bits(number): 1.0},
    )


def echo(number: int, *, layers: int) -> KnownTask:
    """Layers of rotations and entanglers, then their inverses, then the number: seconds of work, one outcome."""
    forth = [gate for layer in range(layers) for gate in _layer(0.1 + 0.01 * layer)]
    back = [_inverse(gate) for gate in reversed(forth)]
    lines = [f"qubit[{LONG_QUBITS}] q;", f"bit[{LONG_QUBITS}] c;", *map(_write_gate, [*forth, *back])]
    lines += [f"x q[{bit}];" for bit in range(NUMBER_BITS) if number >> bit & 1]
    return KnownTask(
        number=number,
        kind="long",
        program=_HEAD + "\n".join([*lines, "c = measure q;", ""]),
        shots=_shots(number),
        probabilities={_bits(number).zfill(LONG_QUBITS): 1.0},
    )


def wrong(number: int) -> KnownTask:
    """A program with an unknown gate on a line that tells the number's last digits."""
    line = 4 + number % 100
    program = _HEAD + "qubit q;\n" + "\n" * (line - 4) + "nogate q;\n"
    return KnownTask(
        number=number, kind="wrong", program=program, shots=_shots(number), error_code="parse_error", error_line=line
    )


_Gate = tuple[str, float, int]


def _layer(angle: float) -> list[_Gate]:
    turns: list[_Gate] = [("ry", angle + 0.003 * qubit, qubit) for qubit in range(LONG_QUBITS)]
    return turns + [("cx", 0.0, qubit) for qubit in range(LONG_QUBITS - 1)]


def _inverse(gate: _Gate) -> _Gate:
    name, angle, qubit = gate
    return name, -angle, qubit


def _write_gate(gate: _Gate) -> str:
    name, angle, qubit = gate
    return f"ry({angle:.6f}) q[{qubit}];" if name == "ry" else f"cx q[{qubit}], q[{qubit + 1}];"


def _write_number(number: int) -> str:
    flips = "".join(f"x n[{bit}];\n" for bit in range(NUMBER_BITS) if number >> bit & 1)
    return f"qubit[{NUMBER_BITS}] n;\nbit[{NUMBER_BITS}] m;\n{flips}m = measure n;\n"


def _bits(number: int) -> str:
    return format(number, f"0{NUMBER_BITS}b")


def _shots(number: int) -> int:
    return 100 + number % 157
