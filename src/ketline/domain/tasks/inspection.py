"""The results of inspecting a program without running it, and the formats of circuit drawings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.devices.device_run import DeviceRun, Placement
from ketline.domain.failures import Failure
from ketline.domain.results.result import ProgramWarning
from ketline.domain.tasks.inputs import Inputs


class Drawing(StrEnum):
    """A format in which a circuit is shown: a drawing of characters, SVG, or flat OpenQASM 3."""

    TEXT = "text"
    SVG = "svg"
    FLAT = "flat"


class Severity(StrEnum):
    """The severity of a diagnostic: a program with an error cannot run, one with a warning can."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramSource:
    """A program as it was submitted: its text in `circuit`, and values for its `input` declarations.

    With `device` its circuit on that device is meant.
    """

    circuit: str
    inputs: Inputs = field(default_factory=dict)
    format: ProgramFormat = ProgramFormat.OPENQASM3
    device: DeviceRun | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """A program that could be read, and how it would be simulated.

    `tier`, `qubits`, `depth`, `operations`, `warnings` and `placement` are those that its `Profile` would have;
    `unused_qubits` counts declared qubits on which no measurement depends, which are not simulated. `memory_bytes` is
    the most that the state takes, `estimated_seconds` the time of reading and simulating by the model of
    `execution/simulators/durations.py`; each is None where it cannot be estimated. A program with a `failure` cannot be
    simulated, and has no method.
    """

    tier: str
    qubits: int
    unused_qubits: int
    depth: int
    operations: Mapping[str, int]
    method: Method | None = None
    method_reason: str | None = None
    memory_bytes: int | None = None
    estimated_seconds: float | None = None
    failure: Failure | None = None
    warnings: Sequence[ProgramWarning] = ()
    placement: Placement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One error or warning about a program; line and column count from 1 where they are known."""

    severity: Severity
    code: str
    message: str
    line: int | None = None
    column: int | None = None
