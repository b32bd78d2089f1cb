"""Loops that run beside a service."""

import asyncio

import structlog

from ketline.runtime.background import running


async def test_loop_that_ends_by_an_error_is_logged_and_leaves_the_others_running() -> None:
    crashed, ended = asyncio.Event(), asyncio.Event()

    async def crash() -> None:
        crashed.set()
        raise RuntimeError("a bug")

    async def run() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with structlog.testing.capture_logs() as logs:
        async with running(crash(), run()):
            await crashed.wait()
            await asyncio.sleep(0)
            assert not ended.is_set()
    assert ended.is_set()
    assert [(line["event"], str(line["exc_info"])) for line in logs] == [("background.crashed", "a bug")]
