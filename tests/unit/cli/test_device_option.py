"""The values of `--device`."""

import pytest

from ketline.cli.client.device import read_device
from ketline.cli.options import program_options
from ketline.client.programs import body_of


def test_name_or_json() -> None:
    assert read_device(None) is None
    assert read_device("line-27") == "line-27"
    assert read_device(' {"name": "line-27", "noise": false}') == {"name": "line-27", "noise": False}


def test_option_goes_into_the_body_of_a_submission() -> None:
    assert body_of("qubit q;", program_options(device="line-27"))["device"] == "line-27"
    assert "device" not in body_of("qubit q;", program_options())


def test_what_is_no_json_ends_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_device('{"name": ')
    assert ended.value.code == 2
    assert "--device takes a name, or a JSON object" in capsys.readouterr().err
