"""Checks what a simulator process sends of a mitigation, which may have run a hostile program. Used by `protocol`."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ketline.domain.results.mitigation import Extrapolation, ZeroNoise
from ketline.domain.results.observables import observables_at
from ketline.domain.results.result import Point
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.sweep import number_of_points

_NAMES = {"scale_factors", "values", "standard_errors", "curves"}
_CORRECTED = ("quasi_probabilities", "probabilities")


def checked_mitigation(data: Any, spec: TaskSpec) -> Mapping[str, Any] | None:
    """The values from which an extrapolation was computed, at each point of a sweep; None for a task without one.

    Raises:
        ValueError: it has other parts, another shape, or something else than finite numbers.
    """
    mitigation = spec.options.mitigation
    if mitigation is None or mitigation.zne is None:
        return None
    points = number_of_points(spec.inputs)
    requested = observables_at(spec.options.observables, points or 1)
    found = data["zne"] if points is not None else [data["zne"]]
    if type(found) is not list or len(found) != len(requested):
        raise ValueError("not an extrapolation for each point")
    for at_point, observables in zip(found, requested, strict=True):
        _check(at_point, mitigation.zne, len(observables), sampled=spec.options.sampled)
    return {"zne": data["zne"]}


def checked_correction(data: Any, spec: TaskSpec, points: Sequence[Point]) -> Mapping[str, Any] | None:
    """The corrected counts, at each point of a sweep; None for a task without a correction.

    Raises:
        ValueError: they are of other outcomes than were counted, or something else than finite numbers.
    """
    mitigation = spec.options.mitigation
    if mitigation is None or not mitigation.readout:
        return None
    readout = data["readout"]
    found = readout if number_of_points(spec.inputs) is not None else [readout]
    if type(found) is not list or len(found) != len(points):
        raise ValueError("not a correction for each point")
    for at_point, point in zip(found, points, strict=True):
        if at_point.keys() != {*_CORRECTED, "overhead"}:
            raise ValueError("a correction of other parts")
        _check_numbers([[at_point["overhead"]]], 1, 1)
        for name in _CORRECTED:
            if at_point[name].keys() != point.counts.keys():  # guard: wire.correction
                raise ValueError("a correction of other outcomes")
            _check_numbers([list(at_point[name].values())], 1, len(point.counts))
    return {"readout": readout}


def _check(data: Any, zne: ZeroNoise, observables: int, *, sampled: bool) -> None:
    factors, curves = data["scale_factors"], data["curves"]
    _check_numbers([factors], 1, len(zne.scale_factors))
    for name in ("values", "standard_errors") if sampled else ("values",):
        _check_numbers(data[name], len(factors), observables)
    if data.keys() != (_NAMES if sampled else _NAMES - {"standard_errors"}):
        raise ValueError("an extrapolation of other parts")
    if len(curves) != observables or not set(Extrapolation).issuperset(curves):
        raise ValueError("not a curve for each observable")


def _check_numbers(rows: Sequence[Any], length: int, width: int) -> None:
    if type(rows) is not list or len(rows) != length:
        raise ValueError("values of an extrapolation of another shape")
    for row in rows:
        if type(row) is not list or len(row) != width:  # guard: wire.mitigation
            raise ValueError("values of an extrapolation of another shape")
        if not all(type(number) in (int, float) and math.isfinite(number) for number in row):
            raise ValueError("a value of an extrapolation is no finite number")
