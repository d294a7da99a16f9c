"""A server and a browser for tests that look at pages: Debian's Chromium, nothing from the internet."""

import io
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from PIL import Image

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--no-first-run",
    "--force-device-scale-factor=1",
]


def chromium() -> str:
    """Path of the browser; without it the test fails: a green run must have looked at the pages."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    pytest.fail("no Chromium: run tests/system-packages (apt-get install chromium)")


@contextmanager
def serving(app, **options) -> Iterator[str]:
    """Serve an app on a free port of this machine, with options of uvicorn's; yields its address."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", **options))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    give_up = time.monotonic() + 60
    while not server.started:
        if time.monotonic() > give_up or not thread.is_alive():
            pytest.fail("the server did not start")
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(20)


class Watch:
    """What a page does that it must not: requests elsewhere, console errors, page errors."""

    def __init__(self, page, allowed: tuple[str, ...]) -> None:
        self.allowed = allowed
        self.foreign: list[str] = []
        self.errors: list[str] = []
        self.requests: list[str] = []
        page.route("**/*", self._route)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(f"page error: {error}"))

    def _route(self, route) -> None:
        url = route.request.url
        self.requests.append(url)
        if url.startswith((*self.allowed, "data:", "blob:")):
            route.continue_()
        else:
            self.foreign.append(url)
            route.abort()

    def _console(self, message) -> None:
        if message.type == "error":
            self.errors.append(f"console: {message.text}")

    def check(self) -> None:
        """Fail if anything was asked of another server, or went wrong."""
        assert self.foreign == [], f"requests outside the server: {self.foreign}"
        assert self.errors == []


SCREENS = {
    "console_day": "/#p=incidents&theme=light&lang=zh",
    "console_wall": "/#p=video&theme=dark&lang=zh&m=15/36.79000/117.99500",
    "planner": "/planner#theme=light&lang=zh&tab=blind",
}
"""Pages whose look is kept in small pictures."""


def photograph(page, url: str, name: str) -> bytes:
    """PNG of one of `SCREENS` when all of it is drawn."""
    page.set_viewport_size({"width": 1366, "height": 768})
    page.goto("about:blank")
    page.goto(url + SCREENS[name])
    page.wait_for_selector("html[data-ready=true]", timeout=90_000)
    page.wait_for_timeout(600)
    return page.screenshot()


def small(png: bytes) -> bytes:
    """Picture of 96 by 54: what is where in which colour, not how letters are smoothed."""
    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").resize((96, 54), Image.Resampling.BOX).save(out, "PNG")
    return out.getvalue()


def folder_url(folder: Path) -> str:
    """Address of a folder on disk."""
    return folder.resolve().as_uri()
