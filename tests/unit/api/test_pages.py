"""Pages without a browser: what is on them, that it is escaped, and what forms do."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from ketline.domain.access.principals import DEFAULT_PROJECT, ProjectName
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.errors import DatabaseUnavailable, InspectorBusy, ProgramInvalid, ProgramTooLarge
from ketline.domain.failures import Failure, FailureCode
from ketline.domain.ids import TaskId
from ketline.domain.results.result import Point, Profile, ProgramWarning, Register, WarningCode
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.inspection import Drawing, ProgramSource
from ketline.domain.tasks.priority import QueuePosition
from ketline.web.examples import examples
from tests.fake_catalogue import FakeTaskCatalogue
from tests.fakes import FakeTaskRepository
from tests.inspectors import FakeInspector, FakeProgramLibrary
from tests.specs import respecified

MARKUP = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;"
PROGRAM = f"OPENQASM 3.0;\nfoo q; // {MARKUP}\n"
PROFILE = Profile(
    method="statevector",
    method_reason="<b>few</b>",
    tier="scanner",
    qubits=2,
    depth=3,
    operations={"<i>h</i>": 1},
    parsing_seconds=0.1,
    simulating_seconds=0.2,
)
PART = {"HX-Request": "true"}


@pytest.fixture
def library(repository: FakeTaskRepository) -> FakeProgramLibrary:
    class Submitted(FakeProgramLibrary):
        async def get(self, task_id: TaskId) -> ProgramSource:
            await repository.get(task_id)
            stored = next(one for one in repository.submissions if one.task_id == task_id)
            return ProgramSource(
                circuit=stored.spec.circuit, inputs=stored.spec.inputs, format=stored.spec.options.format
            )

    return Submitted()


async def submitted(client: httpx.AsyncClient, **fields: str) -> UUID:
    response = await client.post("/ui/submit", data={"qc": PROGRAM, "shots": "10", **fields})
    assert response.status_code == 303, response.text
    assert response.headers["location"].startswith("tasks/")
    return UUID(response.headers["location"].removeprefix("tasks/"))


def complete(repository: FakeTaskRepository, task_id: UUID, counts: dict[str, int]) -> None:
    repository.change(TaskId(task_id), TaskStatus.PROCESSING)
    repository.change(TaskId(task_id), TaskStatus.COMPLETED)
    task = repository.tasks[TaskId(task_id)]
    repository.tasks[TaskId(task_id)] = replace(task, counts=counts, profile=PROFILE, completed_at=datetime.now(UTC))


def fail(repository: FakeTaskRepository, task_id: UUID, failure: Failure) -> None:
    repository.change(TaskId(task_id), TaskStatus.FAILED)
    task = repository.tasks[TaskId(task_id)]
    repository.tasks[TaskId(task_id)] = replace(task, failure=failure, completed_at=datetime.now(UTC))


def shown(page: str) -> str:
    """The text of a page."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]*>", "", page)))


async def test_front_page_is_a_form_with_a_program_in_it(client: httpx.AsyncClient) -> None:
    page = await client.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "OpenQASM 3" in page.text
    assert examples()[0].program in unescape(page.text)
    assert 'value="777"' in page.text, "the default number of shots"
    assert 'href="./docs"' in page.text
    assert "1.2.3" in page.text


async def test_bare_address_of_the_pages_leads_to_the_form(client: httpx.AsyncClient) -> None:
    response = await client.get("/ui", follow_redirects=True)
    assert (response.status_code, response.url.path) == (200, "/")


async def test_policy_lets_nothing_run_but_our_own_files(client: httpx.AsyncClient, app: FastAPI) -> None:
    task_id, seen = await submitted(client, qc="qubit q;"), set()
    paths = {
        context.path or "" for context in iter_route_contexts(app.router.routes) if "GET" in (context.methods or ())
    }
    # The description of the interface has a policy of its own.
    for path in (paths - set(app.openapi()["paths"]) - {"/docs"}) | {"/ui/nothing"}:
        page = await client.get(path.replace("{task_id}", str(task_id)))
        if page.headers.get("content-type", "").startswith("text/html"):
            assert_runs_only_our_own_files(page)
            seen.add(path)
    assert {"/", "/ui/tasks", "/ui/tasks/{task_id}", "/ui/system", "/ui/nothing"} <= seen


