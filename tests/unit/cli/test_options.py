"""Options of commands and their values."""

import re
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from ketline.cli.main import app
from ketline.domain.devices.backend import METHODS

SPECIFICATION = Path(__file__).parents[3] / "specs" / "cli.md"


@pytest.mark.parametrize("command", ["run", "submit", "validate"])
def test_methods_are_those_that_the_service_offers(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "400"}).output
    assert f"[{'|'.join(METHODS)}]" in shown
    assert "extended_stabilizer" not in shown


def test_unknown_method_is_rejected_before_anything_is_sent() -> None:
    result = CliRunner().invoke(app, ["run", "--method", "extended_stabilizer", "bell.qasm"], env={"COLUMNS": "400"})
    assert result.exit_code == 2
    assert "'extended_stabilizer' is not one of 'automatic', 'statevector'" in result.output


def test_every_command_is_in_the_specification() -> None:
    examples = [
        line for line in SPECIFICATION.read_text(encoding="utf-8").splitlines() if line.startswith("    ketline ")
    ]
    named = set(re.findall(r"\w+", "\n".join(examples)))
    assert set(get_command(app).commands) <= named  # type: ignore[attr-defined]
