"""Converts a program that a front end has read into another format."""

from dataclasses import replace

from ketline.domain.circuits.program_format import QirProfile, Target
from ketline.domain.results.conversion import ConversionOutput
from ketline.execution.conversion import openqasm2, openqasm3, qir, qpy
from ketline.execution.conversion.flatten import flatten
from ketline.execution.conversion.openqasm2 import write_openqasm2
from ketline.execution.conversion.openqasm3 import write_openqasm3
from ketline.execution.conversion.qpy import write_qpy
from ketline.execution.frontend.parsed_program import ParsedProgram
from ketline.execution.limits import ExecutionLimits


def convert(
    program: ParsedProgram,
    text: str,
    target: Target,
    limits: ExecutionLimits,
    *,
    profile: QirProfile = QirProfile.BASE,
    bitcode: bool = False,
) -> ConversionOutput:
    """Convert a program, read from this text by `read_as_written`.

    `profile` and `bitcode` are for QIR, which is text without `bitcode`. The output has at most
    `limits.max_result_bytes` bytes, as base64 if it is binary.

    Raises:
        ProgramUnsupported: the target cannot express the program; with the place of the first such statement, where
            known.
        ProgramTooLarge: the program expands to more operations or bits than allowed, or the output is too large.
    """
    output = _written(program, text, target, limits, profile, bitcode)
    return replace(output, warnings=(*program.warnings, *output.warnings))


def _written(
    program: ParsedProgram, text: str, target: Target, limits: ExecutionLimits, profile: QirProfile, bitcode: bool
) -> ConversionOutput:
    match target:
        case Target.OPENQASM3:
            return write_openqasm3(flatten(program, text, openqasm3.GATES, limits), limits.max_result_bytes)
        case Target.OPENQASM2:
            return write_openqasm2(flatten(program, text, openqasm2.GATES, limits), limits.max_result_bytes)
        case Target.QPY:
            return write_qpy(flatten(program, text, qpy.GATES, limits), limits.max_result_bytes)
        case Target.QIR:
            flat = flatten(program, text, qir.GATES, limits)
            return qir.write_qir(flat, profile, limits.max_result_bytes, bitcode=bitcode)
