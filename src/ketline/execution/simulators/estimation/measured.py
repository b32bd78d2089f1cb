"""A program that measures some of its qubits in a basis after its end."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from qiskit.circuit import Clbit

from ketline.execution.circuit.lowering import Lowered
from ketline.execution.circuit.plain import plain_of
from ketline.execution.frontend.program import Program

# The gates after which a measurement is one of X or of Y.
_ROTATIONS: Mapping[str, tuple[str, ...]] = {"X": ("h",), "Y": ("sdg", "h"), "Z": ()}


def measured_in(program: Program, letters: Mapping[int, str]) -> Program:
    """A program that was read for observables, with a measurement of each of these declared qubits in its letter.

    Its outcomes have only the bits of these measurements, in the order of the letters.
    """
    lowered = program.lowered
    positions = {qubit: position for position, qubit in enumerate(program.kept_qubits)}
    circuit, operations = lowered.circuit.copy(), Counter(lowered.operations)
    bits = [Clbit() for _ in letters]
    circuit.add_bits(bits)
    for (qubit, letter), bit in zip(letters.items(), bits, strict=True):
        for gate in _ROTATIONS[letter]:
            getattr(circuit, gate)(positions[qubit])
        circuit.measure(positions[qubit], bit)
        operations.update((*_ROTATIONS[letter], "measure"))
    return replace(
        program,
        lowered=Lowered(plain_of(circuit), operations, kept_qubits=lowered.kept_qubits),
        groups=(len(bits),),
        names=(None,),
        outcome=_after(lowered.num_clbits, program.outcome if program.checked_bits else None),
    )


def _after(bits: int, check: Callable[[int], int] | None) -> Callable[[int], int]:
    """The outcome without its first bits, of which `check` raises for those without a result."""

    def outcome(measured: int) -> int:
        if check is not None:
            check(measured & (1 << bits) - 1)
        return measured >> bits

    return outcome
