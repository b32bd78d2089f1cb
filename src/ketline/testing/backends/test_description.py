"""Descriptions, and jobs that a backend accepts or rejects before anything is submitted."""

import json
from dataclasses import asdict, replace
from functools import partial

from ketline.domain.backends.backend_jobs import BackendDescription, RemoteStatus
from ketline.domain.circuits.program_format import ProgramFormat
from ketline.domain.errors import BackendRefused
from ketline.domain.results.result import Register
from ketline.testing.backends.programs import BELL, Program
from ketline.testing.backends.subject import Session, Subject


def test_description_is_complete(subject: Subject) -> None:
    async def test(session: Session) -> None:
        description = await session.retried(session.adapter.describe)
        assert isinstance(description, BackendDescription)
        assert description.name, "a name"
        assert description.formats, "a format of programs"
        assert all(isinstance(each, ProgramFormat) for each in description.formats)
        assert description.num_qubits is None or description.num_qubits > 0
        assert description.max_shots is None or description.max_shots > 0
        assert all(isinstance(gate, str) for gate in description.gates)
        assert description.coupling is None or all(len(pair) == 2 for pair in description.coupling)
        assert description.online or description.offline_reason, "the reason why it is offline"
        subject.texts.append(json.dumps(asdict(description)))

    subject.run(test)


def test_description_stays_the_same(subject: Subject) -> None:
    async def test(session: Session) -> None:
        first = await session.retried(session.adapter.describe)
        second = await session.retried(session.adapter.describe)
        assert _without_state(first) == _without_state(second)

    subject.run(test)


def test_a_job_that_fits_is_accepted(subject: Subject) -> None:
    async def test(session: Session) -> None:
        job = await session.job(BELL)
        await session.retried(lambda: session.adapter.validate(job))

    subject.run(test)


def test_an_unreadable_program_is_rejected(subject: Subject) -> None:
    async def test(session: Session) -> None:
        job = replace(await session.job(BELL), program="this is no program")
        error = await session.rejected(lambda: session.adapter.validate(job), BackendRefused)
        assert str(error), "a reason"

    subject.run(test)


def test_an_unreadable_program_does_not_run(subject: Subject) -> None:
    async def test(session: Session) -> None:
        job = replace(await session.job(BELL), program="this is no program")
        try:
            remote_id = await session.submitted(job)
        except BackendRefused as error:
            subject.note(error)
            return
        state = await session.ended(remote_id)
        assert state.status is RemoteStatus.FAILED, "an error when it is submitted, or later"
        assert state.message, "the reason why it failed"

    subject.run(test)


def test_a_format_that_it_does_not_take_is_rejected(subject: Subject) -> None:
    async def test(session: Session) -> None:
        description = await session.retried(session.adapter.describe)
        job = await session.job(BELL)
        for program_format in set(ProgramFormat) - set(description.formats) - {ProgramFormat.QPY}:
            other = BELL.job(program_format, job.shots)
            error = await session.rejected(partial(session.adapter.validate, other), BackendRefused)
            assert str(error), "a reason"

    subject.run(test)


def test_too_many_qubits_are_rejected(subject: Subject) -> None:
    async def test(session: Session) -> None:
        description = await session.retried(session.adapter.describe)
        if description.num_qubits is None:
            return
        qubits = description.num_qubits + 1
        wide = Program(
            name="wide",
            num_qubits=qubits,
            registers=[Register(bits=1, name="c0")],
            gates=[("x", (qubits - 1,))],
            measured=[(qubits - 1, 0, 0)],
        )
        job = wide.job(description.formats[0], subject.shots)
        error = await session.rejected(lambda: session.adapter.validate(job), BackendRefused)
        assert str(description.num_qubits) in str(error), "the reason has the number of qubits"

    subject.run(test)


def test_too_many_shots_are_rejected(subject: Subject) -> None:
    async def test(session: Session) -> None:
        description = await session.retried(session.adapter.describe)
        if description.max_shots is None:
            return
        job = await session.job(BELL, shots=description.max_shots + 1)
        error = await session.rejected(lambda: session.adapter.validate(job), BackendRefused)
        assert str(description.max_shots) in str(error), "the reason has the number of shots"

    subject.run(test)


def _without_state(description: BackendDescription) -> BackendDescription:
    return replace(description, offline_reason=None, pending_jobs=None)
