"""The front page, until the web interface takes its place."""

from base64 import b64encode
from hashlib import sha256
from html import escape

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem; color: #1d2430;
  background: #fff }
pre { background: #f2f4f8; padding: 1rem; overflow-x: auto; border-radius: 6px }
@media (prefers-color-scheme: dark) { body { color: #e6e9ef; background: #14181f } pre { background: #1f2530 }
  a { color: #8ab4f8 } }
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Ketline</title>
<style>{style}</style>
</head>
<body>
<h1>Ketline</h1>
<p>Ketline runs OpenQASM 3 programs as durable background tasks on Qiskit Aer: send a program, get a task id at once,
read its counts and its whole history when it is done. What is accepted is not lost.</p>
<pre>curl -s {base}/tasks -H 'Content-Type: application/json' -d '{{
  "qc": "OPENQASM 3.0; include \\"stdgates.inc\\"; qubit[2] q; bit[2] c; h q[0]; cx q[0], q[1]; c = measure q;",
  "shots": 1024
}}'

curl -s {base}/tasks/TASK_ID
curl -s {base}/tasks/TASK_ID/counts</pre>
<ul>
<li><a href="docs">API documentation</a> (<a href="openapi.json">openapi.json</a>)</li>
<li><a href="health">Health</a></li>
</ul>
<p>Version {version}</p>
</body>
</html>
"""

_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()
_POLICY = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; frame-ancestors 'none'"


@router.get("/")
async def show_front_page(request: Request) -> HTMLResponse:
    page = _PAGE.format(
        style=_STYLE,
        base=escape(str(request.base_url).rstrip("/")),
        version=escape(request.app.state.options.version),
    )
    return HTMLResponse(page, headers={"Content-Security-Policy": _POLICY})
