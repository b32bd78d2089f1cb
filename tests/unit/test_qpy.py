"""What is known of QPY without Qiskit."""

import base64

import pytest
from qiskit.circuit import QuantumCircuit

from ketline.domain.circuits.qpy import VERSIONS, decoded
from ketline.domain.errors import QpyInvalid, QpyVersionUnsupported
from tests.circuits import as_qpy

BELL = QuantumCircuit(2)
FILE = base64.b64decode(as_qpy(BELL))


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize("version", VERSIONS)
def test_what_qiskit_writes_is_taken(version: int) -> None:
    assert decoded(as_qpy(BELL, version))[6] == version


@pytest.mark.parametrize(
    "text",
    [
        "",
        "QISKIT",
        "é" * 8,
        encoded(FILE)[:-1],
        encoded(FILE) + "=",
        encoded(FILE)[:40] + "\n" + encoded(FILE)[40:],
        base64.urlsafe_b64encode(b"\xfb\xff" + FILE).decode(),
        encoded(b"QISKIT"),
        encoded(FILE[:19]),
        encoded(b"GISKIT" + FILE[6:]),
        encoded(b"\x80\x04." + FILE),
    ],
)
def test_what_is_no_qpy_is_rejected(text: str) -> None:
    with pytest.raises(QpyInvalid):
        decoded(text)


@pytest.mark.parametrize(("version", "advice"), [(12, "version=13"), (19, "version=18"), (0, "version=13")])
def test_other_versions_are_named(version: int, advice: str) -> None:
    with pytest.raises(QpyVersionUnsupported, match=rf"is QPY version {version};.* 13 to 18.*{advice}"):
        decoded(encoded(FILE[:6] + bytes([version]) + FILE[7:]))


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (17, 2, "exactly one circuit, not 2"),
        (17, 0, "exactly one circuit, not 0"),
        (18, ord("e"), "use_symengine"),
        (19, ord("s"), "pulse schedule"),
    ],
)
def test_other_contents_are_rejected(place: int, value: int, message: str) -> None:
    with pytest.raises(QpyInvalid, match=message):
        decoded(encoded(FILE[:place] + bytes([value]) + FILE[place + 1 :]))
