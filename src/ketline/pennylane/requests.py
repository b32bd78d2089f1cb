"""Circuits as tasks of the service: those that differ in angles only are points of one sweep.

Circuits of gradients and of broadcast parameters do, so they need one task, or few.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ketline.client.convert.expressions import real
from ketline.client.convert.pennylane import program_of_tape
from ketline.client.convert.writer import ProgramWriter
from ketline.client.task_limits import (
    MOST_CIRCUITS,
    MOST_OPERATIONS_BY_AMPLITUDES,
    TaskLimits,
    points_in_a_task,
    portions,
    work_of,
)
from ketline.domain.limits import MAX_INPUTS, MAX_OBSERVABLE_TERMS


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A circuit to run: the operations and measurements of `tape`, and the options of its task.

    `characters` is the approximate size of its result as JSON. A circuit whose shots are spread over several tasks is a
    request for each `portion` of them.
    """

    tape: Any
    wires: Sequence[Any]
    characters: float
    observables: Sequence[Mapping[str, float]] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    portion: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTask:
    """A program with its options, which runs these requests, by index: one, or the points of a sweep."""

    members: Sequence[int]
    program: str
    options: Mapping[str, Any]


def tasks_of(requests: Sequence[Request], limits: TaskLimits) -> list[PlannedTask]:
    """The tasks that run all requests, in the order of their first requests.

    Raises:
        CircuitNotConvertible: a part of a circuit is not supported.
    """
    alike: dict[object, list[int]] = {}
    angles: list[Sequence[float]] = []
    for number, request in enumerate(requests):
        structure, own = _structure_of(request)
        angles.append(own)
        alike.setdefault((structure, _key_of(request)), []).append(number)
    tasks = [task for members in alike.values() for task in _split(requests, angles, members, limits)]
    return sorted(tasks, key=lambda task: task.members[0])


def _key_of(request: Request) -> object:
    """What the requests of one sweep have in common besides their programs."""
    return json.dumps(request.options, sort_keys=True), request.observables is None, request.portion


def _structure_of(request: Request) -> tuple[str, Sequence[float]]:
    """The program without its angles, and the angles in order."""
    angles: list[float] = []

    def write(value: Any, writer: ProgramWriter, factor: float) -> str:
        angles.append(real(value) * factor)
        return "?"

    return program_of_tape(request.tape, request.wires, write_angle=write, postselects=True).text, angles


def _split(
    requests: Sequence[Request], angles: Sequence[Sequence[float]], members: Sequence[int], limits: TaskLimits
) -> Iterator[PlannedTask]:
    """Sweeps of requests with one structure, each of which fits into one task."""
    values = np.array([angles[member] for member in members], dtype=np.float64).reshape(len(members), -1)
    varying = np.flatnonzero((values != values[0]).any(axis=0)).tolist()
    most = 1
    if 0 < len(varying) <= MAX_INPUTS:
        most = _most_points([requests[member] for member in members], len(varying), limits)
    for part in portions(len(members), most):
        some = members[part]
        if len(some) == 1:
            yield _task_of(requests[some[0]], some)
        else:
            inputs = {f"a{place}": values[part][:, place].tolist() for place in varying}
            yield _sweep_of([requests[member] for member in some], some, inputs)


def _most_points(requests: Sequence[Request], inputs: int, limits: TaskLimits) -> int:
    first = requests[0]
    fitting = points_in_a_task(limits, inputs, max(request.characters for request in requests))
    terms = max((sum(map(len, request.observables or ())) for request in requests), default=0)
    if terms:
        letters = len(first.wires) + 32
        fitting = min(fitting, MAX_OBSERVABLE_TERMS // terms, limits.input_characters // (terms * letters))
    work = work_of(len(first.tape.operations), len(first.wires))
    return max(1, min(fitting, MOST_CIRCUITS, MOST_OPERATIONS_BY_AMPLITUDES // max(1, work)))


def _task_of(request: Request, members: Sequence[int]) -> PlannedTask:
    program = program_of_tape(request.tape, request.wires, postselects=True).text
    return PlannedTask(
        members=members, program=program, options={**request.options, "observables": request.observables}
    )


def _sweep_of(
    requests: Sequence[Request], members: Sequence[int], inputs: Mapping[str, Sequence[float]]
) -> PlannedTask:
    """The program of all requests, with inputs for the angles that vary, and their values."""
    place = -1

    def write(value: Any, writer: ProgramWriter, factor: float) -> str:
        nonlocal place
        place += 1
        return writer.input(f"a{place}") if f"a{place}" in inputs else repr(real(value) * factor)

    first = requests[0]
    converted = program_of_tape(first.tape, first.wires, write_angle=write, postselects=True)
    by_point = [request.observables for request in requests]
    observables = by_point[0] if all(each == by_point[0] for each in by_point) else by_point
    own = {converted.inputs[name]: values for name, values in inputs.items()}
    return PlannedTask(
        members=members,
        program=converted.text,
        options={**first.options, "inputs": own, "observables": observables},
    )
