"""What a front end reads from a program: its circuit, and the groups of its bitstrings."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ketline.domain.results.result import ProgramWarning
from ketline.domain.tasks.inputs import InputValue
from ketline.execution.circuit.derivatives.dual import Dual
from ketline.execution.circuit.plain import PlainCircuit
from ketline.execution.frontend.places import DeclaredNames, PlacedOperations

Values = Mapping[str, InputValue]


QPY = "qpy"


OPENQASM2 = "openqasm2"


# Some editors write it before a text; it is not part of the program.
BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class ParsedProgram:
    """The circuit that a front end reads from a program, and the widths of the groups of its bitstrings, in order.

    `names` are the declared names of the groups, None for a group of several single bits. `warnings` are about the
    text. `outcome` converts an outcome of the circuit's bits, bit k at position k, into one of the program's bits.
    `parameters` are names that need values, see `with_inputs`. `genuine` distinguishes Qiskit's own operations from
    others of the same names, if the circuit may have such. `values` are the bits of the groups, in order, each known or
    `Measured` on the circuit's bits; None if they are the circuit's bits in order. `places` has the statements that
    wrote the circuit's operations, where the front end records them. `declared` has the names of the text that the
    circuit and the groups do not have. `measures_all`: by the program's dialect all qubits are measured at the end,
    which the circuit does not have yet. `angles` have derivatives; parameters of the circuit stand for them.
    `checked_bits` of the circuit, by index, are those by which `outcome` knows that a program has no result. With
    `computes_bits`, `outcome` may compute a bit instead of copying one.
    """

    plain: PlainCircuit
    groups: tuple[int, ...]
    names: tuple[str | None, ...]
    front_end: str
    outcome: Callable[[int], int] | None = None
    warnings: Sequence[ProgramWarning] = ()
    parameters: frozenset[str] = frozenset()
    genuine: Callable[[Any], bool] | None = None
    values: Sequence[Any] | None = None
    places: Sequence[PlacedOperations] = ()
    declared: DeclaredNames = field(default_factory=DeclaredNames)
    measures_all: bool = False
    angles: Mapping[str, Dual] = field(default_factory=dict)
    checked_bits: frozenset[int] = frozenset()
    computes_bits: bool = False

    @property
    def circuit(self) -> Any:
        """Qiskit's circuit, which is made when it is first read."""
        return self.plain.circuit
