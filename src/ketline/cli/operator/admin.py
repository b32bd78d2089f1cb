"""The commands `ketline admin …`: operators stop claims, intervene in tasks and free space, on the service's database.

They work while the service runs, and also while its API is down.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar
from uuid import UUID

import typer

from ketline.cli.exit_codes import TASK_FAILED, TIMED_OUT, fail
from ketline.cli.operator.administration import DataDir, administered, checked, operator
from ketline.cli.options import AsJson, TaskIds, Timeout, read_id
from ketline.domain.attempts.claim_stops import EVERY_QUEUE, Drain, Pause, PauseScope, parse_pause_scope, parse_reason
from ketline.domain.errors import KetlineError, ServiceUnavailable
from ketline.domain.ids import TaskId, WorkerId

if TYPE_CHECKING:
    from ketline.ports.operations.storage import StorageUse
    from ketline.runtime.administration import Administration

T = TypeVar("T")

POLL_SECONDS = 0.5

_QUEUE_HELP = "Only this queue: simulate, convert, run.BACKEND, or run for all backends"
Reason = Annotated[
    str | None,
    typer.Option(
        parser=partial(checked, parse_reason), metavar="TEXT", help="Why; shown with the state of the service."
    ),
]
Worker = Annotated[str, typer.Argument(metavar="WORKER", help="The id of a worker, as `ketline workers` lists it.")]


def pause(
    queue: Annotated[
        PauseScope,
        typer.Option(parser=partial(checked, parse_pause_scope), metavar="QUEUE", help=f"{_QUEUE_HELP}; default: all."),
    ] = EVERY_QUEUE,
    reason: Reason = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Stop claims: within two seconds no worker begins a task. Running tasks continue, submissions are accepted."""

    async def work(administration: "Administration") -> Sequence[Pause]:
        await administration.claim_controls.pause(queue, reason, operator())
        return await administration.claim_controls.pauses()

    _show_pauses(_on_service(work, data_dir), as_json=as_json)


