"""The shape of a request's `mitigation`."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from ketline.domain.limits import MAX_SCALE_FACTOR, MAX_SCALE_FACTORS
from ketline.domain.mitigation import (
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


class MitigationRequest(BaseModel):
    """What is done against errors in expectation values: at least one of the two."""

    model_config = ConfigDict(extra="forbid", strict=True)

    zne: Annotated[ZeroNoiseRequest | None, Field(description="Zero-noise extrapolation")] = None
    readout: Annotated[bool, Field(description="Correct values for the readout errors of `noise`")] = False

    @model_validator(mode="after")
    def _require_one(self) -> Self:
        if self.zne is None and not self.readout:
            raise PydanticCustomError("mitigation", "must have zne, or readout as true")
        return self

    def as_requested(self) -> Mitigation:
        return Mitigation(zne=None if self.zne is None else self.zne.as_requested(), readout=self.readout)
