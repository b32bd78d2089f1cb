"""Converts the program of a request into another format; the executor calls it for `Command.CONVERT`."""

import json
import time
from base64 import b64encode

from ketline.domain.circuits.program_format import QirProfile
from ketline.domain.results.result import Conversion, MediaType, Profile, Register, RunResult
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.quota_checks import require_qubits
from ketline.domain.tasks.spec import TaskSpec
from ketline.domain.tasks.sweep import first_point
from ketline.execution.conversion import convert
from ketline.execution.conversion.text import too_large
from ketline.execution.frontend.readers import read_as_written
from ketline.execution.limits import ExecutionLimits


def convert_program(spec: TaskSpec, limits: ExecutionLimits) -> RunResult:
    """Convert the program of a task of kind `convert`; its profile describes the program as it was read.

    Raises:
        ProgramInvalid, ProgramUnsupported, ProgramTooLarge: the program cannot be read or converted.
        QubitQuotaExceeded: the program declares more qubits than the quota of the task.
    """
    assert spec.target is not None  # requests without one are rejected
    started = time.perf_counter()
    program = read_as_written(spec.circuit, limits, first_point(spec.inputs), spec.options.format)
    read = time.perf_counter()
    require_qubits(program.circuit.num_qubits, spec)
    profile = spec.profile or QirProfile.BASE
    output = convert(program, spec.circuit, spec.target, limits, profile=profile, bitcode=spec.bitcode)
    binary = isinstance(output.content, bytes)
    content = b64encode(output.content).decode() if isinstance(output.content, bytes) else output.content
    _check_size(content, limits)
    return RunResult(
        counts={},
        shots=0,
        profile=Profile(
            method=TaskKind.CONVERT,
            qubits=program.circuit.num_qubits,
            depth=program.circuit.depth(),
            operations=dict(program.circuit.count_ops()),
            parsing_seconds=round(read - started, 6),
            simulating_seconds=round(time.perf_counter() - read, 6),
            tier=program.front_end,
            registers=tuple(
                Register(bits=bits, name=name) for bits, name in zip(program.groups, program.names, strict=True)
            ),
            warnings=output.warnings,
        ),
        conversion=Conversion(content, media_type=MediaType.BINARY if binary else MediaType.TEXT, base64=binary),
    )


def _check_size(content: str, limits: ExecutionLimits) -> None:
    """Check the size as JSON, in which a line break takes two characters."""
    if len(json.dumps(content)) > limits.max_result_bytes:
        raise too_large(limits.max_result_bytes)
