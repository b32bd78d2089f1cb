"""The command `ketline convert`: converts a program into another format and writes the output to a file."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from ketline.cli.client.sources import Source, read_sources
from ketline.cli.exit_codes import TASK_FAILED, USAGE_ERROR, fail, require_server_libraries
from ketline.cli.options import Given, OwnUrl, Timeout, client_of, program_options
from ketline.cli.server.commands import configured, run_loop
from ketline.client import Client
from ketline.client.programs import Options
from ketline.domain.circuits.program_format import QirProfile, Target
from ketline.domain.tasks.kind import TaskKind


def convert(
    program: Annotated[str, typer.Argument(help="An OpenQASM or QPY file, or - for standard input.")],
    target: Annotated[Target, typer.Option("--to", help="Format of the output.")],
    profile: Annotated[QirProfile | None, typer.Option(help="Profile of QIR; default: base.")] = None,
    bitcode: Annotated[bool, typer.Option("--bitcode", help="QIR as bitcode instead of text.")] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; default: standard output.")
    ] = None,
    given: Given = None,
    url: OwnUrl = None,
    timeout: Timeout = None,
) -> None:
    """Convert a program to flat OpenQASM 3, OpenQASM 2, QPY or QIR."""
    if target is not Target.QIR and (profile or bitcode):
        fail("--profile and --bitcode are for --to qir only.", USAGE_ERROR)
    sources = read_sources([program])
    if len(sources) != 1:
        fail("convert takes one program.", USAGE_ERROR)
    options = program_options(given=given)
    options |= {
        "kind": TaskKind.CONVERT.value,
        "target": target.value,
        "profile": None if profile is None else profile.value,
        "bitcode": bitcode or None,
    }

    def use(client: Client) -> int:
        return _convert(client, sources[0], options, output, timeout)

    if url:
        with client_of(url) as client:
            raise typer.Exit(use(client))
    with require_server_libraries("ketline convert without --url or KETLINE_URL"):
        from ketline.cli.client.ephemeral_server import with_ephemeral_server

    raise typer.Exit(run_loop(with_ephemeral_server(configured(log_level="error"), 1, use)))


def _convert(
    client: Client, source: Source, options: Options, output: Path | None, timeout_seconds: float | None
) -> int:
    from ketline.cli.show import error_console, show_failure, show_warnings

    task = client.submit(source.text, **options).wait(timeout_seconds=timeout_seconds)
    show_warnings(task, name=source.name, program=source.text)
    if task.result is None or task.result.output is None:
        if task.error is not None:
            show_failure(error_console(), task.error, name=source.name, program=source.text)
        return TASK_FAILED
    write_output(task.result.output, output)
    return 0


def write_output(found: str | bytes, output: Path | None) -> None:
    """Write the output of a conversion to a file, or to standard output if there is none."""
    content = found if isinstance(found, bytes) else found.encode()
    if output is None:
        sys.stdout.buffer.write(content)
        return
    try:
        output.write_bytes(content)
    except OSError as error:
        fail(f"{output}: {error.strerror}", USAGE_ERROR)
