"""Error mitigation of expectation values: zero-noise extrapolation, and the correction of readout errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

DEFAULT_SCALE_FACTORS = (1.0, 3.0, 5.0)
DEFAULT_ORDER = 2


class Extrapolation(StrEnum):
    """The curve that is fitted to values at several strengths of noise, and read at none."""

    LINEAR = "linear"
    POLYNOMIAL = "polynomial"
    RICHARDSON = "richardson"
    EXPONENTIAL = "exponential"


class Folding(StrEnum):
    """What is followed by its inverse and itself to make noise stronger: the whole circuit, or each gate."""

    GLOBAL = "global"
    LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroNoise:
    """Zero-noise extrapolation from circuits that are so many times as long.

    `order` is that of a polynomial. An exponential approaches `asymptote`; if that is None, the value of the observable
    in the maximally mixed state.
    """

    scale_factors: tuple[float, ...] = DEFAULT_SCALE_FACTORS
    extrapolation: Extrapolation = Extrapolation.LINEAR
    folding: Folding = Folding.GLOBAL
    order: int = DEFAULT_ORDER
    asymptote: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mitigation:
    """What is done against errors; with `readout` each measured qubit is corrected for its readout errors."""

    zne: ZeroNoise | None = None
    readout: bool = False

    def as_json(self) -> Mapping[str, object]:
        """As databases, simulator processes and clients get it; `mitigation_of` is the inverse."""
        zne = self.zne
        if zne is None:
            return {"readout": self.readout}
        shown = {
            "scale_factors": list(zne.scale_factors),
            "extrapolation": zne.extrapolation.value,
            "folding": zne.folding.value,
        }
        order = {"order": zne.order} if zne.extrapolation is Extrapolation.POLYNOMIAL else {}
        asymptote = {} if zne.asymptote is None else {"asymptote": zne.asymptote}
        return {"zne": {**shown, **order, **asymptote}, "readout": self.readout}


def mitigation_of(stored: Mapping[str, Any] | None) -> Mitigation | None:
    """The mitigation of a task from the JSON of `Mitigation.as_json`; None stays None."""
    if stored is None:
        return None
    zne = stored.get("zne")
    return Mitigation(zne=None if zne is None else _zero_noise(zne), readout=bool(stored.get("readout")))


def _zero_noise(stored: Mapping[str, Any]) -> ZeroNoise:
    factors: Sequence[float] = stored["scale_factors"]
    return ZeroNoise(
        scale_factors=tuple(map(float, factors)),
        extrapolation=Extrapolation(stored["extrapolation"]),
        folding=Folding(stored["folding"]),
        order=int(stored.get("order", DEFAULT_ORDER)),
        asymptote=stored.get("asymptote"),
    )
