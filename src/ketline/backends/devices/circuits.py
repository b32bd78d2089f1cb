"""Programs of jobs as Qiskit circuits, and counts in the bitstrings of their registers. Used by all devices.

A circuit's bit i is `circuit.clbits[i]`. An outcome is an integer: its bit i, 0 being the lowest, is the circuit's.
"""

import base64
import io
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from qiskit import QuantumCircuit, qasm3, qpy, transpile
from qiskit.circuit import (
    Barrier,
    ClassicalRegister,
    Clbit,
    ControlFlowOp,
    Delay,
    Gate,
    Measure,
    Reset,
    Store,
    SwitchCaseOp,
)
from qiskit.circuit.classical import expr

from ketline.domain.backends.backend_jobs import BackendJob
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.errors import BackendRefused, BackendResultInvalid

FORMATS = (ProgramFormat.QPY, ProgramFormat.OPENQASM3)
_PRIMITIVES = (Barrier, Delay, Measure, Reset, Store)
_MAX_COMPARED = 32
_MAX_ERROR_CHARACTERS = 300


def circuit_of(job: BackendJob) -> QuantumCircuit:
    """Read the program of a job.

    Raises:
        BackendRefused: it cannot be read, has parameters without values or measures nothing, or its bits are not those
            of the job's registers.
    """
    try:
        circuit = _inlined(_read(job))
    except BackendRefused:
        raise
    except Exception as error:  # readers raise many kinds for what they do not support
        raise BackendRefused(f"The program cannot be read: {shortened(error)}") from error
    if circuit.parameters or circuit.num_input_vars:
        raise BackendRefused("The program has inputs, and this backend takes none: put their values into the program.")
    if not circuit.num_clbits:
        raise BackendRefused("The program measures nothing.")
    bits = sum(widths_of(job, circuit))
    if bits != circuit.num_clbits and not _is_last_register(circuit, circuit.num_clbits - bits):
        raise BackendRefused(f"The program has {circuit.num_clbits} bits, and its registers {bits}.")
    return circuit


def widths_of(job: BackendJob, circuit: QuantumCircuit) -> list[int]:
    """The numbers of bits of the registers, in the order of declaration; those of the circuit if the job has none."""
    if job.registers is not None:
        return [register.bits for register in job.registers]
    return _registers_of(circuit)


def counts_of(outcomes: Mapping[int, int], job: BackendJob, circuit: QuantumCircuit) -> dict[str, int]:
    """Counts by bitstrings, from counts by outcome; bits of the circuit after those of the registers are left out.

    Raises:
        BackendResultInvalid: an outcome has more bits than the circuit.
    """
    widths = widths_of(job, circuit)
    found: Counter[str] = Counter()
    for outcome, count in outcomes.items():
        if outcome < 0 or outcome >> circuit.num_clbits:
            raise BackendResultInvalid(
                f"The backend's result has the outcome {outcome:#x}, of more bits than measured."
            )
        found[_bitstring(outcome, widths)] += count
    return dict(found)


def outcome_of(key: str) -> int:
    """The outcome of a key of Qiskit's counts: hexadecimal, or bits with or without spaces.

    Raises:
        BackendResultInvalid: it is neither.
    """
    try:
        return int(key, 16) if key.startswith("0x") else int(key.replace(" ", ""), 2)
    except ValueError as error:
        raise BackendResultInvalid("The backend's result has a key that is not an outcome.") from error


def shortened(error: BaseException) -> str:
    """The text of an error on one line, of bounded length."""
    return (" ".join(str(error).split()) or type(error).__name__)[:_MAX_ERROR_CHARACTERS]


@dataclass(frozen=True, slots=True, kw_only=True)
class TerminalCircuit:
    """A circuit whose measurements are its last operations: its gates, and the measured qubit of each bit.

    `measured[i]` is the index of the qubit that the circuit's bit i holds in the end, None if nothing is measured into
    it: such a bit is 0.
    """

    gates: QuantumCircuit
    measured: Sequence[int | None]

    @property
    def qubits(self) -> list[int]:
        """The measured qubits, each once, in ascending order."""
        return sorted({qubit for qubit in self.measured if qubit is not None})

    def translated(self, gate_names: Collection[str]) -> "TerminalCircuit":
        """The same circuit with only these gates, by Qiskit's names."""
        gates = transpile(self.gates, basis_gates=list(gate_names), optimization_level=0)
        return TerminalCircuit(gates=gates, measured=self.measured)

    def gate_calls(self, names: Mapping[str, str]) -> Iterator[str]:
        """The gates as OpenQASM statements on a register `q`; `names` maps Qiskit's names to those of the text."""
        for instruction in self.gates.data:
            angles = ", ".join(repr(float(angle)) for angle in instruction.operation.params)
            operands = ", ".join(f"q[{self.gates.find_bit(qubit).index}]" for qubit in instruction.qubits)
            yield f"{names[instruction.operation.name]}{f'({angles})' if angles else ''} {operands};"

    def outcome(self, bits: Mapping[int, int]) -> int:
        """The outcome of a shot, from the bit that was measured for each of `qubits`."""
        return sum(bits[qubit] << i for i, qubit in enumerate(self.measured) if qubit is not None)


