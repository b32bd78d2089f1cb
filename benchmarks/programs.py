"""The programs the benchmark runs."""

import math
import random

SHOTS = 1024

BELL = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n'


def turned_bell(number: int) -> str:
    """A Bell circuit whose qubits are turned by angles of their own, another text for each number."""
    angles = random.Random(number)
    one, other = (repr(angles.uniform(0, math.pi)) for _ in range(2))
    return BELL.replace("h q[0];", f"ry({one}) q[0];\nrx({other}) q[1];")


def layered_rotations(*, qubits: int, layers: int, seed: int) -> str:
    """A program whose statevector simulation takes time in proportion to `layers`: rotations, then a ladder of cx."""
    angles = random.Random(seed)
    lines = ["OPENQASM 3.0;", 'include "stdgates.inc";', f"qubit[{qubits}] q;", f"bit[{qubits}] c;"]
    for _ in range(layers):
        lines += [f"ry({angles.uniform(0, math.pi):.6f}) q[{qubit}];" for qubit in range(qubits)]
        lines += [f"cx q[{qubit}], q[{qubit + 1}];" for qubit in range(qubits - 1)]
    return "\n".join([*lines, "c = measure q;", ""])
