"""Faults and what operators do about them, one after another, on a service under load."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aio_pika
import httpx

from tests.acceptance.processes import KetlineProcess, eventually
from tests.acceptance.programs import BELL, ENDLESS, long_program
from tests.acceptance.test_simulators import kill_simulators, without_descriptors
from tests.exposition import parsed, total
from tests.observed.commands import Commands
from tests.observed.stack import QUEUE, SLOTS, WORKERS, Stack, bearer
from tests.observed.watch import Watch

# What a simulator that runs a program uses in half a second, also on a machine with much else to do.
_BUSY_TICKS = 4
_FENCES = 8
# Together they send more than one key a second, also where a response takes a second.
_GUESSERS = 4

Fault = Callable[[], Coroutine[object, object, None]]


@dataclass(slots=True)
class Faults:
    """Injects faults into `stack`; each waits until the alerts that it causes have fired, and repairs what it broke."""

    stack: Stack
    watch: Watch
    commands: Commands
    ids: list[str] = field(default_factory=list)

    def all(self) -> Sequence[Fault]:
        """The faults, in the order of a run."""
        return [
            self.requests_are_rejected,
            self.workers_are_killed,
            self.simulators_cannot_start,
            self.simulators_die,
            self.attempts_are_fenced,
            self.broker_is_killed,
            self.database_stops,
            self.claims_are_paused,
            self.worker_is_drained,
            self.backup_is_restored,
        ]

    async def requests_are_rejected(self) -> None:
        """Requests that are wrong, that break off, or that are many at once; none of them is an alert."""
        http = self.stack.api.http
        await http.post("/validate", json={"qc": BELL})
        await http.get("/tasks/unknown")
        await asyncio.gather(*(http.get("/tasks") for _ in range(30)))
        reader, writer = await asyncio.open_connection("127.0.0.1", self.stack.port)
        writer.write(b"GET / HTTP/1.1\r\n")
        await reader.read()  # until the API closes it
        writer.close()
        late = await self._submit(ENDLESS, timeout_s=1)
        await self.stack.api.ended(late)
        await self.commands.printed("doctor")
        await self.commands.succeeds("check")

    async def workers_are_killed(self) -> None:
        """SIGKILL for all workers in the middle of tasks, which others run again."""
        api = self.stack.api
        ids = [await self._submit(ENDLESS) for _ in range(len(WORKERS) * SLOTS)]
        for task_id in ids:
            await api.reached(task_id, "processing")
        await asyncio.gather(*(worker.kill() for worker in self.stack.workers.values()))
        await self.watch.fired("KetlineProcessDown", "KetlineNoWorkers", "KetlineLeasesLost")
        await self.stack.start_workers()
        await self._cancel(ids)

    async def simulators_cannot_start(self) -> None:
        """A worker without file descriptors, whose simulators are gone."""
        worker = self.stack.workers[WORKERS[0]]
        with without_descriptors(worker):
            await kill_simulators(worker)
            await self.watch.fired("KetlineSimulatorsCannotStart")

    async def simulators_die(self) -> None:
        """SIGKILL for each simulator with one of these tasks, half of which are retried; receivers fail meanwhile."""
        self.stack.callbacks.rejects = True
        ids = [await self._submit(ENDLESS, max_attempts=1 + number % 2) for number in range(10)]
        killing = asyncio.create_task(self._kill_busy_simulators())
        try:
            await self.watch.fired("KetlineSimulatorsDying", "KetlineTasksFailing", seconds=60.0)
        finally:
            killing.cancel()
            await asyncio.wait([killing])
        await self._cancel(ids)

    async def broker_is_killed(self) -> None:
        await self.stack.broker.kill()
        await self.watch.fired("KetlineDependencyDown (queue)")
        await self.stack.broker.start()

    async def database_stops(self) -> None:
        await self.stack.database.stop()
        await self.watch.fired(
            "KetlineDependencyDown (database)", "KetlineMeasurementsMissing", "KetlineRequestsFailing", seconds=60.0
        )
        await self.stack.database.start()

    async def claims_are_paused(self) -> None:
        """Tasks wait until there is no room for more; meanwhile a process is slow, and somebody guesses keys."""
        await self.commands.succeeds("admin", "pause", "--reason", "observed")
        await self._publish_garbage()
        await self._exceed_quota()
        async with self._guessed_keys(), _slow(self.stack.workers[WORKERS[1]]):
            await self.watch.fired(
                "KetlineOldestTaskTooOld",
                "KetlineBacklogFull",
                "KetlineDeadLetters",
                "KetlineEventLoopSlow",
                "KetlineSignInsRefused",
                seconds=75.0,
            )
        await self.commands.succeeds("admin", "resume")
        await self._purge_garbage()
        self.stack.callbacks.rejects = False

    async def attempts_are_fenced(self) -> None:
        """Tasks are taken from a worker that lives, which then records nothing."""
        for _ in range(_FENCES):
            task_id = await self._submit(long_program(18, 12), method="statevector")
            await self.stack.api.reached(task_id, "processing", "completed")
            await self.stack.api.http.post(f"/admin/tasks/{task_id}/requeue", json={"force": True})
            await self.stack.api.ended(task_id)

    async def worker_is_drained(self) -> None:
        """What operators do to single workers and tasks."""
        api, [first, _] = self.stack.api, WORKERS
        running = [await self._submit(ENDLESS) for _ in range(2)]
        for task_id in running:
            await api.reached(task_id, "processing")
        await self.commands.succeeds("admin", "requeue", running[0], "--force")
        for task_id in running:
            await self.commands.succeeds("admin", "fail", task_id, "--reason", "observed")
        running = [await self._submit(ENDLESS) for _ in range(len(WORKERS) * SLOTS)]
        for task_id in running:
            await api.reached(task_id, "processing")
        await self.commands.succeeds("admin", "drain", first)
        await self.watch.shows("ketline_workers_draining > 0")
        await self._cancel(running)
        await self.commands.succeeds("admin", "drain", first, "--wait", "--timeout", "60")
        self.commands.record("a drained worker stops", await self.stack.workers[first].stop() == 0)
        await self.stack.start_workers()
        await self.commands.succeeds("admin", "requeue", "--lost")
        await self.commands.succeeds("admin", "vacuum")

    async def backup_is_restored(self) -> None:
        """The commands of docs/operations.md, into another database than that of the service, which continues."""
        await self.commands.backup()
        await self.commands.restore()
        here = {"KETLINE_URL": f"http://127.0.0.1:{self.stack.port}", "KETLINE_API_KEY": self.stack.key}
        for command in (["deliveries", "list"], ["workers"], ["history"]):
            await self.commands.succeeds(*command, **here)

    async def _submit(self, program: str, **fields: object) -> str:
        """Submit a task, again and again while there is no room for it or a server is down; return its id."""

        async def accepted() -> str | None:
            answered = await self.stack.api.http.post("/tasks", json={"qc": program, **fields})
            return str(answered.json()["task_id"]) if answered.is_success else None

        self.ids.append(await eventually(accepted, "room for a task", pause_seconds=0.2))
        return self.ids[-1]

    async def end_tasks(self) -> None:
        """Cancel what a fault has left, if it could not be repaired: programs that never end would hold the slots."""
        for task_id in self.ids:
            await self.stack.api.http.post(f"/tasks/{task_id}/cancel")
        self.ids.clear()

    async def _cancel(self, ids: Sequence[str]) -> None:
        """Cancel those that have not ended, once some of them run: killed workers have lost theirs."""
        for task_id in ids:
            answered = await self.stack.api.http.post(f"/tasks/{task_id}/cancel")
            assert answered.status_code in (200, 409), answered.text
        for task_id in ids:
            await self.stack.api.ended(task_id)

    async def _kill_busy_simulators(self) -> None:
        while True:
            for worker in self.stack.workers.values():
                before = {pid: _ticks(pid) for pid in worker.children()}
                await asyncio.sleep(0.5)
                for pid, ticks in before.items():
                    if await self._all_busy(worker) and _ticks(pid) - ticks > _BUSY_TICKS:
                        with suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGKILL)

    async def _all_busy(self, worker: KetlineProcess) -> bool:
        """Whether each slot runs a program, so that no busy process is one that only starts."""
        [name] = [name for name, process in self.stack.workers.items() if process is worker]
        async with httpx.AsyncClient() as http:
            page = (await http.get(f"http://127.0.0.1:{self.stack.worker_ports[name]}/metrics")).text
        return total(parsed(page), "ketline_simulators_busy", use="simulate") == SLOTS

    async def _publish_garbage(self) -> None:
        async with await aio_pika.connect(self.stack.broker.url) as connection:
            channel = await connection.channel()
            await channel.default_exchange.publish(aio_pika.Message(b"no message of Ketline's"), f"{QUEUE}.dead")

    async def _purge_garbage(self) -> None:
        async with await aio_pika.connect(self.stack.broker.url) as connection:
            channel = await connection.channel()
            await (await channel.get_queue(f"{QUEUE}.dead", ensure=False)).purge()

    async def _exceed_quota(self) -> None:
        await self.commands.succeeds("projects", "create", "small")
        await self.commands.succeeds("projects", "set", "small", "--quota", "waiting=1")
        made = await self.commands.succeeds(
            "keys", "create", "--project", "small", "--role", "submitter", "--owner", "small"
        )
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.stack.port}") as http:
            for _ in range(3):
                await http.post("/tasks", json={"qc": BELL}, headers=bearer(made.split()[-1]))

    @asynccontextmanager
    async def _guessed_keys(self) -> AsyncIterator[None]:
        async def guess() -> None:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.stack.port}", timeout=10) as http:
                while True:
                    await http.get("/tasks", headers=bearer("ketline_nobody_nothing"))
                    await asyncio.sleep(0.2)

        guessing = [asyncio.create_task(guess()) for _ in range(_GUESSERS)]
        try:
            yield
        finally:
            for one in guessing:
                one.cancel()
            await asyncio.wait(guessing)


@asynccontextmanager
async def _slow(process: KetlineProcess) -> AsyncIterator[None]:
    """Stop a process for more than half of the time, as a machine without free cores does; scrapes still succeed."""

    async def stop_and_go() -> None:
        while True:
            os.kill(process.pid, signal.SIGSTOP)
            await asyncio.sleep(0.8)
            os.kill(process.pid, signal.SIGCONT)
            await asyncio.sleep(0.6)

    slowing = asyncio.create_task(stop_and_go())
    try:
        yield
    finally:
        slowing.cancel()
        await asyncio.wait([slowing])
        os.kill(process.pid, signal.SIGCONT)


def _ticks(pid: int) -> int:
    """The processor time of a process; 0 if it has ended."""
    try:
        user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    except OSError:
        return 0
    return int(user) + int(system)
