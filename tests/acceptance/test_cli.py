"""The commands of the client, as a user types them, at a real service."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from typer.testing import CliRunner, Result

from ketline.cli.main import app
from ketline.client import Client, TaskFailed
from tests.acceptance.processes import any_port, running_service
from tests.acceptance.programs import BELL, ENDLESS
from tests.corpus.openqasm2 import openqasm2_programs, outcomes_of

WRONG = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit q;\n  nogate q;\n'
COMMAND_SECONDS = 250
pytestmark = pytest.mark.timeout(300)
WHOLE = ["--timeout", str(COMMAND_SECONDS)]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_service(tmp_path_factory.mktemp("cli")) as url:
        yield url


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> Path:
    """The working directory of a user whose service is known."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KETLINE_URL", url)
    return tmp_path


def ketline(*arguments: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, arguments, input=typed)


def done(*arguments: str, typed: str | None = None) -> str:
    """What a command that does well prints."""
    response = ketline(*arguments, typed=typed)
    assert response.exit_code == 0, response.output
    return response.stdout


def test_a_task_from_submission_to_rerun(directory: Path) -> None:
    (directory / "bell.qasm").write_text(BELL)
    task_id = done("submit", "bell.qasm", "--shots", "50", "--seed", "7", "--tag", "one", "--memory").strip()
    assert done("wait", task_id, *WHOLE).startswith(f"{task_id}: completed: ")
    counts = json.loads(done("get", task_id, "--counts"))
    assert sum(counts.values()) == 50
    document = json.loads(done("get", task_id, "--json"))
    assert (document["name"], document["seed"], len(document["result"]["memory"])) == ("bell.qasm", 7, 50)
    assert "statevector" in done("get", task_id)
    assert "┤ H ├" in done("get", task_id, "--circuit", "text")
    history = done("logs", task_id).splitlines()
    assert [line.split()[2] for line in history] == ["pending", "processing", "completed"]
    assert done("logs", task_id, "--follow").splitlines() == history
    again = done("rerun", task_id).strip()
    assert json.loads(done("wait", again, "--json", *WHOLE))[0]["result"]["counts"] == counts
    assert [line.split("\t")[0] for line in done("list", "--tag", "one").splitlines()] == [again, task_id]
    assert len(json.loads(done("list", "--tag", "one", "--limit", "1", "--json"))) == 1


def test_conversion_is_shown_with_its_kind_and_its_output(directory: Path) -> None:
    (directory / "bell.qasm").write_text(BELL)
    done("convert", "bell.qasm", "--to", "openqasm2", "--output", "bell.qasm2", *WHOLE)
    written = (directory / "bell.qasm2").read_text()
    assert written.startswith("OPENQASM 2.0;")
    row = done("list", "--kind", "convert", "--limit", "1").rstrip("\n").split("\t")
    assert (row[3], row[-1]) == ("", "convert openqasm2")
    assert "kind       convert openqasm2" in done("get", row[0])
    assert written in done("get", row[0])
    assert done("get", row[0], "--output", "-") == written
    done("get", row[0], "-o", "again.qasm2")
    assert (directory / "again.qasm2").read_text() == written
    with Client() as client:
        simulation = client.submit(BELL)
        simulation.wait(timeout_seconds=COMMAND_SECONDS)
        binary = client.submit(BELL, kind="convert", target="qpy")
        binary.wait(timeout_seconds=COMMAND_SECONDS)
    assert "bytes; --output FILE writes them" in done("get", str(binary.task_id))
    done("get", str(binary.task_id), "--output", "bell.qpy")
    assert (directory / "bell.qpy").read_bytes().startswith(b"QISKIT")
    rejected = ketline("get", str(simulation.task_id), "--output", "nothing")
    assert (rejected.exit_code, "is not a conversion" in rejected.stderr) == (1, True)
    assert not (directory / "nothing").exists()


