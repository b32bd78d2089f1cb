"""The adapter is a client: it needs no library of the service besides Qiskit and NumPy."""

from tests.unit.client.test_imports import SERVER, imported_by


def test_importing_the_adapter_imports_no_server_library() -> None:
    found = imported_by("import ketline.qiskit")
    assert "qiskit" in found
    assert found & (SERVER - {"qiskit", "numpy"}) == set()
