"""Extrapolates values at several noise strengths to zero noise, with their standard errors.

Sources: K. Temme, S. Bravyi and J. Gambetta, Phys. Rev. Lett. 119, 180509 (2017), for Richardson extrapolation; T.
Giurgica-Tiron et al., IEEE QCE (2020), section IV, for the others. Values equal those of mitiq's `LinearFactory`,
`PolyFactory`, `RichardsonFactory` and, with an asymptote, `ExpFactory`.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ketline.domain.results.mitigation import Extrapolation, ZeroNoise

# Smaller distances from the asymptote are rounding errors, so their logarithm is meaningless.
_NEAREST = 1e-9


class Limit(NamedTuple):
    """An extrapolated value at zero noise, its standard error, and the curve that was fitted.

    `slopes` are the derivatives of `value` by the values at the scale factors, in the order of the factors.
    """

    value: float
    error: float
    curve: Extrapolation
    slopes: Any


def extrapolated(
    factors: Sequence[float], values: Sequence[float], errors: Sequence[float], zne: ZeroNoise, asymptote: float
) -> Limit:
    """The value at factor 0 of a curve through the values at these factors, which have these standard errors.

    If an exponential cannot be fitted, because the values are not all on one side of the asymptote, a line is fitted.
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
    """The coefficients c for which c @ y is the value at 0 of the least-squares polynomial through the points (x, y).

    `weights` multiply the residuals, as in `numpy.polyfit`. `x` is scaled so that its powers do not overflow.
    """
    powers = np.vander(x / np.max(np.abs(x)), order + 1, increasing=True)
    return np.linalg.pinv(powers * weights[:, None])[0] * weights
