"""Every field of a task's spec goes the whole way, and fingerprints of stored keys stay what they were."""

import json
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from hashlib import sha256
from inspect import signature
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from ketline.api.tasks.submission import spec_of
from ketline.cli.client.programs import run, submit
from ketline.cli.options import program_options
from ketline.client.models import Task
from ketline.client.programs import Options, body_of
from ketline.db.schema.tables import tasks
from ketline.domain.circuits.method import Method
from ketline.domain.tasks.labels import Labels
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.domain.tasks.spec_fields import SPEC_FIELDS, SpecField, digest_of
from ketline.execution.protocol.requests import Request, decode_request, encode_request
from ketline.schemas.lists import TaskSummary
from ketline.schemas.submissions import DEFAULT_SHOTS, SubmitRequest
from ketline.schemas.tasks import TaskView
from tests.specs import CHANGED, IN_A_VIEW, PLAIN, SET_BY_THE_SERVICE

# What the simulator's process is told; the rest is for the service around it.
OF_THE_CHILD = {"qc", "shots", "timeout_s", "seed", "method", "memory", "format", "observables", "inputs", "noise"}
OF_THE_CHILD |= {"kind", "target", "profile", "bitcode", "max_qubits"}
OF_THE_CHILD |= {"outputs", "gradient", "device", "sampled", "precision", "mitigation"}
OF_A_KIND = ["kind", "target", "profile", "bitcode", "backend"]
# `ketline run` takes these from elsewhere: files, the schedule of a shell, or not at all.
NOT_ON_THE_COMMAND_LINE = {"program", "program_format", "metadata", "scheduled_for", "max_attempts", "gradient"}
# `ketline convert` has these.
NOT_ON_THE_COMMAND_LINE |= {"kind", "target", "profile", "bitcode"}
NOT_ON_THE_COMMAND_LINE |= SET_BY_THE_SERVICE
# `ketline run` waits for the end of its tasks.
NOT_OF_RUN = {"hold"}
# What a task shows, and neither its value in the client nor its row in a list.
NOT_IN_LISTS = {"format", "profile", "bitcode", "outputs", "gradient", "device", "precision", "mitigation", "callback"}
# What the command line takes where the spec has something else.
ON_THE_COMMAND_LINE: dict[str, tuple[str, Any]] = {
    "inputs": ("given", ["theta=0.5"]),
    "method": ("method", Method.STIM),
    "time_limit_seconds": ("time_limit", 2.5),
    "noise": ("noise", ["depolarizing:one_qubit=0.01"]),
    "outputs": ("outputs", ["counts", "entropy:0", "expectation_values:ZZ@middle"]),
    "device": ("device", '{"name": "line-27", "optimization_level": 2, "initial_layout": [3]}'),
    "observables": ("observables", ["Z"]),
    "mitigation": (
        "mitigation",
        '{"zne": {"scale_factors": [1.0, 3.0, 5.0], "extrapolation": "linear", "folding": "global"}, "readout": false}',
    ),
}
each_field = pytest.mark.parametrize("field", SPEC_FIELDS, ids=lambda field: field.name)


def leaves(shape: type) -> set[str]:
    """The fields of a spec, those of the values in it included."""
    found: set[str] = set()
    for one in fields(shape):
        inner = {"options": RunOptions, "labels": Labels}.get(one.name)
        found |= leaves(inner) if inner else {one.name}
    return found


def test_table_has_every_field_of_a_spec() -> None:
    assert is_dataclass(TaskSpec)
    known = {"circuit": "qc", "time_limit_seconds": "timeout_s"}
    assert {known.get(name, name) for name in leaves(TaskSpec)} == {field.name for field in SPEC_FIELDS}
    assert set(CHANGED) == {field.name for field in SPEC_FIELDS}


