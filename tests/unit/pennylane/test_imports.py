"""The device is a client: it needs no library of the service besides NumPy, and PennyLane finds it by its name."""

from importlib.metadata import entry_points

from tests.unit.client.test_imports import SERVER, imported_by


def test_importing_the_device_imports_no_server_library() -> None:
    found = imported_by("import ketline.pennylane")
    assert "pennylane" in found
    # PennyLane imports some of them where they are installed.
    assert found & SERVER <= imported_by("import pennylane")


def test_pennylane_finds_the_device_by_its_name() -> None:
    (found,) = entry_points(group="pennylane.plugins", name="ketline.simulator")
    assert found.value == "ketline.pennylane:KetlineDevice"
