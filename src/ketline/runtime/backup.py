"""Backs up and restores the SQLite database of the embedded service, for `ketline backup` and `ketline restore`."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from ketline.config import Settings
from ketline.db.audit import SqlAuditLog
from ketline.db.backup import back_up, check_backup, put_in_place, restored_copy
from ketline.db.engine.database import open_database
from ketline.db.tasks.interventions import SqlTaskInterventions
from ketline.domain.access.audit import Action, Actor, AuditRecord
from ketline.domain.errors import BackupInvalid
from ketline.domain.operations.backup import BackupSummary
from ketline.runtime.data_directory import DATABASE_FILE, sole_owner, url_of
from ketline.runtime.database import migrate


@dataclass(frozen=True, slots=True, kw_only=True)
class Restoration:
    """A restored database: the summary of the backup, how many tasks were running in it, and the previous database."""

    backup: BackupSummary
    requeued: int
    aside: Path | None


async def back_up_embedded(settings: Settings, target: Path) -> BackupSummary:
    """Copy the database of the embedded service, which may be running.

    Raises:
        BackupRefused: there is no database, or there is a file at `target` already.
        BackupInvalid: the copy is damaged.
        DatabaseUnavailable: the database cannot be read, or the copy cannot be written.
    """
    return await asyncio.to_thread(back_up, settings.data_dir / DATABASE_FILE, target)


async def restore_embedded(settings: Settings, backup: Path, actor: Actor, *, replace: bool) -> Restoration:
    """Put a backup in the place of the database of the embedded service, and make its running tasks pending.

    No process runs them any more: they become pending at no cost, where a start would count a crash of each.

    Raises:
        BackupInvalid: the file is no whole database of Ketline, or of a later version.
        BackupRefused: there is a database already, and it is not to be replaced.
        ConfigurationInvalid: the service is running on the data directory.
        DatabaseUnavailable: the database cannot be written.
    """
    summary = await asyncio.to_thread(check_backup, backup)
    _require_known(summary, backup)
    with sole_owner(settings.data_dir):
        database = settings.data_dir / DATABASE_FILE
        # Whatever fails, or kills this process, until the copy is complete leaves the present database as it is.
        with restored_copy(backup, database, replace=replace) as copy:
            requeued = await _make_pending(url_of(copy), summary, actor)
            aside = await asyncio.to_thread(put_in_place, copy, database)
    return Restoration(backup=summary, requeued=requeued, aside=aside)


def _require_known(summary: BackupSummary, backup: Path) -> None:
    # Imported late, because other commands never need Alembic.
    from ketline.db.schema.migrate import known_revisions

    if summary.revision not in known_revisions():
        raise BackupInvalid(
            f"{backup} is of a later version of Ketline (schema {summary.revision}): restore it with that version."
        )


async def _make_pending(url: str, summary: BackupSummary, actor: Actor) -> int:
    await migrate(url)
    async with open_database(url) as database:
        interventions = SqlTaskInterventions(database)
        running = await interventions.lost(force=True)
        for task_id in running:
            await interventions.requeue(task_id, actor, force=True)
        newest = "empty" if summary.newest is None else f"as of {summary.newest:%Y-%m-%d %H:%M:%S}"
        notes = f"{summary.tasks} tasks, {newest}"
        await SqlAuditLog(database).add(AuditRecord(action=Action.DATABASE_RESTORED, actor=actor, notes=notes))
    return len(running)
