"""The loop that keeps connections and consumers alive."""

import asyncio

import pytest
import structlog
from structlog.testing import capture_logs

from ketline.messaging.supervision import Backoff, end_task, real_cancellation_only, supervise

LOG: structlog.stdlib.BoundLogger = structlog.get_logger()


class Flaky:
    """Fails with each of `errors`, then works until it is cancelled."""

    def __init__(self, *errors: BaseException) -> None:
        self._errors = list(errors)
        self.working = asyncio.Event()

    async def __call__(self) -> None:
        if self._errors:
            raise self._errors.pop(0)
        self.working.set()
        await asyncio.Event().wait()


async def run_until_working(flaky: Flaky) -> None:
    task = asyncio.create_task(
        supervise(
            flaky,
            backoff=Backoff(first_seconds=0.0, max_seconds=0.0),
            expected=(ConnectionError,),
            log=LOG,
            event="test.failed",
        )
    )
    async with asyncio.timeout(5):
        await flaky.working.wait()
    await end_task(task)
    assert task.cancelled()


async def test_failures_are_retried_and_logged_ever_more_rarely() -> None:
    with capture_logs() as logs:
        await run_until_working(Flaky(*(ConnectionError("down") for _ in range(9))))
    assert [entry["failures"] for entry in logs if entry["log_level"] == "warning"] == [1, 2, 4, 8]
    assert {(entry["event"], entry["error"], entry["reason"]) for entry in logs} == {
        ("test.failed", "ConnectionError", "down")
    }


async def test_unexpected_error_is_logged_with_its_traceback_and_retried() -> None:
    with capture_logs() as logs:
        await run_until_working(Flaky(ZeroDivisionError()))
    assert [(entry["log_level"], entry["exc_info"]) for entry in logs] == [("error", True)]


async def test_cancellation_by_aiormq_is_retried() -> None:
    with capture_logs() as logs:
        await run_until_working(Flaky(asyncio.CancelledError()))
    assert [entry["error"] for entry in logs] == ["ConnectionResetError"]


async def test_real_cancellation_passes() -> None:
    async def guarded() -> None:
        with real_cancellation_only():
            await asyncio.Event().wait()

    task = asyncio.create_task(guarded())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


@pytest.mark.parametrize("instead", [None, ValueError("the channel closed")], ids=["return", "error"])
async def test_cancellation_swallowed_by_a_call_is_put_back(instead: Exception | None) -> None:
    async def swallow() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            if instead:
                raise instead from None

    async def guarded() -> None:
        with real_cancellation_only():
            await swallow()

    task = asyncio.create_task(guarded())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_cleanup_after_a_cancellation_still_tells_them_apart() -> None:
    seen: list[type[BaseException]] = []

    async def clean_up() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            try:
                with real_cancellation_only():
                    raise asyncio.CancelledError
            except ConnectionResetError as error:
                seen.append(type(error))

    task = asyncio.create_task(clean_up())
    await asyncio.sleep(0)
    await end_task(task)
    assert seen == [ConnectionResetError]


async def test_timeout_inside_stays_a_timeout() -> None:
    with pytest.raises(TimeoutError), real_cancellation_only():
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()


async def test_timeout_outside_stays_a_timeout() -> None:
    with pytest.raises(TimeoutError):  # noqa: PT012
        async with asyncio.timeout(0.01):
            with real_cancellation_only():
                await asyncio.Event().wait()


def test_pauses_double_up_to_the_maximum_with_jitter() -> None:
    backoff = Backoff(first_seconds=0.1, max_seconds=1.5)
    pauses = [backoff.next_seconds() for _ in range(2000)]
    for pause, bound in zip(pauses, [0.1, 0.2, 0.4, 0.8] + [1.5] * 1996, strict=True):
        assert bound / 2 <= pause <= bound
    assert len(set(pauses[4:])) > 1


def test_reset_starts_over() -> None:
    backoff = Backoff(first_seconds=0.1, max_seconds=1.5)
    for _ in range(5):
        backoff.next_seconds()
    backoff.reset()
    assert backoff.next_seconds() <= 0.1


async def test_error_of_an_ended_task_is_not_swallowed() -> None:
    async def fail_in_cleanup() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("cleanup")

    task = asyncio.create_task(fail_in_cleanup())
    await asyncio.sleep(0)
    with pytest.raises(ValueError, match="cleanup"):
        await end_task(task)
