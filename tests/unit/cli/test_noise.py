"""The values of `--noise`."""

import json
from pathlib import Path
from typing import Any

import pytest

from ketline.cli.client.noise import read_noise
from ketline.cli.options import program_options
from ketline.client.programs import body_of

DEPOLARIZING = {"name": "depolarizing", "one_qubit": 0.001, "two_qubit": 0.01}
READOUT = {"name": "readout", "p01": 0.01, "p10": 0.03}


def written(directory: Path, content: Any) -> str:
    path = directory / "model.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def test_named_models_and_files_are_combined_in_order(tmp_path: Path) -> None:
    path = written(tmp_path, [READOUT, DEPOLARIZING])
    assert read_noise(None) is None
    assert read_noise(["depolarizing:one_qubit=0.001, two_qubit=1e-2"]) == DEPOLARIZING
    assert read_noise([path, "readout:p01=0.01,p10=0.03"]) == [READOUT, DEPOLARIZING, READOUT]


def test_a_dictionary_of_aer_is_a_model(tmp_path: Path) -> None:
    assert read_noise([written(tmp_path, {"errors": []})]) == {"model": {"errors": []}}
    assert read_noise([written(tmp_path, {"model": {"errors": []}})]) == {"model": {"errors": []}}


def test_options_go_into_the_body_of_a_submission() -> None:
    options = program_options(noise=["depolarizing:one_qubit=0.001,two_qubit=0.01"])
    assert body_of("qubit q;", options)["noise"] == DEPOLARIZING


@pytest.mark.parametrize("given", ["depolarizing:one_qubit", "readout:p01=many", "depolarizing:"])
def test_parameters_are_numbers(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_noise([given])
    assert ended.value.code == 2
    assert "NAME:PARAMETER=VALUE" in capsys.readouterr().err


def test_files_are_json_that_exists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.json").write_text("errors", encoding="utf-8")
    for name, words in (("text.json", "is not JSON"), ("none.json", "Cannot read the noise model")):
        with pytest.raises(SystemExit):
            read_noise([str(tmp_path / name)])
        assert words in capsys.readouterr().err
