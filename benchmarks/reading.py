"""Programs that the parser need not read, and ancillas that need no qubit: `python -m benchmarks.reading`.

Each text is read and lowered in turn by the scanner and by the front end behind the parser; of a sweep also the time
of one point more counts. Chains of ancillas are simulated with and without them, on the same engine.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from statistics import median

from ketline.domain.circuits.method import Method
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.circuit.operations import count_operations
from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.frontend.program import Program, _lowered, _unrolling_reader, load_program, program_reader
from ketline.execution.frontend.readers import read_with_scanner
from ketline.execution.frontend.syntax_tree import read_with_parser
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator

_LIMITS = ExecutionLimits(memory_bytes=2 << 30)
_HEADER = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
_SHOTS = 1024


def main() -> None:
    print("| program | parser, ms | scanner, ms | ratio |\n|---|---|---|---|")
    programs = (
        ("teleportation", _TELEPORTATION, 15),
        ("1,000 branches", _branches(1000, "c == 3"), 3),
        ("100 branches on two bits", _branches(100, "c[0] && !c[1]"), 3),
    )
    for name, text, rounds in programs:
        _row(name, partial(_by_parser, text), partial(load_program, text, _LIMITS), rounds)
    values = {"theta": 0.3, "phi": -1.2}
    for qubits, layers in ((4, 2), (10, 5)):
        name, text = f"{qubits} qubits in {layers} layers with inputs", _ansatz(qubits, layers)
        unroller, scanner = partial(_unrolling_reader, text, _LIMITS, None), partial(program_reader, text, _LIMITS)
        _row(name, unroller, scanner, 5)
        _row(f"{name}, each point more", partial(unroller(), values), partial(scanner(), values), 15)
    print("\n| ancillas | qubits | with them, ms | without, ms | ratio |\n|---|---|---|---|---|")
    for controls in (5, 8, 10):
        _row_of_search(controls)


def _row(name: str, slow: Callable[[], object], fast: Callable[[], object], rounds: int) -> None:
    before, after = _by_turns(slow, fast, rounds)
    print(f"| {name} | {before:.3g} | {after:.3g} | {before / after:.0f} |", flush=True)


def _row_of_search(controls: int) -> None:
    text = _search(controls)
    short = load_program(text, _LIMITS)
    parsed = read_with_scanner(text, _LIMITS)
    assert parsed is not None
    plain = parsed.plain
    operations = Counter(count_operations(plain.steps))
    whole = replace(short, lowered=Lowered(plain, operations, kept_qubits=range(plain.num_qubits)))
    before, after = _by_turns(partial(_run, whole), partial(_run, short), 3)
    qubits = f"{plain.num_qubits}, {short.lowered.num_qubits} of them left"
    print(f"| {controls - 1} | {qubits} | {before:.3g} | {after:.3g} | {before / after:.2g} |", flush=True)


def _by_turns(slow: Callable[[], object], fast: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median milliseconds of processor time."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for function, found in zip((slow, fast), times, strict=True):
            started = time.process_time()
            function()
            found.append(1000 * (time.process_time() - started))
    return median(times[0]), median(times[1])


def _by_parser(text: str) -> Program:
    return _lowered(read_with_parser(text, _LIMITS, {}), _LIMITS, None)


_SIMULATOR = Simulator(_LIMITS)


def _run(program: Program) -> object:
    options = RunOptions(method=Method.STATEVECTOR)
    return _SIMULATOR.run(program, _SHOTS, options, likely_repeated=False)


_TELEPORTATION = _HEADER + (
    "qubit[3] q; bit[3] c; rx(0.3) q[0]; h q[1]; cx q[1], q[2]; cx q[0], q[1]; h q[0]; c[0] = measure q[0]; "
    "c[1] = measure q[1]; if (c[1] == 1) { x q[2]; } if (c[0] == 1) { z q[2]; } c[2] = measure q[2];"
)


def _branches(number: int, condition: str) -> str:
    lines = [
        f"h q[0]; c[0] = measure q[0]; if ({condition}) {{ rx({turn}/7) q[1]; }} else {{ x q[2]; }}"
        for turn in range(number)
    ]
    return "\n".join([_HEADER, "qubit[3] q; bit[3] c;", *lines, "c = measure q;"])


def _ansatz(qubits: int, layers: int) -> str:
    lines = [_HEADER, "input float[64] theta; input float[64] phi;", f"qubit[{qubits}] q; bit[{qubits}] c;"]
    for layer in range(layers):
        lines += [f"ry({layer + 1} * theta + 0.{qubit}) q[{qubit}]; rz(phi) q[{qubit}];" for qubit in range(qubits)]
        lines += [f"cx q[{qubit}], q[{qubit + 1}];" for qubit in range(qubits - 1)]
    return "\n".join([*lines, "c = measure q;"])


def _search(controls: int) -> str:
    """Three turns of Grover's search on `controls` qubits and one, with a chain of ancillas for each reflection."""
    ancillas = controls - 1
    chain = ["ccx q[0], q[1], a[0];", *(f"ccx q[{n + 1}], a[{n - 1}], a[{n}];" for n in range(1, ancillas))]
    flip = " ".join([*chain, f"cz a[{ancillas - 1}], q[{controls}];", *reversed(chain)])
    turns = [f"{flip} h q; x q; {flip} x q; h q;"] * 3
    declared = f"qubit[{controls + 1}] q; qubit[{ancillas}] a; bit[{controls + 1}] c; h q;"
    return "\n".join([_HEADER, declared, *turns, "c = measure q;"])


if __name__ == "__main__":
    main()
