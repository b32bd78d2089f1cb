"""Circuits of Qiskit as OpenQASM 3 if it represents the circuit exactly, otherwise as QPY.

`circuits.py` calls `program_of`; `ketline.qiskit` sends the `serialized` circuits of its jobs.
"""

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

from qiskit import qasm3, qpy
from qiskit.circuit import ControlFlowOp, Delay, Parameter
from qiskit.circuit.classical import types
from qiskit.qasm3 import QASM3ExporterError
from qiskit.qpy import QpyError
from qiskit.qpy.common import QPY_VERSION

from ketline.client.convert.program import ConvertedProgram
from ketline.client.convert.qiskit_definitions import with_definitions
from ketline.domain.circuits.gates import GATE_TABLE, Origin, gates_from
from ketline.domain.circuits.qpy import VERSIONS

# The newest version that this Qiskit writes and every Ketline reads; loops over variables need 17 or later.
_QPY_VERSION = min(QPY_VERSION, VERSIONS[-1])
# Operations that OpenQASM 3 has by the same name and meaning, up to a global phase, and those that differ by one.
_EXACT = frozenset(gate.qiskit_name for gate in gates_from(Origin.LANGUAGE, Origin.STANDARD) if gate.qubits) | {
    "barrier",
    "delay",
    "measure",
    "reset",
}
_WITHOUT_PHASE = frozenset(gate.qiskit_name for gate in GATE_TABLE if gate.phase_over_qiskit is not None)
_OWN_MODULES = (
    "qiskit.circuit.library.standard_gates.",
    "qiskit.circuit.barrier",
    "qiskit.circuit.delay",
    "qiskit.circuit.measure",
    "qiskit.circuit.reset",
)
_EXPORTER = qasm3.Exporter(disable_constants=True)
_REGISTER = re.compile(r"^bit\[\d+\] (\w+);$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SerializedCircuit:
    """A circuit as program text in a format of the service, and the input names of its parameters."""

    program: str
    program_format: str
    parameters: Sequence[str] = ()


def program_of(circuit: Any, *, with_phase: bool = False, with_delays: bool = False) -> ConvertedProgram:
    """Convert a circuit; the program's names of its registers differ where OpenQASM has no such name."""
    found = serialized(circuit, with_phase=with_phase, with_delays=with_delays)
    names = [register.name for register in circuit.cregs]
    ours = _REGISTER.findall(found.program) if found.program_format == "openqasm3" else names
    parameters = [parameter.name for parameter in circuit.parameters]
    return ConvertedProgram(
        text=found.program,
        format=found.program_format,
        registers=dict(zip(ours, names, strict=True)),
        inputs=dict(zip(parameters, found.parameters, strict=True)),
    )


def serialized(circuit: Any, *, with_phase: bool = False, with_delays: bool = False) -> SerializedCircuit:
    """Serialize a circuit; its parameters, in the order of `circuit.parameters`, are renamed to `p0`, `p1`, …

    Names that a parameter or variable of the circuit has already are skipped. Delays are removed, because they do
    nothing in an ideal simulation. What is sent as OpenQASM although it is not `_EXACT` has variables that the service
    does not read from QPY, or that this Qiskit cannot write as QPY. `with_phase` keeps the global phase, which states
    show and counts do not. `with_delays` keeps delays, in which qubits of a device relax: QPY has none but those in
    `dt`, so others are sent as OpenQASM.

    Raises:
        QpyError: Qiskit can write the circuit neither as QPY nor as OpenQASM.
    """
    circuit = circuit if with_delays else _without_delays(circuit)
    if not circuit.parameters and _is_exact_in_openqasm(circuit, with_phase=with_phase):
        return SerializedCircuit(_EXPORTER.dumps(circuit), "openqasm3")
    names = _names_for(circuit)
    fresh = dict(zip(circuit.parameters, map(Parameter, names), strict=True))
    bound = circuit.assign_parameters(fresh) if fresh else circuit
    if with_delays and any(map(_has_lost_times, circuit.data)):
        if (text := _as_openqasm(bound)) is None:
            raise QpyError("QPY does not keep the unit of a delay: give it in dt.")
        return SerializedCircuit(text, "openqasm3", names)
    if _has_other_variables(circuit) and (text := _as_openqasm(bound)) is not None:
        return SerializedCircuit(text, "openqasm3", names)
    try:
        return SerializedCircuit(_as_qpy(bound), "qpy", names)
    except QpyError:
        if (text := _as_openqasm(bound)) is None:
            raise
        return SerializedCircuit(text, "openqasm3", names)


def _as_qpy(circuit: Any) -> str:
    """The circuit as QPY in base64, without its metadata."""
    stored = with_definitions(circuit.copy())
    stored.metadata = {}
    file = io.BytesIO()
    qpy.dump(stored, file, version=_QPY_VERSION)
    return base64.b64encode(file.getvalue()).decode()


def _as_openqasm(circuit: Any) -> str | None:
    """The circuit as OpenQASM; None if Qiskit cannot write it, or if its counts would have other registers."""
    try:
        return str(_EXPORTER.dumps(circuit)) if _registers_are_plain(circuit) else None
    except QASM3ExporterError:
        return None


def _has_other_variables(circuit: Any) -> bool:
    """Whether it has inputs or variables of type Float, both of which the service reads from OpenQASM only."""
    return circuit.num_input_vars > 0 or _has_floats(circuit)


def _has_floats(circuit: Any) -> bool:
    return any(variable.type.kind is types.Float for variable in circuit.iter_vars()) or any(
        _has_floats(block)
        for instruction in circuit.data
        if isinstance(instruction.operation, ControlFlowOp)
        for block in instruction.operation.blocks
    )


def _without_delays(circuit: Any) -> Any:
    """The circuit without delays, except those of a parameter, which would no longer be part of the circuit."""
    if not any(_has_delays(instruction.operation) for instruction in circuit.data):
        return circuit
    left = circuit.copy_empty_like()
    for instruction in circuit.data:
        operation = instruction.operation
        if isinstance(operation, ControlFlowOp) and _has_delays(operation):
            blocks = [_without_delays(block) for block in operation.blocks]
            left.append(instruction.replace(operation=operation.replace_blocks(blocks)))
        elif not _has_delays(operation):
            left.append(instruction)
    return left


def _has_delays(operation: Any) -> bool:
    if isinstance(operation, ControlFlowOp):
        return any(_has_delays(instruction.operation) for block in operation.blocks for instruction in block.data)
    return isinstance(operation, Delay) and not getattr(operation.duration, "parameters", ())


def _has_lost_times(instruction: Any) -> bool:
    """Whether an instruction has a delay whose unit QPY does not keep: it writes the number alone."""
    operation = instruction.operation
    if isinstance(operation, ControlFlowOp):
        return any(_has_lost_times(one) for block in operation.blocks for one in block.data)
    return isinstance(operation, Delay) and operation.unit != "dt"


def _names_for(circuit: Any) -> Sequence[str]:
    taken = {each.name for each in (*circuit.parameters, *circuit.iter_vars())}
    free = (name for name in map("p{}".format, count()) if name not in taken)
    return list(islice(free, len(circuit.parameters)))


def _is_exact_in_openqasm(circuit: Any, *, with_phase: bool) -> bool:
    if not _registers_are_plain(circuit) or circuit.num_vars or not all(map(_is_exact, circuit.data)):
        return False
    return not with_phase or all(instruction.name not in _WITHOUT_PHASE for instruction in circuit.data)


def _is_exact(instruction: Any) -> bool:
    operation = instruction.operation
    own = operation.name in _EXACT and operation.base_class.__module__.startswith(_OWN_MODULES)
    return own and all(isinstance(value, (int, float)) for value in operation.params)


def _registers_are_plain(circuit: Any) -> bool:
    """Whether every bit is in exactly one register, and the registers follow each other and have bits."""
    qubits = [qubit for register in circuit.qregs for qubit in register]
    clbits = [clbit for register in circuit.cregs for clbit in register]
    has_bits = all(register.size for register in (*circuit.qregs, *circuit.cregs))
    return bool(has_bits and qubits == list(circuit.qubits) and clbits == list(circuit.clbits))
