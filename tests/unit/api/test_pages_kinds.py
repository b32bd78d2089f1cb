"""Pages of tasks that are not simulations: the form, the page of a task, the list and the system page."""

import re
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import httpx

from ketline.domain.attempts.worker import LiveWorker, WorkerIdentity
from ketline.domain.circuits.program_format import QirProfile, Target
from ketline.domain.errors import DatabaseUnavailable
from ketline.domain.failures import Failure, FailureCode
from ketline.domain.ids import TaskId, WorkerId
from ketline.domain.results.result import Conversion, MediaType
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.remote_job import RemoteJob, RemoteStatus
from tests.fake_catalogue import FakeTaskCatalogue
from tests.fakes import FakeTaskRepository
from tests.inspectors import FakeInspector, FakeWorkerRegistry
from tests.unit.api.test_pages import MARKUP, PART, PROFILE, complete, fail, shown, submitted

NOW = datetime(2026, 1, 2, tzinfo=UTC)
CONVERSION = {"kind": "convert", "target": "qir", "profile": "adaptive", "bitcode": "on"}


def worker(*queues: str) -> LiveWorker:
    identity = WorkerIdentity(
        worker_id=WorkerId("w-1"), slots=2, version="1", conversion_slots=int("convert" in queues), queues=queues
    )
    return LiveWorker(identity=identity, started_at=NOW, last_seen_at=NOW)


def convert(repository: FakeTaskRepository, task_id: UUID, conversion: Conversion) -> None:
    complete(repository, task_id, {})
    task = repository.tasks[TaskId(task_id)]
    profile = replace(PROFILE, method="convert", method_reason=None)
    repository.tasks[TaskId(task_id)] = replace(task, counts=None, conversion=conversion, profile=profile)


