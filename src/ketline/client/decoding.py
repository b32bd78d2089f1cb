"""Decoding of the service's JSON into values; unknown fields are ignored, so that newer services can be read.

The flows decode responses with it, and `streams.py` events.
"""

from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, TypeVar, cast
from uuid import UUID

from ketline.client.models import (
    Accepted,
    Change,
    Diagnostic,
    EndedTasks,
    Event,
    Failure,
    Output,
    Placement,
    Principal,
    Profile,
    ProgramWarning,
    Queue,
    Result,
    Statistics,
    Task,
    TaskPage,
    Validation,
    Worker,
)
from ketline.domain.results.outputs import COMPLEX
from ketline.domain.status import TaskStatus

T = TypeVar("T")
Document = Mapping[str, Any]

_READERS: Mapping[str, Callable[[Any], Any]] = {
    "task_id": UUID,
    "rerun_of": UUID,
    "status": TaskStatus,
    "submitted_at": datetime.fromisoformat,
    "completed_at": datetime.fromisoformat,
    "scheduled_for": datetime.fromisoformat,
    "released_at": datetime.fromisoformat,
    "estimated_start": datetime.fromisoformat,
    "counted_at": datetime.fromisoformat,
    "started_at": datetime.fromisoformat,
    "expires_at": datetime.fromisoformat,
    "last_seen_at": datetime.fromisoformat,
}


def read_accepted(document: Document) -> Accepted:
    return _read(Accepted, document)


def read_task(document: Document) -> Task:
    profile = None if document.get("profile") is None else _read_profile(document["profile"])
    return _read(
        Task,
        document,
        profile=profile,
        error=None if document.get("error") is None else _read(Failure, document["error"]),
        history=tuple(map(_read_change, document.get("status_history") or ())),
        queue=None if document.get("queue") is None else _read(Queue, document["queue"]),
        tags=tuple(document.get("tags") or ()),
        metadata=document.get("metadata") or {},
        result=None if document.get("result") is None else _read_result(document, document["result"], profile),
        data=document,
    )


def read_page(document: Document) -> TaskPage:
    return TaskPage(tasks=tuple(map(read_task, document["tasks"])), next=document.get("next"))


def read_ended(document: Document) -> EndedTasks:
    return EndedTasks(
        tasks=tuple(map(read_task, document["tasks"])),
        unread=tuple(map(UUID, document["unread"])),
        missing=tuple(map(UUID, document["missing"])),
    )


def read_event(event_id: int, document: Document) -> Event:
    return Event(event_id=event_id, task_id=UUID(document["task_id"]), change=_read_change(document))


def read_validation(document: Document) -> Validation:
    diagnostics = tuple(_read(Diagnostic, one) for one in document["diagnostics"])
    return _read(Validation, document, data=document, diagnostics=diagnostics)


def read_workers(document: Document) -> tuple[Worker, ...]:
    return tuple(
        _read(Worker, one, data=one, task_ids=tuple(UUID(task["task_id"]) for task in one["tasks"]))
        for one in document["workers"]
    )


def read_principal(document: Document) -> Principal:
    return _read(Principal, document, data=document)


def read_backends(document: Document) -> tuple[Document, ...]:
    return (*document["backends"], *document.get("external", ()))


def read_statistics(document: Document) -> Statistics:
    return _read(Statistics, document, data=document)


def _read_profile(document: Document) -> Profile:
    warnings = tuple(_read(ProgramWarning, one) for one in document.get("warnings") or ())
    placed = document.get("placement")
    placement = None if placed is None else _read(Placement, placed)
    return _read(Profile, document, warnings=warnings, placement=placement)


def _read_change(document: Document) -> Change:
    return _read(Change, document, at=datetime.fromisoformat(document["transitioned_at"]))


def _read_result(task: Document, result: Document, profile: Profile | None) -> Result:
    saved = _read_outputs(result.get("outputs"))
    if "counts" not in result:
        return replace(_read_other_result(task, result, profile), saved=saved)
    counts, memory = result["counts"], result.get("memory")
    sweep = isinstance(counts, list)
    return Result(
        task_id=UUID(task["task_id"]),
        points=tuple(counts) if sweep else (counts,),
        shots=result["shots"],
        memories=None if memory is None else tuple(memory) if sweep else (memory,),
        saved=saved,
        mitigation=result.get("mitigation"),
        seed=task.get("seed"),
        profile=profile,
        data=result,
    )


def _read_outputs(outputs: Any) -> tuple[Mapping[str, Output], ...]:
    """The outputs of each point; of a task that is no sweep, of its only one."""
    points = outputs if isinstance(outputs, list) else [] if outputs is None else [outputs]
    return tuple({name: _read_output(one) for name, one in by_name.items()} for by_name in points)


def _read_output(document: Document) -> Output:
    values = document["values"]
    if document["type"] in COMPLEX:
        values = _complex(values)
    return Output(type=document["type"], qubits=tuple(document["qubits"]), values=values)


def _complex(values: Any) -> Any:
    """Nested lists whose innermost pairs are complex numbers."""
    if isinstance(values[0], list):
        return [_complex(row) for row in values]
    return complex(*values)


def _read_other_result(task: Document, result: Document, profile: Profile | None) -> Result:
    """A result that has no counts: expectation values, outputs, or the output of a conversion."""
    output = result.get("output")
    return Result(
        task_id=UUID(task["task_id"]),
        points=(),
        shots=0,
        expectation_values=result.get("expectation_values"),
        gradients=result.get("gradients"),
        gradient_standard_errors=result.get("gradient_standard_errors"),
        standard_errors=result.get("standard_errors"),
        mitigation=result.get("mitigation"),
        output=b64decode(output) if output is not None and result.get("encoding") == "base64" else output,
        profile=profile,
        data=result,
    )


def _read(shape: type[T], document: Document, **read: Any) -> T:
    names = [field.name for field in fields(cast("Any", shape))]
    given = {name: document[name] for name in names if name not in read and document.get(name) is not None}
    return shape(**{name: _READERS.get(name, _as_is)(value) for name, value in given.items()}, **read)


def _as_is(value: Any) -> Any:
    return value
