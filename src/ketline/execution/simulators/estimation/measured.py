"""A program that measures some of its qubits in a basis after its end."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from qiskit.circuit import Clbit
from qiskit.circuit.library import HGate, SdgGate

from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.circuit.plain import plain_of
from ketline.execution.frontend.program import Program

# The gates after which a measurement is one of X or of Y.
_ROTATIONS: Mapping[str, Sequence[Any]] = {"X": (HGate(),), "Y": (SdgGate(), HGate()), "Z": ()}


def measured_in(program: Program, letters: Mapping[int, str]) -> Program:
    """A program that was read for observables, with a measurement of each of these declared qubits in its letter.

    Its outcomes have only the bits of these measurements, in the order of the letters.
    """
    lowered = program.lowered
    positions = program.positions()
    circuit, operations = lowered.circuit.copy(), Counter(lowered.operations)
    bits = [Clbit() for _ in letters]
    circuit.add_bits(bits)
    for (qubit, letter), bit in zip(letters.items(), bits, strict=True):
        for gate in _rotation(program, qubit, letter):
            circuit.append(gate, [positions[qubit]])
            operations[gate.name] += 1
        circuit.measure(positions[qubit], bit)
        operations["measure"] += 1
    return replace(
        program,
        lowered=Lowered(plain_of(circuit), operations, kept_qubits=lowered.kept_qubits),
        groups=(len(bits),),
        names=(None,),
        outcome=_after(lowered.num_clbits, program.outcome if program.checked_bits else None),
    )


def _rotation(program: Program, qubit: int, letter: str) -> Sequence[Any]:
    """The gates before a measurement of a declared qubit, on a device in those that it has."""
    gates = _ROTATIONS[letter]
    if program.located is None or not gates:
        return gates
    return program.located.native(gates, program.device_qubit(qubit))


def _after(bits: int, check: Callable[[int], int] | None) -> Callable[[int], int]:
    """The outcome without its first bits, of which `check` raises for those without a result."""

    def outcome(measured: int) -> int:
        if check is not None:
            check(measured & (1 << bits) - 1)
        return measured >> bits

    return outcome
