"""The commands `ketline keys`, `projects` and `audit`: operators manage access on the database, without the API.

The database is that of the embedded service, which may be running, or that of the distributed one, where it is set.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from getpass import getuser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from ketline.cli.exit_codes import require_server_libraries
from ketline.cli.options import AsJson
from ketline.cli.server.commands import configured, run_loop
from ketline.domain.access.audit import COMMAND_LINE, MAX_ENTRIES, Actor, AuditEntry
from ketline.domain.access.principals import (
    DEFAULT_PROJECT,
    MAX_WEIGHT,
    ApiKey,
    Owner,
    Project,
    ProjectName,
    Role,
    parse_owner,
)
from ketline.domain.access.principals import parse_project_name as parse_name
from ketline.domain.access.quotas import Quota, Scope, parse_quota
from ketline.domain.webhooks.callback_url import parse_callback
from ketline.domain.webhooks.deliveries import MAX_OVERLAP, SigningSecret

if TYPE_CHECKING:
    from ketline.runtime.administration import Administration
    from ketline.service.access.keys import NewKey

T = TypeVar("T")

_DURATION = re.compile(r"(\d{1,8})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
MAX_LIFETIME = timedelta(days=36_500)


def checked(parse: Callable[[str], T], text: str) -> T:
    """The value of an option, read by a function that raises `ValueError`."""
    try:
        return parse(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r}: {error}.") from None


def parse_duration(text: str) -> timedelta:
    """A duration such as `90d` or `1h`.

    Raises:
        ValueError: it is not one, or longer than a hundred years.
    """
    parts = _DURATION.fullmatch(text)
    duration = None if parts is None else timedelta(**{_UNITS[parts[2]]: int(parts[1])})
    if duration is None or duration > MAX_LIFETIME:
        raise ValueError(f"write a number and a unit, such as 30m, 12h, 90d or 2w, of {MAX_LIFETIME.days}d at most")
    return duration


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


DataDir = Annotated[
    Path | None,
    typer.Option(help="Directory of the embedded service's database; default: DATABASE_URL, or else KETLINE_DATA_DIR."),
]
KeyId = Annotated[str, typer.Argument(help="The id of a key, as list prints it: the first part of the key.")]
Expires = Annotated[
    timedelta | None,
    typer.Option(
        parser=partial(checked, parse_duration), metavar="DURATION", help="When the key ends: 90d; default: never."
    ),
]
OldProject = Annotated[
    ProjectName, typer.Argument(parser=partial(checked, parse_name), metavar="NAME", help="The name of the project.")
]
_QUOTA_HELP = f"A quota of the project: {', '.join(Quota)}, with a limit, or with none to take it away."
NewProject = Annotated[
    ProjectName,
    typer.Argument(parser=partial(checked, parse_name), metavar="NAME", help="The name of the new project."),
]


def create_key(
    role: Annotated[Role, typer.Option(help="What it may do; each role includes those before it.")],
    owner: Annotated[
        Owner,
        typer.Option(parser=partial(checked, parse_owner), metavar="OWNER", help="Who uses it: the owner of tasks."),
    ],
    project: Annotated[
        ProjectName,
        typer.Option(parser=partial(checked, parse_name), metavar="NAME", help="The project whose tasks it is for."),
    ] = DEFAULT_PROJECT,
    name: Annotated[
        Owner | None, typer.Option(parser=partial(checked, parse_owner), metavar="TEXT", help="What the key is for.")
    ] = None,
    expires: Expires = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Create an API key and print it. It is shown this once, because only a digest is stored."""

    async def create(administration: "Administration") -> "NewKey":
        return await administration.keys.create(
            project=project, role=role, owner=owner, name=name, lifetime=expires, actor=operator()
        )

    _show_new(administered(create, data_dir), as_json=as_json)


