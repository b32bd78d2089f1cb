"""The commands `ketline backup` and `ketline restore`, for the SQLite database of the embedded service."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ketline.cli.exit_codes import USAGE_ERROR, fail, require_server_libraries
from ketline.cli.operator.administration import operator
from ketline.cli.options import AsJson
from ketline.cli.server.commands import configured, run_loop
from ketline.domain.operations.backup import BackupSummary

if TYPE_CHECKING:
    from ketline.config import Settings

DataDir = Annotated[
    Path | None, typer.Option(help="Directory of the embedded service's database; default: KETLINE_DATA_DIR.")
]


def backup(
    file: Annotated[Path, typer.Argument(help="Where to write the copy; there must be no such file.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Copy the SQLite database at one moment, also while the service runs, and check the copy."""
    from ketline.cli.show import show_json

    with require_server_libraries("ketline backup"):
        from ketline.runtime.backup import back_up_embedded

    done = run_loop(back_up_embedded(_embedded(data_dir), file))
    if as_json:
        show_json({"file": str(file), **_document(done)})
    else:
        print(f"{file}: {_summary(done)}")


def restore(
    file: Annotated[Path, typer.Argument(help="A copy that ketline backup wrote.")],
    replace: Annotated[
        bool, typer.Option("--replace", help="Move a database that is there aside, and say where it is then.")
    ] = False,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Put a copy in the place of the SQLite database of a service that is stopped; its running tasks run again."""
    from ketline.cli.show import show_json

    with require_server_libraries("ketline restore"):
        from ketline.runtime.backup import restore_embedded

    settings = _embedded(data_dir)
    done = run_loop(restore_embedded(settings, file, operator(), replace=replace))
    if as_json:
        aside = {} if done.aside is None else {"replaced": str(done.aside)}
        show_json({**_document(done.backup), "requeued": done.requeued, **aside})
        return
    print(
        f"Restored to {settings.data_dir}: {_summary(done.backup)}; {done.requeued} tasks that were running wait again."
    )
    if done.aside is not None:
        print(f"The database of before is {done.aside}; delete it when you do not need it any more.")


def _embedded(data_dir: Path | None) -> "Settings":
    """The settings, of an embedded service."""
    settings = configured(data_dir=data_dir)
    if data_dir is None and "database_url" in settings.model_fields_set:
        fail(
            "DATABASE_URL names a PostgreSQL database: use pg_dump and pg_restore as docs/operations.md says, or name "
            "a directory with --data-dir.",
            USAGE_ERROR,
        )
    return settings


def _document(summary: BackupSummary) -> dict[str, object]:
    newest = {} if summary.newest is None else {"newest": summary.newest.isoformat()}
    return {"bytes": summary.size_bytes, "schema": summary.revision, "tasks": summary.tasks, **newest}


def _summary(summary: BackupSummary) -> str:
    newest = "" if summary.newest is None else f", the newest change at {summary.newest:%Y-%m-%d %H:%M:%S} UTC"
    return f"{summary.tasks} tasks, {summary.size_bytes:,} bytes, schema {summary.revision}{newest}"
