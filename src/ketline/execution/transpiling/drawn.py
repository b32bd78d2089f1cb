"""Provides the circuit of a program on a device for drawings."""

from dataclasses import replace

from qiskit.circuit import QuantumCircuit, QuantumRegister

from ketline.execution.circuit.plain import plain_of
from ketline.execution.frontend.parsed_program import ParsedProgram
from ketline.execution.transpiling.device_programs import PlacedProgram
from ketline.execution.transpiling.transpiler import operations_in


def drawn_program(placed: PlacedProgram) -> ParsedProgram:
    """The program with the circuit that runs: on the qubits that it uses, named `q12` for qubit 12 of the device."""
    circuit = placed.transpiled.circuit
    numbers = range(circuit.num_qubits)
    used = sorted(
        {qubit for name, operands in operations_in(circuit, numbers) if name != "barrier" for qubit in operands}
    )
    taken = {register.name for register in circuit.cregs}
    result = QuantumCircuit(circuit.clbits)
    for register in circuit.cregs:
        result.add_register(register)
    for number in used:
        result.add_register(QuantumRegister(1, _name(number, taken)))
    new = dict(zip([circuit.qubits[number] for number in used], result.qubits, strict=True))
    for instruction in circuit.data:
        operands = [new[qubit] for qubit in instruction.qubits if qubit in new]
        if instruction.name == "barrier":
            if operands:
                result.barrier(operands)
            continue
        result.append(instruction.replace(qubits=operands), copy=False)
    return replace(placed.parsed, plain=plain_of(result), genuine=None, values=None, places=())


def _name(number: int, taken: set[str]) -> str:
    name = f"q{number}"
    return f"_{name}" if name in taken else name
