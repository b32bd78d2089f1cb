"""Jobs: from submission to result, cancelled, repeated, and found again after the adapter was lost."""

import asyncio

import pytest

from ketline.domain.backends.backend_jobs import ClientToken, RemoteId, RemoteStatus
from ketline.domain.errors import BackendJobNotFound, BackendOutcomeUnknown
from ketline.testing.backends.programs import BELL
from ketline.testing.backends.subject import Session, Subject, new_token


def test_a_job_that_is_done_stays_done(subject: Subject) -> None:
    async def test(session: Session) -> None:
        job = await session.job(BELL)
        remote_id = await session.submitted(job)
        assert (await session.ended(remote_id)).status is RemoteStatus.DONE
        first = await session.retried(lambda: session.adapter.result(remote_id, job))
        assert (await session.retried(lambda: session.adapter.poll(remote_id))).status is RemoteStatus.DONE
        assert await session.retried(lambda: session.adapter.result(remote_id, job)) == first, "result can be repeated"
        await session.retried(lambda: session.adapter.cancel(remote_id))
        assert (await session.retried(lambda: session.adapter.poll(remote_id))).status is RemoteStatus.DONE

    subject.run(test)


def test_jobs_run_beside_each_other(subject: Subject) -> None:
    async def test(session: Session) -> None:
        job = await session.job(BELL)
        remote_ids = await asyncio.gather(*(session.submitted(job) for _ in range(3)))
        assert len(set(remote_ids)) == 3, "each submission is a job"
        states = await asyncio.gather(*map(session.ended, remote_ids))
        assert [state.status for state in states] == [RemoteStatus.DONE] * 3

    subject.run(test)


def test_a_cancelled_job_ends(subject: Subject) -> None:
    async def test(session: Session) -> None:
        remote_id = await session.submitted(await session.job(BELL))
        await session.retried(lambda: session.adapter.cancel(remote_id))
        state = await session.ended(remote_id)
        # It may have been done before the request arrived.
        assert state.status in (RemoteStatus.CANCELLED, RemoteStatus.DONE), state
        await session.retried(lambda: session.adapter.cancel(remote_id))

    subject.run(test)


def test_a_job_that_does_not_exist_is_not_found(subject: Subject) -> None:
    async def test(session: Session) -> None:
        nowhere = RemoteId("00000000-0000-4000-8000-000000000000")
        job = await session.job(BELL)
        await session.rejected(lambda: session.adapter.poll(nowhere), BackendJobNotFound)
        await session.rejected(lambda: session.adapter.result(nowhere, job), BackendJobNotFound)
        await session.rejected(lambda: session.adapter.cancel(nowhere), BackendJobNotFound)

    subject.run(test)


def test_a_repeated_token_gives_the_same_job(subject: Subject) -> None:
    async def test(session: Session) -> None:
        if not (await session.retried(session.adapter.describe)).recognises_tokens:
            pytest.skip("the backend does not recognise tokens")
        job, token = await session.job(BELL), new_token()
        first = await session.submitted(job, token)
        assert await session.submitted(job, token) == first
        await session.ended(first)
        assert await session.submitted(job, token) == first, "also when the job has ended"
        assert await session.submitted(job) != first, "another token is another job"

    subject.run(test)


def test_a_token_finds_its_job(subject: Subject) -> None:
    async def test(session: Session) -> None:
        job, token = await session.job(BELL), new_token()
        remote_id = await session.submitted(job, token)
        assert await _reattached(session, token, submitted=True) in (remote_id, None)
        await session.ended(remote_id)

    subject.run(test)


def test_a_token_finds_its_job_after_the_worker_was_lost(subject: Subject) -> None:
    async def test(session: Session) -> None:
        job, token = await session.job(BELL), new_token()
        remote_id = await session.submitted(job, token)
        async with subject.session() as another:
            found = await _reattached(another, token, submitted=True)
            if found is not None:
                assert found == remote_id
                assert (await another.ended(found)).status is RemoteStatus.DONE
                counts = await another.retried(lambda: another.adapter.result(found, job))
                assert sum(counts.values()) == job.shots

    subject.run(test)


def test_a_job_can_be_followed_after_the_worker_was_lost(subject: Subject) -> None:
    async def test(session: Session) -> None:
        local = (await session.retried(session.adapter.describe)).local
        job = await session.job(BELL)
        remote_id = await session.submitted(job)
        async with subject.session() as another:
            if local:
                await another.rejected(lambda: another.adapter.poll(remote_id), BackendJobNotFound)
                return
            assert (await another.ended(remote_id)).status is RemoteStatus.DONE
            counts = await another.retried(lambda: another.adapter.result(remote_id, job))
            assert sum(counts.values()) == job.shots

    subject.run(test)


def test_a_token_that_was_never_submitted_has_no_job(subject: Subject) -> None:
    async def test(session: Session) -> None:
        assert await _reattached(session, new_token(), submitted=False) is None

    subject.run(test)


async def _reattached(session: Session, token: ClientToken, *, submitted: bool) -> RemoteId | None:
    """The answer of `reattach`; None if it cannot tell, or tells that submitting is safe where that is true."""
    description = await session.retried(session.adapter.describe)
    try:
        found = await session.retried(lambda: session.adapter.reattach(token))
    except BackendOutcomeUnknown as error:
        session.subject.note(error)
        return None
    if found is None and submitted:
        safe = description.local or description.recognises_tokens
        assert safe, "submitting again would run the job twice: raise BackendOutcomeUnknown instead"
    return found
