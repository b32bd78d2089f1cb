"""The commands about stored tasks: `get`, `list`, `cancel`, `rerun` and `logs`."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from ketline.cli.client.convert import write_output
from ketline.cli.exit_codes import SUCCESS, TASK_FAILED, USAGE_ERROR, fail
from ketline.cli.options import AnyTaskId, AsJson, Shots, Tags, TaskIds, Url, client_of, read_id
from ketline.client import Client, RequestRefused, Task
from ketline.domain.failures import FailureCode
from ketline.domain.status import TaskStatus
from ketline.domain.tasks.kind import TaskKind

SHOWN_FORMS = ("text", "svg", "flat", "source")


def get(
    task: AnyTaskId,
    url: Url = None,
    as_json: AsJson = False,
    counts: Annotated[bool, typer.Option("--counts", help="Print only the counts, as JSON.")] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Write the output of a conversion to this file, or to - for standard output."
        ),
    ] = None,
    circuit: Annotated[
        str | None, typer.Option(metavar="FORM", help="Print the circuit instead: text, svg, flat or source.")
    ] = None,
) -> None:
    """Show a task: its status, and its result or its error."""
    from ketline.cli.show import show_json, show_task

    if circuit is not None and circuit not in SHOWN_FORMS:
        fail(f"--circuit takes {', '.join(SHOWN_FORMS)}, not {circuit!r}.", USAGE_ERROR)
    with client_of(url) as client:
        if circuit is not None:
            print(client.circuit(read_id(task), circuit).rstrip("\n"))
        elif counts:
            show_json(client.counts(read_id(task)))
        elif output is not None:
            _write_output(client.get(read_id(task)), output)
        else:
            found = client.get(read_id(task))
            if as_json:
                show_json(found.data)
            else:
                has_position = found.error is not None and found.error.line is not None
                show_task(found, client.circuit(found.task_id, "source") if has_position else None)


def _write_output(task: Task, output: Path) -> None:
    if task.result is None or task.result.output is None:
        what = f"is {task.status}" if task.kind == TaskKind.CONVERT else "is not a conversion"
        fail(f"Task {task.task_id} has no output: it {what}.", TASK_FAILED)
    write_output(task.result.output, None if str(output) == "-" else output)


def list_tasks(
    status: Annotated[
        list[TaskStatus] | None, typer.Option(help="Only tasks with this status; may be repeated.")
    ] = None,
    tags: Tags = None,
    name: Annotated[str | None, typer.Option(help="Only tasks with this name, or a prefix of it: 'run*'.")] = None,
    kind: Annotated[TaskKind | None, typer.Option(help="Only tasks of this kind.")] = None,
    worker: Annotated[str | None, typer.Option(help="Only tasks whose last attempt this worker ran.")] = None,
    owner: Annotated[str | None, typer.Option(help="Only tasks that were submitted with a key of this owner.")] = None,
    error: Annotated[FailureCode | None, typer.Option(help="Only tasks that failed with this code.")] = None,
    after: Annotated[
        str | None, typer.Option(help="Only tasks submitted at or after this time, such as 2026-01-02T03:04:05Z.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many tasks, the newest ones.")] = 50,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List tasks, the newest first."""
    from ketline.cli.show import kind_of, show_json, show_rows

    filters: Mapping[str, Any] = {
        "status": [each.value for each in status or ()] or None,
        "tag": tags or None,
        "name": name,
        "kind": None if kind is None else kind.value,
        "worker": worker,
        "owner": owner,
        "error_code": None if error is None else error.value,
        "submitted_after": after,
        "limit": min(limit, 200),
    }
    with client_of(url) as client:
        found = list(client.tasks(most=limit, **filters))
    if as_json:
        show_json([task.data for task in found])
    else:
        show_rows(
            ("task", "status", "submitted", "shots", "name", "tags", "kind"),
            [(*_row(task), kind_of(task)) for task in found],
        )


def cancel(tasks: TaskIds, url: Url = None, as_json: AsJson = False) -> None:
    """Cancel tasks; exit 1 if one had ended already."""
    with client_of(url) as client:
        raise typer.Exit(_each(client, tasks, lambda task: client.cancel(read_id(task)).data, as_json=as_json))


def enqueue(tasks: TaskIds, url: Url = None, as_json: AsJson = False) -> None:
    """Release tasks that were submitted with --hold; exit 1 if one cannot be."""
    with client_of(url) as client:
        raise typer.Exit(_each(client, tasks, lambda task: client.enqueue(read_id(task)).data, as_json=as_json))


def rerun(
    tasks: TaskIds,
    seed: Annotated[str, typer.Option(help="'same', 'new' or a number.")] = "same",
    shots: Shots = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Run the programs of tasks again and print the ids of the new tasks."""
    if seed not in ("same", "new") and not seed.isdecimal():
        fail(f"--seed takes same, new or a number, not {seed!r}.", USAGE_ERROR)
    given = int(seed) if seed.isdecimal() else seed
    with client_of(url) as client:

        def again(task: str) -> Mapping[str, Any]:
            handle = client.rerun(read_id(task), seed=given, shots=shots)
            return {"task_id": str(handle.task_id), "rerun_of": task}

        raise typer.Exit(_each(client, tasks, again, as_json=as_json))


def logs(
    task: Annotated[str | None, typer.Argument(help="A task id; default: follow all tasks.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow the task until it has ended.")] = False,
    tags: Tags = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Print the history of a task, or follow the changes of all tasks (with a tag) from now on."""
    import json

    from ketline.cli.show import change_line

    with client_of(url) as client:
        if task is None:
            for event in client.follow(tags=tags or ()):
                line = {"task_id": str(event.task_id), "status": event.status, "notes": event.change.notes}
                print(json.dumps(line) if as_json else f"{event.task_id}  {change_line(event.change)}", flush=True)
        elif follow:
            for event in client.events(read_id(task)):
                line = {"task_id": str(event.task_id), "status": event.status, "notes": event.change.notes}
                print(json.dumps(line) if as_json else change_line(event.change), flush=True)
        else:
            found = client.get(read_id(task))
            history = found.data.get("status_history", ())
            print(*(map(json.dumps, history) if as_json else map(change_line, found.history)), sep="\n")


def _each(client: Client, tasks: Sequence[str], do: Callable[[str], Mapping[str, Any]], *, as_json: bool) -> int:
    """Call `do` for each task, also after one failed, and return the exit status."""
    from ketline.cli.show import show_json

    done: list[Mapping[str, Any]] = []
    status = SUCCESS
    for task_id in [str(read_id(task)) for task in tasks]:
        try:
            done.append(do(task_id))
        except RequestRefused as error:
            if error.status not in (404, 409):
                raise
            typer.echo(f"ketline: {error}", err=True)
            status = TASK_FAILED
    if as_json:
        show_json(done)
    else:
        for document in done:
            print(document["task_id"])
    return status


def _row(task: Task) -> Sequence[str]:
    submitted = task.data["submitted_at"][:19].replace("T", " ")
    return (
        str(task.task_id),
        str(task.status),
        submitted,
        str(task.shots or ""),
        task.name or "",
        ", ".join(task.tags),
    )
