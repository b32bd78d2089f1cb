"""Small programs with known results, in each format that a backend may take; the tests of the suite run them."""

import base64
import io
import random
from collections.abc import Sequence
from dataclasses import dataclass

from ketline.domain.backends.backend_jobs import BackendJob
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.results.result import Register

# A gate's name and its qubits; `x`, `h` and `cx` have the same names in all languages.
GateCall = tuple[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Gates, then measurements: `measured` has a qubit, a register and its bit for each, in the order of execution."""

    name: str
    num_qubits: int
    registers: Sequence[Register]
    gates: Sequence[GateCall]
    measured: Sequence[tuple[int, int, int]]

    def job(self, program_format: ProgramFormat, shots: int, seed: int | None = None) -> BackendJob:
        """The job that runs it."""
        return BackendJob(
            program=self.written(program_format),
            format=program_format,
            shots=shots,
            registers=tuple(self.registers),
            seed=seed,
        )

    def written(self, program_format: ProgramFormat) -> str:
        """The program in a format; QPY needs Qiskit."""
        match program_format:
            case ProgramFormat.OPENQASM3:
                return _openqasm3(self)
            case ProgramFormat.OPENQASM2:
                return _openqasm2(self)
            case ProgramFormat.QPY:
                return _qpy(self)

    @property
    def expected(self) -> str:
        """The only bitstring of a program without `h`, by its definition: qubits are bits that `x` and `cx` flip."""
        qubits = [0] * self.num_qubits
        for name, operands in self.gates:
            assert name in ("x", "cx"), name
            qubits[operands[-1]] ^= all(qubits[control] for control in operands[:-1])
        bits = [[0] * register.bits for register in self.registers]
        for qubit, register, bit in self.measured:
            bits[register][bit] = qubits[qubit]
        return " ".join("".join(map(str, reversed(group))) for group in reversed(bits))


def _registers(*bits: int) -> Sequence[Register]:
    return [Register(bits=width, name=f"c{number}") for number, width in enumerate(bits)]


# Each of them has another result if bits, registers or qubits are confused.
FIXED: Sequence[Program] = (
    Program(name="one_bit", num_qubits=1, registers=_registers(1), gates=[("x", (0,))], measured=[(0, 0, 0)]),
    Program(
        name="bit_order",
        num_qubits=3,
        registers=_registers(3),
        gates=[("x", (0,))],
        measured=[(0, 0, 0), (1, 0, 1), (2, 0, 2)],
    ),
    Program(
        name="permuted_bits",
        num_qubits=3,
        registers=_registers(3),
        gates=[("x", (0,)), ("cx", (0, 2))],
        measured=[(2, 0, 0), (0, 0, 1), (1, 0, 2)],
    ),
    Program(
        name="order_of_measurements",
        num_qubits=3,
        registers=_registers(3),
        gates=[("x", (0,))],
        measured=[(2, 0, 2), (1, 0, 1), (0, 0, 0)],
    ),
    Program(
        name="two_registers",
        num_qubits=3,
        registers=_registers(2, 1),
        gates=[("x", (0,)), ("x", (2,))],
        measured=[(0, 0, 0), (1, 0, 1), (2, 1, 0)],
    ),
    Program(
        name="crossed_registers",
        num_qubits=4,
        registers=_registers(2, 2),
        gates=[("x", (1,)), ("x", (2,)), ("cx", (2, 3))],
        measured=[(3, 0, 1), (0, 1, 0), (2, 1, 1), (1, 0, 0)],
    ),
    Program(
        name="partly_measured",
        num_qubits=4,
        registers=_registers(4),
        gates=[("x", (3,))],
        measured=[(3, 0, 1)],
    ),
    Program(
        name="idle_qubits",
        num_qubits=5,
        registers=_registers(1, 2),
        gates=[("x", (4,))],
        measured=[(4, 1, 1)],
    ),
    Program(
        name="unused_register",
        num_qubits=2,
        registers=_registers(2, 3, 1),
        gates=[("x", (1,))],
        measured=[(1, 2, 0)],
    ),
)

BELL = Program(
    name="bell",
    num_qubits=3,
    registers=_registers(1, 2),
    gates=[("h", (2,)), ("cx", (2, 0))],
    measured=[(0, 0, 0), (2, 1, 1)],
)
BELL_OUTCOMES = ("00 0", "10 1")


def random_programs(count: int, seed: int = 1) -> Sequence[Program]:
    """Programs of five qubits and three registers that measure a random part of them in random order."""
    return [_random_program(number, random.Random(f"{seed}-{number}")) for number in range(count)]  # noqa: S311 - tests


def _random_program(number: int, draw: random.Random) -> Program:
    registers = _registers(*(draw.randint(1, 3) for _ in range(3)))
    gates: list[GateCall] = [("x", (qubit,)) for qubit in range(5) if draw.random() < 0.5]
    for _ in range(3):
        control, target = draw.sample(range(5), 2)
        gates.append(("cx", (control, target)))
    bits = [(index, bit) for index, register in enumerate(registers) for bit in range(register.bits)]
    draw.shuffle(bits)
    qubits = draw.sample(range(5), draw.randint(1, min(5, len(bits))))
    measured = [(qubit, *bit) for qubit, bit in zip(qubits, bits, strict=False)]
    return Program(name=f"random_{number}", num_qubits=5, registers=registers, gates=gates, measured=measured)


def _openqasm3(program: Program) -> str:
    lines = ["OPENQASM 3.0;", 'include "stdgates.inc";', f"qubit[{program.num_qubits}] q;"]
    lines += [f"bit[{register.bits}] {register.name};" for register in program.registers]
    lines += _gates(program)
    lines += [
        f"{program.registers[register].name}[{bit}] = measure q[{qubit}];" for qubit, register, bit in program.measured
    ]
    return "\n".join(lines) + "\n"


def _openqasm2(program: Program) -> str:
    lines = ["OPENQASM 2.0;", 'include "qelib1.inc";', f"qreg q[{program.num_qubits}];"]
    lines += [f"creg {register.name}[{register.bits}];" for register in program.registers]
    lines += _gates(program)
    lines += [
        f"measure q[{qubit}] -> {program.registers[register].name}[{bit}];" for qubit, register, bit in program.measured
    ]
    return "\n".join(lines) + "\n"


def _gates(program: Program) -> list[str]:
    return [f"{name} {', '.join(f'q[{qubit}]' for qubit in qubits)};" for name, qubits in program.gates]


def _qpy(program: Program) -> str:
    from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister, qpy  # only adapters that take QPY need it

    registers = [ClassicalRegister(register.bits, register.name) for register in program.registers]
    circuit = QuantumCircuit(QuantumRegister(program.num_qubits, "q"), *registers)
    for name, qubits in program.gates:
        getattr(circuit, name)(*qubits)
    for qubit, register, bit in program.measured:
        circuit.measure(qubit, registers[register][bit])
    file = io.BytesIO()
    qpy.dump(circuit, file)
    return base64.b64encode(file.getvalue()).decode()
