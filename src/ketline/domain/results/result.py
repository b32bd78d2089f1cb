"""The result of a run: counts or what was computed in their place, and the profile of the execution."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ketline.domain.devices.device_run import Placement
from ketline.domain.results.gradients import Gradients
from ketline.domain.results.observable import ExpectationValues
from ketline.domain.results.outputs import Outputs


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """A group of bits in bitstrings: a register, a single bit, or a run of single bits.

    The last of these has no name.
    """

    bits: int
    name: str | None = None


class WarningCode(StrEnum):
    """The kind of a warning about a program."""

    PRAGMA_IGNORED = "pragma_ignored"
    ANNOTATION_IGNORED = "annotation_ignored"
    GATE_PHASE = "gate_phase"
    BRAKET_DIALECT = "braket_dialect"
    CONVERSION_DIFFERS = "conversion_differs"
    OBSERVABLE_MEASURED = "observable_measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramWarning:
    """A warning about a program that runs; line and column count from 1 where they are known."""

    code: WarningCode
    message: str
    line: int | None = None
    column: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Facts about the execution of a program.

    `method` is the simulation method used, `method_reason` the reason for it, and `engine` the library that ran it:
    aer, aer_gpu, lightning, stim or numpy; None for tasks from before it was recorded. `operations` maps names of
    operations in the simulated circuit to their numbers (control-flow blocks count once), `depth` is the circuit's
    depth. `tier` is the front end that read the program: scanner, importer, unroller, openqasm2 or qpy; None for tasks
    from before it was recorded. `registers` are the groups of the bitstrings in the order of declaration, the rightmost
    first; None likewise. `seed_scheme` names the rule by which random numbers come from the seed: only tasks with the
    same rule give the same counts for the same seed. It is None for tasks from before it was recorded, and if nothing
    is drawn. `warnings` are those about the program, in the order of its text. Times are wall-clock seconds;
    `queued_seconds` is the whole wait from the submission, or the scheduled time, to the claim of the last attempt,
    including delays and earlier attempts. `processor_seconds` is the processor time that the simulator took, of all
    threads, and `memory_bytes` the peak of its resident memory meanwhile; None where they were not measured.
    `placement` says where a program was placed on a device for which it was transpiled; its `qubits`, `depth` and
    `operations` are then those of the part of that circuit that was simulated.
    """

    method: str
    qubits: int
    depth: int
    operations: Mapping[str, int]
    parsing_seconds: float
    simulating_seconds: float
    queued_seconds: float = 0.0
    method_reason: str | None = None
    engine: str | None = None
    tier: str | None = None
    seed_scheme: int | None = None
    registers: Sequence[Register] | None = None
    warnings: Sequence[ProgramWarning] = ()
    processor_seconds: float | None = None
    memory_bytes: int | None = None
    placement: Placement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The counts of one point of a sweep, its shots if they were requested, and its outputs; as in `RunResult`.

    `counts` is empty if the task has outputs, but no counts.
    """

    counts: Mapping[str, int]
    memory: Sequence[str] | None = None
    outputs: Outputs | None = None


class MediaType(StrEnum):
    """The media types of converted programs; those of OpenQASM, QPY and QIR are not registered."""

    TEXT = "text/plain"
    BINARY = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class Conversion:
    """A converted program: text, or `base64` of a binary format, whose media type is `media_type`."""

    content: str
    media_type: MediaType
    base64: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """Counts of one execution.

    Bitstrings are Qiskit's: bit 0 rightmost, a space between classical registers, the last declared register first. The
    values sum to `shots`. `memory`, if it was requested, has the bitstring of every shot in order. A sweep has
    `points`, each with `shots` shots, and no `counts` or `memory` of its own. A task with observables has
    `expectation_values` in their order, for a sweep a sequence for each point, and no counts; those that were estimated
    have `standard_errors` of the same shape, and with a gradient it has `gradients` in the same order, and those that
    were estimated `gradient_standard_errors`. `mitigation` has
    under `zne` what a zero-noise extrapolation was made of, and under `readout` the corrected counts, for a sweep at
    each point. A task of kind `convert` has a
    `conversion`, no counts and no shots. `outputs` are those that were requested by name; without counts among them,
    `counts` is empty.
    """

    counts: Mapping[str, int]
    shots: int
    profile: Profile
    memory: Sequence[str] | None = None
    points: Sequence[Point] | None = None
    expectation_values: ExpectationValues | None = None
    standard_errors: ExpectationValues | None = None
    mitigation: Mapping[str, object] | None = None
    gradients: Gradients | None = None
    gradient_standard_errors: Gradients | None = None
    conversion: Conversion | None = None
    outputs: Outputs | None = None
