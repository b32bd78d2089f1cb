"""The options `--observable` and `--precision`."""

import pytest
import typer

from ketline.cli.client.observables import read_mitigation, read_observables


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        ([], None),
        (["ZZ"], [{"ZZ": 1.0}]),
        (["0.5*XX - 2*IZ", "-Z"], [{"XX": 0.5, "IZ": -2.0}, {"Z": -1.0}]),
        ([" +1e-3 * XY+ .5*ZZ -XY"], [{"XY": 1e-3 - 1, "ZZ": 0.5}]),
        (['{"ZZ": 1, "XX": -0.5}'], [{"ZZ": 1, "XX": -0.5}]),
    ],
)
def test_sums_are_read(given: list[str] | None, expected: object) -> None:
    assert read_observables(given) == expected


@pytest.mark.parametrize("text", ["", "ZZ XX", "2ZZ", "ZZ +", "Q", "{", "0.5*", "ZZ - -XX", "1*2*Z"])
def test_what_is_no_sum_ends_the_command(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises((typer.Exit, SystemExit)):
        read_observables([text])
    assert "--observable takes" in capsys.readouterr().err


def test_mitigation_has_short_names() -> None:
    assert read_mitigation(None) is None
    assert read_mitigation("zne") == {"zne": {}}
    assert read_mitigation("readout") == {"readout": True}
    assert read_mitigation('{"zne": {"folding": "local"}}') == {"zne": {"folding": "local"}}


@pytest.mark.parametrize("text", ["", "pec", "{", "[1]"])
def test_other_mitigation_ends_the_command(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises((typer.Exit, SystemExit)):
        read_mitigation(text)
    assert "--mitigation takes" in capsys.readouterr().err
