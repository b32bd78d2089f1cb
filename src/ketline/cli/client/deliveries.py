"""The commands `ketline deliveries`: list the messages to callbacks with their states, and repeat them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from ketline.cli.exit_codes import USAGE_ERROR, fail
from ketline.cli.options import AnyTaskId, AsJson, Url, client_of, read_id
from ketline.domain.limits import MAX_PAGE_TASKS
from ketline.domain.webhooks.deliveries import DeliveryState

_HEADER = ("task", "event", "state", "attempts", "next", "last error", "url")


def list_deliveries(
    state: Annotated[DeliveryState | None, typer.Option(help="Only those in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=MAX_PAGE_TASKS, help="At most this many, the newest ones.")] = 50,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List the newest deliveries of the project."""
    with client_of(url) as client:
        _show(client.recent_deliveries(state=state, limit=limit), as_json=as_json)


def show_deliveries(task: AnyTaskId, url: Url = None, as_json: AsJson = False) -> None:
    """Show the delivery of the message about a task; there is none before it has ended, or without a callback."""
    with client_of(url) as client:
        _show(client.deliveries(read_id(task)), as_json=as_json)


def repeat_deliveries(
    tasks: Annotated[list[str] | None, typer.Argument(help="Task ids, as submit prints them.")] = None,
    dead: Annotated[bool, typer.Option("--dead", help="All deliveries of the project that were given up.")] = False,
    url: Url = None,
) -> None:
    """Deliver the messages about tasks once more, with the same ids; print how many."""
    if bool(tasks) is dead:
        fail("Name tasks, or --dead for all deliveries that were given up.", USAGE_ERROR)
    with client_of(url) as client:
        repeated = len([client.redeliver(read_id(task)) for task in tasks or ()])
        while dead and (more := client.redeliver_dead()):
            repeated += more
    print(repeated)


def _show(found: Sequence[Mapping[str, Any]], *, as_json: bool) -> None:
    from ketline.cli.show import show_json, show_rows

    if as_json:
        show_json(found)
    else:
        show_rows(_HEADER, map(_row, found))


def _row(delivery: Mapping[str, Any]) -> Sequence[str]:
    following = delivery.get("next_at", "")[:19].replace("T", " ")
    error = delivery.get("last_error", "")
    shown = (delivery["task_id"], delivery["event"], delivery["state"], str(delivery["attempts"]))
    return (*shown, following, error, delivery["url"])
