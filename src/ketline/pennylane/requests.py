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
    MAX_CIRCUITS,
    MAX_OPERATIONS_BY_AMPLITUDES,
    TaskLimits,
    points_in_a_task,
    portions,
    work_of,
)
from ketline.domain.limits import MAX_INPUTS, MAX_OBSERVABLE_TERMS


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A circuit to run: the operations and measurements of `tape`, and the options of its task.

    `characters` is the approximate size of its result as JSON. `trained` are the angles of the program, by their places
    in it, by which expectation values are differentiated. A circuit whose shots are spread over several tasks is a
    request for each `portion` of them.
    """

    tape: Any
    wires: Sequence[Any]
    characters: float
    observables: Sequence[Mapping[str, float]] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    portion: int = 0
    trained: Sequence[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTask:
    """A program with its options, which runs these requests, by index: one, or the points of a sweep.

    `places` are those of the angles that are inputs, by the names of the inputs.
    """

    members: Sequence[int]
    program: str
    options: Mapping[str, Any]
    places: Mapping[str, int] = field(default_factory=dict)


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
    """The common part of the requests of one sweep, besides their programs."""
    options = json.dumps(request.options, sort_keys=True)
    return options, request.observables is None, request.portion, tuple(request.trained)


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
    inputs = sorted({*varying, *requests[members[0]].trained})
    most = 1
    if varying and len(inputs) <= MAX_INPUTS:
        most = _most_points([requests[member] for member in members], len(inputs), limits)
    for part in portions(len(members), most):
        some = members[part]
        used = requests[some[0]].trained if len(some) == 1 else inputs
        yield _task_of([requests[member] for member in some], some, {place: values[part][:, place] for place in used})


def _most_points(requests: Sequence[Request], inputs: int, limits: TaskLimits) -> int:
    first = requests[0]
    fitting = points_in_a_task(limits, inputs, max(request.characters for request in requests))
    terms = max((sum(map(len, request.observables or ())) for request in requests), default=0)
    if terms:
        letters = len(first.wires) + 32
        fitting = min(fitting, MAX_OBSERVABLE_TERMS // terms, limits.input_characters // (terms * letters))
    work = work_of(len(first.tape.operations), len(first.wires))
    return max(1, min(fitting, MAX_CIRCUITS, MAX_OPERATIONS_BY_AMPLITUDES // max(1, work)))


def _task_of(requests: Sequence[Request], members: Sequence[int], inputs: Mapping[int, Any]) -> PlannedTask:
    """The program of all requests, with inputs for the angles at these places, and their values."""
    places: dict[str, int] = {}
    written = 0

    def write(value: Any, writer: ProgramWriter, factor: float) -> str:
        nonlocal written
        place, written = written, written + 1
        if place not in inputs:
            return repr(real(value) * factor)
        name = writer.input(f"a{place}")
        places[name] = place
        return name

    first = requests[0]
    program = program_of_tape(first.tape, first.wires, write_angle=write, postselects=True).text
    by_point = [request.observables for request in requests]
    options = {**first.options, "observables": by_point[0] if all(map(by_point[0].__eq__, by_point)) else by_point}
    if inputs:
        columns = {name: inputs[place].tolist() for name, place in places.items()}
        options["inputs"] = columns if len(members) > 1 else {name: column[0] for name, column in columns.items()}
    if first.trained:
        options["gradient"] = [name for name, place in places.items() if place in first.trained]
    return PlannedTask(members=members, program=program, options=options, places=places)
