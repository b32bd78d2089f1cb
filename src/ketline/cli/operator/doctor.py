"""The command `ketline doctor`: checks the settings, the machine, the database and the broker of a process."""

import asyncio
import logging
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from ketline.cli.exit_codes import SUCCESS, TASK_FAILED, require_server_libraries
from ketline.cli.operator.administration import DataDir
from ketline.cli.options import AsJson
from ketline.domain.errors import ConfigurationInvalid
from ketline.domain.operations.diagnosis import Finding, Grade, ok, problem, warning

if TYPE_CHECKING:
    from ketline.config import Settings

TIMEOUT_SECONDS = 8.0


def doctor(
    data_dir: DataDir = None,
    timeout: Annotated[float, typer.Option(min=0.1, max=300, help="Seconds for all checks.")] = TIMEOUT_SECONDS,
    as_json: AsJson = False,
) -> None:
    """Check settings, versions, machine, database and broker, and say what to do; exit 1 if there is a problem.

    It runs with the environment of the process that is to be checked, on its machine. It changes nothing.
    """
    with require_server_libraries("ketline doctor"):
        from ketline.cli.server.tls import tls_context
        from ketline.config import load_settings, read_older_variables, reject_open_service

    # Findings already say what libraries would log about servers that do not respond.
    logging.disable()
    findings: list[Finding] = []
    try:
        given = {} if data_dir is None else {"data_dir": data_dir}
        settings = load_settings(**given)
        embedded = data_dir is not None or "database_url" not in settings.model_fields_set
        older = read_older_variables(embedded=embedded).unused
        findings += [warning("settings", f"{name} is set and not used", reason) for name, reason in older.items()]
        reject_open_service(settings)
        tls_context(settings)
        findings.append(ok("settings", _mode(settings, embedded=embedded)))
        findings += _checked(settings, timeout, embedded=embedded)
    except ConfigurationInvalid as error:
        findings.append(problem("settings", "the configuration cannot be used", str(error)))
    _finish(findings, as_json=as_json)


def _checked(settings: "Settings", timeout: float, *, embedded: bool) -> Sequence[Finding]:
    from ketline.runtime.doctor import checks_of
    from ketline.service.diagnosis.checks import run_checks

    return asyncio.new_event_loop().run_until_complete(run_checks(checks_of(settings, embedded=embedded), timeout))


def _mode(settings: "Settings", *, embedded: bool) -> str:
    if embedded:
        return f"embedded service with its data in {settings.data_dir}"
    broker = settings.broker_url.partition(":")[0]
    return f"distributed service on PostgreSQL and {'Redis' if broker.startswith('redis') else 'RabbitMQ'}"


def _finish(findings: Sequence[Finding], *, as_json: bool) -> None:
    """Show the findings and end the process at once: a check that hangs must not keep it."""
    from ketline.cli.show import show_json

    if as_json:
        show_json([_document(one) for one in findings])
    else:
        for one in findings:
            print(f"{one.grade.value:8} {one.check}: {one.text}" + (f". {one.advice}" if one.advice else ""))
    sys.stdout.flush()
    os._exit(TASK_FAILED if any(one.grade is Grade.PROBLEM for one in findings) else SUCCESS)


def _document(finding: Finding) -> dict[str, str]:
    shown = {"check": finding.check, "grade": finding.grade.value, "text": finding.text, "advice": finding.advice}
    return {name: value for name, value in shown.items() if value is not None}
