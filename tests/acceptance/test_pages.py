"""The pages that show calls and programs show what a service answers."""

import asyncio
import re
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

import httpx
import pytest

from ketline.client import Client
from tests.acceptance.conftest import Embedded
from tests.pages import walk
from tests.pages.api import PAGE, write

# The snippets run in threads that end. Qiskit crashes if the thread that imported it has ended and PennyLane was loaded
# since, so this one imports it first.
import_module("qiskit")

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
ID = re.compile(UUID + r"|(?<=/keys/)[0-9a-f]{12}|(?<=/admin/workers/)[^/\s]+")


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
    re.compile(r'(?<="correlation_id":")[0-9a-f]{32}'): "CORRELATION",
    re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+Z)?"): "TIME",
    re.compile(r"(Attempt 1 started on) \S+"): r"\1 WORKER",
    re.compile(r"after [\d.e-]+ s$", re.MULTILINE): "after SECONDS s",
}


def constant(page: str) -> list[str]:
    for changing, name in CHANGING.items():
        page = changing.sub(name, page)
    return page.splitlines()


@pytest.mark.parametrize("path", walk.PAGES, ids=lambda path: path.name)
async def test_every_snippet_of_a_page_prints_what_the_page_says(embedded: Embedded, path: Path) -> None:
    await embedded.up()
    url = f"http://127.0.0.1:{embedded.port}"

    def made() -> tuple[str, str]:
        page = path.read_text(encoding="utf-8")
        with Client(url) as client:
            # The pages do not wait long for their first task.
            client.run("qubit q; bit c; c = measure q;")
        return walk.executed(page, url), page

    executed, shown = await asyncio.to_thread(made)
    assert constant(executed) == constant(shown)
