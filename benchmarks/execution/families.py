"""Families of circuits as OpenQASM 3 texts, each named for what it does; all of them measure every qubit."""

import math
from collections.abc import Iterable, Sequence
from random import Random

_ONE_QUBIT_CLIFFORD = ("h", "s", "sdg", "x", "y", "z", "sx")
_TWO_QUBIT_CLIFFORD = ("cx", "cz", "swap", "cy")
_MAJORITY = "gate majority a, b, c {\n  cx c, b;\n  cx c, a;\n  ccx a, b, c;\n}"
_UNMAJORITY = "gate unmajority a, b, c {\n  ccx a, b, c;\n  cx c, a;\n  cx a, b;\n}"


def program(qubits: int, lines: Iterable[str], definitions: Sequence[str] = ()) -> str:
    """A program of these statements on one register `q`, all of it measured into `c` at the end."""
    head = ["OPENQASM 3.0;", 'include "stdgates.inc";', *definitions, f"qubit[{qubits}] q;", f"bit[{qubits}] c;"]
    return "\n".join([*head, *lines, "c = measure q;", ""])


def ghz(qubits: int) -> str:
    return program(qubits, ["h q[0];", *(f"cx q[{qubit}], q[{qubit + 1}];" for qubit in range(qubits - 1))])


def w_state(qubits: int) -> str:
    """An excitation that is passed on with equal chances, qubit by qubit."""
    lines = ["x q[0];"]
    for qubit in range(qubits - 1):
        angle = 2 * math.acos(math.sqrt(1 / (qubits - qubit)))
        lines += [f"cry({angle!r}) q[{qubit}], q[{qubit + 1}];", f"cx q[{qubit + 1}], q[{qubit}];"]
    return program(qubits, lines)


def fourier_transform(qubits: int, seed: int) -> str:
    """The Fourier transform of a product state."""
    angles = Random(seed)
    lines = [f"ry({angles.uniform(0, math.pi)!r}) q[{qubit}];" for qubit in range(qubits)]
    return program(qubits, lines + _transform(qubits))


def phase_estimation(counting: int, seed: int) -> str:
    """The eigenphase of a phase gate, read by `counting` qubits."""
    turn = Random(seed).uniform(0, 2 * math.pi)
    lines = [f"x q[{counting}];", *(f"h q[{qubit}];" for qubit in range(counting))]
    lines += [
        f"cp({math.remainder(turn * 2**qubit, math.tau)!r}) q[{qubit}], q[{counting}];" for qubit in range(counting)
    ]
    return program(counting + 1, lines + _inverse(_transform(counting)))


def clifford(qubits: int, gates: int, seed: int) -> str:
    choices = Random(seed)
    return program(qubits, [_random_clifford(qubits, choices) for _ in range(gates)])


def mixed(qubits: int, gates: int, seed: int) -> str:
    """Rotations, Clifford gates and controlled phases in any order."""
    choices = Random(seed)
    return program(qubits, [_random_gate(qubits, choices) for _ in range(gates)])


def rotations(qubits: int, layers: int, seed: int) -> str:
    """Layers of rotations about two axes, each followed by a ladder of cx, as variational circuits have them."""
    angles = Random(seed)
    lines: list[str] = []
    for _ in range(layers):
        for qubit in range(qubits):
            lines += [f"ry({angles.uniform(-3, 3)!r}) q[{qubit}];", f"rz({angles.uniform(-3, 3)!r}) q[{qubit}];"]
        lines += [f"cx q[{qubit}], q[{qubit + 1}];" for qubit in range(qubits - 1)]
    return program(qubits, lines)


