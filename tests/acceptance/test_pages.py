"""The page that shows the API shows what a service answers."""

import asyncio
import re
from collections.abc import Iterable

import httpx

from tests.acceptance.conftest import Embedded
from tests.pages.api import PAGE, write

ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def calls(lines: Iterable[str]) -> list[str]:
    """What the page says and calls, without what differs each time."""
    text = "\n".join(lines)
    outside = re.sub(r"```console\n(\$[^\n]*)\n.*?```", r"\1", text, flags=re.DOTALL)
    return [ID.sub("ID", line) for line in outside.splitlines() if line]


async def test_every_call_of_the_page_is_answered_as_it_says(embedded: Embedded) -> None:
    await embedded.up()

    def made() -> list[str]:
        with httpx.Client(base_url=f"http://127.0.0.1:{embedded.port}", timeout=90) as client:
            return calls(write(client))

    assert await asyncio.to_thread(made) == calls(PAGE.read_text(encoding="utf-8").splitlines())
