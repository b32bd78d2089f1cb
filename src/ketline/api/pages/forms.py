"""Forms of the pages: reads their fields, and converts them to and from submissions."""

import json
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from fastapi import Request
from pydantic import ValidationError

from ketline.api.requests.credentials import CSRF_FIELD, is_csrf_token
from ketline.api.responses.errors import HTTPProblem
from ketline.api.responses.field_errors import invalid_body, invalid_request
from ketline.api.services import ApiOptions
from ketline.api.tasks.submission import within_limits
from ketline.domain.circuits.program_format import ProgramFormat, Target, format_by_header
from ketline.domain.devices.device_run import DeviceRun
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.spec import TaskSpec
from ketline.schemas.submissions import SubmitRequest
from ketline.web.examples import examples

MAX_FIELDS = 1000
_FORM = "application/x-www-form-urlencoded"
# The fields that have a meaning for some kinds of tasks only, and those of all kinds.
_OF_KIND: Mapping[str, Sequence[str]] = {
    TaskKind.SIMULATE: (
        "shots",
        "seed",
        "method",
        "observables",
        "sampled",
        "precision",
        "mitigation",
        "gradient",
        "noise",
        "outputs",
        "device",
        "timeout_s",
        "memory",
    ),
    TaskKind.CONVERT: ("target", "profile", "bitcode", "timeout_s"),
    TaskKind.RUN: ("backend", "shots", "seed", "timeout_s"),
}
_OF_ANY_KIND = ("qc", "priority", "name", "tags", "inputs", "callback")
FIELDS = ("kind", *dict.fromkeys((*_OF_ANY_KIND, *(name for names in _OF_KIND.values() for name in names))))
_CHECKED = ("memory", "bitcode")
_INTEGERS = ("shots", "seed", "priority")
_DECIMALS = ("timeout_s", "precision")
_TEXTS = ("method", "name", "kind", "target", "profile", "backend", "callback")

Form = Sequence[tuple[str, str]]


async def read_form(request: Request) -> Form:
    """Read the fields of a form, in order.

    Raises:
        HTTPProblem: the body is not a form.
    """
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != _FORM:
        raise HTTPProblem("unsupported_media_type", f"Send the form as {_FORM}.")
    body = await request.body()
    try:
        return parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError as error:
        raise HTTPProblem("bad_request", "The form cannot be read: it is not UTF-8, or has too many fields.") from error


async def require_csrf_token(request: Request, secret: str) -> None:
    """Check that a form has the CSRF token that belongs to a cookie.

    Raises:
        HTTPProblem: it has another or none, or the body is not a form.
    """
    if not is_csrf_token(field(await read_form(request), CSRF_FIELD), secret):
        raise HTTPProblem("csrf_token_invalid")


def field(form: Form, wanted: str) -> str:
    """The first field of this name, empty if the form has none."""
    return next((value for name, value in form if name == wanted), "")


def fields_of(form: Form) -> Mapping[str, str]:
    """The known fields of a form; replaces the CR LF with which browsers end lines."""
    given = {name: value for name, value in form if name in FIELDS}
    return {name: given.get(name, "").replace("\r\n", "\n") for name in FIELDS}


def relevant(fields: Mapping[str, str]) -> Mapping[str, str]:
    """The fields with those emptied that have no meaning for the kind: a form sends what it does not show as well."""
    kind = fields["kind"] or TaskKind.SIMULATE.value
    names = {*_OF_ANY_KIND, *_OF_KIND.get(kind, ())}
    if fields["target"] != Target.QIR:
        names -= {"profile", "bitcode"}
    shown = {name: value if name in names else "" for name, value in fields.items()}
    return shown | {"kind": "" if kind == TaskKind.SIMULATE else kind}


def fields_of_spec(spec: TaskSpec) -> Mapping[str, str]:
    """The fields for submitting the same spec again, without its seed, which may have been a random one."""
    limit, options = spec.time_limit_seconds, spec.options
    observables, noise, outputs = options.observables, options.noise, options.outputs
    gradient = options.gradient
    return dict.fromkeys(FIELDS, "") | {
        "qc": _with_header(spec),
        "shots": str(spec.shots) if spec.shots else "",
        "method": spec.options.method,
        "priority": str(spec.priority) if spec.priority else "",
        "name": spec.labels.name or "",
        "tags": ", ".join(spec.labels.tags),
        "inputs": json.dumps(dict(spec.inputs)) if spec.inputs else "",
        "observables": json.dumps(observables, default=dict) if observables else "",
        "sampled": "on" if options.sampled and options.precision is None else "",
        "precision": "" if options.precision is None else f"{options.precision:g}",
        "mitigation": json.dumps(options.mitigation.as_json()) if options.mitigation else "",
        "gradient": json.dumps(gradient.as_json()) if gradient else "",
        "noise": json.dumps(noise) if noise else "",
        "outputs": json.dumps([one.as_json() for one in outputs], default=dict) if outputs else "",
        "device": _device_field(options.device),
        "timeout_s": "" if limit is None else f"{limit:g}",
        "memory": "on" if spec.options.memory else "",
        "kind": spec.kind.value,
        "target": spec.target or "",
        "profile": spec.profile or "",
        "bitcode": "on" if spec.bitcode else "",
        "backend": spec.backend or "",
        "callback": spec.callback or "",
    }


