"""Commands about tasks that were submitted before."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import typer

from ketline.cli.exit_codes import SUCCESS, TASK_FAILED, USAGE_ERROR, fail
from ketline.cli.options import AnyTaskId, AsJson, Shots, Tags, TaskIds, Url, client_of, read_id
from ketline.client import Client, RequestRefused, Task
from ketline.domain.task import FailureCode, TaskStatus

SHOWN_FORMS = ("text", "svg", "flat", "source")


def get(
    task: AnyTaskId,
    url: Url = None,
    as_json: AsJson = False,
    counts: Annotated[bool, typer.Option("--counts", help="Print the counts and nothing else, as JSON.")] = False,
    circuit: Annotated[
        str | None, typer.Option(metavar="FORM", help="Print the circuit instead: text, svg, flat or source.")
    ] = None,
) -> None:
    """Show a task: how it stands, what came out, or what went wrong and where."""
    from ketline.cli.show import show_json, show_task

    if circuit is not None and circuit not in SHOWN_FORMS:
        fail(f"--circuit takes {', '.join(SHOWN_FORMS)}, not {circuit!r}.", USAGE_ERROR)
    with client_of(url) as client:
        if circuit is not None:
            print(client.circuit(read_id(task), circuit).rstrip("\n"))
        elif counts:
            show_json(client.counts(read_id(task)))
        else:
            found = client.get(read_id(task))
            if as_json:
                show_json(found.data)
            else:
                points = found.error is not None and found.error.line is not None
                show_task(found, client.circuit(found.task_id, "source") if points else None)


def list_tasks(
    status: Annotated[
        list[TaskStatus] | None, typer.Option(help="Only those with this status; may be repeated.")
    ] = None,
    tags: Tags = None,
    name: Annotated[str | None, typer.Option(help="Only those with this name, or that begin so: 'run*'.")] = None,
    worker: Annotated[str | None, typer.Option(help="Only those that this worker ran last.")] = None,
    error: Annotated[FailureCode | None, typer.Option(help="Only those that failed so.")] = None,
    after: Annotated[str | None, typer.Option(help="Submitted at this time or later, as 2026-01-02T03:04:05Z.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List tasks, the newest first."""
    from ketline.cli.show import show_json, show_rows

    filters: Mapping[str, Any] = {
        "status": [one.value for one in status or ()] or None,
        "tag": tags or None,
        "name": name,
        "worker": worker,
        "error_code": None if error is None else error.value,
        "submitted_after": after,
        "limit": min(limit, 200),
    }
    with client_of(url) as client:
        found = list(client.tasks(most=limit, **filters))
    if as_json:
        show_json([task.data for task in found])
    else:
        show_rows(("task", "status", "submitted", "shots", "name", "tags"), [_row(task) for task in found])


def cancel(tasks: TaskIds, url: Url = None, as_json: AsJson = False) -> None:
    """Cancel tasks; exit 1 if one had ended otherwise."""
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
    task: Annotated[str | None, typer.Argument(help="A task id; without one all tasks are followed.")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the task has ended.")] = False,
    tags: Tags = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Print a task's history, line by line, or that of all tasks (with a tag) from now on."""
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
    """Do it to each task, whatever comes of the others."""
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
        for one in done:
            print(one["task_id"])
    return status


def _row(task: Task) -> Sequence[str]:
    submitted = task.data["submitted_at"][:19].replace("T", " ")
    return (str(task.task_id), str(task.status), submitted, str(task.shots), task.name or "", ", ".join(task.tags))
