"""Adapters with one defect each, which the conformance suite must find."""

import asyncio
import os
import time
from collections.abc import Callable, Mapping

from ketline.backends import (
    BackendDescription,
    BackendFailed,
    BackendJob,
    BackendRefused,
    ClientToken,
    ProgramFormat,
    RemoteId,
    RemoteState,
)
from tests.backends.example import AcmeAdapter


def _opened(kind: type[AcmeAdapter]) -> Callable[[], AcmeAdapter]:
    return lambda: kind(os.environ["ACME_URL"], os.environ["ACME_KEY"])


class _ReversesBits(AcmeAdapter):
    async def result(self, remote_id: RemoteId, job: BackendJob) -> Mapping[str, int]:
        counts = await super().result(remote_id, job)
        return {" ".join(group[::-1] for group in key.split(" ")): count for key, count in counts.items()}


class _ReversesRegisters(AcmeAdapter):
    async def result(self, remote_id: RemoteId, job: BackendJob) -> Mapping[str, int]:
        counts = await super().result(remote_id, job)
        return {" ".join(reversed(key.split(" "))): count for key, count in counts.items()}


class _LosesShots(AcmeAdapter):
    async def result(self, remote_id: RemoteId, job: BackendJob) -> Mapping[str, int]:
        counts = dict(await super().result(remote_id, job))
        counts[next(iter(counts))] -= 1
        return counts


class _BlocksTheLoop(AcmeAdapter):
    async def poll(self, remote_id: RemoteId) -> RemoteState:
        time.sleep(0.8)  # noqa: ASYNC251 - the defect
        return await super().poll(remote_id)


class _ForgetsTokens(AcmeAdapter):
    async def describe(self) -> BackendDescription:
        found = await super().describe()
        return BackendDescription(
            name=found.name,
            num_qubits=found.num_qubits,
            formats=found.formats,
            max_shots=found.max_shots,
            simulator=True,
            recognises_tokens=True,
        )


class _SaysThatNothingWasSubmitted(AcmeAdapter):
    async def reattach(self, token: ClientToken) -> RemoteId | None:
        return None


class _InventsJobs(AcmeAdapter):
    async def reattach(self, token: ClientToken) -> RemoteId | None:
        return RemoteId("1")


class _RejectsNothing(AcmeAdapter):
    async def validate(self, job: BackendJob) -> None:
        await asyncio.sleep(0)


class _RejectsWithoutReason(AcmeAdapter):
    async def validate(self, job: BackendJob) -> None:
        try:
            await super().validate(job)
        except BackendRefused as error:
            raise BackendRefused("") from error


class _ShowsItsKey(AcmeAdapter):
    async def poll(self, remote_id: RemoteId) -> RemoteState:
        try:
            return await super().poll(remote_id)
        except BackendFailed as error:
            raise type(error)(f"{error} The key was {os.environ['ACME_KEY']}.") from error


class _ClaimsAFormat(AcmeAdapter):
    async def describe(self) -> BackendDescription:
        found = await super().describe()
        return BackendDescription(
            name=found.name,
            num_qubits=found.num_qubits,
            formats=(ProgramFormat.OPENQASM3, ProgramFormat.OPENQASM2),
            max_shots=found.max_shots,
            simulator=True,
        )


reverses_bits = _opened(_ReversesBits)
reverses_registers = _opened(_ReversesRegisters)
loses_shots = _opened(_LosesShots)
blocks_the_loop = _opened(_BlocksTheLoop)
forgets_tokens = _opened(_ForgetsTokens)
says_that_nothing_was_submitted = _opened(_SaysThatNothingWasSubmitted)
invents_jobs = _opened(_InventsJobs)
rejects_nothing = _opened(_RejectsNothing)
rejects_without_reason = _opened(_RejectsWithoutReason)
shows_its_key = _opened(_ShowsItsKey)
claims_a_format = _opened(_ClaimsAFormat)
sound = _opened(AcmeAdapter)
