"""What is in the form as something to take along: an address, a curl command, programs in Python."""

import json
import shlex
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from ketline.schemas.tasks import SubmitRequest

Snippet = tuple[str, str]

# Proxies take 8 kB or more of a request's first line, and so do we.
LONGEST_ADDRESS = 7_500

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
    return [("curl", _curl(body, base)), ("Python", _python(body, base)), ("Qiskit", _qiskit(body, base))]


def _curl(body: Mapping[str, object], base: str) -> str:
    text = shlex.quote(json.dumps(body, ensure_ascii=False, indent=2))
    return f"curl -s {shlex.quote(base + '/tasks')} -H 'Content-Type: application/json' -d {text}\n"


def _python(body: Mapping[str, object], base: str) -> str:
    return f"""import httpx

with httpx.Client(base_url={base!r}, timeout=90) as http:
    submitted = http.post("/tasks", json={_literal(body)})
    task_id = submitted.raise_for_status().json()["task_id"]
    task = http.get(f"/tasks/{{task_id}}", params={{"wait": 30}}).raise_for_status().json()
    print(task["status"], task.get("result") or task.get("error"))
"""


def _qiskit(body: Mapping[str, object], base: str) -> str:
    options = {name: value for name, value in body.items() if name not in ("qc", "circuit")}
    return f"""import httpx
from qiskit import qasm3
from qiskit.result import Counts

# Any circuit of yours: circuit = QuantumCircuit(2); ...
circuit = qasm3.loads({_text(str(body.get("qc", "")))})

body = {{"qc": qasm3.dumps(circuit), **{_literal(options)}}}
with httpx.Client(base_url={base!r}, timeout=90) as http:
    task_id = http.post("/tasks", json=body).raise_for_status().json()["task_id"]
    http.get(f"/tasks/{{task_id}}", params={{"wait": 30}}).raise_for_status()
    counts = Counts(http.get(f"/tasks/{{task_id}}/counts").raise_for_status().json())
    print(counts)
"""


def _literal(body: Mapping[str, object]) -> str:
    lines = [f"        {name!r}: {_text(value) if name == 'qc' else repr(value)}," for name, value in body.items()]
    return "\n".join(["{", *lines, "    }"]) if lines else "{}"


def _text(value: object) -> str:
    """A program as Python writes it: over several lines where nothing in it needs escaping."""
    text = str(value)
    plain = not any(sign in text for sign in ("\\", '"""', "\r", "\0")) and not text.endswith('"')
    return f'"""\\\n{text}"""' if plain else repr(text)
