"""Appends measurements in a Pauli basis to a program."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from qiskit.circuit import Clbit
from qiskit.circuit.library import HGate, SdgGate

from ketline.execution.circuit.passes.lowered import Lowered
from ketline.execution.circuit.plain import plain_of
from ketline.execution.frontend.program import Program

# The gates that turn a measurement of Z into one of the Pauli operator that is the key.
_ROTATIONS: Mapping[str, Sequence[Any]] = {"X": (HGate(),), "Y": (SdgGate(), HGate()), "Z": ()}


def measured_in(program: Program, letters: Mapping[int, str]) -> Program:
    """The program with a final measurement of each declared qubit in `letters`, in the basis of its Pauli letter.

    The program must have been read for observables. Its outcomes contain only the bits of these measurements, in the
    order of `letters`.
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
    """The gates before the measurement of a declared qubit; on a device, expressed in the device's gates."""
    gates = _ROTATIONS[letter]
    if program.located is None or not gates:
        return gates
    return program.located.native(gates, program.device_qubit(qubit))


def _after(bits: int, check: Callable[[int], int] | None) -> Callable[[int], int]:
    """A function that removes the lowest `bits` bits of an outcome; `check` raises for those without a result."""

    def outcome(measured: int) -> int:
        if check is not None:
            check(measured & (1 << bits) - 1)
        return measured >> bits

    return outcome
