"""Inspects as many points of a sweep as time allows. Used by the executor."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from ketline.domain.errors import ExecutionFailed
from ketline.domain.failures import Failure
from ketline.domain.results.observables import observables_at
from ketline.domain.tasks.inspection import Inspection
from ketline.domain.tasks.sweep import points_of
from ketline.execution.protocol.requests import Request

# Short enough that other programs need not wait: `parent/reader_pool.py` lets them pass one that takes a second.
_SECONDS = 0.5


def inspect_sweep(request: Request, inspect: Callable[[Request], Inspection], points: int) -> Inspection:
    """The inspection of the first point, with what follows from others: a failure, the memory, the time of all points.

    After the first point come the last one and others, evenly spaced, until all are inspected or half a second of
    processor time has passed. The remaining points are assumed to take the mean time.

    Raises:
        ExecutionFailed: as `inspect` does for the first point.
    """
    ends = time.process_time() + _SECONDS
    requests = _requests(request, points)
    found = [first := inspect(requests[0])]
    if first.failure is not None:
        return _failed(first, first.failure, 0)
    for number in _spread(points):
        if time.process_time() > ends:
            break
        try:
            one = inspect(requests[number])
        except ExecutionFailed as error:
            return _failed(first, error.failure, number)
        if one.failure is not None:
            return _failed(first, one.failure, number)
        found.append(one)
    seconds = [one.estimated_seconds for one in found if one.estimated_seconds is not None]
    memory = [one.memory_bytes for one in found if one.memory_bytes is not None]
    mean = sum(seconds) / len(seconds) if len(seconds) == len(found) else None
    return replace(
        first,
        memory_bytes=max(memory) if len(memory) == len(found) else None,
        estimated_seconds=None if mean is None else float(f"{points * mean:.2g}"),
    )


def _failed(first: Inspection, failure: Failure, number: int) -> Inspection:
    """The inspection of a sweep with a point that cannot run; a task with this sweep fails in the same way."""
    told = replace(failure, message=f"at point {number}: {failure.message}")
    return replace(first, failure=told, method=None, method_reason=None, memory_bytes=None, estimated_seconds=None)


def _requests(request: Request, points: int) -> Sequence[Request]:
    """A request for each point alone."""
    spec = request.spec
    observables = observables_at(spec.options.observables, points) if spec.options.observables else [()] * points
    return [
        replace(request, spec=replace(spec, inputs=inputs, options=replace(spec.options, observables=tuple(own))))
        for inputs, own in zip(points_of(spec.inputs), observables, strict=True)
    ]


def _spread(points: int) -> Iterator[int]:
    """The numbers of all points but the first: the last one, the middle one, the middles of both halves, and so on."""
    last = points - 1
    if last:
        yield last
    step = 1 << last.bit_length()
    while step > 1:
        step //= 2
        yield from range(step, last, 2 * step)