def test_backends_and_queues_are_listed(directory: Path) -> None:
    own = done("backends").splitlines()[0].split("\t")
    assert own[:3] == ["ketline-aer", "own", "online"]
    assert int(own[3]) > 0
    assert json.loads(done("backends", "--json"))[0]["name"] == "ketline-aer"
    assert done("workers").rstrip("\n").split("\t")[4:] == ["simulate, convert", "1", ""], (
        "and neither drains nor is drained"
    )
    held = done("submit", "-", "--hold", typed=BELL).strip()
    figures = dict(line.split("\t") for line in done("stats").splitlines())
    assert figures["waiting in queue simulate"] == "0", "it is held"
    assert json.loads(done("stats", "--json"))["queues"]["simulate"] == {"waiting": 0, "processing": 0}
    assert json.loads(done("usage", "--json"))["total"]["completed"] >= 0
    assert json.loads(done("history", "--hours", "1", "--json"))["step_seconds"] == 60
    assert all(line.count("\t") == 11 for line in done("history", "--step", "5").splitlines())
    rejected = ketline("usage", "--from", "yesterday")
    assert (rejected.exit_code, "is not a day" in rejected.stderr) == (2, True)
    done("cancel", held)


def test_deliveries_are_shown_listed_and_repeated(directory: Path) -> None:
    callback = "https://localhost:9999/hooks"
    task_id = done("submit", "-", "--callback", callback, typed=BELL).strip()
    done("wait", task_id)
    assert f"callback   {callback}" in done("get", task_id)
    deadline = time.monotonic() + 60
    while "rejected: its host has no public address" not in (shown := done("deliveries", "show", task_id)):
        assert time.monotonic() < deadline, shown
        time.sleep(0.1)  # the service attempts it once a second; no command waits for that
    row = shown.rstrip("\n").split("\t")
    assert (row[0], row[1], row[2], row[6]) == (task_id, "task.completed", "waiting", callback)
    assert task_id in done("deliveries", "list", "--state", "waiting")
    assert json.loads(done("deliveries", "list", "--state", "dead", "--json")) == []
    assert done("deliveries", "repeat", task_id) == "1\n"
    assert done("deliveries", "repeat", "--dead") == "0\n"
    for wrong in (("deliveries", "repeat"), ("deliveries", "repeat", task_id, "--dead")):
        rejected = ketline(*wrong)
        assert (rejected.exit_code, "or --dead" in rejected.stderr) == (2, True)
    rejected = ketline("submit", "-", "--callback", "http://10.0.0.1/", typed=BELL)
    assert (rejected.exit_code, "callback" in rejected.stderr) == (2, True)


def test_held_tasks_run_once_they_are_released(directory: Path) -> None:
    (directory / "bell.qasm").write_text(BELL)
    first, second = done("submit", "bell.qasm", "-", "--hold", typed=BELL).split()
    assert "hold       until 'ketline enqueue'" in done("get", first)
    done("cancel", second)
    released = ketline("enqueue", first, second)
    assert (released.exit_code, released.stdout.split()) == (1, [first])
    assert "it can be run no more" in released.stderr
    assert done("wait", first, *WHOLE).startswith(f"{first}: completed: ")
    assert "hold       released" in done("get", first)
    assert done("enqueue", first).strip() == first


def test_cancelled_tasks_and_their_exit_status(directory: Path) -> None:
    task_id = done("submit", "-", "--priority", "10", typed=ENDLESS).strip()
    assert json.loads(done("get", task_id, "--json"))["priority"] == 10
    late = ketline("wait", task_id, "--timeout", "0.2")
    assert late.exit_code == 4
    assert done("cancel", task_id).strip() == task_id
    assert ketline("wait", task_id).exit_code == 1
    assert "cancelled" in ketline("get", task_id).output
    ended = done("submit", "-", typed=BELL).strip()
    done("wait", ended, *WHOLE)
    rejected = ketline("cancel", ended, task_id, "--json")
    assert (rejected.exit_code, "has ended" in rejected.stderr) == (1, True)
    assert [one["task_id"] for one in json.loads(rejected.stdout)] == [task_id]


