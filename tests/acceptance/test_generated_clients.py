"""Clients that generators make of `/openapi.json` submit, wait, and read results and problems of a real service."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.processes import running_service
from tests.acceptance.programs import BELL
from tests.blocks import long_after
from tests.forking.client import ForkServer
from tests.servers.binaries import find_java

HERE = Path(__file__).parent / "generated"
UV = Path(__file__).parents[2] / ".ci" / "uv"
ROTATION = 'OPENQASM 3.0; include "stdgates.inc"; input angle theta; qubit q; ry(theta) q;'

GENERATORS: Mapping[str, Sequence[str]] = {
    "openapi_python_client": (
        "openapi-python-client", "generate", "--path", "{document}", "--output-path", "{out}/generated_client",
        "--meta", "none", "--fail-on-warning",
    ),
    "openapi_generator": (
        "openapi-generator-cli", "generate", "-g", "python", "-i", "{document}", "-o", "{out}",
        "--package-name", "generated_client", "--global-property",
        "apis,models,supportingFiles,apiTests=false,apiDocs=false,modelTests=false,modelDocs=false",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer) -> Iterator[str]:
    """The address of an embedded service."""
    with running_service(tmp_path_factory.mktemp("generated"), fork_server) as url:
        yield url


def _run(command: Sequence[str], **environment: str) -> str:
    """What the command prints, run with the generators' own packages, which uv fetches the first time."""
    isolated = ["bash", str(UV), "run", "--no-project", "--isolated", "--with-requirements"]
    done = subprocess.run(
        [*isolated, str(HERE / "requirements.txt"), "--", *command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        hint = (
            f"Where the package index cannot be reached, run this test once where it can: uv keeps what {HERE} names."
        )
        pytest.fail(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}{done.stderr}\n{hint}")
    return done.stdout


def _generate(name: str, url: str, out: Path) -> None:
    document = out / "openapi.json"
    document.write_text(httpx.get(f"{url}/openapi.json").text)
    _run([part.format(document=document, out=out) for part in GENERATORS[name]])


@pytest.fixture(scope="module", params=long_after(1, GENERATORS))
def report(request: pytest.FixtureRequest, url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a generated client was answered."""
    if request.param == "openapi_generator":
        find_java()
    out = tmp_path_factory.mktemp(request.param)
    _generate(request.param, url, out)
    printed = _run(["python", str(HERE / f"{request.param}.py"), url, BELL, ROTATION], PYTHONPATH=str(out))
    found: dict[str, Any] = json.loads(printed)
    return found


def test_generated_client_waits_for_a_task_and_reads_its_counts(report: dict[str, Any]) -> None:
    assert report["status"] == "completed"
    assert report["counts"] == report["result"]
    assert set(report["counts"]) <= {"00", "11"}
    assert sum(report["counts"].values()) == 100


def test_generated_client_takes_a_task_that_ended_in_time_for_a_task(report: dict[str, Any]) -> None:
    status, counts = report["ended"]
    assert (status, sum(counts.values())) == ("completed", 100)


def test_generated_client_sends_inputs_and_observables(report: dict[str, Any]) -> None:
    assert report["values"] == [1.5]


def test_generated_client_takes_a_repeated_submission_for_an_accepted_one(report: dict[str, Any]) -> None:
    first, second = report["again"]
    assert first == second


def test_generated_client_reads_a_problem(report: dict[str, Any]) -> None:
    assert report["problem"] == [422, "invalid_request", "#/circuit"]
