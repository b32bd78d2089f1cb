"""One browser and one embedded service for all tests of the pages; each test has a window of its own."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, ViewportSize, async_playwright, expect

from tests.acceptance.processes import Api, Fleet, any_port, api_at, wait_until_healthy
from tests.servers.binaries import find_chromium

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
PATIENCE_MS = 60_000
# Several such waits on a slow machine.
TEST_SECONDS = 400
PHONE = ViewportSize(width=390, height=844)
SMALL_PHONE = ViewportSize(width=360, height=740)
DESKTOP = ViewportSize(width=1280, height=900)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers give it little
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

# What is rejected with 4xx is what a test is about; what is under way when a test leaves a page is cut off.
EXPECTED = (
    "with a status of 4",
    "failed with status 4",
    "Failed to fetch",
    "network error",
    "ERR_ABORTED",
    "ERR_FAILED",
)

expect.set_options(timeout=PATIENCE_MS)


class Window:
    """A window of the browser on the service's pages; `trouble` is what its console and its pages complained of."""

    def __init__(self, page: Page, pictures: Path) -> None:
        self.page = page
        self.pictures = pictures
        self.trouble: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.trouble.append(str(error)))

    async def picture(self, name: str) -> None:
        """Save what the whole page looks like."""
        await self.page.screenshot(path=self.pictures / f"{name}.png", full_page=True)

    async def accessible(self) -> None:
        """Find no violation of accessibility."""
        await self.page.evaluate(AXE.read_text())
        found = await self.page.evaluate("async () => (await axe.run(document)).violations")
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []

    async def fits(self) -> None:
        """The page is not wider than the window."""
        wider = await self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, f"{wider} pixels too wide"

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not any(text in message.text for text in EXPECTED):
            self.trouble.append(message.text)


Open = Callable[..., Awaitable[Window]]


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def shared_service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    """An embedded service with one slot, and a client of it."""
    directory = tmp_path_factory.mktemp("pages")
    fleet, port = Fleet(directory, {}), any_port()
    try:
        process = await fleet.start(
            "up", "--data-dir", str(directory / "data"), "--port", str(port), KETLINE_WORKER_SLOTS="1"
        )
        await process.logged("api.listening")
        async with api_at(port) as api:
            await wait_until_healthy(api)
            yield api
    finally:
        await fleet.end()


@pytest_asyncio.fixture(loop_scope="session")
async def service(shared_service: Api) -> AsyncIterator[Api]:
    """The service all tests share; what a test leaves waiting or running is cancelled, for it has one slot."""
    yield shared_service
    left = await shared_service.http.get("/tasks", params={"status": ["pending", "processing"], "limit": 200})
    for task in left.json()["tasks"]:
        await shared_service.http.post(f"/tasks/{task['task_id']}/cancel")


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium, with an empty directory of its own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS, timeout=4 * PATIENCE_MS)
        try:
            yield browser
        finally:
            await browser.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures of pages are kept: in `TEST_PICTURES`, or among pytest's temporary files."""
    named = os.environ.get("TEST_PICTURES")
    directory = Path(named) if named else tmp_path_factory.mktemp("pictures")
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@pytest_asyncio.fixture(loop_scope="session")
async def opened(service: Api, browser: Browser, pictures: Path) -> AsyncIterator[Open]:
    """Opens windows, `await opened("/", dark=True, scripts=False, phone=True)`; none may have complained at the end."""
    async with opening(browser, str(service.http.base_url), pictures) as opened:
        yield opened


@asynccontextmanager
async def opening(browser: Browser, base_url: str, pictures: Path) -> AsyncIterator[Open]:
    """Opens windows on the pages at a URL, or a `tab` beside another window, which shares its cookies."""
    windows: list[Window] = []
    async with AsyncExitStack() as stack:

        async def opened(
            path: str,
            *,
            dark: bool = False,
            scripts: bool = True,
            phone: bool = False,
            small: bool = False,
            tab: Window | None = None,
        ) -> Window:
            if tab is None:
                size = SMALL_PHONE if small else PHONE if phone else DESKTOP
                context = await stack.enter_async_context(_context(browser, base_url, dark, scripts, size))
            else:
                context = tab.page.context
            windows.append(Window(await context.new_page(), pictures))
            await windows[-1].page.goto(path)
            return windows[-1]

        yield opened
    assert [complaint for window in windows for complaint in window.trouble] == []


@asynccontextmanager
async def _context(
    browser: Browser, base_url: str, dark: bool, scripts: bool, size: ViewportSize
) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(
        base_url=base_url, color_scheme="dark" if dark else "light", java_script_enabled=scripts, viewport=size
    )
    context.set_default_timeout(PATIENCE_MS)
    try:
        yield context
    finally:
        await context.close()