def test_many_programs_are_one_batch_with_a_line_each(directory: Path) -> None:
    for name in ("a/one.qasm", "a/b/two.qasm", "c/three.qasm"):
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(BELL)
    (directory / "a/notes.txt").write_text("none of its business")
    printed = done("run", "a", "c/*.qasm", "-", "a/one.qasm", "--shots", "10", *WHOLE, typed=BELL)
    names = sorted(line.partition(": completed: ")[0] for line in printed.splitlines())
    assert names == ["-", "a/b/two.qasm", "a/one.qasm", "c/three.qasm"]
    documents = json.loads(done("run", "a", "--shots", "10", "--json", *WHOLE))
    assert [one["file"] for one in documents] == ["a/b/two.qasm", "a/one.qasm"]
    assert {sum(one["result"]["counts"].values()) for one in documents} == {10}


def test_a_batch_with_an_error_points_at_it_and_runs_the_rest(directory: Path) -> None:
    (directory / "good.qasm").write_text(BELL)
    (directory / "bad.qasm").write_text(WRONG)
    response = ketline("run", "good.qasm", "bad.qasm", *WHOLE)
    assert response.exit_code == 1
    assert response.stdout.startswith("good.qasm: completed: ")
    assert response.stderr.splitlines() == [
        "bad.qasm:4:3: parse_error: gate 'nogate' is not defined: define it before it is called, as in "
        "'gate nogate a { ... }'",
        "    nogate q;",
        "    ^",
    ]


def test_submitting_under_one_key_is_submitting_once(directory: Path) -> None:
    first = json.loads(done("submit", "-", "--key", "k-1", "--json", typed=BELL))
    again = json.loads(done("submit", "-", "--key", "k-1", "--json", typed=BELL))
    assert first == again
    assert str(UUID(first[0]["task_id"])) == first[0]["task_id"]


def test_sweeps_and_inputs(directory: Path) -> None:
    program = "input float t; qubit q; bit c; U(t, 0, 0) q; c = measure q;"
    printed = done("run", "-", "--shots", "9", "--input", "t=[0.0, 3.141592653589793]", *WHOLE, typed=program)
    assert [line.split()[:2] for line in printed.splitlines() if line[:1] in "01"] == [["0", "9"], ["1", "9"]]


def test_programs_in_openqasm_2_are_known_by_their_headers(directory: Path) -> None:
    programs = openqasm2_programs()
    for name, text in programs.items():
        (directory / name).write_text(text, encoding="utf-8")
    responses = json.loads(done("run", ".", "--shots", "100", "--seed", "5", "--json", *WHOLE))
    found = {Path(one["file"]).name: one for one in responses}
    assert {name: set(one["result"]["counts"]) for name, one in found.items()} == {
        name: outcomes_of(text) for name, text in programs.items()
    }
    assert {one["program_format"] for one in responses} == {"openqasm2"}
    task_id = responses[0]["task_id"]
    assert done("get", task_id, "--circuit", "flat").startswith("OPENQASM 3.0;")
    assert "┤" in done("get", task_id, "--circuit", "text")


def test_mistakes_in_openqasm_2_have_their_place(directory: Path) -> None:
    (directory / "wrong.qasm").write_text("OPENQASM 2.0;\nqreg q[2];\nh q[0]\ncx q[0],q[2];\n", encoding="utf-8")
    response = ketline("run", "wrong.qasm", *WHOLE)
    assert response.exit_code == 1
    assert "wrong.qasm:3:7: parse_error: ';' is missing at the end of 'h q[0]'" in response.stderr
    validated = ketline("validate", "wrong.qasm")
    assert validated.exit_code == 1
    assert "index 2 is out of range: 'q' has 2 qubits, q[0] to q[1]" in validated.output


def test_the_client_says_a_format(url: str) -> None:
    with Client(url) as client:
        text = "qreg q[1]; creg c[1]; rx(2*pi*(1/2)) q[0]; measure q -> c;"
        assert client.run(text, shots=10, format="openqasm2").counts == {"1": 10}
        with pytest.raises(TaskFailed, match="the header says OpenQASM 2, but 'format' says openqasm3"):
            client.run(f"OPENQASM 2.0; {text}", format="openqasm3")
        with pytest.raises(TaskFailed, match="an OpenQASM 2 program has no inputs"):
            client.run(f"OPENQASM 2.0; {text}", inputs={"theta": [0.1, 0.2]})