def assert_runs_only_our_own_files(page: httpx.Response) -> None:
    policy = dict(part.strip().partition(" ")[::2] for part in page.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert "unsafe" not in page.headers["content-security-policy"]
    assert page.headers["x-content-type-options"] == "nosniff"
    # A part that is put into an open page has no script at all.
    scripts = {""} if page.text.startswith("<!doctype html>") else set()
    assert set(re.findall(r"<script[^>]*>([^<]*)</script>", page.text)) == scripts
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=", page.text)
    assert not re.search(r"""(?:src|href|action)="(?:https?:)?//""", page.text)


@pytest.mark.parametrize("path", ["/", "/ui/tasks/{id}"])
async def test_all_assets_of_pages_are_served_and_cached(client: httpx.AsyncClient, path: str) -> None:
    address = path.format(id=await submitted(client))
    page = (await client.get(address)).text
    files = {found for found in re.findall(r'(?:src|href)="([^"]+)"', page) if "/assets/" in found}
    assert len(files) == 7
    for file in files:
        response = await client.get(str(httpx.URL(f"http://ketline.test{address}").join(file)))
        assert response.status_code == 200
        assert "immutable" in response.headers["cache-control"]


@pytest.mark.parametrize("name", ["0/ketline.css", "{edition}/../rendering.py", "{edition}/%2e%2e%2frendering.py"])
async def test_no_other_file_is_served(client: httpx.AsyncClient, name: str) -> None:
    found = re.search(r"ui/assets/(\w+)/", (await client.get("/")).text)
    assert found
    assert (await client.get("/ui/assets/" + name.format(edition=found[1]))).status_code == 404


async def test_form_makes_the_task_it_says(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    await submitted(
        client,
        qc="a\r\nb",
        shots=" 12 ",
        seed="3",
        priority="-7",
        method="stabilizer",
        name="n",
        tags="x, y ,",
        inputs='{"t": 0.5}',
        timeout_s="2.5",
        memory="on",
    )
    [made] = repository.submissions
    assert (made.spec.circuit, made.spec.shots, made.spec.options.seed, made.spec.options.method) == (
        "a\nb",
        12,
        3,
        "stabilizer",
    )
    assert made.spec.priority == -7
    assert (made.spec.labels.name, list(made.spec.labels.tags), made.spec.inputs) == ("n", ["x", "y"], {"t": 0.5})
    assert (made.spec.time_limit_seconds, made.spec.options.memory) == (2.5, True)


async def test_empty_fields_are_as_if_left_out(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    await submitted(client, shots="", seed="", method="", name=" ", tags=" , ", inputs="", timeout_s="")
    [made] = repository.submissions
    assert (made.spec.shots, made.spec.options.method, made.spec.labels.name, list(made.spec.labels.tags)) == (
        777,
        "automatic",
        None,
        [],
    )


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("shots", "many", "Shots must be an integer."),
        ("shots", "0", "Shots must be at least 1."),
        ("shots", "999999", "Shots must be at most 5000."),
        ("priority", "101", "Priority must be at most 100."),
        ("priority", "first", "Priority must be an integer."),
        ("seed", "-1", "Seed must be at least 0."),
        ("method", "magic", "Method must be "),
        ("name", "x" * 201, "Name must have at most 200 characters."),
        ("tags", "a,a", "Tags must be distinct."),
        ("inputs", "{", 'Inputs must be a JSON object, as {"theta": 0.3}.'),
        ("inputs", "[1]", "Inputs must be a JSON object"),
        ("timeout_s", "nan", "Time limit "),
        ("timeout_s", "101", "Time limit must be at most 100."),
        ("qc", " ", "Program must not be empty"),
        ("qc", "x" * 2001, "Program The program has 2001 bytes"),
    ],
)
async def test_wrong_field_is_named_and_the_form_is_shown_again(
    client: httpx.AsyncClient, repository: FakeTaskRepository, field: str, value: str, message: str
) -> None:
    page = await client.post("/ui/submit", data={"qc": PROGRAM, "shots": "10", "name": "kept", field: value})
    assert page.status_code in {413, 422}
    assert message in shown(page.text)
    assert 'aria-invalid="true"' in page.text or field == "method"
    assert field == "name" or 'value="kept"' in page.text
    assert repository.submissions == []


async def test_problems_of_the_service_show_the_form_again(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    repository.error = DatabaseUnavailable("at db.internal")
    page = await client.post("/ui/submit", data={"qc": PROGRAM, "name": "kept"})
    assert page.status_code == 503
    assert "Database unavailable." in shown(page.text)
    assert 'value="kept"' in page.text
    assert "db.internal" not in page.text


async def test_full_backlog_is_shown_on_the_form(client: httpx.AsyncClient) -> None:
    for _ in range(5):
        await submitted(client)
    page = await client.post("/ui/submit", data={"qc": PROGRAM})
    assert (page.status_code, "Too many tasks waiting." in shown(page.text)) == (429, True)


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "application/json"}, b"{}", 415),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"qc=%ff", 400),
        ({"Content-Type": "application/x-www-form-urlencoded"}, "qc=é".encode(), 400),
        ({"Content-Type": "application/x-www-form-urlencoded"}, b"a=1&" * 1001, 400),
    ],
)
async def test_other_bodies_are_rejected_with_a_page(
    client: httpx.AsyncClient, headers: dict[str, str], body: bytes, status: int
) -> None:
    page = await client.post("/ui/submit", content=body, headers=headers)
    assert (page.status_code, page.headers["content-type"]) == (status, "text/html; charset=utf-8")


