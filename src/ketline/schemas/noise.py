"""The type of a request's `noise`: named models, and models in the format of Aer's `NoiseModel.to_dict`.

Shapes, sizes, finite numbers and ranges are checked here; what has to be computed, where the task runs.
"""

from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, TypeAdapter, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from ketline.domain.limits import (
    MAX_NOISE_ERRORS,
    MAX_NOISE_MODELS,
    MAX_NOISE_OPERATORS,
    MAX_NOISE_QUBITS,
    MAX_NOISE_TERMS,
)

_MAX_OPERATIONS = 16
_MAX_NAME_CHARACTERS = 64
# A day, in each unit.
_MAX_US, _MAX_NS = 86_400e6, 86_400e9
# Numbers that Aer writes can be wrong in the last digits.
_ROUNDING = 1e-8

Probability = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
_Computed = Annotated[float, Field(ge=-_ROUNDING, le=1 + _ROUNDING, allow_inf_nan=False)]
_Entry = Annotated[float, Field(ge=-1 - _ROUNDING, le=1 + _ROUNDING, allow_inf_nan=False)]
_Pair = Annotated[list[_Entry], Field(min_length=2, max_length=2)]
_Matrix = Annotated[list[Annotated[list[_Pair], Field(min_length=2, max_length=4)]], Field(min_length=2, max_length=4)]
_Name = Annotated[str, Field(min_length=1, max_length=_MAX_NAME_CHARACTERS)]
_Operands = Annotated[list[Annotated[int, Field(ge=0, le=1)]], Field(min_length=1, max_length=2)]
_GateQubits = Annotated[
    list[Annotated[list[Annotated[int, Field(ge=0, le=MAX_NOISE_QUBITS - 1)]], Field(min_length=1, max_length=2)]],
    Field(min_length=1, max_length=MAX_NOISE_ERRORS),
]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Depolarizing(_Shape):
    name: Literal["depolarizing"]
    one_qubit: Probability = 0.0
    two_qubit: Probability = 0.0


class _Readout(_Shape):
    name: Literal["readout"]
    p01: Probability
    p10: Probability


class _ThermalRelaxation(_Shape):
    name: Literal["thermal_relaxation"]
    t1_us: Annotated[float, Field(gt=1e-6, le=_MAX_US, allow_inf_nan=False)]
    t2_us: Annotated[float, Field(gt=1e-6, le=_MAX_US, allow_inf_nan=False)]
    one_qubit_ns: Annotated[float, Field(ge=0, le=_MAX_NS, allow_inf_nan=False)] = 0.0
    two_qubit_ns: Annotated[float, Field(ge=0, le=_MAX_NS, allow_inf_nan=False)] = 0.0

    @model_validator(mode="after")
    def _require_physical_times(self) -> "_ThermalRelaxation":
        if self.t2_us > 2 * self.t1_us:
            raise PydanticCustomError("noise", "must be at most twice t1_us", {"field": "t2_us"})
        return self


class _Operation(_Shape):
    """An operation of an error; `params` are the letters of `pauli`, or matrices."""

    name: _Name
    qubits: _Operands


class _Pauli(_Operation):
    params: Annotated[
        list[Annotated[str, Field(pattern="^[IXYZ]{1,2}$")]],
        Field(min_length=1, max_length=1),
    ]


class _Unitary(_Operation):
    params: Annotated[list[_Matrix], Field(min_length=1, max_length=1)]


class _Kraus(_Operation):
    params: Annotated[list[_Matrix], Field(min_length=1, max_length=MAX_NOISE_OPERATORS)]


class _Other(_Operation):
    params: Annotated[list[Any], Field(max_length=0)] = []


_OPERATIONS = {"pauli": _Pauli, "unitary": _Unitary, "kraus": _Kraus}


def _check_operation(value: object) -> object:
    name = _object(value).get("name")
    return _checked(_OPERATIONS.get(name, _Other) if isinstance(name, str) else _Other, value)


class _QuantumError(_Shape):
    type: Literal["qerror"]
    id: Annotated[str, Field(max_length=_MAX_NAME_CHARACTERS)] = ""
    operations: Annotated[list[_Name], Field(min_length=1, max_length=_MAX_NAME_CHARACTERS)]
    instructions: Annotated[
        list[Annotated[list[Annotated[object, PlainValidator(_check_operation)]], Field(max_length=_MAX_OPERATIONS)]],
        Field(min_length=1, max_length=MAX_NOISE_TERMS),
    ]
    probabilities: Annotated[list[_Computed], Field(min_length=1, max_length=MAX_NOISE_TERMS)]
    gate_qubits: _GateQubits | None = None

    @model_validator(mode="after")
    def _require_a_probability_each(self) -> "_QuantumError":
        if len(self.probabilities) != len(self.instructions):
            text = "must have a number for each of the instructions"
            raise PydanticCustomError("noise", text, {"field": "probabilities"})
        return self


class _ReadoutError(_Shape):
    type: Literal["roerror"]
    operations: list[Literal["measure"]]
    probabilities: Annotated[
        list[Annotated[list[_Computed], Field(min_length=2, max_length=2)]], Field(min_length=2, max_length=2)
    ]
    gate_qubits: _GateQubits | None = None


_ERRORS = {"qerror": _QuantumError, "roerror": _ReadoutError}


def _check_error(value: object) -> object:
    kind = _object(value).get("type")
    if not isinstance(kind, str) or kind not in _ERRORS:
        raise PydanticCustomError("noise", "must be 'qerror' or 'roerror'", {"field": "type"})
    return _checked(_ERRORS[kind], value)


class _Errors(_Shape):
    errors: Annotated[list[Annotated[object, PlainValidator(_check_error)]], Field(max_length=MAX_NOISE_ERRORS)]


class _OwnModel(_Shape):
    model: _Errors


_NAMED = {"depolarizing": _Depolarizing, "readout": _Readout, "thermal_relaxation": _ThermalRelaxation}


def _check_layer(value: object) -> object:
    layer = _object(value)
    if "model" in layer:
        return _checked(_OwnModel, value)
    name = layer.get("name")
    if not isinstance(name, str) or name not in _NAMED:
        *others, last = map(repr, _NAMED)
        text = "must be {offered}, or there must be a model"
        raise PydanticCustomError("noise", text, {"field": "name", "offered": f"{', '.join(others)} or {last}"})
    return _checked(_NAMED[name], value)


_Layers = Annotated[
    list[Annotated[object, PlainValidator(_check_layer)]], Field(min_length=1, max_length=MAX_NOISE_MODELS)
]


def _check(value: object) -> object:
    """Check the shape that the value means: the errors of a union would be those of each member."""
    return _checked(_Layers, value) if isinstance(value, list) else _check_layer(value)


def _object(value: object) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise PydanticCustomError("noise", "must be a JSON object")
    return value


def _checked(shape: Any, value: object) -> object:
    """The value itself, after its check; errors have their places in it."""
    _adapter(shape).validate_python(value)
    return value


@cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    return TypeAdapter(shape)


_LAYER = {"type": "object", "additionalProperties": True}
Noise = Annotated[
    dict[str, Any] | list[dict[str, Any]],
    PlainValidator(_check),
    WithJsonSchema({"anyOf": [_LAYER, {"type": "array", "items": _LAYER, "maxItems": MAX_NOISE_MODELS}]}),
]
