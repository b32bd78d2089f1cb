"""Circuits that measure, reset or branch on the way, as OpenQASM 3 texts."""

import math
from random import Random


def teleportation(hops: int, seed: int) -> str:
    """A state that is sent to and fro between two qubits over a third, corrected each time by what was measured."""
    angle = Random(seed).uniform(0, math.pi)
    lines = [f"ry({angle!r}) q[0];"]
    for hop in range(hops):
        here, there = (0, 2) if hop % 2 == 0 else (2, 0)
        bits = 2 * hop
        lines += [f"h q[{there}];", f"cx q[{there}], q[1];", f"cx q[{here}], q[1];", f"h q[{here}];"]
        lines += [f"c[{bits}] = measure q[{here}];", f"c[{bits + 1}] = measure q[1];"]
        lines += [f"if (c[{bits + 1}]) x q[{there}];", f"if (c[{bits}]) z q[{there}];"]
        lines += [f"reset q[{here}];", "reset q[1];"]
    return _program(3, 2 * hops + 1, [*lines, f"c[{2 * hops}] = measure q[{2 * (hops % 2)}];"])


def repetition_code(data: int, rounds: int) -> str:
    """A logical one, of which neighbours are compared in every round on qubits that are reset."""
    checks = data - 1
    lines = [f"x q[{qubit}];" for qubit in range(data)]
    for number in range(rounds):
        for check in range(checks):
            helper = data + check
            lines += [f"reset q[{helper}];", f"h q[{helper}];", f"h q[{helper}];"]
            lines += [f"cx q[{check}], q[{helper}];", f"cx q[{check + 1}], q[{helper}];"]
            lines.append(f"c[{number * checks + check}] = measure q[{helper}];")
    bits = rounds * checks
    lines += [f"c[{bits + qubit}] = measure q[{qubit}];" for qubit in range(data)]
    return _program(data + checks, bits + data, lines)


def iterative_phase_estimation(digits: int, seed: int) -> str:
    """The digits of a phase, the last one first, on one qubit that is measured and reset for each."""
    turn = Random(seed).uniform(0, 2 * math.pi)
    lines = ["x q[1];"]
    for digit in range(digits):
        lines += ["reset q[0];", "h q[0];"]
        angle = math.remainder(turn * 2 ** (digits - 1 - digit), math.tau)
        lines.append(f"cp({angle!r}) q[0], q[1];")
        lines += [f"if (c[{known}]) p(-pi/{2 ** (digit - known)}) q[0];" for known in range(digit)]
        lines += ["h q[0];", f"c[{digit}] = measure q[0];"]
    return _program(2, digits, lines)


def measured_on_the_way(qubits: int, layers: int, seed: int) -> str:
    """Layers of rotations and cx, after each of which one qubit is measured and reset."""
    angles = Random(seed)
    lines: list[str] = []
    for layer in range(layers):
        lines += [f"ry({angles.uniform(-3, 3)!r}) q[{qubit}];" for qubit in range(qubits)]
        lines += [f"cx q[{qubit}], q[{qubit + 1}];" for qubit in range(qubits - 1)]
        lines += [f"c[{layer}] = measure q[{layer % qubits}];", f"reset q[{layer % qubits}];"]
    lines += [f"c[{layers + qubit}] = measure q[{qubit}];" for qubit in range(qubits)]
    return _program(qubits, layers + qubits, lines)


def _program(qubits: int, bits: int, lines: list[str]) -> str:
    head = ["OPENQASM 3.0;", 'include "stdgates.inc";', f"qubit[{qubits}] q;", f"bit[{bits}] c;"]
    return "\n".join([*head, *lines, ""])
