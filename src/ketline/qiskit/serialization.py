"""How circuits travel: as OpenQASM 3 where that says exactly the same, as QPY otherwise."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count, islice
from typing import Any

from qiskit import qasm3, qpy
from qiskit.circuit import ControlFlowOp, Delay, Parameter
from qiskit.qpy.common import QPY_VERSION

from ketline.domain.qpy import VERSIONS
from ketline.qiskit.definitions import with_definitions

# The newest that this Qiskit writes and every Ketline reads: loops over variables need 17 or later.
_QPY_VERSION = min(QPY_VERSION, VERSIONS[-1])
# Qiskit's own gates that stdgates.inc, or the language, knows under a name and with the same meaning, and whose
# parameters are written as they are.
_EXACT = frozenset(
    [
        "barrier",
        "ccx",
        "ch",
        "cp",
        "crx",
        "cry",
        "crz",
        "cswap",
        "cx",
        "cy",
        "cz",
        "h",
        "id",
        "measure",
        "p",
        "reset",
        "rx",
        "ry",
        "rz",
        "s",
        "sdg",
        "swap",
        "sx",
        "t",
        "tdg",
        "u",
        "x",
        "y",
        "z",
    ]
)
_OWN_MODULES = ("qiskit.circuit.library.standard_gates.", "qiskit.circuit.measure", "qiskit.circuit.reset")
_EXPORTER = qasm3.Exporter(disable_constants=True)


@dataclass(frozen=True, slots=True)
class Travelling:
    """A program as the service takes it, its format, and the names under which parameters get their values."""

    program: str
    program_format: str
    parameters: Sequence[str] = ()


def travelling(circuit: Any) -> Travelling:
    """A circuit as it is sent; its parameters, in the order of `circuit.parameters`, are called `p0`, `p1`, …

    A number is left out where a parameter or a variable of the circuit has the name already.
    Delays stay behind: ideally nothing happens in them.
    """
    circuit = _without_delays(circuit)
    if not circuit.parameters and _is_exact_in_openqasm(circuit):
        return Travelling(_EXPORTER.dumps(circuit), "openqasm3")
    names = _names_for(circuit)
    fresh = dict(zip(circuit.parameters, map(Parameter, names), strict=True))
    sent = with_definitions(circuit.assign_parameters(fresh) if fresh else circuit.copy())
    sent.metadata = {}
    file = io.BytesIO()
    qpy.dump(sent, file, version=_QPY_VERSION)
    return Travelling(base64.b64encode(file.getvalue()).decode(), "qpy", names)


def _without_delays(circuit: Any) -> Any:
    """The same circuit where there are none. Those that are a parameter's stay: it has its place among the values."""
    if not any(_has_delays(one.operation) for one in circuit.data):
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
        return any(_has_delays(one.operation) for block in operation.blocks for one in block.data)
    return isinstance(operation, Delay) and not getattr(operation.duration, "parameters", ())


def _names_for(circuit: Any) -> Sequence[str]:
    taken = {one.name for one in (*circuit.parameters, *circuit.iter_vars())}
    free = (name for name in map("p{}".format, count()) if name not in taken)
    return list(islice(free, len(circuit.parameters)))


def _is_exact_in_openqasm(circuit: Any) -> bool:
    return _registers_are_plain(circuit) and all(map(_is_exact, circuit.data)) and not circuit.num_vars


def _is_exact(instruction: Any) -> bool:
    operation = instruction.operation
    if operation.name == "barrier":
        return True
    own = operation.name in _EXACT and operation.base_class.__module__.startswith(_OWN_MODULES)
    return own and all(isinstance(value, (int, float)) for value in operation.params)


def _registers_are_plain(circuit: Any) -> bool:
    """Whether every bit is in exactly one register, and the registers follow each other."""
    qubits = [qubit for register in circuit.qregs for qubit in register]
    clbits = [clbit for register in circuit.cregs for clbit in register]
    return bool(qubits == list(circuit.qubits) and clbits == list(circuit.clbits))
