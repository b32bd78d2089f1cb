"""The declarations of an OpenQASM 2 program, which `outliner.py` finds before the program is parsed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

_WHOLE_REGISTER = re.compile(r"[A-Za-z_]\w*+(?!\s*\[)")


class Signature(NamedTuple):
    """The numbers of a gate's parameters and qubits."""

    parameters: int
    qubits: int


# Qiskit's exporter declares it as opaque wherever a circuit waits.
DELAY = ("delay", Signature(parameters=1, qubits=1))


@dataclass(slots=True)
class Body:
    """The number of a gate's operations, its depth of nesting, and whether it calls an opaque gate."""

    operations: int = 0
    depth: int = 1
    is_opaque: bool = False


@dataclass(slots=True)
class Outline:
    """The declarations of a program, and the parts that Qiskit's reader does not check or reads differently.

    `qubits` and `bits` are the sizes of registers, `gates` and `bodies` those that the program declares itself;
    `called_bare` are the words of statements without parentheses behind them. `conditional_measurements` are the widths
    of the measurements under an `if`, in order; with `decides_own_bits` one of them measures several bits of the
    register that its `if` compares.
    """

    qubits: dict[str, int] = field(default_factory=dict)
    bits: dict[str, int] = field(default_factory=dict)
    gates: dict[str, Signature] = field(default_factory=dict)
    bodies: dict[str, Body] = field(default_factory=dict)
    called_bare: set[str] = field(default_factory=set)
    has_long_index: bool = False
    has_conditions: bool = False
    conditional_measurements: list[int] = field(default_factory=list)
    decides_own_bits: bool = False

    @property
    def declared(self) -> frozenset[str]:
        return frozenset([*self.qubits, *self.bits, *self.gates])

    def width(self, operands: str) -> int:
        """The number of operations of a call, which depends on the registers among its operands."""
        return max(self.sizes(operands), default=1)

    def sizes(self, operands: str) -> Sequence[int]:
        """The sizes of the registers that stand among operands without an index."""
        return [self.qubits.get(name) or self.bits.get(name) or 1 for name in _WHOLE_REGISTER.findall(operands)]
