"""The pages that show calls and programs show what a service answers."""

import asyncio
import re
from collections.abc import Iterable

import httpx

from ketline.client import Client
from tests.acceptance.conftest import Embedded
from tests.pages import walk
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


# What differs each time: ids, times, names of workers, durations.
CHANGING = {
    ID: "ID",
    re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+Z)?"): "TIME",
    re.compile(r"(Attempt 1 started on) \S+"): r"\1 WORKER",
    re.compile(r"after [\d.e-]+ s$", re.MULTILINE): "after SECONDS s",
}


def constant(page: str) -> list[str]:
    for changing, name in CHANGING.items():
        page = changing.sub(name, page)
    return page.splitlines()


async def test_every_snippet_of_the_walk_prints_what_the_page_says(embedded: Embedded) -> None:
    await embedded.up()
    url = f"http://127.0.0.1:{embedded.port}"
    page = walk.PAGE.read_text(encoding="utf-8")

    def made() -> str:
        with Client(url) as client:
            # The page does not wait long for its first task.
            client.run("qubit q; bit c; c = measure q;")
        return walk.executed(page, url)

    assert constant(await asyncio.to_thread(made)) == constant(page)
