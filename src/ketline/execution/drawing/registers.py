"""Assigns the qubits and bits of a circuit to the registers of its program, for drawings."""

from collections.abc import Iterator, Sequence
from itertools import chain, count
from typing import Any

from qiskit.circuit import ClassicalRegister, QuantumCircuit, QuantumRegister


def with_registers(circuit: Any, groups: Sequence[int]) -> Any:
    """The same circuit with every qubit and bit in one register, in the order of the program.

    Each group of the bitstrings is a register, so bitstrings stay the same. Aliases of bits are left out.
    """
    taken = {register.name for register in (*circuit.qregs, *circuit.cregs)}
    result = QuantumCircuit(circuit.qubits, circuit.clbits)
    for register, bits in _qubit_groups(circuit):
        result.add_register(register or QuantumRegister(name=_free_name("q", taken), bits=bits))
    for register, bits in _bit_groups(circuit, groups):
        result.add_register(register or ClassicalRegister(name=_free_name("c", taken), bits=bits))
    for instruction in circuit.data:
        result.append(instruction, copy=False)
    return result


def _free_name(stem: str, taken: set[str]) -> str:
    names = chain([stem], (f"{stem}{number}" for number in count(1)))
    name = next(name for name in names if name not in taken)
    taken.add(name)
    return name


def _qubit_groups(circuit: Any) -> Iterator[tuple[Any, list[Any]]]:
    """Yield runs of qubits with their register; None for qubits that were declared one by one."""
    starts = {register[0]: register for register in reversed(circuit.qregs) if len(register)}
    loose: list[Any] = []
    position = 0
    while position < circuit.num_qubits:
        register = starts.get(circuit.qubits[position])
        run = circuit.qubits[position : position + len(register)] if register is not None else []
        if register is None or run != list(register):
            loose.append(circuit.qubits[position])
            position += 1
            continue
        if loose:
            yield None, loose
            loose = []
        yield register, run
        position += len(run)
    if loose:
        yield None, loose


def _bit_groups(circuit: Any, groups: Sequence[int]) -> Iterator[tuple[Any, list[Any]]]:
    """Yield the groups of bits with their register; None for bits that were declared one by one."""
    declared = {tuple(register): register for register in reversed(circuit.cregs)}
    start = 0
    for width in groups:
        bits = circuit.clbits[start : start + width]
        yield declared.get(tuple(bits)), bits
        start += width
    if start < circuit.num_clbits:
        yield None, circuit.clbits[start:]
