"""Extrapolates values at several strengths of noise to none, with their standard errors.

Sources: K. Temme, S. Bravyi and J. Gambetta, Phys. Rev. Lett. 119, 180509 (2017), for Richardson's; T. Giurgica-Tiron
et al., IEEE QCE (2020), section IV, for the others. Values are those of mitiq's `LinearFactory`, `PolyFactory`,
`RichardsonFactory` and, with an asymptote, `ExpFactory`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ketline.domain.results.mitigation import Extrapolation, ZeroNoise

# The least distance from an asymptote: the logarithm of a smaller one is only rounding.
_NEAREST = 1e-9


class Limit(NamedTuple):
    """A value without noise, its standard error, and the curve with which it was found.

    `slopes` are the derivatives by the values that it was found from, in the order of these.
    """

    value: float
    error: float
    curve: Extrapolation
    slopes: Any


def extrapolated(
    factors: Sequence[float], values: Sequence[float], errors: Sequence[float], zne: ZeroNoise, asymptote: float
) -> Limit:
    """The value at factor 0 of a curve through the values at these factors, which have these standard errors.

    Where an exponential cannot be fitted, because values are not on one side of the asymptote, a line is.
    """
    x, y, sigma = np.array(factors), np.array(values), np.array(errors)
    if zne.extrapolation is Extrapolation.EXPONENTIAL:
        found = _exponential(x, y, sigma, asymptote)
        if found is not None:
            return found
    order = {Extrapolation.POLYNOMIAL: zne.order, Extrapolation.RICHARDSON: len(factors) - 1}.get(zne.extrapolation, 1)
    weights = _weights_at_zero(x, order, np.ones_like(x))
    curve = Extrapolation.LINEAR if zne.extrapolation is Extrapolation.EXPONENTIAL else zne.extrapolation
    return Limit(float(weights @ y), float(np.hypot.reduce(weights * sigma)), curve, weights)


def _exponential(x: Any, y: Any, sigma: Any, asymptote: float) -> Limit | None:
    """A line through the logarithms of the distances from the asymptote, weighted by these: a + s exp(z0 + z1 x)."""
    sign = 1.0 if y[int(np.argmin(x))] >= asymptote else -1.0
    distances = sign * (y - asymptote)
    if (np.abs(distances) < _NEAREST).all():
        return Limit(asymptote, float(np.linalg.norm(sigma)), Extrapolation.EXPONENTIAL, np.ones_like(x))
    if (distances < _NEAREST).any():
        return None
    weights = _weights_at_zero(x, 1, np.sqrt(distances))
    distance = float(np.exp(weights @ np.log(distances)))
    # The logarithm of a distance d has the error sigma / d, to first order and with the weights as they are.
    slopes = distance * weights / distances
    return Limit(asymptote + sign * distance, float(np.linalg.norm(slopes * sigma)), Extrapolation.EXPONENTIAL, slopes)


def _weights_at_zero(x: Any, order: int, weights: Any) -> Any:
    """The factors of values, of which the sum is the value at 0 of their least-squares polynomial.

    `weights` multiply the residuals, as those of `numpy.polyfit`. Factors are scaled, so that powers do not overflow.
    """
    powers = np.vander(x / np.max(np.abs(x)), order + 1, increasing=True)
    return np.linalg.pinv(powers * weights[:, None])[0] * weights
