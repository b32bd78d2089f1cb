"""Error mitigation: zero-noise extrapolation of expectation values, and the correction of readout errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

DEFAULT_SCALE_FACTORS = (1.0, 3.0, 5.0)
DEFAULT_ORDER = 2
# The shots for each of the two states of a qubit, where readout errors are measured.
DEFAULT_CALIBRATION_SHOTS = 10_000
_MEASURED = "measured"


class Extrapolation(StrEnum):
    """The curve that is fitted to values at several strengths of noise, and read at none."""

    LINEAR = "linear"
    POLYNOMIAL = "polynomial"
    RICHARDSON = "richardson"
    EXPONENTIAL = "exponential"


class Folding(StrEnum):
    """The part that is followed by its inverse and itself to make noise stronger: the whole circuit, or each gate."""

    GLOBAL = "global"
    LOCAL = "local"


@dataclass(frozen=True, slots=True, kw_only=True)
class ZeroNoise:
    """Zero-noise extrapolation from circuits that are `scale_factors` times as long.

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
    """The methods that reduce errors; with `readout` each measured qubit is corrected for its readout errors.

    These are known from the noise, or measured by circuits with `calibration_shots` shots for each state of each qubit.
    """

    zne: ZeroNoise | None = None
    readout: bool = False
    calibration_shots: int | None = None

    def as_json(self) -> Mapping[str, object]:
        """As databases, simulator processes and clients get it; `mitigation_of` is the inverse."""
        zne, readout = self.zne, self._readout()
        if zne is None:
            return {"readout": readout}
        shown = {
            "scale_factors": list(zne.scale_factors),
            "extrapolation": zne.extrapolation.value,
            "folding": zne.folding.value,
        }
        order = {"order": zne.order} if zne.extrapolation is Extrapolation.POLYNOMIAL else {}
        asymptote = {} if zne.asymptote is None else {"asymptote": zne.asymptote}
        return {"zne": {**shown, **order, **asymptote}, "readout": readout}

    def _readout(self) -> object:
        if self.calibration_shots is None:
            return self.readout
        return {"calibration": _MEASURED, "shots": self.calibration_shots}


def mitigation_of(stored: Mapping[str, Any] | None) -> Mitigation | None:
    """The mitigation of a task from the JSON of `Mitigation.as_json`; None stays None."""
    if stored is None:
        return None
    zne, readout = stored.get("zne"), stored.get("readout")
    # Simulator processes get the fields of a `Mitigation`.
    shots = readout["shots"] if isinstance(readout, Mapping) else stored.get("calibration_shots")
    return Mitigation(zne=None if zne is None else _zero_noise(zne), readout=bool(readout), calibration_shots=shots)


def _zero_noise(stored: Mapping[str, Any]) -> ZeroNoise:
    factors: Sequence[float] = stored["scale_factors"]
    return ZeroNoise(
        scale_factors=tuple(map(float, factors)),
        extrapolation=Extrapolation(stored["extrapolation"]),
        folding=Folding(stored["folding"]),
        order=int(stored.get("order", DEFAULT_ORDER)),
        asymptote=stored.get("asymptote"),
    )
