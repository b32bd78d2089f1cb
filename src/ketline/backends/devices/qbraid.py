"""A device of qBraid as a remote device, by the client of `qbraid-core`; for the adapter `qbraid`.

Programs are sent as OpenQASM of one register, `c`, into which each measured qubit is measured once. In results qBraid
puts the last bit first, as Qiskit does. Source: qbraid 0.13, `reverse_bit_order` in qbraid/runtime/postprocess.py.
"""

import os
from collections.abc import Mapping
from typing import Any

import requests
from qbraid_core.exceptions import AuthError
from qbraid_core.services.runtime import QuantumRuntimeClient, QuantumRuntimeServiceRequestError
from qbraid_core.services.runtime.schemas import JobRequest, Program
from qbraid_core.sessions import QbraidSessionV1

from ketline.backends.devices.circuits import (
    FORMATS,
    TerminalCircuit,
    circuit_of,
    counts_of,
    outcome_of,
    shortened,
    terminal,
)
from ketline.domain.backends.backend_jobs import BackendDescription, BackendJob, RemoteState, RemoteStatus
from ketline.domain.errors import (
    BackendAccessDenied,
    BackendFailed,
    BackendJobNotFound,
    BackendOutcomeUnknown,
    BackendRefused,
    BackendResultInvalid,
    BackendUnavailable,
)

# Gates of stdgates.inc and qelib1.inc with the same name and meaning.
_GATES = ("cx", "cz", "h", "rx", "ry", "rz", "s", "sdg", "swap", "t", "tdg", "x", "y", "z")
_LANGUAGES = ("qasm3", "qasm2")
_TAG = "ketline"
_STATUSES: Mapping[str, RemoteStatus] = {
    "INITIALIZING": RemoteStatus.QUEUED,
    "QUEUED": RemoteStatus.QUEUED,
    "VALIDATING": RemoteStatus.QUEUED,
    "RUNNING": RemoteStatus.RUNNING,
    "CANCELLING": RemoteStatus.RUNNING,
    "UNKNOWN": RemoteStatus.RUNNING,
    "COMPLETED": RemoteStatus.DONE,
    "CANCELLED": RemoteStatus.CANCELLED,
    "FAILED": RemoteStatus.FAILED,
    "HOLD": RemoteStatus.FAILED,
}


class QbraidDevice:
    """The device with the resource name `qrn`, such as `qbraid:qbraid:sim:qir-sv`; the key is in QBRAID_API_KEY."""

    def __init__(self, qrn: str, poll_seconds: float) -> None:
        session = QbraidSessionV1(api_key=os.environ["QBRAID_API_KEY"])
        session.verify = True  # qbraid-core does not check certificates, and would send the key to anyone
        session.initialize_retry(total=0, connect=0)  # it repeats a POST, and so a job, after an error of the server
        try:
            self._client = QuantumRuntimeClient(session=session)
        except AuthError as error:
            raise _failure(error, "log in") from error
        self._qrn = qrn
        self._poll_seconds = poll_seconds

    def describe(self) -> BackendDescription:
        device = self._device()
        online = device.status.value == "ONLINE" and device.directAccess
        reason = device.statusMsg or f"qBraid says that it is {device.status.value}"
        return BackendDescription(
            name=device.qrn,
            description=device.name,
            num_qubits=device.numberQubits,
            formats=FORMATS,
            max_shots=device.maxShots,
            simulator=device.deviceType == "SIMULATOR",
            noisy=device.deviceType != "SIMULATOR",
            offline_reason=None if online else shortened(Exception(reason)),
            pending_jobs=device.queueDepth,
        )

    def validate(self, job: BackendJob) -> None:
        device = self._device()
        for limit, exceeds in ((device.maxShots, int.__gt__), (device.minShots, int.__lt__)):
            if limit is not None and exceeds(job.shots, limit):
                raise BackendRefused(f"{job.shots} shots are not between {device.minShots or 1} and {device.maxShots}.")
        self._request(job, device, "")

    def submit(self, job: BackendJob, token: str) -> str:
        request = self._request(job, self._device(), token)
        try:
            return str(self._client.create_job(request).jobQrn)
        except QuantumRuntimeServiceRequestError as error:
            if _may_have_arrived(error):
                raise BackendOutcomeUnknown(f"qBraid may have the job: {shortened(error)}") from error
            raise _failure(error, "submit") from error

    def poll(self, remote_id: str) -> RemoteState:
        job = self._read(self._client.get_job, remote_id)
        status = _STATUSES[job.status.value]
        message = job.statusMsg or (None if status is not RemoteStatus.FAILED else f"qBraid says {job.status.value}")
        return RemoteState(
            status=status, message=message and shortened(Exception(message)), pause_seconds=self._poll_seconds
        )

    def result(self, remote_id: str, job: BackendJob) -> dict[str, int]:
        result = self._read(self._client.get_job_result, remote_id)
        data = getattr(result, "resultData", {})
        found = data.get("measurementCounts", data.get("measurement_counts"))
        if not isinstance(found, dict):
            raise BackendResultInvalid("qBraid's result has no counts.")
        circuit = circuit_of(job)
        return counts_of(_outcomes(found, terminal(circuit)), job, circuit)

    def cancel(self, remote_id: str) -> None:
        try:
            self._client.cancel_job(remote_id)
        except QuantumRuntimeServiceRequestError as error:
            if error.status_code == 404:
                raise BackendJobNotFound("qBraid has no such job.") from error
            if not self.poll(remote_id).status.ended:
                raise _failure(error, "cancel") from error

    def reattach(self, token: str) -> str | None:
        jobs = self._read(lambda tag: self._client.list_jobs(tags={_TAG: tag}, limit=1), token)
        if jobs:
            return str(jobs[0].jobQrn)
        raise BackendOutcomeUnknown(f"qBraid lists no job with the tag {_TAG}={token}, but one may still appear.")

    def _device(self) -> Any:
        return self._read(self._client.get_device, self._qrn)

    def _request(self, job: BackendJob, device: Any, token: str) -> JobRequest:
        """The body of a submission.

        Raises:
            BackendRefused: the device does not run such a program.
        """
        circuit = circuit_of(job)
        if device.numberQubits is not None and circuit.num_qubits > device.numberQubits:
            raise BackendRefused(f"The program has {circuit.num_qubits} qubits, and this device {device.numberQubits}.")
        languages = [language for language in _LANGUAGES if language in device.runInputTypes]
        if not languages:
            raise BackendRefused(f"The device takes {', '.join(device.runInputTypes)}, and no OpenQASM.")
        found = terminal(circuit)
        text = _written(found.translated(_GATES), languages[0])
        program = Program(format=languages[0], data=text)
        return JobRequest(deviceQrn=self._qrn, program=program, shots=job.shots, name=token, tags={_TAG: token})

    def _read(self, call: Any, name: str) -> Any:
        try:
            return call(name)
        except QuantumRuntimeServiceRequestError as error:
            if error.status_code == 404 and name != self._qrn:
                raise BackendJobNotFound("qBraid has no such job.") from error
            raise _failure(error, "read") from error


