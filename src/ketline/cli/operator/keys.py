"""The commands `ketline keys`: operators manage API keys."""

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from ketline.cli.operator.administration import DataDir, administered, checked, operator, parse_duration
from ketline.cli.operator.documents import document, time
from ketline.cli.options import AsJson
from ketline.domain.access.principals import DEFAULT_PROJECT, ApiKey, Owner, ProjectName, Role, parse_owner
from ketline.domain.access.principals import parse_project_name as parse_name

if TYPE_CHECKING:
    from ketline.runtime.administration import Administration
    from ketline.service.access.keys import NewKey

KeyId = Annotated[str, typer.Argument(help="The id of a key, as list prints it: the first part of the key.")]
Expires = Annotated[
    timedelta | None,
    typer.Option(
        parser=partial(checked, parse_duration), metavar="DURATION", help="When the key ends: 90d; default: never."
    ),
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
        show_json([document(key) for key in found])
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
        show_json(document(revoked))
    else:
        print(revoked.key_id)


def _show_new(new: "NewKey", *, as_json: bool) -> None:
    from ketline.cli.show import show_json

    if as_json:
        show_json({"key": new.text, **document(new.key)})
    else:
        print(new.text)


def _row(key: ApiKey) -> tuple[str, ...]:
    times = (key.created_at, key.expires_at, key.last_used_at)
    return (key.key_id, key.project, str(key.role), key.owner, key.name or "", *map(time, times))
