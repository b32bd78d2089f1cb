"""The shape of a request's `mitigation`."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from ketline.domain.limits import MAX_CALIBRATION_SHOTS, MAX_SCALE_FACTOR, MAX_SCALE_FACTORS
from ketline.domain.results.mitigation import (
    DEFAULT_CALIBRATION_SHOTS,
    DEFAULT_ORDER,
    DEFAULT_SCALE_FACTORS,
    Extrapolation,
    Folding,
    Mitigation,
    ZeroNoise,
)

_FACTORS = {"field": "scale_factors"}
ScaleFactor = Annotated[float, Field(ge=1, le=MAX_SCALE_FACTOR, allow_inf_nan=False)]


class ZeroNoiseRequest(BaseModel):
    """Zero-noise extrapolation: values at several strengths of noise, extrapolated to none."""

    model_config = ConfigDict(extra="forbid", strict=True)

    scale_factors: Annotated[
        list[ScaleFactor],
        Field(
            min_length=2,
            max_length=MAX_SCALE_FACTORS,
            description="How many times as long circuits are made, each factor once",
            examples=[[1, 3, 5]],
        ),
    ] = list(DEFAULT_SCALE_FACTORS)
    extrapolation: Annotated[
        Extrapolation, Field(strict=False, description="The curve that is fitted to the values")
    ] = Extrapolation.LINEAR
    folding: Annotated[
        Folding, Field(strict=False, description="Whether the circuit as a whole is folded, or each gate")
    ] = Folding.GLOBAL
    order: Annotated[int | None, Field(ge=1, lt=MAX_SCALE_FACTORS, description="Of a polynomial; default: 2")] = None
    asymptote: Annotated[
        float | None,
        Field(
            allow_inf_nan=False,
            description="What an exponential approaches; default: the value of the maximally mixed state",
        ),
    ] = None

    @model_validator(mode="after")
    def _require_a_fit(self) -> Self:
        if self.order is not None and self.extrapolation is not Extrapolation.POLYNOMIAL:
            raise PydanticCustomError("mitigation", "has a meaning for 'polynomial' only", {"field": "order"})
        if self.asymptote is not None and self.extrapolation is not Extrapolation.EXPONENTIAL:
            raise PydanticCustomError("mitigation", "has a meaning for 'exponential' only", {"field": "asymptote"})
        if len(set(self.scale_factors)) < len(self.scale_factors):
            raise PydanticCustomError("mitigation", "must be different numbers", _FACTORS)
        order = DEFAULT_ORDER if self.order is None else self.order
        if self.extrapolation is Extrapolation.POLYNOMIAL and len(self.scale_factors) <= order:
            text = "must be at least {least} numbers for a polynomial of order {order}"
            raise PydanticCustomError("mitigation", text, {**_FACTORS, "least": order + 1, "order": order})
        return self

    def as_requested(self) -> ZeroNoise:
        return ZeroNoise(
            scale_factors=tuple(sorted(self.scale_factors)),
            extrapolation=self.extrapolation,
            folding=self.folding,
            order=DEFAULT_ORDER if self.order is None else self.order,
            asymptote=self.asymptote,
        )


class ReadoutRequest(BaseModel):
    """The correction of readout errors, which are those of the noise, or are measured."""

    model_config = ConfigDict(extra="forbid", strict=True)

    calibration: Literal["exact", "measured"] = "exact"
    shots: Annotated[int | None, Field(ge=1, le=MAX_CALIBRATION_SHOTS)] = None

    @model_validator(mode="after")
    def _require_shots_of_circuits(self) -> Self:
        if self.shots is not None and self.calibration == "exact":
            raise PydanticCustomError("mitigation", "has a meaning for 'measured' only", {"field": "shots"})
        return self


def _as_readout(value: object) -> object:
    if isinstance(value, bool):
        return {} if value else None
    if value is None or isinstance(value, (dict, ReadoutRequest)):
        return value
    raise PydanticCustomError("mitigation", "must be true, false, or a JSON object")


_Readout = Annotated[
    ReadoutRequest | None,
    BeforeValidator(_as_readout),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "boolean"},
                {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "calibration": {"type": "string", "enum": ["exact", "measured"], "default": "exact"},
                        "shots": {
                            "type": "integer",
                            "minimum": 1,
                            "maximum": MAX_CALIBRATION_SHOTS,
                            "default": DEFAULT_CALIBRATION_SHOTS,
                            "description": "Of each state of each qubit, where readout errors are measured",
                        },
                    },
                },
                {"type": "null"},
            ]
        }
    ),
]


class MitigationRequest(BaseModel):
    """The methods that reduce errors: at least one of the two."""

    model_config = ConfigDict(extra="forbid", strict=True)

    zne: Annotated[ZeroNoiseRequest | None, Field(description="Zero-noise extrapolation")] = None
    readout: Annotated[
        _Readout,
        Field(
            description="Correct counts, or values, for readout errors: those of `noise` or the device, or as "
            "calibration circuits measure them",
            examples=[True, {"calibration": "measured", "shots": 10_000}],
        ),
    ] = None

    @model_validator(mode="after")
    def _require_one(self) -> Self:
        if self.zne is None and self.readout is None:
            raise PydanticCustomError("mitigation", "must have zne, or readout as true")
        return self

    def as_requested(self) -> Mitigation:
        readout, shots = self.readout, None
        if readout is not None and readout.calibration == "measured":
            shots = readout.shots or DEFAULT_CALIBRATION_SHOTS
        zne = None if self.zne is None else self.zne.as_requested()
        return Mitigation(zne=zne, readout=readout is not None, calibration_shots=shots)
