"""Which classical bits the operations of a circuit read or write. Used by separating parts and leaving measurements."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qiskit.circuit import ClassicalRegister, Clbit
from qiskit.circuit.classical import expr

from ketline.execution.circuit.operations import Step

_CONDITIONAL = frozenset({"if_else", "while_loop"})


def bits_used(step: Step, numbers: Mapping[Any, int]) -> set[int]:
    """The bits that an operation reads or writes, by index; `numbers` has the index of each of Qiskit's bits.

    Qiskit's instruction has the bits of the blocks of a branch or loop, but not always those of its condition.
    """
    name, _, written, _, source = step
    used = set(written)
    if name in _CONDITIONAL:
        used.update(numbers[bit] for bit in bits_in(source.operation.condition))
    elif name == "store":
        operation = source.operation
        used.update(numbers[bit] for node in (operation.lvalue, operation.rvalue) for bit in bits_in(node))
    return used


def bits_in(condition: Any) -> Iterator[Any]:
    """Qiskit's bits in an expression, or in a bit or register with the value that it is compared with."""
    if isinstance(condition, tuple):
        yield from _bits_of(condition[0])
        return
    for variable in expr.iter_vars(condition):
        yield from _bits_of(variable.var)


def without_final_measurements(
    steps: Sequence[Step], bits: Sequence[Any]
) -> tuple[Sequence[Step], Sequence[tuple[int, int]]]:
    """The other operations in order, and the qubit and bit of each measurement after which neither is used again.

    Such a measurement gives the same outcomes at the end of the circuit. `bits` are Qiskit's, by index.
    """
    numbers = {bit: number for number, bit in enumerate(bits)}
    later_qubits: set[int] = set()
    later_bits: set[int] = set()
    others: list[Step] = []
    final: list[tuple[int, int]] = []
    for step in reversed(steps):
        name, qubits, written, _, _ = step
        used = bits_used(step, numbers)
        if name == "measure" and later_qubits.isdisjoint(qubits) and later_bits.isdisjoint(used):
            final.append((qubits[0], written[0]))
        else:
            others.append(step)
        later_qubits.update(qubits)
        later_bits |= used
    return others[::-1], final[::-1]


def _bits_of(target: Any) -> Sequence[Any]:
    if isinstance(target, ClassicalRegister):
        return list(target)
    return [target] if isinstance(target, Clbit) else ()