async def test_form_submits_a_conversion_without_fields_of_simulations(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    await submitted(client, **CONVERSION, seed="5", method="stim", memory="on", observables='[{"Z": 1}]')
    spec = repository.submissions[0].spec
    assert (spec.kind, spec.target, spec.profile, spec.bitcode) == (
        TaskKind.CONVERT,
        Target.QIR,
        QirProfile.ADAPTIVE,
        True,
    )
    assert (spec.shots, spec.options.memory, spec.options.observables) == (0, False, ())


async def test_form_ignores_the_profile_for_other_targets(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    await submitted(client, **CONVERSION | {"target": "qpy"})
    await submitted(client, **CONVERSION | {"kind": "simulate"})
    found = [(one.spec.kind, one.spec.target, one.spec.profile, one.spec.bitcode) for one in repository.submissions]
    assert found == [(TaskKind.CONVERT, Target.QPY, None, False), (TaskKind.SIMULATE, None, None, False)]


async def test_form_runs_on_a_backend_that_a_worker_has(
    client: httpx.AsyncClient, repository: FakeTaskRepository, workers: FakeWorkerRegistry
) -> None:
    workers.workers = [worker("simulate", "run.lab")]
    page = (await client.get("/")).text
    assert '<option value="lab">lab</option>' in page
    await submitted(client, kind="run", backend="lab", seed="5", timeout_s="7200")
    spec = repository.submissions[0].spec
    assert (spec.kind, spec.backend, spec.shots, spec.options.seed) == (TaskKind.RUN, "lab", 10, 5)
    assert spec.time_limit_seconds == 7200
    workers.workers = []
    rejected = await client.post("/ui/submit", data={"qc": "x", "kind": "run", "backend": "lab"})
    assert rejected.status_code == 422
    assert "Backend is not a backend of this service" in shown(rejected.text)
    assert '<option value="lab" selected>lab</option>' in rejected.text, "what was chosen is still there"


async def test_wrong_kinds_and_targets_are_field_errors(client: httpx.AsyncClient) -> None:
    for fields, error in (
        ({"kind": "transpile"}, "What to do must be"),
        ({"kind": "convert", "target": "quil"}, "Convert to must be"),
        ({"kind": "run", "backend": ""}, "Backend is required for the kind run"),
    ):
        response = await client.post("/ui/submit", data={"qc": "x", "shots": "10", **fields})
        assert response.status_code == 422
        assert error in shown(response.text)


async def test_form_works_while_workers_cannot_be_read(client: httpx.AsyncClient, workers: FakeWorkerRegistry) -> None:
    workers.error = DatabaseUnavailable("down")
    assert (await client.get("/")).status_code == 200


async def test_edit_a_copy_keeps_the_kind(client: httpx.AsyncClient, workers: FakeWorkerRegistry) -> None:
    page = (await client.get(f"/?copy={await submitted(client, **CONVERSION)}")).text
    for chosen in ("convert", "qir", "adaptive"):
        assert f'<option value="{chosen}" selected>' in page
    assert 'name="bitcode" type="checkbox" checked' in page
    workers.workers = [worker("run.lab")]
    run = await submitted(client, kind="run", backend="lab")
    workers.workers = []
    page = (await client.get(f"/?copy={run}")).text
    assert '<option value="run" selected>' in page
    assert '<option value="lab" selected>lab</option>' in page


async def test_preview_of_a_conversion_reads_the_program_and_copies_it(
    client: httpx.AsyncClient, inspector: FakeInspector
) -> None:
    fields = {"qc": "h q;", "shots": "10", "method": "stim", **CONVERSION}
    page = unescape((await client.post("/ui/check", data=fields, headers=PART)).text)
    text = shown(page)
    assert "✓ Readable: 2 qubits, depth 3" in text
    assert "How it would run" not in text
    assert [spec.kind for spec in inspector.inspected] == [TaskKind.SIMULATE]
    assert "print(result.output)" in page
    assert "shots" not in page
    assert "target='qir', profile='adaptive', bitcode=True" in page
    assert '"kind": "convert"' in page
    assert "As Qiskit" not in page
    address = page.split('class="button" href="')[1].partition('"')[0]
    assert parse_qs(urlsplit(address).query) == {"qc": ["h q;"], **{name: [text] for name, text in CONVERSION.items()}}


async def test_preview_of_a_run_has_its_backend(client: httpx.AsyncClient, workers: FakeWorkerRegistry) -> None:
    workers.workers = [worker("run.lab")]
    fields = {"qc": "h q;", "shots": "10", "kind": "run", "backend": "lab"}
    page = unescape((await client.post("/ui/check", data=fields, headers=PART)).text)
    assert "kind='run', backend='lab'" in page
    assert "print(result.counts)" in page
    assert "As Qiskit" not in page


async def test_converted_openqasm_is_shown_with_a_download(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    task_id = await submitted(client, kind="convert", target="openqasm2")
    convert(repository, task_id, Conversion(f"OPENQASM 2.0;\n// {MARKUP}\n", MediaType.TEXT))
    page = (await client.get(f"/ui/tasks/{task_id}")).text
    text = shown(page)
    assert "convert to openqasm2" in text
    assert '<span class="token keyword">OPENQASM</span>' in page
    assert MARKUP in unescape(page)
    assert "<script>alert" not in page
    assert f'href="../../tasks/{task_id}/output" download' in page
    assert "Convert again" in text
    for absent in ("Bit 0 is", "histogram.svg", "Shots", "Seed", "Requested method", "Method used", "new seed"):
        assert absent not in text


async def test_long_output_is_cut_and_qir_is_not_coloured(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    task_id = await submitted(client, kind="convert", target="qir")
    convert(repository, task_id, Conversion("define i64 @main\n" * 20_000, MediaType.TEXT))
    page = (await client.get(f"/ui/tasks/{task_id}")).text
    output = page[page.index("Converted program") : page.index("Timeline")]
    assert output.count("define i64 @main") == 1000
    assert "The rest is not shown." in output
    assert "token" not in output


async def test_binary_output_is_a_download(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    task_id = await submitted(client, **CONVERSION)
    content = b64encode(bytes(2048)).decode()
    convert(repository, task_id, Conversion(content, MediaType.BINARY, base64=True))
    page = (await client.get(f"/ui/tasks/{task_id}")).text
    assert "qir, adaptive profile, bitcode, 2 KiB" in shown(page)
    assert content not in page
    file = await client.get(f"/tasks/{task_id}/output")
    assert file.content == bytes(2048)


async def test_list_filters_by_kind_and_marks_what_is_no_simulation(
    client: httpx.AsyncClient, catalogue: FakeTaskCatalogue
) -> None:
    await submitted(client, **CONVERSION)
    page = (await client.get("/ui/tasks?kind=convert")).text
    assert catalogue.queries[-1].which.kind is TaskKind.CONVERT
    assert "<option selected>convert</option>" in page
    assert "convert to qir" in shown(page)
    assert 'data-label="shots">–<' in page
    await submitted(client)
    assert (await client.get("/ui/tasks?kind=")).headers["location"] == "tasks"
    page = (await client.get("/ui/tasks")).text
    assert page.count("badge kind") == 1


async def test_system_page_shows_queues_and_those_without_a_worker(
    client: httpx.AsyncClient, workers: FakeWorkerRegistry, repository: FakeTaskRepository
) -> None:
    workers.workers = [worker("simulate", "convert", "run.lab")]
    await submitted(client, kind="run", backend="lab")
    converted = await submitted(client, **CONVERSION)
    repository.change(TaskId(converted), TaskStatus.PROCESSING)
    workers.workers = [worker("simulate", "convert")]
    page = (await client.get("/ui/system")).text
    text = shown(page)
    assert "0 running, 2 slots and 1 for conversions" in text
    assert '<td data-label="queues">simulate, convert</td>' in page
    table = page[page.index('id="queues-title"') :].partition("</table>")[0]
    rows = re.findall(r"<td[^>]*>(.*?)</td>", table)
    assert " ".join(rows) == "convert 0 1 1 run.lab 1 0 0 simulate 0 0 1"
    assert "No worker takes the queue run.lab. 1 task will wait until one is started for it." in text
    workers.workers = [worker("run.lab")]
    assert "No worker takes" not in shown((await client.get("/ui/system")).text)


async def test_run_shows_its_backend_and_the_job_there(
    client: httpx.AsyncClient, workers: FakeWorkerRegistry, repository: FakeTaskRepository
) -> None:
    workers.workers = [worker("run.lab")]
    task_id = await submitted(client, kind="run", backend="lab")
    task = repository.tasks[TaskId(task_id)]
    for job, text in (
        (None, "Backendlab"),
        (RemoteJob(), "Job theresubmitting"),
        (RemoteJob("<j-1>", RemoteStatus.QUEUED), "Job there<j-1> Copy the id of the job queued"),
    ):
        repository.tasks[TaskId(task_id)] = replace(task, remote_job=job)
        assert text in shown((await client.get(f"/ui/tasks/{task_id}")).text)
    assert "run on lab" in shown((await client.get("/ui/tasks")).text)


async def test_failed_conversion_shows_why(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    task_id = await submitted(client, kind="convert", target="qpy")
    fail(repository, task_id, Failure(code=FailureCode.PARSE_ERROR, message="no gate", line=1))
    text = shown((await client.get(f"/ui/tasks/{task_id}")).text)
    assert "parse_error in line 1: no gate" in text
    assert "Converted program" not in text
