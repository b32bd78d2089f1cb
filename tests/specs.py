"""Specs of which each differs from a plain one in one field, and submissions that ask for something else."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from ketline.domain.circuits.method import Method
from ketline.domain.circuits.program_format import ProgramFormat, QirProfile, Target
from ketline.domain.devices.device_run import DeviceRun
from ketline.domain.results.gradients import Gradient, GradientMethod
from ketline.domain.results.mitigation import Mitigation, ZeroNoise
from ketline.domain.results.outputs import OutputType, RequestedOutput
from ketline.domain.tasks.kind import TaskKind
from ketline.domain.tasks.labels import Labels
from ketline.domain.tasks.spec import RunOptions, TaskSpec
from ketline.domain.tasks.submission import Submission

PLAIN = TaskSpec(circuit="qubit q;", shots=10)
# The same with one field changed, for each field, and what a change of it requires.
CHANGED = {
    "qc": replace(PLAIN, circuit="qubit[2] q;"),
    "shots": replace(PLAIN, shots=11),
    "timeout_s": replace(PLAIN, time_limit_seconds=2.5),
    "max_attempts": replace(PLAIN, max_attempts=4),
    "seed": replace(PLAIN, options=RunOptions(seed=7)),
    "method": replace(PLAIN, options=RunOptions(method=Method.STIM)),
    "memory": replace(PLAIN, options=RunOptions(memory=True)),
    "format": replace(PLAIN, options=RunOptions(format=ProgramFormat.QPY)),
    "observables": replace(PLAIN, options=RunOptions(observables=({"Z": 1.0},))),
    "gradient": replace(
        PLAIN,
        inputs={"theta": 0.5},
        options=RunOptions(
            observables=({"Z": 1.0},), gradient=Gradient(inputs=("theta",), method=GradientMethod.ADJOINT)
        ),
    ),
    "outputs": replace(
        PLAIN,
        options=RunOptions(
            outputs=(
                RequestedOutput(OutputType.COUNTS, "counts"),
                RequestedOutput(OutputType.ENTROPY, "entropy-0", (0,)),
                RequestedOutput(
                    OutputType.EXPECTATION_VALUES, "expectation_values-ZZ-middle", None, "middle", ({"ZZ": 1.0},)
                ),
            )
        ),
    ),
    "inputs": replace(PLAIN, inputs={"theta": 0.5}),
    "name": replace(PLAIN, labels=Labels(name="a name")),
    "tags": replace(PLAIN, labels=Labels(tags=("a", "b"))),
    "metadata": replace(PLAIN, labels=Labels(metadata={"run": 7})),
    "scheduled_for": replace(PLAIN, scheduled_for=datetime(2026, 1, 2, tzinfo=UTC)),
    "priority": replace(PLAIN, priority=-3),
    "hold": replace(PLAIN, hold=True),
    "kind": replace(PLAIN, shots=0, kind=TaskKind.CONVERT, target=Target.QPY),
    "target": replace(PLAIN, shots=0, kind=TaskKind.CONVERT, target=Target.OPENQASM2),
    "profile": replace(PLAIN, shots=0, kind=TaskKind.CONVERT, target=Target.QIR, profile=QirProfile.ADAPTIVE),
    "bitcode": replace(PLAIN, shots=0, kind=TaskKind.CONVERT, target=Target.QIR, bitcode=True),
    "backend": replace(PLAIN, kind=TaskKind.RUN, backend="other"),
    "max_qubits": replace(PLAIN, max_qubits=5),
    "noise": replace(PLAIN, options=RunOptions(noise={"name": "depolarizing", "one_qubit": 0.01})),
    "device": replace(
        PLAIN, options=RunOptions(device=DeviceRun(name="line-27", optimization_level=2, initial_layout=(3,)))
    ),
    "sampled": replace(PLAIN, options=RunOptions(sampled=True)),
    "precision": replace(PLAIN, options=RunOptions(precision=0.25)),
    "mitigation": replace(PLAIN, options=RunOptions(mitigation=Mitigation(zne=ZeroNoise()))),
    "callback": replace(PLAIN, callback="https://example.org/hooks"),
}
# Quotas give it to the task; it is in no request.
SET_BY_THE_SERVICE = {"max_qubits"}
# Whether values are estimated follows from the shots or the precision of the request.
SET_BY_THE_SERVICE |= {"sampled"}
# The program is read apart, the method is that of the profile, the shots are in the result, and limits are not shown.
NOT_IN_A_VIEW = {"qc", "inputs", "observables", "noise", "method", "memory", "timeout_s", "max_attempts"}
NOT_IN_A_VIEW |= SET_BY_THE_SERVICE
# The other fields by their names in a view of a task.
IN_A_VIEW = {
    name: {"format": "program_format", "profile": "qir_profile"}.get(name, name)
    for name in CHANGED
    if name not in NOT_IN_A_VIEW
}


def respecified(submission: Submission, **changes: Any) -> Submission:
    """The submission with changes of its own fields, and of those of its spec."""
    own = {name: value for name, value in changes.items() if hasattr(submission, name)}
    asked = {name: value for name, value in changes.items() if name not in own}
    return replace(submission, spec=replace(submission.spec, **asked), **own)