async def test_address_restores_the_form(client: httpx.AsyncClient) -> None:
    page = await client.get("/", params={"qc": PROGRAM, "shots": "5", "method": "stim", "tags": "a, b", "name": MARKUP})
    assert PROGRAM in unescape(page.text)
    assert 'value="5"' in page.text
    assert "<option selected>stim</option>" in page.text
    assert MARKUP not in page.text
    assert MARKUP in unescape(page.text)


async def test_example_is_put_into_the_form(client: httpx.AsyncClient) -> None:
    page = await client.get("/", params={"example": "grover"})
    assert "Flips the sign" in page.text


async def test_task_is_put_into_the_form_to_be_changed(client: httpx.AsyncClient) -> None:
    task_id = await submitted(
        client, seed="5", tags="a,b", inputs='{"t": 1}', memory="on", timeout_s="9", priority="77"
    )
    page = unescape((await client.get("/", params={"copy": str(task_id)})).text)
    assert PROGRAM in page
    assert 'name="seed" type="text" value=""' in page  # nobody may have chosen it
    for value in ('value="10"', 'value="a, b"', '{"t": 1}', 'value="9"', 'value="77"', " checked"):
        assert value in page


@pytest.mark.parametrize("task_id", ["7", "11111111-2222-4333-8444-555555555555"])
async def test_copy_of_no_task_is_not_found(client: httpx.AsyncClient, task_id: str) -> None:
    assert (await client.get("/", params={"copy": task_id})).status_code == 404


async def test_check_says_how_it_would_run(client: httpx.AsyncClient, inspector: FakeInspector) -> None:
    part = await client.post("/ui/check", data={"qc": PROGRAM, "shots": "3"}, headers=PART)
    assert not part.text.lstrip().startswith("<!doctype")
    assert "Valid: 2 qubits, depth 3" in shown(part.text)
    assert 'src="data:image/svg+xml;base64,' in part.text
    assert [drawing for _, drawing in inspector.drawn] == [Drawing.SVG]
    assert inspector.inspected[0].shots == 3


async def test_check_is_a_whole_page_without_scripts(client: httpx.AsyncClient) -> None:
    page = await client.post("/ui/check", data={"qc": PROGRAM, "name": "kept"})
    assert page.text.startswith("<!doctype html>")
    assert "Valid: 2 qubits" in shown(page.text)
    assert 'value="kept"' in page.text


async def test_check_shows_the_wrong_line_with_a_caret(client: httpx.AsyncClient, inspector: FakeInspector) -> None:
    inspector.error = ProgramInvalid(f"gate {MARKUP} is not defined", line=2, column=5)
    part = (await client.post("/ui/check", data={"qc": PROGRAM}, headers=PART)).text
    assert "parse_error in line 2, column 5: gate" in shown(part)
    assert 'aria-hidden="true">    </span><span class="caret">' in part
    assert "<script" not in part
    assert "<img" not in part


async def test_form_too_long_for_an_address_has_no_link(client: httpx.AsyncClient) -> None:
    short = await client.post("/ui/check", data={"qc": "x" * 100}, headers=PART)
    assert 'href="../?qc=xxx' in short.text
    long = await client.post("/ui/check", data={"qc": "x", "inputs": "9" * 7_500}, headers=PART)
    assert 'href="../?qc=' not in long.text


