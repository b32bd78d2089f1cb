"""Snippets that repeat the submission in the form: a URL, a curl command, Python programs."""

import json
import shlex
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from ketline.domain.circuits.program_format import ProgramFormat, format_by_header
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.spec_fields import SPEC_FIELDS
from ketline.schemas.submissions import SubmitRequest

Snippet = tuple[str, str]

# Most proxies, and this service, accept request lines of 8 kB.
MAX_ADDRESS_CHARACTERS = 7_500

# Names of the fields in the client. The program is separate; times are left out, because they need a datetime.
_CLIENT_NAMES = {
    field.name: field.option for field in SPEC_FIELDS if field.name not in ("qc", "format", "scheduled_for")
}
_BACKEND_NAMES = {"shots": "shots", "seed": "seed_simulator", "method": "method", "memory": "memory"}

# In Qiskit expectation values need an estimator and operators, and noise a model, which is more than a snippet.
_WITHOUT_QISKIT = frozenset({"kind", "observables", "noise", "outputs", "device", "precision", "mitigation"})

_DEFAULTS: Sequence[object] = ("automatic", None, "", [], {})


def body_of(submission: SubmitRequest) -> Mapping[str, object]:
    """The body of the request, without fields that have their default values."""
    given = submission.model_dump(mode="json", exclude_unset=True)
    if submission.kind is TaskKind.CONVERT:
        given.pop("shots", None)  # the service fills in its default, which a conversion must not have
    return {name: value for name, value in given.items() if value not in _DEFAULTS}


def form_address(fields: Mapping[str, str]) -> str | None:
    """The query string that restores the form, None if the URL would be too long."""
    query = "?" + urlencode({name: value for name, value in fields.items() if value})
    return query if len(query) <= MAX_ADDRESS_CHARACTERS else None


def snippets(submission: SubmitRequest, base: str) -> Sequence[Snippet]:
    """The submission as a curl command, with the Python client and, if Qiskit can make it, with that, with titles."""
    body = body_of(submission)
    shown = [("curl", _curl(body, base)), ("Python", _python(body, base))]
    return [*shown, ("Qiskit", _qiskit(body, base))] if _WITHOUT_QISKIT.isdisjoint(body) else shown


def _curl(body: Mapping[str, object], base: str) -> str:
    text = shlex.quote(json.dumps(body, ensure_ascii=False, indent=2))
    return f"curl -s {shlex.quote(base + '/tasks')} -H 'Content-Type: application/json' -d {text}\n"


def _python(body: Mapping[str, object], base: str) -> str:
    return f"""from ketline.client import Client

PROGRAM = {_literal(body.get("qc", ""))}

with Client({base!r}) as client:
    result = client.run(PROGRAM{_keywords(body, _CLIENT_NAMES)})
    print(result.{_part_of_result(body)})
"""


def _part_of_result(body: Mapping[str, object]) -> str:
    if body.get("kind") == TaskKind.CONVERT:
        return "output"
    if "outputs" in body:
        return "outputs"
    if "gradient" in body:
        return "gradients"
    return "expectation_values" if "observables" in body else "counts"


def _qiskit(body: Mapping[str, object], base: str) -> str:
    text = body.get("qc", "")
    is_older = format_by_header(str(text)) is ProgramFormat.OPENQASM2
    reader = "qasm2" if is_older else "qasm3"
    gates = ", custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS" if is_older else ""
    return f"""from qiskit import {reader}

from ketline.qiskit import KetlineProvider

# Any circuit of yours: circuit = QuantumCircuit(2); ...
circuit = {reader}.loads({_literal(text)}{gates})

backend = KetlineProvider({base!r}).get_backend()
print(backend.run(circuit{_keywords(body, _BACKEND_NAMES)}).result().get_counts())
"""


def _keywords(body: Mapping[str, object], names: Mapping[str, str]) -> str:
    """The fields as keyword arguments, under the names in `names`; others are left out."""
    return "".join(f", {names[name]}={value!r}" for name, value in body.items() if name in names)


def _literal(value: object) -> str:
    """A program as a Python literal, of several lines if nothing in it has to be escaped."""
    text = str(value)
    plain = not any(sign in text for sign in ("\\", '"""', "\r", "\0")) and not text.endswith('"')
    return f'"""\\\n{text}"""' if plain else repr(text)
