"""`ketline devices add` rejects what is no device before anything is sent."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ketline.cli.main import app
from ketline.domain.devices.generic_devices import generic_devices
from ketline.domain.limits import MAX_DEVICE_BYTES

# Nothing listens there.
NOWHERE = ["--url", "http://127.0.0.1:9"]


def added(path: Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["devices", "add", str(path), *NOWHERE])
    return result.exit_code, result.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "describes no device: the device must be JSON"),
        (b'{"name": "mine"}', "describes no device: qubits must be a list"),
        (b'{"name": "mine", "qubits": [{"t1_us": NaN}]}', "qubits/0/t1_us must be a number"),
        (b"[" * 100_000, "the device must be JSON"),
    ],
)
def test_file_that_describes_no_device_is_rejected(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "device.json"
    path.write_bytes(content)
    status, error = added(path)
    assert status == 2
    assert f"{path} " in error
    assert message in error


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    assert added(tmp_path / "none.json") == (
        2,
        f"ketline: Cannot read {tmp_path}/none.json: No such file or directory.\n",
    )
    assert added(tmp_path) == (2, f"ketline: Cannot read {tmp_path}: Is a directory.\n")


def test_file_of_a_gigabyte_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "device.json"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    status, error = added(path)
    assert (status, f"at most {MAX_DEVICE_BYTES:,} bytes" in error) == (2, True)


def test_device_goes_to_the_service_when_it_is_one(tmp_path: Path) -> None:
    path = tmp_path / "device.json"
    path.write_text(json.dumps({**generic_devices()["grid-25"].as_json(), "name": "mine"}), encoding="utf-8")
    status, error = added(path)
    assert (status, "Cannot reach http://127.0.0.1:9" in error) == (3, True)
