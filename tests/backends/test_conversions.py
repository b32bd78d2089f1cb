"""Programs as users write them, converted for a backend: its counts agree with those of our own simulator."""

import base64
from collections.abc import Mapping
from functools import cache
from random import Random

import pytest

from ketline.backends import BackendJob, BackendRefused, ProgramFormat, Register, check_counts
from ketline.backends.devices import LocalDevice
from ketline.backends.devices.braket import BraketDevice
from ketline.backends.devices.qiskit import QiskitDevice
from ketline.domain.circuits.program_format import Target
from ketline.execution.frontend.readers import read_as_written
from ketline.execution.simulators.aer import Simulator
from tests.conversions import LIMITS, conversion, counts_of
from tests.difference.exported import make_exported

pytestmark = pytest.mark.filterwarnings("ignore:Qiskit backend .* has no QubitProperties")

SHOTS = 2000
LANGUAGES = {Target.QPY: ProgramFormat.QPY, Target.OPENQASM3: ProgramFormat.OPENQASM3}
HEADER = 'OPENQASM 3.0; include "stdgates.inc"; '
# Registers and bits in many orders, with loops, gates and aliases; each has one outcome.
PROGRAMS = {
    "several registers": HEADER
    + "qubit[4] q; bit[2] a; bit[3] b; x q[0]; x q[3]; a[1] = measure q[0]; b[0] = measure q[3];",
    "single bits": HEADER
    + "qubit[3] q; bit a; bit[2] b; bit c; bit d; x q; a = measure q[0]; d = measure q[1]; b[1] = measure q[2];",
    "permuted": HEADER
    + "qubit[3] q; bit[3] c; x q[0]; x q[1]; c[2] = measure q[0]; c[0] = measure q[1]; c[1] = measure q[2];",
    "alias": HEADER + "qubit[4] q; let r = q[3:-1:0]; bit[4] c; x r[0]; x r[1]; c = measure q;",
    "own gate": HEADER
    + "gate sxx a { x a; } qubit[2] q; bit[2] c; sxx q[1]; for int i in [0:2] { x q[0]; } c = measure q;",
    "overwritten": HEADER
    + "qubit[2] q; bit[2] c; x q[1]; c[0] = measure q[1]; c[0] = measure q[0]; c[1] = measure q[1];",
}
# Programs that branch, for backends with control flow.
DYNAMIC = {
    "branch": HEADER + "qubit[2] q; bit[2] c; bit d; x q[0]; d = measure q[0]; if (d) { x q[1]; } c = measure q;",
    "reset": HEADER + "qubit[2] q; bit[3] c; x q[0]; c[2] = measure q[0]; reset q[0]; c[0] = measure q[0];",
    "computed": HEADER + "qubit[2] q; bit[2] c; bit d; x q[0]; c = measure q; d = c[0] ^ c[1];",
    "kept": HEADER
    + "qubit[2] q; bit c; x q[0]; c = measure q[0]; if (c) { x q[1]; } c = measure q[1]; if (c) { x q[0]; } "
    "c = measure q[0];",
}


@cache
def _device(name: str) -> LocalDevice:
    if name == "braket":
        return BraketDevice("default")
    options = {"num_qubits": 8, "noise_info": False, "control_flow": name == "dynamic", "seed": 1}
    return QiskitDevice("qiskit.providers.fake_provider:GenericBackendV2", options)


@cache
def _simulator() -> Simulator:
    return Simulator(LIMITS)


def _job(text: str, target: Target) -> BackendJob:
    """The job of a program, as a worker makes it."""
    program = read_as_written(text, LIMITS)
    content = conversion(text, target).content
    return BackendJob(
        program=content if isinstance(content, str) else base64.b64encode(content).decode(),
        format=LANGUAGES[target],
        shots=SHOTS,
        registers=tuple(
            Register(bits=bits, name=name) for bits, name in zip(program.groups, program.names, strict=True)
        ),
        seed=3,
    )


def _counts(device: LocalDevice, job: BackendJob) -> Mapping[str, int]:
    device.validate(job)
    counts = device.run(job)
    check_counts(counts, job)
    return counts


@pytest.mark.parametrize("target", LANGUAGES)
@pytest.mark.parametrize("device", ["qiskit", "braket"])
@pytest.mark.parametrize("name", PROGRAMS)
def test_program_has_the_outcome_of_our_simulator(name: str, device: str, target: Target) -> None:
    ours = counts_of(_simulator(), PROGRAMS[name], SHOTS)
    assert _counts(_device(device), _job(PROGRAMS[name], target)) == ours


@pytest.mark.parametrize("name", DYNAMIC)
def test_program_that_branches_has_the_outcome_of_our_simulator(name: str) -> None:
    ours = counts_of(_simulator(), DYNAMIC[name], SHOTS)
    job = _job(DYNAMIC[name], Target.QPY)
    assert _counts(_device("dynamic"), job) == ours
    with pytest.raises(BackendRefused, match=r"final measurements only|measures last"):
        _device("braket").validate(job)


@pytest.mark.parametrize("device", ["qiskit", "braket"])
def test_random_circuits_have_the_distribution_of_our_simulator(device: str) -> None:
    for number in range(12):
        text = make_exported(Random(f"backends/{number}"))
        ours = counts_of(_simulator(), text, 20 * SHOTS)
        exact = {key: count / (20 * SHOTS) for key, count in ours.items()}
        theirs = _counts(_device(device), _job(text, Target.QPY))
        distance = sum(abs(theirs.get(key, 0) / SHOTS - exact.get(key, 0.0)) for key in {*theirs, *exact}) / 2
        assert distance < 0.15, (number, distance)
