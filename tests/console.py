"""The console in tests: how to open it and to see that it has drawn."""

from playwright.sync_api import Page

WALL, DESK = {"width": 3840, "height": 2160}, {"width": 1366, "height": 768}


def open_console(page: Page, address: str, link: str = "", *, path: str = "/") -> None:
    page.goto(f"{address}{path}#{link}" if link else f"{address}{path}")
    ready(page)


def ready(page: Page) -> None:
    page.wait_for_function("document.documentElement.dataset.ready === 'true'", timeout=60_000)


def shows(page: Page, layer: str, least: int) -> None:
    """Wait until more than some pixels (one of seven is looked at) of a layer's canvases are not transparent."""
    page.wait_for_function(
        """([name, least]) => [...document.querySelectorAll(`.tiles-${name} canvas`)].reduce((sum, c) => {
            const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
            for (let i = 3; i < d.length; i += 4 * 7) sum += d[i] > 0;
            return sum;
        }, 0) > least""",
        arg=[layer, least],
        timeout=20_000,
    )
