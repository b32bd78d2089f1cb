"""The client imports no library of the server, and httpx only when a client is created."""

import subprocess
import sys

SERVER = {
    *("fastapi", "starlette", "uvicorn", "uvloop", "httptools", "sqlalchemy", "alembic", "asyncpg", "aiosqlite"),
    *("aio_pika", "aiormq", "pamqp", "qiskit", "qiskit_aer", "openqasm3", "antlr4", "stim", "numpy", "structlog"),
    *("pydantic", "pydantic_settings", "opentelemetry"),
}

# Their circuits are converted, so they are imported then, and never before.
CIRCUITS = {"qiskit", "cirq", "braket", "pennylane", "pytket", "scipy", "sympy"}


def imported_by(program: str) -> set[str]:
    command = f"import sys\n{program}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    response = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True, timeout=60)
    return set(response.stdout.split())


def test_importing_the_client_imports_neither_the_server_nor_httpx() -> None:
    found = imported_by("import ketline.client")
    assert found & (SERVER | CIRCUITS | {"httpx", "rich", "typer", "asyncio"}) == set()


def test_importing_the_converters_imports_no_library_of_circuits() -> None:
    assert imported_by("from ketline.client.convert import convert, from_qiskit") & (SERVER | CIRCUITS) == set()


def test_a_client_at_work_needs_no_server_library() -> None:
    program = "from ketline.client import AsyncClient, Client; Client('http://host'); AsyncClient('http://host')"
    found = imported_by(program)
    assert "httpx" in found
    assert found & SERVER == set()


def test_the_command_line_starts_without_libraries_of_single_commands() -> None:
    # typer brings pydantic.
    others = SERVER - {"pydantic"} | {"httpx", "rich"}
    assert imported_by("import ketline.cli.main") & others == set()
