"""An adapter for the HTTP interface of a company, "Acme"; docs/backends.md explains it."""

import os
from collections.abc import Mapping
from datetime import timedelta

import httpx

from ketline.backends import (
    BackendAccessDenied,
    BackendAdapter,
    BackendDescription,
    BackendEntry,
    BackendFailed,
    BackendJob,
    BackendJobNotFound,
    BackendOutcomeUnknown,
    BackendRefused,
    BackendUnavailable,
    ClientToken,
    ProgramFormat,
    RemoteId,
    RemoteState,
    RemoteStatus,
    check_counts,
)


class AcmeAdapter:
    """A device of Acme at `url`."""

    def __init__(self, url: str, key: str) -> None:
        # A timeout for everything: a call must end. No proxy and no .netrc: they are not part of the configuration.
        self._http = httpx.AsyncClient(
            base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=10, trust_env=False
        )

    def __repr__(self) -> str:
        return f"<AcmeAdapter of {self._http.base_url}>"

    async def describe(self) -> BackendDescription:
        device = (await self._call("GET", "/device")).json()
        return BackendDescription(
            name="acme",
            num_qubits=device["qubits"],
            gates=("x", "h", "cx"),
            formats=(ProgramFormat.OPENQASM3,),
            max_shots=device["max_shots"],
            takes_seed=True,
            simulator=True,
            recognises_tokens=device["recognises_tokens"],
        )

    async def validate(self, job: BackendJob) -> None:
        device = await self.describe()
        if job.format not in device.formats:
            raise BackendRefused("Acme takes OpenQASM 3 only.")
        if device.max_shots is not None and job.shots > device.max_shots:
            raise BackendRefused(f"{job.shots} shots are more than {device.max_shots}.")
        # Acme checks programs only when they are submitted. What can be checked here costs nothing.
        if not job.program.startswith("OPENQASM 3"):
            raise BackendRefused("The program does not begin with OPENQASM 3.")
        qubits = int(job.program.partition("qubit[")[2].partition("]")[0] or 1)
        if device.num_qubits is not None and qubits > device.num_qubits:
            raise BackendRefused(f"{qubits} qubits are more than {device.num_qubits}.")

    async def submit(self, job: BackendJob, token: ClientToken) -> RemoteId:
        await self.validate(job)
        body = {"program": job.program, "shots": job.shots, "seed": job.seed, "token": token}
        response = await self._call("POST", "/jobs", body, may_run_twice=True)
        return RemoteId(response.json()["id"])

    async def poll(self, remote_id: RemoteId) -> RemoteState:
        response = await self._call("GET", f"/jobs/{remote_id}")
        return RemoteState(status=RemoteStatus(response.json()["status"]), pause_seconds=0.1)

    async def result(self, remote_id: RemoteId, job: BackendJob) -> Mapping[str, int]:
        response = await self._call("GET", f"/jobs/{remote_id}/counts")
        counts: Mapping[str, int] = response.json()["counts"]
        check_counts(counts, job)
        return counts

    async def cancel(self, remote_id: RemoteId) -> None:
        await self._call("POST", f"/jobs/{remote_id}/cancel")

    async def reattach(self, token: ClientToken) -> RemoteId | None:
        device = (await self._call("GET", "/device")).json()
        if device["finds_tokens"]:
            # Acme stores a job before it answers, so a job that it does not find now can still arrive only if the
            # lost request is still on its way: with tokens that is harmless, otherwise nobody can tell.
            found = (await self._call("GET", f"/jobs?token={token}")).json()["id"]
            if found is not None:
                return RemoteId(found)
        if device["recognises_tokens"]:
            return None  # submitting again gives the same job
        raise BackendOutcomeUnknown("Acme does not know this token, and would run the job a second time.")

    async def close(self) -> None:
        await self._http.aclose()

    async def _call(
        self, method: str, path: str, body: object = None, *, may_run_twice: bool = False
    ) -> httpx.Response:
        try:
            response = await self._http.request(method, path, json=body)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise BackendUnavailable("Acme cannot be reached.") from error
        except httpx.HTTPError as error:
            # The request may have arrived.
            kind = BackendOutcomeUnknown if may_run_twice else BackendUnavailable
            raise kind(f"Acme did not answer: {type(error).__name__}.") from error
        return _checked(response, may_run_twice=may_run_twice)


def _checked(response: httpx.Response, *, may_run_twice: bool) -> httpx.Response:
    if response.is_success:
        return response
    if response.status_code in (401, 403):
        raise BackendAccessDenied("Acme rejects the key in ACME_KEY.")
    if response.status_code == 404:
        raise BackendJobNotFound("Acme has no such job.")
    if response.status_code == 422:
        raise BackendRefused(f"Acme rejects the job: {response.json()['reason']}.")
    if response.status_code in (429, 503):
        seconds = float(response.headers.get("retry-after", 1))
        raise BackendUnavailable("Acme is busy.", delay=timedelta(seconds=seconds))
    if may_run_twice:
        raise BackendOutcomeUnknown(f"Acme answered {response.status_code}; it may have the job.")
    raise BackendFailed(f"Acme answered {response.status_code}.")


def open_adapter(entry: BackendEntry) -> BackendAdapter:
    """Open the backend of an entry of KETLINE_BACKENDS, such as `lab=acme:http://device.lab:8080`."""
    key = os.environ.get("ACME_KEY")
    if key is None:
        raise BackendAccessDenied("ACME_KEY is not set.")
    return AcmeAdapter(entry.argument, key)
