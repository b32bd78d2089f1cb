"""Outputs of a simulation beside counts: exact values of the state in which the program ends, or of that at a place."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class OutputType(StrEnum):
    """The values that a task can compute of a state; `counts` are drawn from the final one."""

    COUNTS = "counts"
    STATEVECTOR = "statevector"
    DENSITY_MATRIX = "density_matrix"
    PROBABILITIES = "probabilities"
    UNITARY = "unitary"
    ENTROPY = "entropy"
    EXPECTATION_VALUES = "expectation_values"


# Those that concern all qubits.
WHOLE = frozenset({OutputType.STATEVECTOR, OutputType.UNITARY})
# Those whose values are complex numbers, in JSON as pairs of real and imaginary part.
COMPLEX = frozenset({OutputType.STATEVECTOR, OutputType.DENSITY_MATRIX, OutputType.UNITARY})


# Those that only a single pure state has, and no average over outcomes.
OF_ONE_STATE = frozenset({OutputType.STATEVECTOR, OutputType.UNITARY})


@dataclass(frozen=True, slots=True)
class RequestedOutput:
    """An output that a task computes: of these qubits, in this order, or of all qubits if `qubits` is None.

    `at` is the name of a place in the program; without one it is the end. `observables`, sums of Pauli operators by
    label, are those of expectation values; the rightmost letter of a label is that of the first qubit. With `variance`
    each value has one.
    """

    type: OutputType
    name: str
    qubits: tuple[int, ...] | None = None
    at: str | None = None
    observables: tuple[Mapping[str, float], ...] = ()
    variance: bool = False

    def as_json(self) -> Mapping[str, object]:
        """As databases and simulator processes get it; `requested_output` is the inverse."""
        optional: Mapping[str, object] = {
            "qubits": None if self.qubits is None else list(self.qubits),
            "at": self.at,
            "observables": list(map(dict, self.observables)),
            "variance": self.variance,
        }
        given = {name: value for name, value in optional.items() if value}
        return {"type": self.type.value, "name": self.name, **given}


# A number; or rows of numbers, in which a complex number is a pair.
Values = float | Sequence["Values"]


@dataclass(frozen=True, slots=True)
class Output:
    """A computed output. Bit j of an index into `values` is the j-th of `qubits`.

    `values` are 2^m amplitudes or probabilities of m qubits, a matrix by rows, an entropy in bits, or an expectation
    value for each observable, with its variance as a pair. A complex number is a pair of real and imaginary part.
    """

    type: OutputType
    qubits: Sequence[int]
    values: Values


Outputs = Mapping[str, Output]


def requested_output(stored: Mapping[str, object]) -> RequestedOutput:
    """An output from the JSON of `RequestedOutput.as_json`."""
    qubits = stored.get("qubits")
    at, observables = stored.get("at"), stored.get("observables")
    return RequestedOutput(
        OutputType(str(stored["type"])),
        str(stored["name"]),
        tuple(map(int, qubits)) if isinstance(qubits, Sequence) else None,
        None if at is None else str(at),
        tuple(observables) if isinstance(observables, Sequence) else (),
        bool(stored.get("variance")),
    )


def states_of(outputs: Sequence[RequestedOutput]) -> Sequence[RequestedOutput]:
    """Those that are values of the state, all but counts."""
    return tuple(one for one in outputs if one.type is not OutputType.COUNTS)


def gives_counts(outputs: Sequence[RequestedOutput]) -> bool:
    """Whether a task with these outputs has counts; one without outputs has."""
    return not outputs or any(one.type is OutputType.COUNTS for one in outputs)
