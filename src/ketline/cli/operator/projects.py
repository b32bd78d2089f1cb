"""The commands `ketline projects`: operators manage projects, their quotas, and the secrets of their callbacks."""

import re
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from ketline.cli.operator.administration import DataDir, administered, checked, operator, parse_duration
from ketline.cli.operator.documents import document, time
from ketline.cli.options import AsJson
from ketline.domain.access.principals import DEFAULT_PROJECT, MAX_WEIGHT, Project, ProjectName
from ketline.domain.access.principals import parse_project_name as parse_name
from ketline.domain.access.quotas import Quota, Scope, parse_quota
from ketline.domain.webhooks.callback_url import parse_callback
from ketline.domain.webhooks.deliveries import MAX_OVERLAP, SigningSecret

if TYPE_CHECKING:
    from ketline.runtime.administration import Administration

NewProject = Annotated[
    ProjectName,
    typer.Argument(parser=partial(checked, parse_name), metavar="NAME", help="The name of the new project."),
]
OldProject = Annotated[
    ProjectName, typer.Argument(parser=partial(checked, parse_name), metavar="NAME", help="The name of the project.")
]
_QUOTA_HELP = f"A quota of the project: {', '.join(Quota)}, with a limit, or with none to take it away."


def parse_overlap(text: str) -> timedelta:
    """How long a previous secret signs too.

    Raises:
        ValueError: it is no duration, or too long.
    """
    duration = parse_duration(text)
    if duration > MAX_OVERLAP:
        raise ValueError(f"write a duration of {MAX_OVERLAP.days}d at most")
    return duration


def parse_weight(text: str) -> float:
    """The weight of a project.

    Raises:
        ValueError: it is not a number above 0, or above the highest weight.
    """
    weight = float(text) if re.fullmatch(r"\d{1,6}(\.\d{1,6})?", text) else 0.0
    if not 0 < weight <= MAX_WEIGHT:
        raise ValueError(f"write a number above 0, of {MAX_WEIGHT:g} at most")
    return weight


def create_project(name: NewProject, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Create a project, to which keys and tasks can belong."""
    from ketline.cli.show import show_json

    async def create(administration: "Administration") -> Project:
        return await administration.projects.add(name, operator())

    created = administered(create, data_dir)
    if as_json:
        show_json(document(created))
    else:
        print(created.name)


def change_project(
    name: OldProject,
    weight: Annotated[
        float | None,
        typer.Option(
            parser=partial(checked, parse_weight),
            metavar="WEIGHT",
            help="How much of the slots it gets beside projects of weight 1.",
        ),
    ] = None,
    quota: Annotated[list[str] | None, typer.Option(help=_QUOTA_HELP, metavar="NAME=LIMIT")] = None,
    owner_quota: Annotated[
        list[str] | None, typer.Option(help="The same for each owner in it.", metavar="NAME=LIMIT")
    ] = None,
    callback: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Where the ends of tasks without their own are delivered; '' for nowhere."),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Set the weight and the callback of a project, and quotas of it and of each owner in it; show all of them."""
    from ketline.cli.show import show_json, show_rows

    changes = {Scope.PROJECT: quota or [], Scope.OWNER: owner_quota or []}
    if callback:
        checked(parse_callback, callback)
    limits = {scope: dict(checked(parse_quota, text) for text in texts) for scope, texts in changes.items()}

    async def change(administration: "Administration") -> Project:
        quotas = known = (await administration.projects.get(name)).quotas
        for scope, changed in limits.items():
            quotas = quotas.changed(scope, changed)
        new = None if quotas == known else quotas
        return await administration.projects.change(
            name, quotas=new, weight=weight, callback=callback, actor=operator()
        )

    changed = administered(change, data_dir)
    if as_json:
        show_json(document(changed))
        return
    both = ((Scope.PROJECT, changed.quotas.project), (Scope.OWNER, changed.quotas.owner))
    rows = [("project", "weight", f"{changed.weight:.12g}")]
    rows += [("project", "callback", changed.callback)] if changed.callback else []
    rows += [(scope.value, one.value, f"{limit:.12g}") for scope, some in both for one, limit in some.items()]
    show_rows(("of", "what", "value"), rows)


def webhook_secret(
    name: OldProject = DEFAULT_PROJECT,
    rotate: Annotated[bool, typer.Option("--rotate", help="Replace it by a new one.")] = False,
    overlap: Annotated[
        timedelta | None,
        typer.Option(
            parser=partial(checked, parse_overlap),
            metavar="DURATION",
            help="How long messages are signed with the previous one too: 1h, or 0s; default: 1d.",
        ),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Print the secret that signs the messages of a project to its callbacks, with which receivers verify them."""
    from ketline.cli.show import show_json

    async def read(administration: "Administration") -> SigningSecret:
        secrets = administration.webhook_secrets
        if not rotate:
            return await secrets.get(name)
        return await secrets.rotate(name, timedelta(days=1) if overlap is None else overlap, operator())

    found = administered(read, data_dir)
    if as_json:
        show_json(document(found))
    else:
        print(found.secret)


def list_projects(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the projects."""
    from ketline.cli.show import show_json, show_rows

    async def read(administration: "Administration") -> list[Project]:
        return list(await administration.projects.projects())

    found = administered(read, data_dir)
    if as_json:
        show_json([document(project) for project in found])
    else:
        show_rows(("project", "created"), [(project.name, time(project.created_at)) for project in found])