async def test_page_and_its_part_vary_by_header(client: httpx.AsyncClient) -> None:
    """Where both have one address, a browser must not take the one for the other when one goes back."""
    responses = [await client.get(f"/ui/tasks/{await submitted(client)}", headers=headers) for headers in ({}, PART)]
    assert {response.headers["vary"] for response in responses} == {"HX-Request"}
    assert {response.headers["cache-control"] for response in responses} == {"private, no-cache"}


async def test_check_answers_when_programs_cannot_be_read(client: httpx.AsyncClient, inspector: FakeInspector) -> None:
    inspector.error = InspectorBusy("8 wait")
    part = await client.post("/ui/check", data={"qc": PROGRAM}, headers=PART)
    assert (part.status_code, "cannot be checked now" in part.text) == (200, True)


async def test_check_names_wrong_fields(client: httpx.AsyncClient) -> None:
    part = await client.post("/ui/check", data={"qc": PROGRAM, "shots": "x"}, headers=PART)
    assert "shots must be an integer" in shown(part.text)


async def test_task_page_of_a_waiting_task_follows_it(client: httpx.AsyncClient) -> None:
    task_id = await submitted(client, name="n", tags="a,b")
    page = (await client.get(f"/ui/tasks/{task_id}")).text
    assert f'hx-sse:connect="../../tasks/{task_id}/events"' in page
    assert f'action="../../ui/tasks/{task_id}/cancel"' in page
    assert str(task_id) in shown(page)


async def test_waiting_task_shows_its_position_in_the_queue(
    client: httpx.AsyncClient, catalogue: FakeTaskCatalogue, repository: FakeTaskRepository
) -> None:
    task_id = await submitted(client, priority="5")
    catalogue.places[TaskId(task_id)] = QueuePosition(
        at=datetime.now(UTC) + timedelta(hours=1),
        ahead=1233,
        counted_to_the_end=True,
        slots=1,
        free_slots=0,
        ended=1234,
        window=timedelta(minutes=1),
    )
    repository.tasks[TaskId(task_id)] = replace(repository.tasks[TaskId(task_id)], priority=5)
    page = (await client.get(f"/ui/tasks/{task_id}")).text
    assert "number 1,234 in the queue, expected to start in 1 h " in shown(page)
    assert "<dt>Priority</dt><dd>5</dd>" in page
    catalogue.places[TaskId(task_id)] = replace(catalogue.places[TaskId(task_id)], counted_to_the_end=False)
    text = shown((await client.get(f"/ui/tasks/{task_id}")).text)
    assert "number 1,234 or later in the queue" in text
    complete(repository, task_id, {"0": 1})
    assert "in the queue" not in shown((await client.get(f"/ui/tasks/{task_id}")).text)