def _device_field(run: DeviceRun | None) -> str:
    """A device as the form has it: its name, or JSON where there is more."""
    if run is None:
        return ""
    requested = run.as_requested()
    return run.name if len(requested) == 1 else json.dumps(requested)


def _with_header(spec: TaskSpec) -> str:
    """The program, whose header is all that tells its format in a form."""
    says_otherwise = format_by_header(spec.circuit) is not spec.options.format
    if says_otherwise and spec.options.format is ProgramFormat.OPENQASM2:
        return f"OPENQASM 2.0;\n{spec.circuit}"
    return spec.circuit


def blank_fields(options: ApiOptions) -> Mapping[str, str]:
    """The fields of a new form."""
    first = examples()[0]
    return dict.fromkeys(FIELDS, "") | {
        "qc": first.program,
        "shots": str(options.default_shots),
        "method": "automatic",
    }


def request_of(fields: Mapping[str, str], options: ApiOptions) -> SubmitRequest:
    """Convert a form to a submission, with the same checks as for a JSON body.

    Raises:
        HTTPProblem: a field is invalid or exceeds a limit.
    """
    fields = relevant(fields)
    body: dict[str, object] = {"qc": fields["qc"], **{name: True for name in _CHECKED if fields[name] == "on"}}
    body |= {name: _number(fields[name], int) for name in _INTEGERS if fields[name].strip()}
    body |= {name: _number(fields[name], float) for name in _DECIMALS if fields[name].strip()}
    body |= {name: fields[name].strip() for name in _TEXTS if fields[name].strip()}
    tags = [tag.strip() for tag in fields["tags"].split(",") if tag.strip()]
    body |= {"tags": tags} if tags else {}
    body |= (
        {"inputs": _json(fields, "inputs", 'must be a JSON object, as {"theta": 0.3}')}
        if fields["inputs"].strip()
        else {}
    )
    if fields["observables"].strip():
        body["observables"] = _json(fields, "observables", 'must be a JSON array, as [{"ZZ": 1}]')
        if fields["sampled"] != "on":
            body.pop("shots", None)  # with shots the values would be estimates, and the field is never empty
    if fields["gradient"].strip():
        body["gradient"] = _json(fields, "gradient", 'must be JSON: true, or a list of inputs, as ["theta"]')
    if fields["mitigation"].strip():
        body["mitigation"] = _json(fields, "mitigation", 'must be JSON, as {"zne": {"scale_factors": [1, 3, 5]}}')
    if fields["noise"].strip():
        body["noise"] = _json(fields, "noise", 'must be JSON, as {"name": "depolarizing", "two_qubit": 0.01}')
    if fields["outputs"].strip():
        body["outputs"] = _json(fields, "outputs", 'must be a JSON array, as ["counts", "statevector"]')
        if "counts" not in fields["outputs"]:
            body.pop("shots", None)
    if device := fields["device"].strip():
        as_json = 'must be a name, or JSON, as {"name": "line-27", "noise": false}'
        body["device"] = _json(fields, "device", as_json) if device.startswith("{") else device
    try:
        return within_limits(SubmitRequest.model_validate(body), options, ())
    except ValidationError as error:
        raise invalid_body(error) from error


def field_errors(problem: HTTPProblem) -> Mapping[str, str]:
    """The errors by field of the form; those of no field have an empty name."""
    found: dict[str, list[str]] = {}
    for error in problem.errors or ():
        name = (error.pointer or "").removeprefix("#").strip("/").split("/")[0]
        found.setdefault(name if name in FIELDS else "", []).append(error.detail)
    if not found:
        found["qc" if problem.kind.code == "program_too_large" else ""] = [problem.detail]
    return {name: "; ".join(dict.fromkeys(details)) for name, details in found.items()}


def _number(text: str, kind: type[int] | type[float]) -> object:
    """Parse a number; other text is returned as it is, so that validation reports the field."""
    try:
        return kind(text.strip())
    except ValueError:
        return text


def _json(fields: Mapping[str, str], name: str, wanted: str) -> object:
    try:
        return json.loads(fields[name])
    except (ValueError, RecursionError) as error:
        raise invalid_request([{"type": name, "loc": ("body", name), "msg": wanted}]) from error
