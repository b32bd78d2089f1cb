"""Runs programs for their outputs in an executor, as a worker gets them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ketline.client.convert.qiskit_definitions import with_definitions
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.results.outputs import COMPLEX, Output, OutputType, RequestedOutput
from ketline.domain.results.result import RunResult
from ketline.domain.tasks.inputs import Inputs
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.execution.child.executor import Executor
from ketline.execution.protocol.requests import Command, Request, decode_request, encode_request
from ketline.execution.protocol.responses import decode_response, encode_response
from tests.circuits import as_qpy

HEAD = 'OPENQASM 3.0; include "stdgates.inc";'
TOLERANCE = 1e-10
COUNTS = RequestedOutput(OutputType.COUNTS, "counts")


def outcome(
    executor: Executor,
    program: Any,
    *outputs: RequestedOutput,
    inputs: Inputs | None = None,
    command: Command = Command.RUN,
    shots: int = 64,
    **options: Any,
) -> Any:
    """What a worker gets for a program, a circuit of Qiskit's or text, after both ways over the wire."""
    form = ProgramFormat.OPENQASM3 if isinstance(program, str) else ProgramFormat.QPY
    text = HEAD + program if isinstance(program, str) else as_qpy(with_definitions(program))
    spec = TaskSpec(
        circuit=text, shots=shots, inputs=inputs or {}, options=RunOptions(format=form, outputs=outputs, **options)
    )
    sent = decode_request(encode_request(Request(spec, "t", command=command)))
    return decode_response(encode_response(executor.respond(sent), sent), sent).outcome


def result(executor: Executor, program: Any, *outputs: RequestedOutput, **more: Any) -> RunResult:
    found = outcome(executor, program, *outputs, **more)
    assert isinstance(found, RunResult), found
    return found


def array(output: Output) -> Any:
    """The values as numpy has them."""
    values = np.array(output.values, dtype=float)
    return values @ np.array([1, 1j]) if output.type in COMPLEX else values


def found_of(run: RunResult) -> Mapping[str, Any]:
    """The outputs of a run that is no sweep, by name, as numpy has them."""
    assert run.outputs is not None
    return {name: array(output) for name, output in run.outputs.items()}


def only(executor: Executor, program: Any, output: RequestedOutput, **more: Any) -> Any:
    return found_of(result(executor, program, output, **more))[output.name]


def close(found: Any, expected: Any) -> bool:
    return bool(np.shape(found) == np.shape(expected) and np.abs(np.asarray(found) - expected).max() < TOLERANCE)
