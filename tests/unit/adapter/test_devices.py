"""Backends of Qiskit's exported as devices, and devices as targets."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from qiskit.circuit import Parameter
from qiskit.circuit.library import CCXGate, CXGate, IGate, Measure, RXGate, RZGate, SXGate, UnitaryGate, iSwapGate
from qiskit.exceptions import QiskitError
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import CouplingMap, InstructionProperties, QubitProperties, Target

from ketline.domain.devices.device import device_from_json
from ketline.domain.devices.generic_devices import generic_devices
from ketline.qiskit import device_target, export_device

CLOSE = pytest.approx


def generic(qubits: int = 5, **options: Any) -> GenericBackendV2:
    return GenericBackendV2(qubits, coupling_map=CouplingMap.from_ring(qubits), seed=7, **options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"noise_info": False},
        {"control_flow": True},
        {"basis_gates": ["cz", "rzz", "rx", "rz", "sx", "x", "id", "u"], "dt": 1e-9},
    ],
    ids=["plain", "without noise", "control flow", "other gates"],
)
def test_target_of_an_exported_backend_is_that_of_the_backend(options: dict[str, Any]) -> None:
    backend = generic(**options)
    ours, theirs = device_target(export_device(backend)), backend.target
    assert ours.num_qubits == theirs.num_qubits
    assert ours.dt == CLOSE(theirs.dt)
    # GenericBackendV2 has other names for two operations of control flow.
    assert set(theirs.operation_names) - set(ours.operation_names) <= {"break", "continue"}
    for name in theirs.operation_names:
        for qubits, properties in (theirs[name] or {}).items():
            if name == "delay" or qubits is None:
                continue
            found = ours[name][qubits]
            readout_error = 0 if name == "measure" else None
            error = readout_error if properties is None or properties.error is None else properties.error
            duration = None if properties is None else properties.duration
            assert found.error == CLOSE(error)
            assert found.duration == (None if duration is None else CLOSE(duration, abs=1e-15))
        if name in {gate.name for gate in device_from_json(export_device(backend)).gates}:
            assert set(ours[name]) == set(theirs[name])
    for mine, known in zip(ours.qubit_properties, theirs.qubit_properties or [None] * 5, strict=True):
        assert mine.t1 == (None if known is None else CLOSE(known.t1))
        assert mine.t2 == (None if known is None else CLOSE(min(known.t2, 2 * known.t1)))


@pytest.mark.parametrize("device", generic_devices().values(), ids=lambda device: device.name)
def test_exporting_the_target_of_a_device_gives_the_device(device: Any) -> None:
    again = export_device(device_target(device.as_json()), device.name)
    read = device_from_json(again)
    assert (read.gates, read.dt_ns, read.description) == (device.gates, device.dt_ns, device.description)
    for mine, known in zip(read.qubits, device.qubits, strict=True):
        assert (mine.t1_us, mine.t2_us, mine.readout_ns) == (known.t1_us, known.t2_us, known.readout_ns)
        # A target has one error of a readout.
        assert mine.p01 == mine.p10 == CLOSE((known.p01 + known.p10) / 2)


def test_exported_backend_is_plain_json_with_its_name_and_description() -> None:
    document = export_device(generic())
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert document["name"] == "generic_backend_5q"
    assert document["description"] == "This is a device with 5 qubits and generic settings."
    named = export_device(generic(), "mine", description="Of\n \tlast  night\x00")
    assert (named["name"], named["description"]) == ("mine", "Of last night")


def test_name_that_no_device_can_have_is_rejected() -> None:
    with pytest.raises(QiskitError, match="name must be 1 to 63 letters"):
        export_device(generic().target)
    with pytest.raises(QiskitError, match="name must be 1 to 63 letters"):
        export_device(generic(), "a device")


def of_gates(*added: tuple[Any, Any], qubits: int = 3, **known: Any) -> Target:
    target = Target(num_qubits=qubits, **known)
    for gate, properties in added:
        target.add_instruction(gate, properties)
    return target


def test_gate_without_properties_has_no_error_and_no_duration() -> None:
    document = export_device(of_gates((SXGate(), {(1,): None, (2,): InstructionProperties()})), "bare")
    assert document["gates"] == [{"name": "sx", "qubits": [1]}, {"name": "sx", "qubits": [2]}]


def test_gate_on_all_qubits_is_one_on_each_qubit_or_pair() -> None:
    target = of_gates((RZGate(Parameter("x")), {None: None}), (CXGate(), {None: None}))
    device = device_from_json(export_device(target, "full"))
    assert [gate.qubits for gate in device.gates if gate.name == "rz"] == [(0,), (1,), (2,)]
    assert device.coupling == ((0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1))


def test_values_that_are_not_finite_are_not_known() -> None:
    nan, infinity = float("nan"), float("inf")
    target = of_gates(
        (SXGate(), {(0,): InstructionProperties(duration=nan, error=nan)}),
        (Measure(), {(0,): InstructionProperties(duration=infinity, error=nan)}),
        qubits=2,
        qubit_properties=[QubitProperties(t1=nan, t2=1e-5), QubitProperties(t1=infinity, t2=0.0)],
    )
    document = export_device(target, "partly")
    assert document["qubits"] == [{"t2_us": 10.0, "p01": 0.0, "p10": 0.0}, {"p01": 0.0, "p10": 0.0}]
    assert document["gates"] == [{"name": "sx", "qubits": [0]}]


def test_dephasing_that_is_too_slow_is_cut() -> None:
    target = of_gates((IGate(), {(0,): None}), qubits=1, qubit_properties=[QubitProperties(t1=5e-5, t2=1.2e-4)])
    assert export_device(target, "slow")["qubits"][0]["t2_us"] == 100.0


def test_calibration_tells_the_two_errors_of_a_readout_apart() -> None:
    class Calibrated(GenericBackendV2):  # type: ignore[misc]
        """As backends of IBM's are: they have the probabilities beside their targets."""

        def properties(self) -> Any:
            def of_qubit(qubit: int) -> dict[str, tuple[float, None]]:
                if qubit == 1:
                    return {"T1": (1e-4, None)}
                return {"prob_meas0_prep1": (0.03, None), "prob_meas1_prep0": (0.01, None)}

            return SimpleNamespace(qubit_property=of_qubit)

    backend = Calibrated(2, seed=3)
    first, second = export_device(backend)["qubits"]
    assert (first["p01"], first["p10"]) == (0.01, 0.03)
    assert second["p01"] == second["p10"] == backend.target["measure"][(1,)].error


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        (iSwapGate(), r"'iswap', which a device cannot have: skip=\('iswap',\)"),
        (CCXGate(), "'ccx', which a device cannot have"),
        (RXGate(0.5), "'rx' at a fixed angle only"),
        (RXGate(0), "'rx' at a fixed angle only"),
        (UnitaryGate([[0, 1], [1, 0]]), "'unitary', which a device cannot have"),
    ],
)
def test_what_no_device_can_have_is_rejected_by_name(gate: Any, message: str) -> None:
    places = {tuple(range(gate.num_qubits)): None}
    target = of_gates((SXGate(), {(0,): None}), (gate, places))
    with pytest.raises(QiskitError, match=message):
        export_device(target, "other")
    assert [one["name"] for one in export_device(target, "other", skip=[gate.name])["gates"]] == ["sx"]


def test_gate_under_the_name_of_another_is_rejected() -> None:
    target = Target(num_qubits=1)
    target.add_instruction(SXGate(), {(0,): None}, name="x")
    with pytest.raises(QiskitError, match="'x', which a device cannot have"):
        export_device(target, "other")


def test_error_of_a_gate_beyond_one_is_rejected() -> None:
    target = of_gates((CXGate(), {(0, 1): InstructionProperties(error=1.5)}))
    with pytest.raises(QiskitError, match="gates/0/error must be a number from 0 to 1"):
        export_device(target, "wrong")


def test_target_that_is_too_large_is_rejected() -> None:
    with pytest.raises(QiskitError, match="20,000 gates"):
        export_device(of_gates((CXGate(), {None: None}), qubits=200), "large")
    with pytest.raises(QiskitError, match="qubits must be a list of length 1 to 2000"):
        export_device(of_gates(qubits=2001), "wide")
    with pytest.raises(QiskitError, match="no number of qubits"):
        export_device(Target(), "none")


def test_what_is_no_device_has_no_target() -> None:
    with pytest.raises(QiskitError, match="qubits must be a list"):
        device_target({"name": "none"})