def test_validation_points_at_errors(directory: Path) -> None:
    assert "valid: 2 qubits" in done("validate", "-", typed=BELL)
    response = ketline("validate", "-", typed=WRONG)
    assert response.exit_code == 1
    assert response.stderr.splitlines()[-1] == "    ^"
    assert json.loads(ketline("validate", "-", "--json", typed=WRONG).stdout)[0]["valid"] is False


def test_the_service_is_described(directory: Path) -> None:
    assert json.loads(done("workers", "--json"))[0]["slots"] > 0
    assert done("workers").count("\n") == 1
    assert "completed" in json.loads(done("stats", "--json"))["counts"]
    assert done("stats").startswith("pending\t")
    measured = json.loads(done("bench", "--tasks", "5", "--alone", "2", "--shots", "10", "--json"))
    assert measured["tasks"] == 5
    assert measured["tasks_per_second"] > 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["get", "nope"], "is not a task id"),
        (["get", "00000000-0000-4000-8000-000000000000"], "was not found"),
        (["run", "none.qasm"], "Cannot read none.qasm"),
        (["run", "*.qasm"], "No file matches *.qasm"),
        (["submit", "."], "has no .qasm files"),
        (["submit", "-", "--shots", "0"], "shots must be at least 1"),
        (["submit", "-", "--input", "t=many"], "--input takes NAME=VALUE"),
        (["rerun", "00000000-0000-4000-8000-000000000000", "--seed", "old"], "--seed takes same, new or a number"),
        (["list", "--after", "yesterday"], "submitted_after"),
        (["stats", "--url", "localhost:8000"], "The address of a service is an HTTP URL"),
    ],
)
def test_wrong_command_lines_say_what_to_do(directory: Path, arguments: list[str], told: str) -> None:
    response = ketline(*arguments, typed=BELL)
    assert response.exit_code == 2, response.output
    assert told in response.stderr
    assert "Traceback" not in response.output


def test_a_service_that_does_not_answer_has_its_own_exit_status(directory: Path) -> None:
    response = ketline("stats", "--url", f"http://127.0.0.1:{any_port()}")
    assert response.exit_code == 3
    assert "Cannot reach" in response.stderr


def test_the_api_key_is_sent_and_not_printed(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KETLINE_API_KEY", "sécret")
    response = ketline("stats")
    assert response.exit_code == 2
    assert "cret" not in response.output
    monkeypatch.setenv("KETLINE_API_KEY", "secret")
    assert ketline("stats").exit_code == 0


def test_an_interrupted_run_does_not_cancel_its_task(directory: Path, url: str) -> None:
    # A shell that runs the tests in the background has its children ignore Ctrl-C.
    listening = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    program = f"{listening}; from ketline.__main__ import main; main()"
    (directory / "endless.qasm").write_text(ENDLESS)
    command = [sys.executable, "-c", program, "run", "endless.qasm", "--tag", "interrupted", "--url", url]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=directory) as process, Client(url) as client:
        while not (found := list(client.tasks(tag="interrupted", status="processing"))):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=COMMAND_SECONDS)
        assert process.returncode == 130
        assert "Traceback" not in told
        assert client.cancel(found[0].task_id).status == "cancelled"


@pytest.mark.parametrize("arguments", [["up"], ["api"], ["worker"], ["migrate"], ["check"], ["run", "bell.qasm"]])
def test_without_the_service_s_libraries_its_commands_say_what_to_install(tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "bell.qasm").write_text(BELL)
    absent = ("structlog", "pydantic_settings", "sqlalchemy", "fastapi", "uvicorn", "uvloop", "alembic", "dotenv")
    program = f"import sys; sys.modules |= dict.fromkeys({absent!r}); from ketline.__main__ import main; main()"
    environment = {name: value for name, value in os.environ.items() if name != "KETLINE_URL"}
    response = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert response.returncode == 2
    assert "pip install 'ketline[server]'" in response.stderr
    assert response.stderr.count("\n") == 1
