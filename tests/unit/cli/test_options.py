"""Options of commands and their values."""

import pytest
from typer.testing import CliRunner

from ketline.cli.main import app
from ketline.domain.backend import METHODS


@pytest.mark.parametrize("command", ["run", "submit", "validate"])
def test_methods_are_those_that_the_service_offers(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "400"}).output
    assert f"[{'|'.join(METHODS)}]" in shown
    assert "extended_stabilizer" not in shown


def test_unknown_method_is_rejected_before_anything_is_sent() -> None:
    result = CliRunner().invoke(app, ["run", "--method", "extended_stabilizer", "bell.qasm"], env={"COLUMNS": "400"})
    assert result.exit_code == 2
    assert "'extended_stabilizer' is not one of 'automatic', 'statevector'" in result.output
