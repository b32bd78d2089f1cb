"""Both clients at a real service that is killed, restarted or full: nothing is lost, nothing is submitted twice."""

import asyncio
from collections.abc import Iterator
from threading import Event as Signal
from uuid import UUID

import httpx
import pytest

from ketline.client import (
    AsyncClient,
    AsyncTaskHandle,
    BacklogFull,
    Client,
    Retries,
    TaskFailed,
    TaskHandle,
    TaskStatus,
    WaitTimeout,
)
from tests.acceptance.conftest import Embedded
from tests.acceptance.processes import Api, running_service
from tests.acceptance.programs import BELL, ENDLESS, long_program

# However slow the machine is, a restart takes less.
LONG_RETRIES = Retries(max_seconds=250, first_contact_seconds=250)
WAIT_SECONDS = 250
pytestmark = pytest.mark.timeout(300)
SLOW = long_program(qubits=18, rounds=72)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A service for tests that leave it alone."""
    with running_service(tmp_path_factory.mktemp("client")) as url:
        yield url


def url_of(embedded: Embedded) -> str:
    return f"http://127.0.0.1:{embedded.port}"


async def stored(api: Api) -> list[str]:
    """The ids of all tasks that the service has."""
    response = await api.http.get("/tasks?limit=200")
    return [task["task_id"] for task in response.json()["tasks"]]


class LosesAnswers(httpx.BaseTransport):
    """A network that loses the answer to the first requests of a kind, after the service has done what they ask."""

    def __init__(self, method: str, path: str, times: int = 1) -> None:
        self._inner = httpx.HTTPTransport()
        self._method, self._path, self._times = method, path, times
        self.lost = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = self._inner.handle_request(request)
        if self.lost < self._times and request.method == self._method and request.url.path == self._path:
            response.read()
            response.close()
            self.lost += 1
            raise httpx.ReadError("the connection was cut")
        return response

    def close(self) -> None:
        self._inner.close()


async def test_run_survives_a_service_that_is_killed(embedded: Embedded) -> None:
    process = await embedded.up(KETLINE_WORKER_SLOTS="1")
    with Client(url_of(embedded), retries=LONG_RETRIES) as client:
        running = asyncio.create_task(asyncio.to_thread(client.run, SLOW, timeout_seconds=WAIT_SECONDS, shots=100))
        await process.logged("task.started")
        await process.kill()
        await embedded.up(KETLINE_WORKER_SLOTS="1", WORKER_RETRY_DELAY_S="0.1")
        result = await running
        assert sum(result.counts.values()) == 100
        assert [str(task.task_id) for task in client.tasks()] == [str(result.task_id)]


@pytest.mark.parametrize("path", ["/tasks", "/tasks/batch"])
async def test_submission_whose_answer_is_lost_is_stored_once(embedded: Embedded, path: str) -> None:
    await embedded.up()
    network = LosesAnswers("POST", path, times=3)

    def submit() -> list[TaskHandle]:
        with Client(url_of(embedded), retries=LONG_RETRIES, transport=network) as client:
            made = client.submit_batch([BELL] * 20) if path.endswith("batch") else [client.submit(BELL)]
            assert len([task.result(timeout_seconds=WAIT_SECONDS) for task in made]) == len(made)
            return made

    made = await asyncio.to_thread(submit)
    async with embedded.api() as api:
        assert sorted(await stored(api)) == sorted(str(task.task_id) for task in made)
    assert network.lost == 3


@pytest.mark.long
async def test_batch_and_completion_survive_a_service_that_is_killed_twice(embedded: Embedded) -> None:
    process = await embedded.up(KETLINE_WORKER_SLOTS="1")
    begun = Signal()

    def work() -> tuple[list[TaskHandle], list[TaskHandle]]:
        with Client(url_of(embedded), retries=LONG_RETRIES) as client:
            programs: list[str] = [SLOW] + [BELL] * 28 + [SLOW]
            made = client.submit_batch(programs, shots=10)
            ended = []
            for task in client.as_completed(made, timeout_seconds=WAIT_SECONDS):
                assert sum(task.counts().values()) == 10
                ended.append(task)
                begun.set()
            return made, ended

    working = asyncio.create_task(asyncio.to_thread(work))
    await process.logged("task.started")
    await process.kill()
    process = await embedded.up(KETLINE_WORKER_SLOTS="1", WORKER_RETRY_DELAY_S="0.1")
    await asyncio.to_thread(begun.wait, WAIT_SECONDS)
    await process.kill()
    await embedded.up(KETLINE_WORKER_SLOTS="1", WORKER_RETRY_DELAY_S="0.1")
    made, ended = await working
    assert len(ended) == 30
    assert {task.task_id for task in ended} == {task.task_id for task in made}
    async with embedded.api() as api:
        assert sorted(await stored(api)) == sorted(str(task.task_id) for task in made)


@pytest.mark.long
async def test_async_client_survives_a_restart_in_the_middle(embedded: Embedded) -> None:
    process = await embedded.up(KETLINE_WORKER_SLOTS="1")
    async with AsyncClient(url_of(embedded), retries=LONG_RETRIES) as client:
        tasks = await client.submit_batch([SLOW, *[BELL] * 8], shots=10)
        single = asyncio.create_task(client.run(BELL, shots=5))
        events = asyncio.create_task(_statuses(tasks[0]))
        await process.logged("task.started")
        await process.stop()
        await embedded.up(KETLINE_WORKER_SLOTS="1", WORKER_RETRY_DELAY_S="0.1")
        ended = [task async for task in client.as_completed(tasks, timeout_seconds=WAIT_SECONDS)]
        assert {task.task_id for task in ended} == {task.task_id for task in tasks}
        assert sum((await single).counts.values()) == 5
        statuses = await events
        assert (statuses[0], statuses[-1]) == ("pending", "completed")
        assert len([task async for task in client.tasks()]) == 10


async def _statuses(task: AsyncTaskHandle) -> list[TaskStatus]:
    return [event.status async for event in task.events()]


class SeesRejections(httpx.HTTPTransport):
    """A network that tells when a submission was rejected because too many tasks wait."""

    def __init__(self) -> None:
        super().__init__()
        self.rejected = Signal()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        if response.status_code == 429:
            self.rejected.set()
        return response


async def test_full_service_is_waited_for(embedded: Embedded) -> None:
    await embedded.up(KETLINE_WORKER_SLOTS="1", KETLINE_MAX_BACKLOG="3", TASK_TIME_LIMIT_S="600")
    first, second = SeesRejections(), SeesRejections()

    def run() -> list[UUID]:
        with Client(url_of(embedded), retries=LONG_RETRIES, transport=first) as client:
            return [client.run(BELL, shots=9, timeout_seconds=WAIT_SECONDS).task_id]

    def run_batch() -> list[UUID]:
        with Client(url_of(embedded), retries=LONG_RETRIES, transport=second) as client:
            tasks = client.submit_batch([BELL] * 3, shots=9)
            return [task.task_id for task in client.as_completed(tasks, timeout_seconds=WAIT_SECONDS)]

    async with embedded.api() as api:
        endless = await api.submit(ENDLESS)
        await api.reached(endless, "processing")
        with Client(url_of(embedded), retries=LONG_RETRIES) as client:
            # What was claimed counts for a moment longer, so this one may be rejected at first, too.
            waiting = [task.task_id for task in client.submit_batch([BELL] * 3)]
        with Client(url_of(embedded), retries=Retries(max_seconds=1)) as hasty:
            with pytest.raises(BacklogFull) as raised:
                hasty.submit(BELL)
            assert (raised.value.code, raised.value.status) == ("backlog_full", 429)
        running = asyncio.gather(asyncio.to_thread(run), asyncio.to_thread(run_batch))
        for network in (first, second):
            assert await asyncio.to_thread(network.rejected.wait, WAIT_SECONDS)
        assert (await api.http.post(f"/tasks/{endless}/cancel")).status_code == 200
        alone, batch = await running
        assert sorted(await stored(api)) == sorted([endless, *map(str, [*waiting, *alone, *batch])])


def test_every_call_of_a_task(url: str) -> None:
    with Client(url) as client:
        task = client.submit(BELL, shots=100, seed=7, memory=True, name="bell", tags=["mine"], metadata={"run": 1})
        result = task.result(timeout_seconds=WAIT_SECONDS)
        assert result.memory is not None
        assert (len(result.memory), result.shots, result.seed) == (100, 100, 7)
        assert result.counts == client.counts(task.task_id)
        statuses = [event.status for event in task.events()]
        assert statuses == ["pending", "processing", "completed"]
        first = next(iter(task.events()))
        assert [event.status for event in task.events(after=first.event_id)] == statuses[1:]
        again = task.rerun()
        assert again.counts(timeout_seconds=WAIT_SECONDS) == result.counts
        assert again.wait().rerun_of == task.task_id
        assert "┤ H ├" in task.circuit()
        shown = task._repr_html_()
        assert "data:image/svg+xml;base64," in shown
        assert "Histogram" in shown
        assert client.change(task.task_id, name="final", tags=["mine", "final"]).name == "final"
        assert [one.task_id for one in client.tasks(tag="final")] == [task.task_id]
        client.delete(task.task_id)
        assert client.statistics().counts["processing"] >= 0
        assert client.validate(BELL).method == "statevector"
        assert client.workers()[0].slots > 0
        assert client.backends()[0]["name"] == "ketline-aer"


def test_sweep_has_its_points(url: str) -> None:
    program = "input float t; qubit q; bit c; U(t, 0, 0) q; c = measure q;"
    with Client(url) as client:
        result = client.run(program, shots=10, inputs={"t": [0.0, 3.141592653589793]}, timeout_seconds=WAIT_SECONDS)
    assert list(result.points) == [{"0": 10}, {"1": 10}]


def test_failed_and_cancelled_tasks_raise_what_and_where(url: str) -> None:
    with Client(url) as client:
        wrong = client.submit('OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit q;\n  nogate q;\n')
        with pytest.raises(TaskFailed) as raised:
            wrong.result(timeout_seconds=WAIT_SECONDS)
        assert (raised.value.code, raised.value.line, raised.value.column) == ("parse_error", 4, 3)
        assert str(raised.value).endswith("\n    nogate q;\n    ^")
        endless = client.submit(ENDLESS)
        with pytest.raises(WaitTimeout):
            endless.result(timeout_seconds=0.3)
        with pytest.raises(WaitTimeout):
            list(client.as_completed([endless, other := client.submit(ENDLESS)], timeout_seconds=0.3))
        other.cancel()
        assert endless.cancel().status == endless.cancel().status == "cancelled"
        with pytest.raises(TaskFailed, match="cancelled"):
            endless.result()


def test_changes_of_a_batch_are_watched_to_their_end(url: str) -> None:
    with Client(url) as client:
        tasks = client.submit_batch([BELL] * 5)
        ends = [task for task, status in client.watch(tasks, timeout_seconds=WAIT_SECONDS) if status == "completed"]
    assert {task.task_id for task in ends} == {task.task_id for task in tasks}
