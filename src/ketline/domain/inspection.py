"""What the service can say about a program without running it, and the formats of circuit drawings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from ketline.domain.spec import Inputs, Method, ProgramFormat
from ketline.domain.task import Failure, ProgramWarning


class Drawing(StrEnum):
    """A form made from a program's circuit: a drawing of characters, one of SVG, or flat OpenQASM 3."""

    TEXT = "text"
    SVG = "svg"
    FLAT = "flat"


class Severity(StrEnum):
    """An error keeps a program from being run, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramSource:
    """A program as it was submitted: its text, and values for its `input` declarations."""

    circuit: str
    inputs: Inputs = field(default_factory=dict)
    format: ProgramFormat = ProgramFormat.OPENQASM3


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """A program that could be read, and how it would be simulated.

    `tier`, `qubits`, `depth` and `operations` are those its `Profile` would have; `unused_qubits` counts those declared
    that no measurement depends on, which are not simulated. `memory_bytes` is what the state takes at most,
    `estimated_seconds` what reading and simulating will take, by the model of `execution/simulators/durations.py`; each
    is None where there is no honest figure. With a `refusal` it cannot be simulated, and there is no method. `warnings`
    are those its `Profile` would have.
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
    refusal: Failure | None = None
    warnings: Sequence[ProgramWarning] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnostic:
    """One remark on a program; line and column count from 1 where they are known."""

    severity: Severity
    code: str
    message: str
    line: int | None = None
    column: int | None = None
