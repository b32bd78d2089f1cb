"""Outputs of a simulation beside counts: exact values of the state in which the program ends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class OutputType(StrEnum):
    """What a task can compute of the final state; `counts` are drawn from it."""

    COUNTS = "counts"
    STATEVECTOR = "statevector"
    DENSITY_MATRIX = "density_matrix"
    PROBABILITIES = "probabilities"
    UNITARY = "unitary"
    ENTROPY = "entropy"


# Those that concern all qubits.
WHOLE = frozenset({OutputType.STATEVECTOR, OutputType.UNITARY})
# Those whose values are complex numbers, in JSON as pairs of real and imaginary part.
COMPLEX = frozenset({OutputType.STATEVECTOR, OutputType.DENSITY_MATRIX, OutputType.UNITARY})


@dataclass(frozen=True, slots=True)
class RequestedOutput:
    """An output that a task computes: of these qubits, in this order, or of all qubits if `qubits` is None."""

    type: OutputType
    name: str
    qubits: tuple[int, ...] | None = None

    def as_json(self) -> Mapping[str, object]:
        """As databases and simulator processes get it; `requested_output` is the inverse."""
        qubits = {} if self.qubits is None else {"qubits": list(self.qubits)}
        return {"type": self.type.value, "name": self.name, **qubits}


# A number; or rows of numbers, in which a complex number is a pair.
Values = float | Sequence["Values"]


@dataclass(frozen=True, slots=True)
class Output:
    """A computed output. Bit j of an index into `values` is the j-th of `qubits`.

    `values` are 2^m amplitudes or probabilities of m qubits, a matrix by rows, or an entropy in bits. A complex number
    is a pair of real and imaginary part.
    """

    type: OutputType
    qubits: Sequence[int]
    values: Values


Outputs = Mapping[str, Output]


def requested_output(stored: Mapping[str, object]) -> RequestedOutput:
    """An output from the JSON of `RequestedOutput.as_json`."""
    qubits = stored.get("qubits")
    numbers = tuple(map(int, qubits)) if isinstance(qubits, Sequence) else None
    return RequestedOutput(OutputType(str(stored["type"])), str(stored["name"]), numbers)


def states_of(outputs: Sequence[RequestedOutput]) -> Sequence[RequestedOutput]:
    """Those that are values of the state, all but counts."""
    return tuple(one for one in outputs if one.type is not OutputType.COUNTS)


def gives_counts(outputs: Sequence[RequestedOutput]) -> bool:
    """Whether a task with these outputs has counts; one without outputs has."""
    return not outputs or any(one.type is OutputType.COUNTS for one in outputs)
