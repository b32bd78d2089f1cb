"""The format of devices, and the devices that are shipped."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import rustworkx
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.transpiler import CouplingMap

from ketline.domain.devices.device import (
    DEVICE_OPERATIONS,
    Device,
    DeviceGate,
    DeviceQubit,
    device_from_json,
    device_from_text,
)
from ketline.domain.devices.generic_devices import generic_devices
from ketline.domain.errors import DeviceInvalid
from ketline.domain.limits import (
    MAX_DEVICE_BYTES,
    MAX_DEVICE_DESCRIPTION_CHARACTERS,
    MAX_DEVICE_GATES,
    MAX_DEVICE_NAME_CHARACTERS,
    MAX_DEVICE_QUBITS,
)

PAIR: dict[str, Any] = {
    "name": "pair",
    "description": "Two qubits",
    "dt_ns": 4,
    "qubits": [{"t1_us": 100, "t2_us": 80.5, "p01": 0.01, "p10": 0.02, "readout_ns": 800}, {}],
    "gates": [
        {"name": "sx", "qubits": [1]},
        {"name": "cx", "qubits": [1, 0], "error": 0.01, "duration_ns": 300},
        {"name": "reset", "qubits": [0], "duration_ns": 1000},
    ],
}


def _changed(**fields: Any) -> dict[str, Any]:
    return {**PAIR, **fields}


def _gate(**fields: Any) -> dict[str, Any]:
    return _changed(gates=[{"name": "cx", "qubits": [0, 1], **fields}])


def _qubit(**fields: Any) -> dict[str, Any]:
    return _changed(qubits=[{}, fields])


def test_device_has_what_its_json_says() -> None:
    assert device_from_json(PAIR) == Device(
        name="pair",
        description="Two qubits",
        dt_ns=4.0,
        qubits=(DeviceQubit(t1_us=100.0, t2_us=80.5, p01=0.01, p10=0.02, readout_ns=800.0), DeviceQubit()),
        gates=(
            DeviceGate(name="cx", qubits=(1, 0), error=0.01, duration_ns=300.0),
            DeviceGate(name="reset", qubits=(0,), duration_ns=1000.0),
            DeviceGate(name="sx", qubits=(1,)),
        ),
    )


def test_coupling_follows_from_the_gates_of_two_qubits() -> None:
    gates = [{"name": name, "qubits": qubits} for name, qubits in (("cx", [1, 0]), ("cz", [0, 1]), ("x", [0]))]
    device = device_from_json(_changed(gates=gates))
    assert (device.num_qubits, device.coupling, device.edges) == (2, ((0, 1), (1, 0)), ((0, 1),))
    assert device.gate_names == ("cx", "cz", "x")


@pytest.mark.parametrize("device", [device_from_json(PAIR), *generic_devices().values()], ids=lambda each: each.name)
def test_json_of_a_device_is_read_as_the_same_device(device: Device) -> None:
    assert device_from_json(device.as_json()) == device
    again = device_from_text(device.text.encode())
    assert (again, again.digest) == (device, device.digest)


def test_digest_is_that_of_the_content_however_it_is_written() -> None:
    written = dict(reversed(PAIR.items())) | {"gates": PAIR["gates"][::-1], "dt_ns": 4.0}
    written["qubits"] = [{**PAIR["qubits"][0], "t1_us": 100.0}, {"p01": -0.0, "p10": 0, "t1_us": None}]
    assert device_from_json(written).digest == device_from_json(PAIR).digest


@pytest.mark.parametrize(
    "other",
    [
        _changed(name="other"),
        _changed(description=""),
        _changed(dt_ns=4.5),
        _changed(qubits=[{}, *PAIR["qubits"]]),
        _changed(gates=PAIR["gates"][1:]),
        _gate(error=0.02, duration_ns=300),
    ],
)
def test_other_content_has_another_digest(other: dict[str, Any]) -> None:
    assert device_from_json(other).digest != device_from_json(PAIR).digest


def test_gates_are_those_of_qiskit_with_as_many_qubits() -> None:
    standard = get_standard_gate_name_mapping()
    assert {name: standard[name].num_qubits for name in DEVICE_OPERATIONS} == dict(DEVICE_OPERATIONS)


@pytest.mark.parametrize(
    ("value", "path", "detail"),
    [
        (None, "", "must be a JSON object"),
        ([PAIR], "", "must be a JSON object"),
        (_changed(colour="red"), "colour", "is not a known field"),
        (_changed(**{"\ud800": 1}), r"'\ud800'", "is not a known field"),
        (_changed(name=None), "name", "must be 1 to 63 letters"),
        (_changed(name=""), "name", "must be 1 to 63 letters"),
        (_changed(name="../keys"), "name", "must be 1 to 63 letters"),
        (_changed(name="pair\n"), "name", "must be 1 to 63 letters"),
        (_changed(name="é"), "name", "must be 1 to 63 letters"),
        (_changed(name="a" * (MAX_DEVICE_NAME_CHARACTERS + 1)), "name", "must be 1 to 63 letters"),
        (_changed(description=1), "description", "printable characters"),
        (_changed(description="\x00"), "description", "printable characters"),
        (_changed(description="\ud800"), "description", "printable characters"),
        (_changed(description="a" * (MAX_DEVICE_DESCRIPTION_CHARACTERS + 1)), "description", "at most 500"),
        (_changed(dt_ns=0), "dt_ns", "must be a number from 1e-06"),
        (_changed(qubits=None), "qubits", "must be a list"),
        (_changed(qubits=[]), "qubits", "must be a list of length 1 to 2000"),
        (_changed(qubits=[{}] * (MAX_DEVICE_QUBITS + 1)), "qubits", "must be a list of length 1 to 2000"),
        (_changed(qubits=27), "qubits", "must be a list"),
        (_changed(qubits=[{}, 1]), "qubits/1", "must be a JSON object"),
        (_qubit(frequency=5e9), "qubits/1/frequency", "is not a known field"),
        (_qubit(t1_us=float("nan")), "qubits/1/t1_us", "must be a number from 1e-06"),
        (_qubit(t1_us=float("inf")), "qubits/1/t1_us", "must be a number from 1e-06"),
        (_qubit(t1_us=0), "qubits/1/t1_us", "must be a number from 1e-06"),
        (_qubit(t1_us=10**400), "qubits/1/t1_us", "must be a number from 1e-06"),
        (_qubit(t1_us="100"), "qubits/1/t1_us", "must be a number from 1e-06"),
        (_qubit(t1_us=True), "qubits/1/t1_us", "must be a number from 1e-06"),
        (_qubit(t1_us=10, t2_us=20.1), "qubits/1/t2_us", "must be at most twice t1_us"),
        (_qubit(p01=-1e-9), "qubits/1/p01", "must be a number from 0 to 1"),
        (_qubit(p10=1.1), "qubits/1/p10", "must be a number from 0 to 1"),
        (_qubit(readout_ns=-1), "qubits/1/readout_ns", "must be a number from 0"),
        (_changed(gates={}), "gates", "must be a list"),
        (_changed(gates=[None] * (MAX_DEVICE_GATES + 1)), "gates", "must be a list of length 0 to 20000"),
        (_changed(gates=[[]]), "gates/0", "must be a JSON object"),
        (_gate(fidelity=1), "gates/0/fidelity", "is not a known field"),
        (_gate(name="ccx"), "gates/0/name", "must be one of cp, cu1, cx"),
        (_gate(name=["cx"]), "gates/0/name", "must be one of cp, cu1, cx"),
        (_gate(name="measure"), "gates/0/name", "each qubit has p01, p10 and readout_ns"),
        (_gate(name="delay"), "gates/0/name", "each device has it"),
        (_gate(qubits=None), "gates/0/qubits", "must be a list"),
        (_gate(qubits=[0]), "gates/0/qubits", "must be a list of length 2"),
        (_gate(qubits=[1, 1]), "gates/0/qubits", "must be different qubits"),
        (_gate(qubits=[0, 2]), "gates/0/qubits/1", "must be an integer from 0 to 1"),
        (_gate(qubits=[-1, 0]), "gates/0/qubits/0", "must be an integer from 0 to 1"),
        (_gate(qubits=[True, 0]), "gates/0/qubits/0", "must be an integer from 0 to 1"),
        (_gate(qubits=[0.0, 1]), "gates/0/qubits/0", "must be an integer from 0 to 1"),
        (_gate(error=1.5), "gates/0/error", "must be a number from 0 to 1"),
        (_gate(error=float("nan")), "gates/0/error", "must be a number from 0 to 1"),
        (_gate(duration_ns=float("-inf")), "gates/0/duration_ns", "must be a number from 0"),
        (_changed(gates=[*PAIR["gates"], {"name": "cx", "qubits": [1, 0]}]), "gates/3", "repeats cx on the qubits"),
    ],
)
def test_what_is_no_device_is_rejected_with_its_place(value: object, path: str, detail: str) -> None:
    with pytest.raises(DeviceInvalid) as caught:
        device_from_json(value)
    assert "/".join(map(str, caught.value.path)) == path
    assert detail in caught.value.detail
    assert str(caught.value) == f"{path or 'the device'} {caught.value.detail}"


def test_device_can_have_another_name_than_its_text() -> None:
    nameless = json.dumps({name: value for name, value in PAIR.items() if name != "name"}).encode()
    assert device_from_text(nameless, "pair") == device_from_json(PAIR)
    assert device_from_text(json.dumps(PAIR).encode(), "other").name == "other"
    with pytest.raises(DeviceInvalid, match="name must be 1 to 63"):
        device_from_text(nameless)
    with pytest.raises(DeviceInvalid, match="must be a JSON object"):
        device_from_text(b"[]", "pair")


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"", "must be JSON"),
        (b"\xff", "must be JSON"),
        (b"[" * 1_000_000, "must be JSON"),
        (b'{"dt_ns": ' + b"1" * 5000 + b"}", "must be JSON"),
        (b'{"name": "pair", "qubits": [{"t1_us": NaN}]}', "must be a number"),
        (b" " * (MAX_DEVICE_BYTES + 1), "must have at most 4,194,304 bytes"),
    ],
    ids=["empty", "no text", "deep", "long number", "nan", "too long"],
)
def test_text_that_is_no_device_is_rejected(data: bytes, detail: str) -> None:
    with pytest.raises(DeviceInvalid, match=detail):
        device_from_text(data)


def test_largest_device_fits_into_the_limit_of_bytes() -> None:
    most = 123.456789012345678
    qubit = DeviceQubit(t1_us=most, t2_us=most, p01=most / 1000, p10=most / 1000, readout_ns=most)
    pairs = [(low, high) for low in range(1858, 2000) for high in range(1858, 2000) if low != high]
    gates = tuple(
        DeviceGate(name="cx", qubits=pair, error=most / 1000, duration_ns=most) for pair in pairs[:MAX_DEVICE_GATES]
    )
    largest = Device(name="a" * 63, qubits=(qubit,) * MAX_DEVICE_QUBITS, gates=gates)
    assert len(gates) == MAX_DEVICE_GATES
    assert len(largest.text) < MAX_DEVICE_BYTES
    assert device_from_text(largest.text.encode()) == largest


_SHAPES: dict[str, Callable[[], Any]] = {
    "line-27": lambda: CouplingMap.from_line(27),
    "grid-25": lambda: CouplingMap.from_grid(5, 5),
    "heavy-hex-57": lambda: CouplingMap.from_heavy_hex(5),
}


def test_generic_devices_have_the_lattices_of_their_names() -> None:
    assert set(generic_devices()) == set(_SHAPES)
    for name, device in generic_devices().items():
        assert device.name == name
        lattice = rustworkx.PyGraph()
        lattice.add_nodes_from(range(device.num_qubits))
        lattice.add_edges_from_no_data(list(device.edges))
        expected = _SHAPES[name]().graph.to_undirected(multigraph=False)
        assert rustworkx.is_isomorphic(lattice, expected), name


def test_generic_devices_are_the_same_in_every_installation() -> None:
    assert {name: device.digest[:16] for name, device in generic_devices().items()} == {
        "line-27": "c8e776651b78e6c0",
        "grid-25": "3effcb161d64531b",
        "heavy-hex-57": "15b51e98d5792e8e",
    }


def test_generic_devices_have_gates_everywhere_and_physical_times() -> None:
    for device in generic_devices().values():
        assert set(device.gate_names) == {"cz", "id", "reset", "rz", "sx", "x"}
        assert len(device.gates) == 5 * device.num_qubits + 2 * len(device.edges)
        assert {(low, high) for high, low in device.coupling} == set(device.coupling)
        for qubit in device.qubits:
            assert qubit.t1_us is not None
            assert qubit.t2_us is not None
            assert 0 < qubit.t2_us <= 2 * qubit.t1_us


def test_device_is_not_what_a_change_of_it_is() -> None:
    device = generic_devices()["line-27"]
    assert replace(device, description="mine").digest != device.digest
