"""Programs that the command line names."""

import base64
from pathlib import Path

import pytest
import typer

from ketline.cli.client.sources import read_sources
from tests.circuits import as_qpy
from tests.unit.api.test_qpy import CIRCUIT


def test_text_is_read_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "old.qasm"
    file.write_bytes("// é\r\nOPENQASM 2.0;".encode())
    (source,) = read_sources([str(file)])
    assert source.text == "// é\r\nOPENQASM 2.0;"


def test_qpy_is_read_as_base64(tmp_path: Path) -> None:
    file = tmp_path / "circuit.qpy"
    file.write_bytes(base64.b64decode(as_qpy(CIRCUIT)))
    (source,) = read_sources([str(file)])
    assert source.text == as_qpy(CIRCUIT)


def test_other_bytes_are_rejected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "noise.qasm"
    file.write_bytes(b"\xff\xfe")
    with pytest.raises((SystemExit, typer.Exit)):
        read_sources([str(file)])
    assert "is not UTF-8 text" in capsys.readouterr().err
