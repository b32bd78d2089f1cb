"""Writes a flat program as QIR, in LLVM's text format or as bitcode. Used by `conversion.py`."""

import re

from ketline.domain.circuits.program_format import QirProfile
from ketline.domain.results.conversion import ConversionOutput
from ketline.execution.conversion.names import OutputNames
from ketline.execution.conversion.qir.adaptive import write_adaptive
from ketline.execution.conversion.qir.base import write_base
from ketline.execution.conversion.qir.module import ModuleBuilder
from ketline.execution.conversion.qir.records import LABEL_OF_ALL
from ketline.execution.conversion.statements import Apply, FlatProgram, Measure, Reset, walk
from ketline.execution.conversion.text import base64_bytes, too_large

# Without `[`, so that no name equals the label of a bit of another register.
_ANY_NAME = re.compile(r"[^\x00\[]+")


def write_qir(program: FlatProgram, profile: QirProfile, max_bytes: int, *, bitcode: bool) -> ConversionOutput:
    """A module of QIR 2.0 with one entry point, `main`, which LLVM has verified.

    Raises:
        ProgramUnsupported: the profile cannot express the program; with the place of the statement.
        ProgramTooLarge: the module takes more than `max_bytes`, bitcode as base64.
    """
    names = OutputNames(_ANY_NAME, {LABEL_OF_ALL})
    registers = names.of_registers(program.registers, "c")
    numbers = {qubit: number for number, qubit in enumerate(sorted(_qubits_of(program)))}
    builder = ModuleBuilder(profile, max_bytes, bitcode=bitcode)
    builder.qubits = len(numbers)
    (write_base if profile is QirProfile.BASE else write_adaptive)(program, numbers, registers, builder)
    module = builder.module()
    content = module.bitcode if bitcode else str(module)
    size = len(content.encode()) if isinstance(content, str) else base64_bytes(content)
    if size > max_bytes:
        raise too_large(max_bytes)
    return ConversionOutput(content=content, warnings=names.warnings)


def _qubits_of(program: FlatProgram) -> set[int]:
    """The qubits that the program uses, which alone are numbered."""
    qubits: set[int] = set()
    for statement in walk(program.statements):
        match statement:
            case Apply():
                qubits.update(statement.qubits)
            case Measure() | Reset():
                qubits.add(statement.qubit)
    return qubits
