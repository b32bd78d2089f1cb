"""Programs for tests that are about the service rather than the language."""

BELL = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\nbit[2] c;\nh q[0];\ncx q[0], q[1];\nc = measure q;\n'

ENDLESS = (
    'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit q;\nbit c;\nc = measure q;\nwhile (!c) { reset q; c = measure q; }\n'
)


def long_program(qubits: int = 20, rounds: int = 240) -> str:
    """A simulation that takes seconds on one core: rotations and entanglers over all qubits.

    With few rounds `automatic` takes a matrix product state; name the method where that matters.
    """
    lines = ["OPENQASM 3.0;", 'include "stdgates.inc";', f"qubit[{qubits}] q;", f"bit[{qubits}] c;"]
    for round_number in range(rounds):
        lines += [f"ry({0.1 + 0.01 * round_number}) q[{qubit}];" for qubit in range(qubits)]
        lines += [f"cx q[{qubit}], q[{qubit + 1}];" for qubit in range(qubits - 1)]
    return "\n".join([*lines, "c = measure q;", ""])