def list_keys(
    project: Annotated[
        ProjectName | None,
        typer.Option(parser=partial(checked, parse_name), metavar="NAME", help="Only keys of this project."),
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List the API keys, the oldest first, with those that have ended."""
    from ketline.cli.show import show_json, show_rows

    async def read(administration: "Administration") -> list[ApiKey]:
        if project is not None:
            await administration.projects.get(project)
        return list(await administration.keys.keys(project))

    found = administered(read, data_dir)
    if as_json:
        show_json([_document(key) for key in found])
        return
    header = ("key", "project", "role", "owner", "name", "created", "expires", "last used")
    show_rows(header, map(_row, found))


def rotate_key(
    key: KeyId,
    overlap: Annotated[
        timedelta | None,
        typer.Option(
            parser=partial(checked, parse_duration),
            metavar="DURATION",
            help="How long the old key remains valid: 1h; default: it ends at once.",
        ),
    ] = None,
    expires: Expires = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Create a key with the rights, owner and name of another, print it, and end the other one."""

    async def rotate(administration: "Administration") -> "NewKey":
        return await administration.keys.rotate(key, overlap or timedelta(), expires, actor=operator())

    _show_new(administered(rotate, data_dir), as_json=as_json)


def revoke_key(key: KeyId, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """End a key: every process of the service rejects it within two seconds."""
    from ketline.cli.show import show_json

    async def revoke(administration: "Administration") -> ApiKey:
        return await administration.keys.revoke(key, operator())

    revoked = administered(revoke, data_dir)
    if as_json:
        show_json(_document(revoked))
    else:
        print(revoked.key_id)


def create_project(name: NewProject, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """Create a project, to which keys and tasks can belong."""
    from ketline.cli.show import show_json

    async def create(administration: "Administration") -> Project:
        return await administration.projects.add(name, operator())

    created = administered(create, data_dir)
    if as_json:
        show_json(_document(created))
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
        show_json(_document(changed))
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
        show_json(_document(found))
    else:
        print(found.secret)


def list_projects(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List the projects."""
    from ketline.cli.show import show_json, show_rows

    async def read(administration: "Administration") -> list[Project]:
        return list(await administration.projects.projects())

    found = administered(read, data_dir)
    if as_json:
        show_json([_document(project) for project in found])
    else:
        show_rows(("project", "created"), [(project.name, _time(project.created_at)) for project in found])


def audit(
    project: Annotated[
        ProjectName | None,
        typer.Option(parser=partial(checked, parse_name), metavar="NAME", help="Only what was done in this project."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most this many entries, the newest ones.")] = 50,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List who did what to what, when and from where, the newest first."""
    from ketline.cli.show import show_json, show_rows

    async def read(administration: "Administration") -> list[AuditEntry]:
        found: list[AuditEntry] = []
        page = await administration.audit.find(project, None, min(limit, MAX_ENTRIES))
        while page.next is not None and len(found) + len(page.entries) < limit:
            found += page.entries
            page = await administration.audit.find(project, page.next, min(limit, MAX_ENTRIES))
        return [*found, *page.entries][:limit]

    entries = administered(read, data_dir)
    if as_json:
        show_json([_entry_document(entry) for entry in entries])
        return
    header = ("at", "action", "project", "target", "owner", "key", "origin", "notes")
    show_rows(header, map(_entry_row, entries))


def _entry_document(entry: AuditEntry) -> dict[str, Any]:
    record, actor = entry.record, entry.record.actor
    shown = {
        "number": entry.number,
        "at": _plain(entry.at),
        "action": str(record.action),
        "project": record.project,
        "target": record.target,
        "owner": actor.owner,
        "key_id": actor.key_id,
        "origin": actor.origin,
        "notes": record.notes,
    }
    return {name: value for name, value in shown.items() if value is not None}


def _entry_row(entry: AuditEntry) -> list[str]:
    record, actor = entry.record, entry.record.actor
    shown = (record.project, record.target, actor.owner, actor.key_id, actor.origin, record.notes)
    return [_time(entry.at), str(record.action), *(value or "" for value in shown)]


def operator() -> Actor:
    """The user of the operating system, as the actor in the audit log."""
    try:
        return Actor(owner=Owner(getuser()), origin=COMMAND_LINE)
    except (KeyError, OSError):
        return Actor(origin=COMMAND_LINE)  # a user id without a name, as in containers


def administered(work: Callable[["Administration"], Awaitable[T]], data_dir: Path | None, *, create: bool = True) -> T:
    """Run `work` on the database that the options and the settings name; that of a new data directory is created."""
    with require_server_libraries("This command"):
        from ketline.runtime.administration import open_administration

    settings = configured(data_dir=data_dir)
    embedded = data_dir is not None or "database_url" not in settings.model_fields_set

    async def run() -> T:
        async with open_administration(settings, embedded=embedded, create=create) as administration:
            return await work(administration)

    result: T = run_loop(run())
    return result


def _show_new(new: "NewKey", *, as_json: bool) -> None:
    from ketline.cli.show import show_json

    if as_json:
        show_json({"key": new.text, **_document(new.key)})
    else:
        print(new.text)


def _document(shown: ApiKey | Project | SigningSecret) -> dict[str, Any]:
    return {name: _plain(value) for name, value in asdict(shown).items() if value is not None}


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else str(value) if isinstance(value, StrEnum) else value


def _row(key: ApiKey) -> tuple[str, ...]:
    times = (key.created_at, key.expires_at, key.last_used_at)
    return (key.key_id, key.project, str(key.role), key.owner, key.name or "", *map(_time, times))


def _time(moment: datetime | None) -> str:
    return "" if moment is None else moment.isoformat(sep=" ", timespec="seconds")
