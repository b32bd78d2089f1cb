"""What each front end makes of a program, in a form that can be compared exactly."""

import math
import re
from typing import Any

from qiskit.circuit import ClassicalRegister, IfElseOp, QuantumCircuit

from ketline.domain.errors import ExecutionFailed, ProgramTooLarge
from ketline.execution.circuit.passes.lowering import lower
from ketline.execution.circuit.plain import PlainCircuit
from ketline.execution.frontend.places import DeclaredNames
from ketline.execution.frontend.scanner import Scanned, scan
from ketline.execution.frontend.syntax_tree import read_with_importer
from ketline.execution.limits import ExecutionLimits

LIMITS = ExecutionLimits()
# What the specification allows in constant expressions and the importer cannot read.
_BEYOND_THE_IMPORTER = re.compile(
    "unsupported binary operation|function calls|'pow' cannot be read as a function|nests too deep"
)


class Mismatch(AssertionError):
    """The front ends disagree about a program."""


def compare(text: str, limits: ExecutionLimits = LIMITS) -> str:
    """Fail when the scanner accepts a program that the importer rejects or reads differently.

    Returns which of them read it: "both", "scanner", "importer" or "neither".
    """
    scanned, too_large = _scanned(text, limits)
    if scanned is not None and scanned.dialect.recognised:
        return "scanner"  # the importer has no dialects: tests/unit/execution/test_braket.py
    try:
        reading = read_with_importer(text, limits)
    except ExecutionFailed as error:
        if scanned is None:
            return "neither"
        if _BEYOND_THE_IMPORTER.search(str(error)):
            return "scanner"
        raise Mismatch(f"only the scanner reads this; the importer says: {error}\n{text}") from error
    if too_large:
        raise Mismatch(f"the scanner takes this for too large\n{text}")
    if scanned is None:
        return "importer"
    ours, theirs = (described(one.plain, one.groups, one.names, one.declared) for one in (scanned, reading))
    if ours != theirs:
        parts = [f"{key}:\n{ours[key]}\n{theirs[key]}" for key in ours if ours[key] != theirs[key]]
        raise Mismatch("\n".join(["the front ends differ", *parts, text]))
    return "both"


def _scanned(text: str, limits: ExecutionLimits) -> tuple[Scanned | None, bool]:
    """What the scanner reads, and whether it says that the program is too large."""
    try:
        return scan(text, limits), False
    except ProgramTooLarge:
        return None, True


def described(
    plain: PlainCircuit, groups: tuple[int, ...], names: tuple[str | None, ...], declared: DeclaredNames
) -> dict[str, Any]:
    """Everything about a circuit that can make a difference, the order of its instructions included."""
    circuit = plain.circuit
    return {
        "groups": groups,
        "names": names,
        "declared names": declared,
        "qubits": circuit.num_qubits,
        "bits": circuit.num_clbits,
        "registers": [(type(one), one.name, _indices(circuit, one)) for one in [*circuit.qregs, *circuit.cregs]],
        "global phase": circuit.global_phase,
        "instructions": _instructions(circuit),
        "lowered": _lowered(plain),
    }


def _indices(circuit: QuantumCircuit, bits: Any) -> list[int]:
    return [circuit.find_bit(bit).index for bit in bits]


def _instructions(circuit: QuantumCircuit) -> list[Any]:
    return _described(circuit, [*range(circuit.num_qubits)], [*range(circuit.num_clbits)])


def _described(circuit: QuantumCircuit, qubits: list[int], bits: list[int]) -> list[Any]:
    """The instructions of a circuit or a block, of which these are the outermost qubits and bits."""
    described: list[Any] = []
    for one in circuit.data:
        own_qubits = [qubits[at] for at in _indices(circuit, one.qubits)]
        own_bits = [bits[at] for at in _indices(circuit, one.clbits)]
        if isinstance(one.operation, IfElseOp):
            described.append(_branch(circuit, one.operation, own_qubits, own_bits, bits))
            continue
        values = [repr(float(value)) for value in one.operation.params]
        described.append((type(one.operation), one.operation.name, one.operation.label, values, own_qubits, own_bits))
    return described


def _branch(circuit: QuantumCircuit, branch: IfElseOp, qubits: list[int], bits: list[int], outer: list[int]) -> Any:
    """A branch without its operands, whose order Qiskit's builder takes from a set; those of its blocks say enough."""
    target, value = branch.condition
    register = isinstance(target, ClassicalRegister)
    compared = [outer[at] for at in _indices(circuit, target if register else [target])]
    blocks = [
        (_described(block, qubits, bits), _direction(block.global_phase), sorted(one.name for one in block.cregs))
        for block in branch.blocks
    ]
    return "if_else", register and target.name, compared, type(value), value, blocks


def _direction(phase: float) -> tuple[float, float]:
    """A phase of a block, which the importer adds up without reducing it as Qiskit's circuits do."""
    return round(math.cos(phase), 9) + 0.0, round(math.sin(phase), 9) + 0.0


def _lowered(plain: PlainCircuit) -> Any:
    try:
        lowered = lower(plain, LIMITS.max_operations)
    except ExecutionFailed as error:
        return str(error)
    return lowered.operations, _instructions(lowered.circuit)
