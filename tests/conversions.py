"""Converts programs in tests, and runs what they were converted to."""

import base64
from collections import Counter
from collections.abc import Mapping

import qirrunner

from ketline.domain.circuits.program_format import ProgramFormat, QirProfile, Target
from ketline.domain.results.conversion import ConversionOutput
from ketline.domain.tasks.inputs import InputValue
from ketline.domain.tasks.spec import RunOptions
from ketline.execution.conversion import convert
from ketline.execution.frontend.program import load_program
from ketline.execution.frontend.readers import read_as_written
from ketline.execution.limits import ExecutionLimits
from ketline.execution.simulators.aer import Simulator

LIMITS = ExecutionLimits()
Inputs = Mapping[str, InputValue]


def conversion(
    text: str,
    target: Target,
    inputs: Inputs | None = None,
    form: ProgramFormat | None = None,
    *,
    profile: QirProfile = QirProfile.BASE,
    bitcode: bool = False,
    limits: ExecutionLimits = LIMITS,
) -> ConversionOutput:
    """The output of converting a program."""
    parsed = read_as_written(text, limits, inputs, form)
    return convert(parsed, text, target, limits, profile=profile, bitcode=bitcode)


def written(text: str, target: Target, inputs: Inputs | None = None, form: ProgramFormat | None = None) -> str:
    """A program in another format, QPY as base64, as a task takes it."""
    content = conversion(text, target, inputs, form).content
    return content if isinstance(content, str) else base64.b64encode(content).decode()


def counts_of(
    simulator: Simulator, text: str, shots: int, inputs: Inputs | None = None, form: ProgramFormat | None = None
) -> Mapping[str, int]:
    """The counts of a program on our own simulator."""
    return simulator.run(load_program(text, LIMITS, inputs, form), shots, RunOptions(seed=shots)).counts


def qir_text(text: str, profile: QirProfile, inputs: Inputs | None = None, form: ProgramFormat | None = None) -> str:
    content = conversion(text, Target.QIR, inputs, form, profile=profile).content
    assert isinstance(content, str)
    return content


def qir_counts(module: str | bytes, shots: int, seed: int = 1) -> Mapping[str, int]:
    """The counts of a QIR module in qirrunner, by the keys of ours: arrays are registers, the last one leftmost."""
    handler = qirrunner.OutputHandler()
    data = module.encode() if isinstance(module, str) else module
    qirrunner.run_bytes(data, shots=shots, rng_seed=seed, output_fn=handler.handle)
    return Counter(map(_key, handler.get_output().split("START\n")[1:]))


def _key(shot: str) -> str:
    arrays: list[str] = []
    left = 0
    for line in shot.splitlines():
        match line.split("\t"):
            case ["OUTPUT", "ARRAY", size, _]:
                assert left == 0
                arrays.append("")
                left = int(size)
            case ["OUTPUT", "RESULT" | "BOOL", value, _]:
                arrays[-1] = {"0": "0", "1": "1", "false": "0", "true": "1"}[value] + arrays[-1]
                left -= 1
            case ["END", status]:
                assert status == "0"
    assert left == 0
    return " ".join(reversed(arrays))
