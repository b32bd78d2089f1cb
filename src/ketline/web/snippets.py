"""What is in the form as something to take along: an address, a curl command, programs in Python."""

import json
import shlex
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from ketline.domain.spec import SPEC_FIELDS, ProgramFormat, format_by_header
from ketline.schemas.tasks import SubmitRequest

Snippet = tuple[str, str]

# Proxies take 8 kB or more of a request's first line, and so do we.
LONGEST_ADDRESS = 7_500

# What fields are called there. The program is written apart; a time would need a type of its own, and is left out.
_CLIENT_NAMES = {
    field.name: field.option for field in SPEC_FIELDS if field.name not in ("qc", "format", "scheduled_for")
}
_BACKEND_NAMES = {"shots": "shots", "seed": "seed_simulator", "method": "method", "memory": "memory"}

_LEFT_OUT: Sequence[object] = ("automatic", None, "", [], {})


def body_of(submission: SubmitRequest) -> Mapping[str, object]:
    """The request's body: what was given, and nothing that is the same without."""
    given = submission.model_dump(mode="json", exclude_unset=True)
    return {name: value for name, value in given.items() if value not in _LEFT_OUT}


def form_address(fields: Mapping[str, str]) -> str | None:
    """The query that restores the form, None where it would be too long for an address."""
    query = "?" + urlencode({name: value for name, value in fields.items() if value})
    return query if len(query) <= LONGEST_ADDRESS else None


def snippets(submission: SubmitRequest, base: str) -> Sequence[Snippet]:
    """The submission for a shell, for Python, and for Python with Qiskit, each with its title."""
    body = body_of(submission)
    shown = [("curl", _curl(body, base)), ("Python", _python(body, base))]
    # Qiskit asks for expectation values through its estimator, with operators of its own.
    return shown if "observables" in body else [*shown, ("Qiskit", _qiskit(body, base))]


def _curl(body: Mapping[str, object], base: str) -> str:
    text = shlex.quote(json.dumps(body, ensure_ascii=False, indent=2))
    return f"curl -s {shlex.quote(base + '/tasks')} -H 'Content-Type: application/json' -d {text}\n"


def _python(body: Mapping[str, object], base: str) -> str:
    return f"""from ketline.client import Client

PROGRAM = {_text(body.get("qc", ""))}

with Client({base!r}) as client:
    result = client.run(PROGRAM{_keywords(body, _CLIENT_NAMES)})
    print(result.{"expectation_values" if "observables" in body else "counts"})
"""


def _qiskit(body: Mapping[str, object], base: str) -> str:
    text = body.get("qc", "")
    is_older = format_by_header(str(text)) is ProgramFormat.OPENQASM2
    reader = "qasm2" if is_older else "qasm3"
    gates = ", custom_instructions=qasm2.LEGACY_CUSTOM_INSTRUCTIONS" if is_older else ""
    return f"""from qiskit import {reader}

from ketline.qiskit import KetlineProvider

# Any circuit of yours: circuit = QuantumCircuit(2); ...
circuit = {reader}.loads({_text(text)}{gates})

backend = KetlineProvider({base!r}).get_backend()
print(backend.run(circuit{_keywords(body, _BACKEND_NAMES)}).result().get_counts())
"""


def _keywords(body: Mapping[str, object], names: Mapping[str, str]) -> str:
    """What was given and is known there, under the names it has there."""
    return "".join(f", {names[name]}={value!r}" for name, value in body.items() if name in names)


def _text(value: object) -> str:
    """A program as Python writes it: over several lines where nothing in it needs escaping."""
    text = str(value)
    plain = not any(sign in text for sign in ("\\", '"""', "\r", "\0")) and not text.endswith('"')
    return f'"""\\\n{text}"""' if plain else repr(text)
