"""Generates docs/api.md from the responses of a fresh `ketline up`: `python -m tests.pages.api URL`."""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

from tests.pages.calls import CALLS, HEAD, Call

PAGE = Path(__file__).parent.parent.parent / "docs" / "api.md"
SHOWN_URL = "http://localhost:8000"
MAX_OUTPUT_LINES = 60

Values = Mapping[str, str]


def main() -> None:
    with httpx.Client(base_url=sys.argv[1], timeout=90) as client:
        PAGE.write_text("\n".join(write(client)), encoding="utf-8")


def write(client: httpx.Client) -> Iterator[str]:
    """The lines of the page.

    Raises:
        AssertionError: a response has another status than the page says.
    """
    yield HEAD
    values: dict[str, str] = {}
    for call in CALLS:
        if isinstance(call, str):
            yield f"{call}\n"
        else:
            response = _ask(client, call, values)
            if call.text:
                yield from _shown(call, response, values)


def _ask(client: httpx.Client, call: Call, values: dict[str, str]) -> httpx.Response:
    headers = {name: _with(value, values) for name, value in call.headers.items()}
    path = _with(call.path, values)
    response = client.request(call.method, path, json=_filled(call.body, values), headers=headers)
    assert response.status_code == call.status, f"{call.method} {path}: {response.status_code} {response.text[:500]}"
    values |= {name: find(response.json()) for name, find in call.keep.items()}
    return response


def _filled(body: object, values: Values) -> object:
    return None if body is None else json.loads(_with(json.dumps(body), values))


def _with(text: str, values: Values) -> str:
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _shown(call: Call, answer: httpx.Response, values: Values) -> Iterator[str]:
    yield f"{call.text}\n"
    yield "```console"
    yield f"$ {_curl(call, values)}"
    if call.show_headers:
        yield f"HTTP/1.1 {answer.status_code} {answer.reason_phrase}"
        yield from (f"{name}: {answer.headers[name]}" for name in call.show_headers)
        yield ""
    yield from _output(answer)
    yield "```\n"


def _curl(call: Call, values: Values) -> str:
    path = _with(call.path, values)
    parts = ["curl -si" if call.show_headers else "curl -s"]
    if call.method not in ("GET", "POST") or (call.method == "POST" and call.body is None):
        parts.append(f"-X {call.method}")
    parts.append(f"'{SHOWN_URL}{path}'" if "?" in path else f"{SHOWN_URL}{path}")
    parts += [f"-H '{name}: {_with(value, values)}'" for name, value in call.headers.items()]
    if call.body is not None:
        # curl has `--json` since 7.82; Ubuntu 22.04 has 7.81.
        parts.append("-H 'Content-Type: application/json' -d '" + json.dumps(_filled(call.body, values)) + "'")
    return " ".join(parts)


def _output(answer: httpx.Response) -> Iterator[str]:
    kind = answer.headers.get("content-type", "") if answer.content else ""
    if "json" in kind:
        lines = json.dumps(answer.json(), indent=2, ensure_ascii=False).splitlines()
    elif kind.startswith("text/"):
        lines = answer.text.splitlines()
    else:
        lines = []
    yield from (line.rstrip() for line in lines[:MAX_OUTPUT_LINES])
    if len(lines) > MAX_OUTPUT_LINES:
        yield f"… ({len(lines) - MAX_OUTPUT_LINES} more lines)"


if __name__ == "__main__":
    main()
