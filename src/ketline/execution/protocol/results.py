"""Decodes and checks the results of tasks: counts, values of observables with gradients, conversions."""

import math
import re
from base64 import b64decode
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ketline.domain.results.gradients import Gradients
from ketline.domain.results.observable import ExpectationValues, Observable
from ketline.domain.results.observables import observables_at
from ketline.domain.results.outputs import gives_counts, states_of
from ketline.domain.results.result import (
    Conversion,
    MediaType,
    Point,
    RunResult,
)
from ketline.domain.tasks.sweep import first_point, number_of_points, points_of
from ketline.execution.checked_gradients import checked_gradients
from ketline.execution.checked_mitigation import checked_correction, checked_mitigation
from ketline.execution.checked_outputs import checked_outputs
from ketline.execution.protocol.profiles import decode_profile
from ketline.execution.protocol.requests import Request

# The keys of counts, with a comma after each.
_COUNTS_KEYS = re.compile("(?:[01]++(?: [01]++)*+,)*+")


def decode_conversion(data: dict[str, Any]) -> RunResult:
    found = data["conversion"]
    content, media_type, binary = str(found["content"]), MediaType(found["media_type"]), bool(found["base64"])
    if binary:
        b64decode(content, validate=True)
    else:
        content.encode()  # raises on a lone surrogate
        if "\x00" in content:
            raise ValueError("a NUL character in text")
    conversion = Conversion(content, media_type=media_type, base64=binary)
    return RunResult(counts={}, shots=0, profile=decode_profile(data["profile"]), conversion=conversion)


def decode_counts(data: dict[str, Any], request: Request) -> RunResult:
    profile, points = decode_profile(data["profile"]), number_of_points(request.spec.inputs)
    shots = request.spec.shots
    if points is None:
        point = _decode_point(data, request)
        return RunResult(
            counts=point.counts,
            shots=shots,
            profile=profile,
            memory=point.memory,
            mitigation=checked_correction(data.get("mitigation"), request.spec, [point]),
            outputs=point.outputs,
        )
    results = [_decode_point(result, request) for result in data["points"]]
    if len(results) != points:
        raise ValueError(f"{len(results)} results of {points} points")
    mitigation = checked_correction(data["mitigation"], request.spec, results)
    return RunResult(counts={}, shots=shots, profile=profile, points=results, mitigation=mitigation)


def _decode_point(data: dict[str, Any], request: Request) -> Point:
    counts, requested = _decode_keyed_counts(data["counts"]), request.spec.options.outputs
    shots = request.spec.shots if gives_counts(requested) else 0
    if min(counts.values(), default=0) < 0 or sum(counts.values()) != shots:
        raise ValueError(f"the counts do not add up to {shots} shots")
    memory = data.get("memory")
    if memory is not None and Counter(memory) != counts:
        raise ValueError("the shots are not those of the counts")
    outputs = checked_outputs(data["outputs"], states_of(requested)) if requested else None
    return Point(counts=counts, memory=memory, outputs=outputs)


def _decode_keyed_counts(data: Any) -> dict[str, int]:
    """Counts by key; checks all keys with one match, because there can be many."""
    if not isinstance(data, dict):
        raise ValueError("not counts")  # noqa: TRY004 - callers handle one error for all that is not a response
    counts: dict[str, int] = data
    if not {int}.issuperset(map(type, counts.values())):
        raise ValueError("a count is not an integer")
    keys = "".join([f"{key}," for key in counts])
    if keys.count(",") != len(counts) or not _COUNTS_KEYS.fullmatch(keys):
        raise ValueError("not the keys of counts")
    return counts


def decode_expectation_values(data: dict[str, Any], request: Request) -> RunResult:
    points = number_of_points(request.spec.inputs)
    requested = observables_at(request.spec.options.observables, points or 1)
    values, errors = (
        None if data[name] is None else _decode_at_points(data[name], requested, swept=points is not None)
        for name in ("expectation_values", "standard_errors")
    )
    if values is None or (errors is None) is request.spec.options.sampled:
        raise ValueError("not the values of observables")
    return RunResult(
        counts={},
        shots=request.spec.shots,
        profile=decode_profile(data["profile"]),
        expectation_values=values,
        standard_errors=errors,
        mitigation=checked_mitigation(data["mitigation"], request.spec),
        gradients=_decode_derivatives(data, "gradients", request),
        gradient_standard_errors=_decode_derivatives(data, "gradient_standard_errors", request)
        if request.spec.options.sampled
        else None,
    )


def _decode_at_points(
    data: Sequence[Any], requested: Sequence[Sequence[Observable]], *, swept: bool
) -> ExpectationValues:
    values = [
        _decode_values(at_point, observables)
        for at_point, observables in zip(data if swept else [data], requested, strict=True)
    ]
    return values if swept else values[0]


def _decode_derivatives(data: dict[str, Any], name: str, request: Request) -> Gradients | None:
    return _decode_gradients(data[name], request) if request.spec.options.gradient else None


def _decode_gradients(data: Any, request: Request) -> Gradients:
    """The gradients at each point of a sweep, or those of a task without a sweep."""
    inputs, points = request.spec.inputs, number_of_points(request.spec.inputs)
    requested = observables_at(request.spec.options.observables, points or 1)
    each = [first_point(inputs)] if points is None else points_of(inputs)
    found = [
        checked_gradients(at_point, values, len(observables))
        for at_point, values, observables in zip([data] if points is None else data, each, requested, strict=True)
    ]
    return found[0] if points is None else found


def _decode_values(data: Sequence[Any], observables: Sequence[Observable]) -> Sequence[float]:
    values = [float(value) for value in data]
    if len(values) != len(observables) or not all(map(math.isfinite, values)):
        raise ValueError("not an expectation value for each observable")
    return values
