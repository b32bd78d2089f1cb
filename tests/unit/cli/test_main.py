"""Exit statuses and messages of errors."""

import sys
from importlib.metadata import version
from io import BytesIO, TextIOWrapper
from uuid import UUID

import pytest
from typer.testing import CliRunner

from ketline.cli.main import _guarded, app, main
from ketline.cli.show import output_console
from ketline.client import AddressInvalid, Client, ClientError, TaskCancelled, TaskFailed
from ketline.client.errors import RequestInvalid

TASK_ID = UUID("109d6b6d-5fe8-4a87-be4c-b22abc0dbd5f")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (TaskFailed("No such gate.", code="parse_error", task_id=TASK_ID, reason=""), 1),
        (TaskCancelled("It was cancelled.", code="cancelled", task_id=TASK_ID, reason=""), 1),
        (AddressInvalid("No address."), 2),
        (RequestInvalid("No key."), 2),
    ],
)
def test_errors_have_their_exit_status(error: ClientError, status: int) -> None:
    def command() -> None:
        raise error

    with pytest.raises(SystemExit) as raised:
        _guarded(command)()
    assert raised.value.code == status


def test_characters_that_the_output_encoding_lacks_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    written = BytesIO()
    monkeypatch.setattr(sys, "stdout", TextIOWrapper(written, encoding="ascii", write_through=True))
    monkeypatch.setattr(sys, "argv", ["ketline", "version"])
    with pytest.raises(SystemExit):
        main()
    output_console().print("█ 50 %")
    assert written.getvalue().endswith(b"? 50 %\n")


@pytest.mark.parametrize(("arguments", "printed"), [("--version", "ketline {}\n"), ("version", "{}\n")])
def test_version_is_printed(arguments: str, printed: str) -> None:
    result = CliRunner().invoke(app, [arguments])
    assert (result.exit_code, result.output) == (0, printed.format(version("ketline")))


def test_help_of_the_program_is_about_what_it_does() -> None:
    assert "Run OpenQASM programs as durable tasks" in CliRunner().invoke(app, ["--help"]).output


def test_invalid_host_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        _guarded(lambda: Client("http://a..b/").close())()
    assert raised.value.code == 2
    assert "a..b" in capsys.readouterr().err
