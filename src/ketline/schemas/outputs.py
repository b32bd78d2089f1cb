"""The types of a request's `outputs`, and of outputs in results."""

import re
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, WithJsonSchema
from pydantic_core import PydanticCustomError

from ketline.domain.limits import MAX_OUTPUT_LETTERS, MAX_OUTPUT_QUBITS, MAX_OUTPUT_TERMS, MAX_OUTPUTS
from ketline.domain.results.outputs import WHOLE, OutputType, RequestedOutput
from ketline.schemas.observables import Observable, check_observables

_NAME = re.compile("[A-Za-z][A-Za-z0-9_.-]{0,63}")
_PLACE = re.compile("[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_FIELDS = {"type", "name", "qubits", "at", "observables", "variance"}
_TYPES = [one.value for one in OutputType]
_WITHOUT_QUBITS = WHOLE | {OutputType.COUNTS}


class OutputRequest(BaseModel):
    """An output of the final state, or of that at a place in the program; of these qubits or of all."""

    model_config = ConfigDict(extra="forbid", strict=True)

    type: Annotated[OutputType, Field(strict=False)]
    name: str | None = None
    qubits: list[int] | None = None
    at: str | None = None
    observables: list[Observable] | None = None
    variance: bool = False

    def as_requested(self) -> RequestedOutput:
        """The value for the domain."""
        qubits = None if self.qubits is None else tuple(self.qubits)
        observables = tuple(self.observables or ())
        return RequestedOutput(
            self.type, self.name or self.type.value, qubits, self.at, observables, variance=self.variance
        )


class OutputView(BaseModel):
    """A computed output: amplitudes, probabilities, a matrix by rows, an entropy in bits, or expectation values."""

    type: OutputType
    qubits: list[int] = Field(examples=[[0, 1]], description="Bit j of an index is the j-th of them")
    values: JsonValue = Field(
        examples=[[[0.7071067811865476, 0.0], [0.0, 0.0], [0.0, 0.0], [0.7071067811865476, 0.0]]],
        description="Nested arrays of numbers; a complex number is a pair of real and imaginary part, an expectation "
        "value with its variance a pair of both",
    )


def _check(value: object) -> object:
    """Check the outputs by hand, since a union would list the errors of each member; names become objects."""
    if not isinstance(value, list):
        raise _error("must be a list")
    if len(value) > MAX_OUTPUTS:
        raise _error(f"must have at most {MAX_OUTPUTS} outputs")
    outputs = [_checked({"type": one} if isinstance(one, str) else one) for one in value]
    names = [one.get("name") or one["type"] for one in outputs]
    if len(set(names)) < len(names):
        raise _error("must have distinct names: give one to outputs of the same type")
    labels = [label for one in outputs for observable in one.get("observables") or () for label in observable]
    if len(labels) > MAX_OUTPUT_TERMS or sum(map(len, labels)) > MAX_OUTPUT_LETTERS:
        raise _error(
            f"must have at most {MAX_OUTPUT_TERMS} labels of observables, and {MAX_OUTPUT_LETTERS} letters in them, in "
            "all: use 'observables' for more, or 'qubits' for shorter ones"
        )
    return outputs


def _checked(output: object) -> dict[str, Any]:
    if not isinstance(output, dict) or not set(output) <= _FIELDS:
        raise _error("must be types, or objects with a type, and perhaps a name, qubits and a place 'at'")
    if output.get("type") not in _TYPES:
        raise _error(f"must have one of the types {', '.join(_TYPES)}")
    name, qubits = output.get("name"), output.get("qubits")
    if name is not None and not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise _error("must have names of 1 to 64 letters, digits, '_', '.' and '-', with a letter first")
    if qubits is not None:
        _check_qubits(qubits, OutputType(output["type"]))
    _check_place(output.get("at"), OutputType(output["type"]))
    if output["type"] == OutputType.EXPECTATION_VALUES:
        _check_observables(output)
    elif "observables" in output or "variance" in output:
        raise _error("must have observables and variance for 'expectation_values' only")
    return output


def _check_place(at: object, of: OutputType) -> None:
    if at is None:
        return
    if of is OutputType.COUNTS:
        raise _error("must have no place 'at' for 'counts', which are those of the measurements")
    if not isinstance(at, str) or not _PLACE.fullmatch(at):
        raise _error("must have names of places 'at' of 1 to 64 letters, digits, '_', '.' and '-', not a digit first")


def _check_observables(output: dict[str, Any]) -> None:
    observables = output.get("observables")
    if not isinstance(observables, list) or not observables:
        raise _error("must have observables for 'expectation_values', as [{\"ZZ\": 1.0}]")
    check_observables(observables)
    if not isinstance(output.get("variance", False), bool):
        raise _error("must have true or false for variance")
    qubits, letters = output.get("qubits"), len(next(iter(observables[0])))
    if isinstance(qubits, list) and len(qubits) != letters:
        raise _error(f"must have labels with a letter for each of the {len(qubits)} qubits, not {letters} letters")


def _check_qubits(qubits: object, of: OutputType) -> None:
    if of in _WITHOUT_QUBITS:
        raise _error(f"must have no qubits for '{of}', which is that of all qubits")
    if not isinstance(qubits, list) or not qubits or not all(type(qubit) is int for qubit in qubits):
        raise _error("must have lists of numbers for qubits, which must not be empty")
    if min(qubits) < 0 or max(qubits) >= MAX_OUTPUT_QUBITS or len(set(qubits)) < len(qubits):
        raise _error(f"must have distinct qubits from 0 to {MAX_OUTPUT_QUBITS - 1}")


def _error(message: str) -> PydanticCustomError:
    return PydanticCustomError("outputs", "{message}", {"message": message})


_OBJECT = {
    "type": "object",
    "properties": {
        "type": {"type": "string", "enum": _TYPES},
        "name": {"type": "string", "description": "Its name in the result; default: the type"},
        "qubits": {
            "type": "array",
            "items": {"type": "integer", "minimum": 0},
            "description": "The qubits, by number; bit j of an index is the j-th of them; default: all",
        },
        "at": {
            "type": "string",
            "description": "The name of a place in the program, `#pragma ketline save NAME`; default: its end",
        },
        "observables": {
            "type": "array",
            "items": {"type": "object", "additionalProperties": {"type": "number"}, "minProperties": 1},
            "minItems": 1,
            "description": "Of `expectation_values`: sums of Pauli operators, coefficients by label with a letter for "
            "each of the qubits, the rightmost for the first",
        },
        "variance": {"type": "boolean", "description": "Whether each expectation value has its variance"},
    },
    "required": ["type"],
    "additionalProperties": False,
}
OutputRequests = Annotated[
    list[OutputRequest],
    BeforeValidator(_check),
    WithJsonSchema(
        {
            "type": "array",
            "items": {"anyOf": [{"type": "string", "enum": _TYPES}, _OBJECT]},
            "maxItems": MAX_OUTPUTS,
        }
    ),
]