async def test_task_page_of_a_completed_task_shows_what_came_out(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    task_id = await submitted(client)
    complete(repository, task_id, {"00": 7, "11": 3})
    page = (await client.get(f"/ui/tasks/{task_id}")).text
    assert "hx-sse:" not in page
    assert "/cancel" not in page
    text = shown(page)
    assert "10 shots, 2 outcomes" in text
    assert "70.00 %" in text
    assert "Bit 0 is the rightmost" in text
    assert "parsing 100 ms" in text
    assert page.index('class="outcome">00<') < page.index('class="outcome">11<')
    for kept in ("counts.json", "counts.csv", "histogram.svg?sort=value"):
        assert f"ui/tasks/{task_id}/{kept}" in page


async def test_task_page_shows_the_warnings_about_the_program(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    task_id = await submitted(client)
    complete(repository, task_id, {"0": 10})
    assert "Warnings" not in shown((await client.get(f"/ui/tasks/{task_id}")).text)
    warning = ProgramWarning(code=WarningCode.PRAGMA_IGNORED, message=f"the pragma '{MARKUP}'", line=3, column=1)
    task = repository.tasks[TaskId(task_id)]
    repository.tasks[TaskId(task_id)] = replace(task, profile=replace(PROFILE, warnings=(warning,)))
    text = shown((await client.get(f"/ui/tasks/{task_id}")).text)
    assert f"pragma_ignored the pragma '{MARKUP}' line 3, column 1" in text


async def test_histogram_is_sorted_as_requested(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    task_id = await submitted(client)
    complete(repository, task_id, {"00": 3, "11": 7})
    by_bits = (await client.get(f"/ui/tasks/{task_id}", params={"sort": "bitstring"})).text
    assert by_bits.index('class="outcome">00<') < by_bits.index('class="outcome">11<')
    assert (await client.get(f"/ui/tasks/{task_id}", params={"sort": "luck"})).status_code == 422


async def test_sweep_shows_one_point_after_the_other(
    client: httpx.AsyncClient, repository: FakeTaskRepository, inspector: FakeInspector
) -> None:
    task_id = await submitted(client, inputs='{"theta": [0.1, 0.2]}')
    complete(repository, task_id, {})
    task = repository.tasks[TaskId(task_id)]
    points = [Point(counts={"0": 10}), Point(counts={"1": 4, "0": 6})]
    profile = replace(PROFILE, registers=[Register(bits=1, name="c")])
    repository.tasks[TaskId(task_id)] = replace(task, counts=None, points=points, profile=profile)
    first = (await client.get(f"/ui/tasks/{task_id}")).text
    assert "10 shots, 1 outcome" in shown(first)
    assert "theta = 0.1" in shown(first)
    assert f'hx-get="../../ui/tasks/{task_id}/circuit?point=0"' in first
    assert "c[1]" in shown(first)
    assert f'href="../../ui/tasks/{task_id}?sort=value&amp;point=1">next' in first
    second = (await client.get(f"/ui/tasks/{task_id}?point=1&sort=bitstring")).text
    assert "10 shots, 2 outcomes" in shown(second)
    assert "theta = 0.2" in shown(second)
    drawn = await client.get(f"/ui/tasks/{task_id}/circuit?point=1")
    assert drawn.status_code == 200, drawn.text
    assert inspector.drawn[-1][0].inputs == {"theta": 0.2}
    assert (await client.get(f"/ui/tasks/{task_id}/circuit?point=2")).status_code == 422
    assert "previous" in second
    assert ">next<" not in second
    assert (await client.get(f"/ui/tasks/{task_id}?point=2")).status_code == 422
    drawn = await client.get(f"/ui/tasks/{task_id}/histogram.svg?point=1")
    assert "<title>0: 6 " in drawn.text
    assert (await client.get(f"/ui/tasks/{task_id}/counts.json")).json() == [{"0": 10}, {"1": 4, "0": 6}]
    assert (await client.get(f"/ui/tasks/{task_id}/counts.csv")).text.startswith("point,outcome,count\r\n0,0,10\r\n")


def cells_of(page: str) -> list[str]:
    """The cells of the first table of a page."""
    table = page[page.index("<tbody>") : page.index("</tbody>")]
    return re.findall(r"<td[^>]*>([^<]*)</td>", table)


async def test_corrected_counts_are_shown_as_counts_are(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    task_id = await submitted(client)
    complete(repository, task_id, {"00": 7, "11": 3})
    assert "readout errors" not in shown((await client.get(f"/ui/tasks/{task_id}")).text)
    task = repository.tasks[TaskId(task_id)]
    correction = {
        "quasi_probabilities": {"00": -0.0625, "11": 1.0625},
        "probabilities": {"00": 0.0, "11": 1.0},
        "overhead": 1.5625,
    }
    repository.tasks[TaskId(task_id)] = replace(task, mitigation={"readout": correction})
    page = (await client.get(f"/ui/tasks/{task_id}")).text
    corrected = page[page.index("Result without readout errors") :]
    assert "grows up to 1.562 times" in shown(corrected)
    assert cells_of(corrected) == ["11", "1.0000", "1.0625", "00", "0.0000", "-0.0625"]
    assert 'aria-label="Histogram of the probabilities of 2 outcomes;' in corrected
    by_bits = (await client.get(f"/ui/tasks/{task_id}?sort=bitstring")).text
    by_bits = by_bits[by_bits.index("Result without readout errors") :]
    assert cells_of(by_bits) == ["00", "0.0000", "-0.0625", "11", "1.0000", "1.0625"]
    drawn = (await client.get(f"/ui/tasks/{task_id}/histogram.svg")).text
    assert "<title>00: 7 (70.00 %)</title>" in drawn


async def test_corrected_counts_of_a_sweep_are_those_of_the_point(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    task_id = await submitted(client, inputs='{"theta": [0.1, 0.2]}')
    complete(repository, task_id, {})
    task = repository.tasks[TaskId(task_id)]
    corrections = [
        {"quasi_probabilities": {key: 1.0}, "probabilities": {key: 1.0}, "overhead": overhead}
        for key, overhead in (("0", 1.25), ("1", 2.5))
    ]
    points = [Point(counts={"0": 10}), Point(counts={"1": 10})]
    repository.tasks[TaskId(task_id)] = replace(task, counts=None, points=points, mitigation={"readout": corrections})
    for query, key, overhead in (("", "0", "1.25"), ("?point=1", "1", "2.5")):
        page = (await client.get(f"/ui/tasks/{task_id}{query}")).text
        corrected = page[page.index("Result without readout errors") :]
        assert f"up to {overhead} times" in shown(corrected)
        assert cells_of(corrected) == [key, "1.0000", "1.0000"]


async def with_values(
    client: httpx.AsyncClient,
    repository: FakeTaskRepository,
    observables: str,
    values: Any,
    errors: Any = None,
    **fields: str,
) -> str:
    """The table of a completed task's expectation values."""
    task_id = await submitted(client, observables=observables, **fields)
    complete(repository, task_id, {})
    task = repository.tasks[TaskId(task_id)]
    repository.tasks[TaskId(task_id)] = replace(task, counts=None, expectation_values=values, standard_errors=errors)
    text = (await client.get(f"/ui/tasks/{task_id}")).text
    return text[text.index("Expectation values") : text.index("Timeline")]


def cells(table: str, kind: str) -> list[str]:
    return [unescape(re.sub("<[^>]*>", "", cell)) for cell in re.findall(rf"<{kind}[^>]*>(.*?)</{kind}>", table)]


async def test_circuit_in_qpy_that_is_too_large_for_text_is_not_edited(
    client: httpx.AsyncClient, repository: FakeTaskRepository, inspector: FakeInspector
) -> None:
    task_id = await submitted(client, qc="aGVsbG8=")
    stored = repository.submissions[0]
    repository.submissions[0] = respecified(stored, options=replace(stored.spec.options, format=ProgramFormat.QPY))
    inspector.error = ProgramTooLarge("the circuit has 9,000 qubits")
    rejected = await client.get(f"/?copy={task_id}")
    assert rejected.status_code == 409
    assert "9,000 qubits" in rejected.text


async def test_expectation_values_have_their_observables(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    table = await with_values(client, repository, '[{"ZZ": 1}, {"XI": -0.5, "IZ": 1}]', (0.5, -1.0))
    assert (cells(table, "th"), cells(table, "td")) == (["ZZ", "-0.5·XI + IZ"], ["0.500000", "-1.000000"])


async def test_estimates_have_their_standard_errors(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    table = await with_values(client, repository, '[{"ZZ": 1}, {"XI": 1}]', (0.5, -1.0), (0.015, 0.0), sampled="on")
    assert cells(table, "td") == ["0.500000 ± 0.015", "-1.000000 ± 0"]
    assert "standard errors" in table
    assert repository.submissions[-1].spec.options.sampled


async def test_form_asks_for_estimates_by_precision(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    task_id = await submitted(client, observables='[{"ZZ": 1.0}]', precision="0.1")
    spec = repository.submissions[-1].spec
    assert (spec.options.precision, spec.shots, spec.options.sampled) == (0.1, 100, True)
    form = (await client.get(f"/?copy={task_id}")).text
    assert 'value="0.1"' in form[form.index('id="precision"') :].split(">")[0]
    await submitted(client, observables='[{"ZZ": 1.0}]')
    assert not repository.submissions[-1].spec.options.sampled


async def test_points_of_a_sweep_have_their_values_beside_expectation_values(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    inputs = '{"theta": [0.1, 0.2]}'
    table = await with_values(client, repository, '[{"Z": 1}]', ((0.25,), (1.0,)), inputs=inputs)
    assert cells(table, "th") == ["Point", "theta", "Z"]
    assert cells(table, "td") == ["0", "0.1", "0.250000", "1", "0.2", "1.000000"]
    own = await with_values(client, repository, '[[{"Z": 1}], [{"X": 1}]]', ((0.25,), (1.0,)), inputs=inputs)
    assert cells(own, "td") == ["0", "0.1", "0.250000 Z", "1", "0.2", "1.000000 X"]


async def test_task_with_observables_is_put_into_the_form(client: httpx.AsyncClient) -> None:
    task_id = await submitted(client, observables='[{"ZZ": 1.0}]')
    page = unescape((await client.get("/", params={"copy": str(task_id)})).text)
    assert 'value="[{"ZZ": 1.0}]"' in page


async def test_observables_that_are_not_json_are_a_field_error(client: httpx.AsyncClient) -> None:
    response = await client.post("/ui/submit", data={"qc": PROGRAM, "shots": "10", "observables": "ZZ"})
    assert response.status_code == 422
    assert "Observables must be a JSON array" in response.text


async def test_circuit_in_qpy_is_edited_as_text(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    task_id = await submitted(client, qc="aGVsbG8=")
    stored = repository.submissions[0]
    options = replace(stored.spec.options, format=ProgramFormat.QPY)
    repository.submissions[0] = respecified(stored, options=options)
    page = (await client.get(f"/ui/tasks/{task_id}")).text
    assert "submitted as QPY" in page
    assert "aGVsbG8=" not in page
    assert f"?copy={task_id}" in page
    form = (await client.get(f"/?copy={task_id}")).text
    assert "flat of aGVsbG8=" in form


async def test_large_result_is_cut_on_the_page(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    task_id = await submitted(client)
    complete(repository, task_id, {f"{number:012b}": 1 for number in range(4096)})
    page = (await client.get(f"/ui/tasks/{task_id}")).text
    assert page.count('class="outcome"') == 33
    assert "4,064 others" in page
    assert len(page) < 60_000


async def test_failed_task_shows_code_reason_and_position(
    client: httpx.AsyncClient, repository: FakeTaskRepository
) -> None:
    task_id = await submitted(client)
    fail(repository, task_id, Failure(code=FailureCode.PARSE_ERROR, message=f"no {MARKUP}", line=2, column=3))
    page = (await client.get(f"/ui/tasks/{task_id}")).text
    assert "parse_error in line 2, column 3: no <script>" in shown(page)
    assert 'aria-hidden="true">  </span><span class="caret">' in page
    assert "<script>" not in page


async def test_everything_of_a_task_is_escaped(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    tag = "<b>\"'&"
    task_id = await submitted(client, name=MARKUP, tags=tag)
    complete(repository, task_id, {"<u>": 1})
    task = repository.tasks[TaskId(task_id)]
    labels = replace(task.labels, metadata={"</code><script>": MARKUP})
    repository.tasks[TaskId(task_id)] = replace(task, labels=labels)
    page = (await client.get(f"/ui/tasks/{task_id}")).text
    for forbidden in ("<script>", "<img src=x", "<b>", "<u>", "<i>h"):
        assert forbidden not in page, forbidden
    assert MARKUP in unescape(page)
    assert "ui/tasks?tag=%3Cb%3E%22%27%26" in page


async def test_open_page_gets_only_what_changes(client: httpx.AsyncClient) -> None:
    part = (await client.get(f"/ui/tasks/{await submitted(client)}", headers=PART)).text
    assert part.startswith('<div id="task"')


async def test_circuit_is_drawn_in_the_largest_form_that_holds_it(
    client: httpx.AsyncClient, inspector: FakeInspector
) -> None:
    task_id = await submitted(client)
    part = (await client.get(f"/ui/tasks/{task_id}/circuit", headers=PART)).text
    assert "data:image/svg+xml;base64," in part

    async def too_large(source: ProgramSource, drawing: Drawing, project: ProjectName = DEFAULT_PROJECT) -> str:
        if drawing is Drawing.SVG:
            raise ProgramTooLarge("a drawing as 'svg' holds up to 32 qubits")
        return f"q: -{MARKUP}-"

    inspector.draw = too_large  # type: ignore[method-assign]
    other = await submitted(client, qc="another")
    part = (await client.get(f"/ui/tasks/{other}/circuit", headers=PART)).text
    assert MARKUP in unescape(part)
    assert "<script>" not in part


async def test_circuit_too_large_for_any_drawing_is_summed_up(
    client: httpx.AsyncClient, inspector: FakeInspector
) -> None:
    async def too_large(source: ProgramSource, drawing: Drawing, project: ProjectName = DEFAULT_PROJECT) -> str:
        raise ProgramTooLarge(f"a drawing as '{drawing}' holds up to 64 qubits")

    inspector.draw = too_large  # type: ignore[method-assign]
    text = shown((await client.get(f"/ui/tasks/{await submitted(client)}/circuit", headers=PART)).text)
    assert "There is no drawing: a drawing as 'text' holds up to 64 qubits." in text
    assert "2 qubits, depth 3, 4 operations: h × 1, cx × 1, measure × 2." in text


async def test_circuit_that_cannot_be_drawn_says_why(client: httpx.AsyncClient, inspector: FakeInspector) -> None:
    task_id = await submitted(client)
    inspector.error = ProgramInvalid("gate 'foo' is not defined", line=2, column=1)
    part = await client.get(f"/ui/tasks/{task_id}/circuit", headers=PART)
    assert (part.status_code, "gate 'foo' is not defined" in shown(part.text)) == (200, True)


async def test_cancel_and_return_to_the_page(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    task_id = await submitted(client)
    for _ in range(2):
        response = await client.post(f"/ui/tasks/{task_id}/cancel")
        assert (response.status_code, response.headers["location"]) == (303, f"../{task_id}")
    assert repository.tasks[TaskId(task_id)].status is TaskStatus.CANCELLED


@pytest.mark.parametrize(("seed", "same"), [("same", True), ("new", False)])
async def test_rerun_shows_the_new_task(
    client: httpx.AsyncClient, repository: FakeTaskRepository, seed: str, same: bool
) -> None:
    task_id = await submitted(client, seed="5")
    response = await client.post(f"/ui/tasks/{task_id}/rerun", data={"seed": seed})
    assert response.status_code == 303
    again = repository.submissions[-1]
    assert response.headers["location"] == f"../{again.task_id}"
    assert (again.rerun_of, again.spec.options.seed == 5) == (task_id, same)


@pytest.mark.parametrize("path", ["/ui/tasks/{id}", "/ui/tasks/{id}/circuit", "/ui/tasks/{id}/counts.csv"])
async def test_pages_of_no_task_are_not_found(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(path.format(id=uuid4()))
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "task_not_found" in page.text
    assert (await client.get(path.format(id="7"))).status_code == 404


@pytest.mark.parametrize("action", ["cancel", "rerun"])
async def test_actions_on_no_task_are_not_found(client: httpx.AsyncClient, action: str) -> None:
    response = await client.post(f"/ui/tasks/{uuid4()}/{action}", data={"seed": "same"})
    assert response.status_code == 404


async def test_page_without_a_database_says_so(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    task_id = await submitted(client)
    repository.error = DatabaseUnavailable("at db.internal")
    page = await client.get(f"/ui/tasks/{task_id}")
    assert (page.status_code, "db.internal" in page.text) == (503, False)
    assert int(page.headers["retry-after"]) > 0


async def test_downloads(client: httpx.AsyncClient, repository: FakeTaskRepository) -> None:
    task_id = await submitted(client)
    assert (await client.get(f"/ui/tasks/{task_id}/counts.json")).status_code == 409
    complete(repository, task_id, {"00": 7, "<b>": 3})
    files = {name: await client.get(f"/ui/tasks/{task_id}/{name}") for name in ("counts.json", "counts.csv")}
    assert files["counts.json"].json() == {"00": 7, "<b>": 3}
    assert files["counts.csv"].text == "outcome,count\r\n00,7\r\n<b>,3\r\n"
    drawn = await client.get(f"/ui/tasks/{task_id}/histogram.svg?sort=bitstring")
    assert drawn.headers["content-type"] == "image/svg+xml"
    assert "<b>" not in drawn.text
    assert drawn.text.lstrip().startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    for response in (*files.values(), drawn):
        assert response.headers["content-disposition"].startswith("attachment; ")
        assert response.headers["content-security-policy"].endswith("sandbox")


async def test_pages_work_below_another_path(client: httpx.AsyncClient) -> None:
    """All addresses are relative, so that a proxy may serve the pages elsewhere."""
    for address in ("/", f"/ui/tasks/{await submitted(client)}", "/ui/nothing/at/all"):
        page = (await client.get(address)).text
        found = re.findall(r'(?:src|href|action|hx-get|hx-post)="([^"]*)"', page)
        assert [one for one in found if one.startswith("/")] == []
        base = httpx.URL(f"http://host/below{address}")
        joined = {base.join(one).path for one in found if not one.startswith("#")}
        assert all(path.startswith("/below/") for path in joined), joined
