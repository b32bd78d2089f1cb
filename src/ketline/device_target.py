"""A device as a target of Qiskit's transpiler, for simulators and for the Qiskit provider."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from qiskit.circuit import (
    BoxOp,
    BreakLoopOp,
    ContinueLoopOp,
    Delay,
    ForLoopOp,
    IfElseOp,
    Measure,
    Parameter,
    Store,
    SwitchCaseOp,
    WhileLoopOp,
)
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.transpiler import InstructionProperties, QubitProperties, Target

from ketline.domain.devices.device import Device

_US, _NS = 1e-6, 1e-9
# Control flow is no gate of a device: the simulator branches and loops on all measured bits. It is in the target
# as classes, because they act on any number of qubits and bits.
CONTROL_FLOW: Mapping[str, Any] = {
    "box": BoxOp,
    "break_loop": BreakLoopOp,
    "continue_loop": ContinueLoopOp,
    "for_loop": ForLoopOp,
    "if_else": IfElseOp,
    "store": Store,
    "switch_case": SwitchCaseOp,
    "while_loop": WhileLoopOp,
}


def target_of_device(device: Device) -> Any:
    """The target: its gates with errors and durations, and measurement, delay and control flow on all qubits."""
    target = Target(
        description=device.description or None,
        num_qubits=device.num_qubits,
        dt=_scaled(device.dt_ns, _NS),
        qubit_properties=[
            QubitProperties(t1=_scaled(qubit.t1_us, _US), t2=_scaled(qubit.t2_us, _US)) for qubit in device.qubits
        ],
    )
    gates = get_standard_gate_name_mapping()
    for name, properties in _properties(device).items():
        target.add_instruction(gates[name], properties, name=name)
    readouts = {
        (number,): InstructionProperties(duration=_scaled(qubit.readout_ns, _NS), error=(qubit.p01 + qubit.p10) / 2)
        for number, qubit in enumerate(device.qubits)
    }
    target.add_instruction(Measure(), readouts)
    target.add_instruction(Delay(Parameter("t")), dict.fromkeys(readouts))
    for name, operation in CONTROL_FLOW.items():
        target.add_instruction(operation, name=name)
    return target


def _properties(device: Device) -> Mapping[str, dict[tuple[int, ...], Any]]:
    found: dict[str, dict[tuple[int, ...], Any]] = defaultdict(dict)
    for gate in device.gates:
        found[gate.name][gate.qubits] = InstructionProperties(duration=_scaled(gate.duration_ns, _NS), error=gate.error)
    return found


def _scaled(value: float | None, unit: float) -> float | None:
    return None if value is None else value * unit