def terminal(circuit: QuantumCircuit) -> TerminalCircuit:
    """Separate the final measurements of a circuit.

    Raises:
        BackendRefused: it measures in the middle, resets, branches or computes on bits.
    """
    gates = circuit.copy_empty_like()
    measured: list[int | None] = [None] * circuit.num_clbits
    done: set[int] = set()
    for instruction in circuit.data:
        qubits = [circuit.find_bit(qubit).index for qubit in instruction.qubits]
        name = instruction.operation.name
        if name == "barrier":
            continue
        if name == "measure":
            measured[circuit.find_bit(instruction.clbits[0]).index] = qubits[0]
            done.add(qubits[0])
        elif not isinstance(instruction.operation, Gate):
            raise BackendRefused(f"The program has `{name}`; this backend runs gates and final measurements only.")
        elif late := done.intersection(qubits):
            raise BackendRefused(
                f"The program has `{name}` on qubit {min(late)} after its measurement: this backend measures last."
            )
        else:
            gates.append(instruction)
    if not done:
        raise BackendRefused("The program measures nothing.")
    return TerminalCircuit(gates=gates, measured=measured)


def _inlined(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with the definitions of gates that are not Qiskit's own, because backends know gates by name only.

    A gate that a program defines as `sx` would otherwise be run as Qiskit's.
    """
    flat = circuit.copy_empty_like()
    for instruction in circuit.data:
        operation = instruction.operation
        if isinstance(operation, ControlFlowOp):
            _check_condition(operation)
            blocks = [_inlined(block) for block in operation.blocks]
            flat.append(instruction.replace(operation=operation.replace_blocks(blocks)))
        elif _is_own(operation):
            flat.append(instruction)
        elif getattr(operation, "definition", None) is None:
            raise BackendRefused(f"The program has `{operation.name}`, which has no definition.")
        else:
            body = _inlined(operation.definition)
            flat.compose(body, instruction.qubits, instruction.clbits, inplace=True, copy=False)
    return flat


def _check_condition(operation: ControlFlowOp) -> None:
    """Reject conditions that simulators evaluate wrongly.

    Source: qiskit-aer 0.18 inverts casts of registers to Bool, and compares 32 bits of a register only.
    """
    condition = getattr(operation, "condition", None)
    compared = operation.target if isinstance(operation, SwitchCaseOp) else condition
    if isinstance(compared, tuple):
        compared = compared[0]
    if isinstance(compared, expr.Expr):
        raise BackendRefused("The program branches on a computed value; this backend compares bits and registers only.")
    if isinstance(compared, ClassicalRegister) and compared.size > _MAX_COMPARED:
        raise BackendRefused(f"The program compares a register of {compared.size} bits; up to 32 are possible.")


def _is_own(operation: Any) -> bool:
    kind = getattr(operation, "base_class", type(operation))
    # Not all classes of `qiskit.circuit`: a `ControlledGate` may be that of any gate, also of one named `x`.
    return kind in _PRIMITIVES or kind.__module__.startswith("qiskit.circuit.library.")


def _read(job: BackendJob) -> Any:
    match job.format:
        case ProgramFormat.QPY:
            [circuit] = qpy.load(io.BytesIO(base64.b64decode(job.program)))
            return circuit
        case ProgramFormat.OPENQASM3:
            return qasm3.loads(job.program)
        case ProgramFormat.OPENQASM2:
            # Qiskit's reader overrides definitions of the program, and would give wrong counts.
            raise BackendRefused("This backend takes QPY and OpenQASM 3.")


def _is_last_register(circuit: QuantumCircuit, bits: int) -> bool:
    """Whether the last bits are a register: a conversion to QPY adds one for outcomes that it computes others from."""
    return bits > 0 and bool(circuit.cregs) and list(circuit.cregs[-1]) == circuit.clbits[-bits:]


def _registers_of(circuit: QuantumCircuit) -> list[int]:
    """The sizes of the groups of bits: a register, or a run of bits in none; in the order of the circuit's bits."""
    groups: list[tuple[object, int]] = []
    for bit in circuit.clbits:
        owner = _register(circuit, bit)
        if groups and groups[-1][0] == owner:
            groups[-1] = (owner, groups[-1][1] + 1)
        else:
            groups.append((owner, 1))
    return [size for _, size in groups]


def _register(circuit: QuantumCircuit, bit: Clbit) -> object:
    registers = [register for register, _ in circuit.find_bit(bit).registers]
    if len(registers) > 1:
        raise BackendRefused("The program has a bit in several registers, so its bitstrings are ambiguous.")
    return registers[0] if registers else None


def _bitstring(outcome: int, widths: Sequence[int]) -> str:
    groups = []
    for width in widths:
        groups.append(format(outcome & ((1 << width) - 1), f"0{width}b"))
        outcome >>= width
    return " ".join(reversed(groups))