def approximate_optimization(qubits: int, rounds: int, seed: int) -> str:
    """QAOA for the largest cut of a random graph of degree about three."""
    choices = Random(seed)
    edges = [choices.sample(range(qubits), 2) for _ in range(3 * qubits // 2)]
    lines = [f"h q[{qubit}];" for qubit in range(qubits)]
    for _ in range(rounds):
        cost, mixer = choices.uniform(0, math.pi), choices.uniform(0, math.pi)
        for one, other in edges:
            lines += [f"cx q[{one}], q[{other}];", f"rz({cost!r}) q[{other}];", f"cx q[{one}], q[{other}];"]
        lines += [f"rx({mixer!r}) q[{qubit}];" for qubit in range(qubits)]
    return program(qubits, lines)


def trotterized_ising(qubits: int, steps: int) -> str:
    """The evolution of a chain of spins in a tilted field, in steps of first order."""
    lines: list[str] = []
    for _ in range(steps):
        for qubit in range(qubits - 1):
            lines += [f"cx q[{qubit}], q[{qubit + 1}];", f"rz(0.2) q[{qubit + 1}];", f"cx q[{qubit}], q[{qubit + 1}];"]
        lines += [f"{gate}(0.17) q[{qubit}];" for qubit in range(qubits) for gate in ("rx", "rz")]
    return program(qubits, lines)


def grover(searched: int, seed: int) -> str:
    """Grover's search for one item among 2^`searched`, its controls joined on `searched` - 2 further qubits."""
    marked = Random(seed).getrandbits(searched)
    lines = [f"h q[{qubit}];" for qubit in range(searched)]
    for _ in range(round(math.pi / 4 * math.sqrt(2**searched))):
        lines += _flip_sign(searched, marked)
        lines += [f"h q[{qubit}];" for qubit in range(searched)]
        lines += _flip_sign(searched, 0)
        lines += [f"h q[{qubit}];" for qubit in range(searched)]
    return program(2 * searched - 2, lines)


def adder(bits: int, seed: int) -> str:
    """The sum of a number and all numbers at once.

    Source: S. Cuccaro, T. Draper, S. Kutin and D. Moulton, arXiv:quant-ph/0410184, figure 4.
    """
    number = Random(seed).getrandbits(bits)
    first, second = range(1, bits + 1), range(bits + 1, 2 * bits + 1)
    lines = [f"x q[{qubit}];" for qubit, place in zip(first, range(bits), strict=True) if number >> place & 1]
    lines += [f"h q[{qubit}];" for qubit in second]
    carries = list(zip([0, *first], second, first, strict=False))
    lines += [f"majority q[{carry}], q[{b}], q[{a}];" for carry, b, a in carries]
    lines.append(f"cx q[{bits}], q[{2 * bits + 1}];")
    lines += [f"unmajority q[{carry}], q[{b}], q[{a}];" for carry, b, a in reversed(carries)]
    return program(2 * bits + 2, lines, (_MAJORITY, _UNMAJORITY))


def hidden_shift(qubits: int, seed: int) -> str:
    """The shift between two bent functions. Source: M. Rötteler, arXiv:0811.3208."""
    shift = Random(seed).getrandbits(qubits)
    everywhere = [f"h q[{qubit}];" for qubit in range(qubits)]
    shifted = [f"x q[{qubit}];" for qubit in range(qubits) if shift >> qubit & 1]
    bent = [f"cz q[{qubit}], q[{qubit + 1}];" for qubit in range(0, qubits - 1, 2)]
    return program(qubits, [*everywhere, *shifted, *bent, *shifted, *everywhere, *bent, *everywhere])


def bernstein_vazirani(qubits: int, seed: int) -> str:
    secret, last = Random(seed).getrandbits(qubits - 1), qubits - 1
    everywhere = [f"h q[{qubit}];" for qubit in range(last)]
    asked = [f"cx q[{qubit}], q[{last}];" for qubit in range(last) if secret >> qubit & 1]
    return program(qubits, [f"x q[{last}];", f"h q[{last}];", *everywhere, *asked, *everywhere])


def volume(qubits: int, layers: int, seed: int) -> str:
    """Layers of random gates of two qubits, on a random pairing each, as quantum volume has them."""
    choices = Random(seed)
    lines: list[str] = []
    for _ in range(layers):
        order = choices.sample(range(qubits), qubits)
        for one, other in zip(order[::2], order[1::2], strict=False):
            for _ in range(3):
                lines += [_random_turn(one, choices), _random_turn(other, choices), f"cx q[{one}], q[{other}];"]
            lines += [_random_turn(one, choices), _random_turn(other, choices)]
    return program(qubits, lines)


def _random_turn(qubit: int, choices: Random) -> str:
    angles = ", ".join(repr(choices.uniform(-math.pi, math.pi)) for _ in range(3))
    return f"U({angles}) q[{qubit}];"


def _random_clifford(qubits: int, choices: Random) -> str:
    if choices.random() < 0.5:
        return f"{choices.choice(_ONE_QUBIT_CLIFFORD)} q[{choices.randrange(qubits)}];"
    one, other = choices.sample(range(qubits), 2)
    return f"{choices.choice(_TWO_QUBIT_CLIFFORD)} q[{one}], q[{other}];"


def _random_gate(qubits: int, choices: Random) -> str:
    one, other = choices.sample(range(qubits), 2)
    kinds = (
        f"h q[{one}];",
        f"t q[{one}];",
        f"rz({choices.uniform(-6, 6)!r}) q[{one}];",
        f"cx q[{one}], q[{other}];",
        f"cp(pi/{2 ** choices.randrange(1, 9)}) q[{one}], q[{other}];",
        _random_turn(one, choices),
    )
    return choices.choice(kinds)


def _transform(qubits: int) -> list[str]:
    lines: list[str] = []
    for qubit in reversed(range(qubits)):
        lines.append(f"h q[{qubit}];")
        lines += [f"cp(pi/{2 ** (qubit - other)}) q[{other}], q[{qubit}];" for other in reversed(range(qubit))]
    return lines + [f"swap q[{qubit}], q[{qubits - 1 - qubit}];" for qubit in range(qubits // 2)]


def _inverse(transform: Sequence[str]) -> list[str]:
    return [line.replace("cp(pi", "cp(-pi") for line in reversed(transform)]


def _flip_sign(searched: int, item: int) -> list[str]:
    """Turn the sign of one item; the qubits from `searched` on begin and end at 0."""
    negated = [f"x q[{qubit}];" for qubit in range(searched) if not item >> qubit & 1]
    joined = [f"ccx q[0], q[1], q[{searched}];"]
    joined += [
        f"ccx q[{qubit}], q[{searched + qubit - 2}], q[{searched + qubit - 1}];" for qubit in range(2, searched - 1)
    ]
    last = [f"cz q[{2 * searched - 3}], q[{searched - 1}];"]
    return [*negated, *joined, *last, *reversed(joined), *negated]
