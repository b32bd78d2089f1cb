"""Named places in a circuit, at which outputs are computed: front ends write them, and simulators read them."""

from collections.abc import Iterator
from typing import Any

from qiskit.circuit import Instruction, ParameterExpression

from ketline.domain.errors import OutputsInvalid

PLACE = "ketline_place"
_SHOWN_NAMES = 10


class NamedPlace(Instruction):  # type: ignore[misc]
    """A place between operations, with its name as the label.

    A front end writes it without qubits, outside of blocks. Lowering gives it those that outputs there need, and as its
    parameter the phase of the operations before it, in radians. `phase` is that of the program until there; None for
    that of the whole circuit.
    """

    def __init__(self, name: str, *, qubits: int = 0, phase: Any = None) -> None:
        super().__init__(PLACE, qubits, 0, [0.0 if phase is None else phase], label=name)
        self.of_circuit = phase is None

    def validate_parameter(self, parameter: Any) -> Any:
        """A phase, which may have parameters."""
        return parameter if isinstance(parameter, ParameterExpression) else float(parameter)


def names_of(circuit: Any) -> list[str]:
    """The names of the places of a circuit, in order.

    Raises:
        OutputsInvalid: two have the same name.
    """
    names = [instruction.label for instruction in _places(circuit)]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise OutputsInvalid(f"two places are named '{repeated}': give each a name of its own")
    return names


def without_places(circuit: Any) -> Any:
    """The circuit without its places; itself if there are none."""
    if next(_places(circuit), None) is None:
        return circuit
    result = circuit.copy_empty_like()
    for instruction in circuit.data:
        if instruction.name != PLACE:
            result.append(instruction, copy=False)
    return result


def unknown_place(name: str, known: list[str]) -> OutputsInvalid:
    """The error for an output at a place that a program does not have."""
    has = f"it has {', '.join(known[:_SHOWN_NAMES])}" if known else "write '#pragma ketline save NAME' there"
    return OutputsInvalid(f"an output is at '{name}', and the program has no place of this name: {has}")


def _places(circuit: Any) -> Iterator[Any]:
    return (instruction for instruction in circuit.data if instruction.name == PLACE)
