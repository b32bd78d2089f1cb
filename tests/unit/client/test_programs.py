"""The body of a submission."""

from typing import Any

import pytest

from ketline.client.programs import body_of

OLD = "OPENQASM 2.0; qreg q[1];"


@pytest.mark.parametrize(
    ("options", "body"),
    [
        ({}, {"qc": OLD}),
        ({"format": None}, {"qc": OLD}),
        ({"format": "openqasm2", "shots": 5}, {"qc": OLD, "format": "openqasm2", "shots": 5}),
        ({"program_format": "openqasm3"}, {"qc": OLD, "format": "openqasm3"}),
        ({"format": "qpy"}, {"qpy": OLD}),
        ({"program_format": "qpy"}, {"qpy": OLD}),
    ],
)
def test_format_is_sent_if_it_is_given(options: Any, body: dict[str, object]) -> None:
    assert body_of(OLD, options) == body