def _written(circuit: TerminalCircuit, language: str) -> str:
    gates, bits = circuit.gates, len(circuit.qubits)
    if language == "qasm3":
        lines = ["OPENQASM 3.0;", 'include "stdgates.inc";', f"qubit[{gates.num_qubits}] q;", f"bit[{bits}] c;"]
        measure = "c[{bit}] = measure q[{qubit}];"
    else:
        lines = ["OPENQASM 2.0;", 'include "qelib1.inc";', f"qreg q[{gates.num_qubits}];", f"creg c[{bits}];"]
        measure = "measure q[{qubit}] -> c[{bit}];"
    lines += circuit.gate_calls({name: name for name in _GATES})
    lines += [measure.format(bit=bit, qubit=qubit) for bit, qubit in enumerate(circuit.qubits)]
    return "\n".join(lines) + "\n"


def _outcomes(found: Mapping[str, int], circuit: TerminalCircuit) -> dict[int, int]:
    """Counts by outcome of the program; bit i of qBraid's is that of the i-th measured qubit."""
    outcomes: dict[int, int] = {}
    for key, count in found.items():
        if len(key.replace(" ", "")) != len(circuit.qubits):
            raise BackendResultInvalid(f"qBraid's result has {key[:80]!r} for {len(circuit.qubits)} measured bits.")
        bits = outcome_of(key)
        outcome = circuit.outcome({qubit: bits >> number & 1 for number, qubit in enumerate(circuit.qubits)})
        outcomes[outcome] = outcomes.get(outcome, 0) + int(count)
    return outcomes


def _may_have_arrived(error: QuantumRuntimeServiceRequestError) -> bool:
    """Whether qBraid may have carried out a request that failed."""
    status = error.status_code
    if status is not None:
        return bool(status >= 500)
    return not _never_connected(error)


def _never_connected(error: BaseException) -> bool:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, requests.exceptions.ConnectTimeout):
            return True
        if isinstance(cause, requests.exceptions.ConnectionError):
            return "NewConnectionError" in repr(cause)
        cause = cause.__cause__
    return False


def _failure(error: Exception, call: str) -> BackendFailed:
    """The error of an adapter for one of qbraid-core's, whose texts have no credentials."""
    status, cause = None, error
    while status is None and cause is not None:
        status = getattr(cause, "status_code", None)
        cause = cause.__cause__  # type: ignore[assignment]
    text = f"qBraid did not {call}: {shortened(error)}"
    if status in (401, 403):
        return BackendAccessDenied("qBraid rejects the key in QBRAID_API_KEY.")
    if status is None or status >= 500 or status in (408, 429):
        return BackendUnavailable(text)
    return BackendRefused(text)