def resume(
    queue: Annotated[
        PauseScope | None,
        typer.Option(
            parser=partial(checked, parse_pause_scope),
            metavar="QUEUE",
            help=f"{_QUEUE_HELP}, or all to end only the pause of all queues; default: end every pause.",
        ),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """End pauses; show those that remain."""

    async def work(administration: "Administration") -> Sequence[Pause]:
        await administration.claim_controls.resume(queue, operator())
        return await administration.claim_controls.pauses()

    _show_pauses(_on_service(work, data_dir), as_json=as_json)


def drain(
    worker: Worker,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it holds no task any more, or has stopped.")] = False,
    timeout: Timeout = None,
    undo: Annotated[bool, typer.Option("--undo", help="Let it claim tasks again.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Have one worker finish the tasks that it runs and claim no others, until --undo or until it starts anew."""
    if undo and wait:
        raise typer.BadParameter("--wait and --undo exclude each other.")

    async def work(administration: "Administration") -> Drain:
        controls, worker_id = administration.claim_controls, WorkerId(worker)
        if undo:
            return await controls.end_drain(worker_id, operator())
        begun = await controls.drain(worker_id, operator())
        return await _drained(administration, begun, timeout) if wait else begun

    _show_drain(_on_service(work, data_dir), as_json=as_json)


async def _drained(administration: "Administration", drain: Drain, timeout: float | None) -> Drain:
    """The drain once the worker is drained, or has stopped."""
    deadline = None if timeout is None else time.monotonic() + timeout
    known: Drain | None = drain
    while known is not None and known.drained_at is None:
        if known.draining_since is None:
            fail(
                f"Worker {drain.worker_id} is no longer being drained: another command or a new start ended it.",
                TASK_FAILED,
            )
        if deadline is not None and time.monotonic() > deadline:
            fail(f"Worker {drain.worker_id} still holds {known.tasks} tasks after {timeout:g} s.", TIMED_OUT)
        await asyncio.sleep(POLL_SECONDS)
        drain = known
        known = await administration.claim_controls.drain_of(WorkerId(drain.worker_id))
    return known or replace(drain, stopped=True)


def requeue(
    tasks: Annotated[list[str] | None, typer.Argument(help="Task ids, as submit prints them.")] = None,
    lost: Annotated[
        bool, typer.Option("--lost", help="All tasks whose worker is dead; with --force, all that are running.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Take tasks back also from workers that are alive.")] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Publish pending tasks again, and take back those whose worker is dead; exit 1 if one cannot be requeued."""

    if bool(tasks) == lost:
        raise typer.BadParameter("Name tasks, or give --lost.")

    async def one(administration: "Administration", task_id: TaskId) -> str:
        return (await administration.interventions.requeue(task_id, operator(), force=force)).value

    async def all_lost(administration: "Administration") -> Sequence[TaskId]:
        return await administration.interventions.lost(force=force)

    _for_each(all_lost if lost else tasks or [], one, "requeued", data_dir=data_dir, as_json=as_json)


def fail_task(
    tasks: TaskIds,
    reason: Annotated[
        str,
        typer.Option(
            parser=partial(checked, parse_reason), metavar="TEXT", help="Why; the owner of the task reads it."
        ),
    ],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """End tasks that have not ended as failed_by_administrator; exit 1 if one has ended otherwise."""

    async def one(administration: "Administration", task_id: TaskId) -> str:
        await administration.interventions.fail(task_id, reason, operator())
        return "failed"

    _for_each(tasks, one, "outcome", data_dir=data_dir, as_json=as_json)


def vacuum(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Delete ended tasks beyond the limits of retention now, and free the space of deleted rows."""
    from ketline.cli.show import show_json, show_rows

    done = _on_service(lambda administration: administration.vacuum(operator()), data_dir)
    shown: dict[str, object] = {"tasks_deleted": done.tasks_deleted}
    shown |= _use("before", done.before) | _use("after", done.after) | {"seconds": round(done.seconds, 3)}
    if as_json:
        show_json(shown)
    else:
        show_rows(("measured", "figure"), [(name.replace("_", " "), str(value)) for name, value in shown.items()])


def _on_service(work: Callable[["Administration"], Awaitable[T]], data_dir: Path | None) -> T:
    """Run `work` on the database of a service, which is there: what was done to a new one would be of no use."""
    return administered(work, data_dir, create=False)


def _use(when: str, use: "StorageUse") -> dict[str, object]:
    return {f"{name}_{when}": value for name, value in use._asdict().items() if value is not None}


def _for_each(
    tasks: Sequence[str] | Callable[["Administration"], Awaitable[Sequence[TaskId]]],
    work: Callable[["Administration", TaskId], Awaitable[str]],
    column: str,
    *,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Do `work` for each task, show what it returned, and continue after tasks for which it is not possible."""
    from ketline.cli.show import show_json, show_rows

    named = [] if callable(tasks) else [TaskId(read_id(text)) for text in tasks]
    done: list[tuple[UUID, str]] = []
    rejected: list[str] = []

    async def run(administration: "Administration") -> None:
        for task_id in dict.fromkeys(await tasks(administration) if callable(tasks) else named):
            try:
                done.append((task_id, await work(administration, task_id)))
            except ServiceUnavailable:
                raise
            except KetlineError as error:
                # Of tasks that were found and not named, those are left out that have changed since.
                if not callable(tasks):
                    rejected.append(str(error))

    try:
        _on_service(run, data_dir)
    finally:  # also if the database fails half way
        if as_json:
            show_json([{"task_id": str(task_id), column: what} for task_id, what in done])
        else:
            show_rows(("task", column), [(str(task_id), what) for task_id, what in done])
    if rejected:
        _reject(rejected)


def _reject(messages: Sequence[str]) -> NoReturn:
    fail("\nketline: ".join(messages), TASK_FAILED)


def _show_pauses(pauses: Sequence[Pause], *, as_json: bool) -> None:
    from ketline.cli.show import show_json, show_rows

    if as_json:
        shown = [
            {"queue": one.scope, "since": one.since.isoformat(), "reason": one.reason, "owner": one.owner}
            for one in pauses
        ]
        show_json([{name: value for name, value in one.items() if value is not None} for one in shown])
    elif pauses:
        rows = [
            (one.scope, one.since.isoformat(sep=" ", timespec="seconds"), one.owner or "", one.reason or "")
            for one in pauses
        ]
        show_rows(("paused", "since", "by", "reason"), rows)
    else:
        print("Nothing is paused.")


def _show_drain(drain: Drain, *, as_json: bool) -> None:
    from ketline.cli.show import show_json

    if as_json:
        moments = {"draining_since": drain.draining_since, "drained_at": drain.drained_at}
        times = {name: at.isoformat() for name, at in moments.items() if at is not None}
        stopped = {"stopped": True} if drain.stopped else {}
        show_json({"worker_id": drain.worker_id, **times, "tasks": drain.tasks, **stopped})
    elif drain.stopped:
        print(f"{drain.worker_id} has stopped. It held {drain.tasks} tasks before; other workers run what it left.")
    elif drain.draining_since is None:
        print(f"{drain.worker_id} claims tasks.")
    elif drain.drained_at is not None:
        print(f"{drain.worker_id} is drained: it holds no task and claims none.")
    else:
        print(f"{drain.worker_id} is draining: it holds {drain.tasks} tasks and claims no others.")
