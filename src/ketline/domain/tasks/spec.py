"""The spec of a task: one value that is passed whole from the request to the simulator."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat, QirProfile, Target
from ketline.domain.devices.device_run import DeviceRun
from ketline.domain.devices.noise_layers import Noise
from ketline.domain.results.gradients import Gradient
from ketline.domain.results.mitigation import Mitigation
from ketline.domain.results.observable import Observables
from ketline.domain.results.outputs import RequestedOutput
from ketline.domain.tasks.inputs import Inputs
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.labels import Labels


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options with which a program is read and run.

    The same `seed`, program, shots and versions give the same counts; without a seed each run gives others. With
    `memory` the result has every shot's outcome, in order. With `observables` it has their expectation values and no
    counts, with `gradient` also their derivatives by inputs. With `noise` gates and measurements have errors. With
    `outputs` it has these, and counts only if they are among them. With `device` it is transpiled for a device, and may
    have its errors.

    Expectation values are exact, or with `sampled` estimates: from the task's shots in each basis, or with a
    `precision`, the standard error that is aimed at, from as many as that needs, at most the task's shots. With
    `mitigation` they are corrected for errors.
    """

    seed: int | None = None
    method: Method = Method.AUTOMATIC
    memory: bool = False
    format: ProgramFormat = ProgramFormat.OPENQASM3
    observables: Observables = ()
    noise: Noise | None = None
    outputs: Sequence[RequestedOutput] = ()
    gradient: Gradient | None = None
    device: DeviceRun | None = None
    sampled: bool = False
    precision: float | None = None
    mitigation: Mitigation | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSpec:
    """The work of a task. It is built once, where a request is read, and then passed and read back whole.

    `circuit` is the program: OpenQASM text, or QPY as base64, as `options.format` says. Without `time_limit_seconds`
    the worker's own limit applies, and without `max_attempts` the service's. The task does not run before
    `scheduled_for`, by the database's clock; a time in the past has no effect. `priority` is from -100 to 100, see
    `priority.py`. With `hold` the task does not run before it is released. When it has ended, that is delivered to the
    URL `callback`. `max_qubits` is the quota that was valid at
    the submission, which sets it; clients cannot.

    A task of kind `convert` has a `target`, and no use for `shots`; for QIR, `profile` is the profile, the simplest one
    that can hold the program if it is None, and with `bitcode` the output is bitcode instead of text. A task of kind
    `run` has the name of a `backend`.
    """

    circuit: str
    shots: int
    inputs: Inputs = field(default_factory=dict)
    options: RunOptions = RunOptions()
    time_limit_seconds: float | None = None
    max_attempts: int | None = None
    labels: Labels = field(default_factory=Labels)
    scheduled_for: datetime | None = None
    priority: int = 0
    hold: bool = False
    kind: TaskKind = TaskKind.SIMULATE
    target: Target | None = None
    profile: QirProfile | None = None
    bitcode: bool = False
    backend: str | None = None
    max_qubits: int | None = None
    callback: str | None = None
