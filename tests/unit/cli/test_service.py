"""Rows of backends."""

from ketline.cli.client.service import _backend_row

EXTERNAL = {
    "name": "lab",
    "description": "An instrument",
    "queue": "run.lab",
    "online": True,
    "num_qubits": 5,
    "max_shots": 1000,
}


def test_own_backend_is_online_with_its_limits() -> None:
    own = {"name": "ketline-aer", "description": "Simulators", "limits": {"max_qubits": 30, "max_shots": 100}}
    assert _backend_row(own) == ("ketline-aer", "own", "online", "30", "100", "Simulators")


def test_external_backend_says_why_it_is_offline() -> None:
    assert _backend_row(EXTERNAL) == ("lab", "external", "online", "5", "1000", "An instrument")
    offline = {**EXTERNAL, "online": False, "offline_reason": "no worker that is alive has this backend"}
    assert _backend_row(offline)[2] == "offline: no worker that is alive has this backend"


def test_external_backend_without_limits_has_none() -> None:
    unlimited = {name: value for name, value in EXTERNAL.items() if name not in ("num_qubits", "max_shots")}
    assert _backend_row(unlimited)[3:5] == ("", "")