@each_field
def test_field_is_in_the_body_of_a_submission(field: SpecField) -> None:
    if field.name in SET_BY_THE_SERVICE:
        assert field.name not in SubmitRequest.model_fields
        return
    assert field.name in SubmitRequest.model_fields or field.name == "format"
    spec = CHANGED[field.name]
    body: dict[str, Any] = {"qc": spec.circuit, "shots": spec.shots}
    if field.name == "format":
        body = {"qpy": spec.circuit, "shots": spec.shots}
    elif field.name == "mitigation":
        noise = {"name": "depolarizing", "one_qubit": 0.01}
        options = replace(spec.options, observables=({"Z": 1.0},), noise=noise)
        spec = replace(spec, shots=DEFAULT_SHOTS, options=options)
        body = {"qc": spec.circuit, "observables": [{"Z": 1.0}], "noise": noise, "mitigation": field.stored(spec)}
    elif field.name in ("observables", "precision"):
        # Values are exact, or have a precision: a body with observables has no shots.
        observables = ({"Z": 1.0},)
        estimated = field.name == "precision"
        options = replace(spec.options, observables=observables, sampled=estimated)
        spec = replace(spec, shots=DEFAULT_SHOTS, options=options)
        body = {"qc": spec.circuit, "observables": observables, field.name: field.stored(spec)}
    elif field.name == "gradient":
        # It is that of observables, by inputs.
        spec = replace(spec, shots=DEFAULT_SHOTS)
        others = {one.name: one.stored(spec) for one in SPEC_FIELDS if one.name in ("observables", "inputs")}
        body = {"qc": spec.circuit, **others, "gradient": field.stored(spec)}
    elif field.name in OF_A_KIND:
        given = {one.name: one.stored(spec) for one in SPEC_FIELDS if one.name in OF_A_KIND}
        body |= {name: value for name, value in given.items() if value}
        if not spec.shots:
            del body["shots"]
    elif (value := field.stored(spec)) is not None:
        body[field.name] = value.isoformat() if isinstance(value, datetime) else value
    assert digest_of(spec_of(SubmitRequest.model_validate_json(json.dumps(body)))) == digest_of(spec)


@each_field
def test_field_changes_the_fingerprint(field: SpecField) -> None:
    assert json.dumps(digest_of(CHANGED[field.name])) != json.dumps(digest_of(PLAIN))


@each_field
def test_field_has_a_column(field: SpecField) -> None:
    assert field.column in tasks.c
    assert field.stored(CHANGED[field.name]) != field.stored(PLAIN)


@each_field
def test_field_is_an_option_of_the_client(field: SpecField) -> None:
    if field.option == "program":
        assert body_of("qubit q;", {})["qc"] == "qubit q;"
        return
    assert (field.option in Options.__optional_keys__) is (field.name not in SET_BY_THE_SERVICE)
    if field.name in SET_BY_THE_SERVICE:
        return
    value = field.stored(CHANGED[field.name])
    options: Any = {field.option: value}
    body = body_of("qubit q;", options)
    assert (body["qpy"] == "qubit q;") if field.name == "format" else field.name in body


@each_field
def test_field_is_an_option_of_the_command_line(field: SpecField) -> None:
    if field.option in NOT_ON_THE_COMMAND_LINE:
        return
    value = field.stored(CHANGED[field.name])
    parameter, given = ON_THE_COMMAND_LINE.get(field.option, (field.option, value))
    made: Any = program_options(**{**dict.fromkeys(signature(program_options).parameters), parameter: given})
    assert made[field.option] == value
    assert parameter in signature(submit).parameters
    assert (parameter in signature(run).parameters) is (field.option not in NOT_OF_RUN)


@each_field
def test_field_is_shown(field: SpecField) -> None:
    """`tests/contract/test_changes.py` compares the values."""
    if (shown := IN_A_VIEW.get(field.name)) is not None:
        assert shown in TaskView.model_fields
        assert field.name in NOT_IN_LISTS or shown in {one.name for one in fields(Task)}
        assert field.name in NOT_IN_LISTS or shown in TaskSummary.model_fields


@each_field
def test_field_reaches_the_simulator(field: SpecField) -> None:
    sent = decode_request(encode_request(Request(CHANGED[field.name], str(uuid4())))).spec
    assert (field.stored(sent) == field.stored(CHANGED[field.name])) is (field.name in OF_THE_CHILD)


GOLDEN = json.loads((Path(__file__).parent / "fingerprints.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("golden", GOLDEN, ids=range(len(GOLDEN)))
def test_fingerprints_of_stored_keys_stay(golden: dict[str, Any]) -> None:
    spec = spec_of(SubmitRequest.model_validate_json(json.dumps(golden["body"])))
    assert sha256(json.dumps(digest_of(spec)).encode()).hexdigest() == golden["fingerprint"]
