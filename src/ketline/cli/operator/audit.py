"""The command `ketline audit`: lists entries of the audit log."""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ketline.cli.operator.administration import DataDir, administered, checked
from ketline.cli.operator.documents import plain, time
from ketline.cli.options import AsJson
from ketline.domain.access.audit import MAX_ENTRIES, AuditEntry
from ketline.domain.access.principals import ProjectName
from ketline.domain.access.principals import parse_project_name as parse_name

if TYPE_CHECKING:
    from ketline.runtime.administration import Administration


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
        "at": plain(entry.at),
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
    return [time(entry.at), str(record.action), *(value or "" for value in shown)]
