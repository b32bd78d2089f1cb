"""Metadata that the tasks of a job store of it, so that another process can make its result."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from qiskit.exceptions import QiskitError

from ketline.domain.limits import MAX_METADATA_BYTES
from ketline.qiskit.results.experiments import Experiment
from ketline.qiskit.results.saved_data import read_saved

# The entry of a task's metadata. `job` in it is JSON as text, because names and metadata of circuits can be anything.
ENTRY = "qiskit_job"
_MAX_CHARACTERS = MAX_METADATA_BYTES * 3 // 4


def entry_of(kind: str, number: int, tasks: int, documents: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The metadata of the task of this number, with the first document that is not too long, or with none."""
    entry = {"kind": kind, "task": number, "tasks": tasks}
    for document in documents:
        text = json.dumps(document, separators=(",", ":"))
        if len(json.dumps(text)) <= _MAX_CHARACTERS:
            return {ENTRY: {**entry, "job": text}}
    return {ENTRY: entry}


def documents_of(job_id: str, metadata: Sequence[Mapping[str, Any]]) -> tuple[str, list[Any]]:
    """The kind of a job, and the documents that its tasks store, from the metadata of each in order.

    Raises:
        QiskitError: tasks of the job are missing, or they store no documents.
    """
    entries = [each.get(ENTRY, {}) for each in metadata]
    if not entries or not all("job" in entry for entry in entries):
        raise QiskitError(f"The tasks of job {job_id} do not say what its result is made of.")
    if [entry["task"] for entry in entries] != list(range(entries[0]["tasks"])):
        raise QiskitError(f"Of the {entries[0]['tasks']} tasks of job {job_id} only {len(entries)} are stored.")
    return entries[0]["kind"], [json.loads(entry["job"]) for entry in entries]


def experiments_as_json(
    experiments: Sequence[Experiment], members: Sequence[int], *, with_metadata: bool
) -> list[dict[str, Any]]:
    """Experiments as JSON; registers are left out where they are those of the one before, metadata if it is no JSON."""
    return list(_documents(experiments, members, with_metadata=with_metadata))


def experiments_of(documents: Sequence[Mapping[str, Any]]) -> dict[int, Experiment]:
    """The experiments of `experiments_as_json`, by index."""
    found: dict[int, Experiment] = {}
    registers: Sequence[tuple[str, Sequence[int]]] = ()
    for document in documents:
        if "registers" in document:
            registers = [(name, _bits_of_json(bits)) for name, *bits in document["registers"]]
        found[document["index"]] = Experiment(
            name=document["name"],
            qubits=document["qubits"],
            bits=document["bits"],
            registers=registers,
            metadata=document.get("metadata", {}),
            saved=tuple(map(read_saved, document.get("saved", ()))),
        )
    return found


def _documents(
    experiments: Sequence[Experiment], members: Sequence[int], *, with_metadata: bool
) -> Iterator[dict[str, Any]]:
    before: Any = None
    for member in members:
        one = experiments[member]
        document: dict[str, Any] = {"index": member, "name": one.name, "qubits": one.qubits, "bits": one.bits}
        if one.registers != before:
            document["registers"] = [[name, *_bits_as_json(bits)] for name, bits in one.registers]
        if one.saved:
            document["saved"] = [each.as_json() for each in one.saved]
        if with_metadata and one.metadata and _is_json(one.metadata):
            document["metadata"] = dict(one.metadata)
        yield document
        before = one.registers


def _bits_as_json(bits: Sequence[int]) -> list[Any]:
    """The bits of a register: the first one and their number if they follow each other, otherwise a list of them."""
    first = bits[0] if bits else 0
    return [first, len(bits)] if list(bits) == list(range(first, first + len(bits))) else [list(bits)]


def _bits_of_json(bits: Sequence[Any]) -> Sequence[int]:
    return bits[0] if len(bits) == 1 else list(range(bits[0], bits[0] + bits[1]))


def _is_json(value: Any) -> bool:
    try:
        return bool(json.loads(json.dumps(value)) == value)
    except (TypeError, ValueError, RecursionError):
        return False
