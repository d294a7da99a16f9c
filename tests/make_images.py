"""Make the pictures of the documentation from the demo city: `python tests/make_images.py` (needs Chromium)."""

import io
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parent))
from browser import CHROMIUM_FLAGS, SCREENS, chromium, photograph, serving, small

from api.app import create_app
from api.state import ServerState
from geo.demo import demo_city

OUT = Path(__file__).parents[1] / "docs" / "images"
SMALL = Path(__file__).parent / "golden" / "screens"
MOST_BYTES = 300_000


def save(name: str, png: bytes) -> None:
    """Write a picture with a palette that keeps rare colours: the red of few marks matters."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image = image.quantize(256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    image.save(OUT / f"{name}.png", optimize=True)
    size = (OUT / f"{name}.png").stat().st_size
    print(f"{name}.png: {size / 1000:.0f} KB")
    if size > MOST_BYTES:
        raise SystemExit(f"{name}.png is over {MOST_BYTES} bytes")


def main() -> None:
    """Open the pages and photograph them."""
    OUT.mkdir(exist_ok=True)
    with serving(create_app(ServerState(demo_city(0, "small")))) as url, sync_playwright() as p:
        browser = p.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": 1366, "height": 768})
        page.goto(f"{url}/maps/hazards#14/36.79/117.995")
        page.wait_for_selector("html[data-ready]", timeout=120_000)
        page.evaluate("santu.cardAt(santu.map.getCenter())")
        page.get_by_text("近28日警情").wait_for()
        page.wait_for_timeout(1500)
        save("hazards", page.screenshot())
        page.goto(f"{url}/planner#lang=zh&theme=light&tab=blind")
        page.wait_for_selector("html[data-ready=true]", timeout=120_000)
        page.locator("#blind li button").first.click()
        page.wait_for_timeout(3000)
        save("planner", page.screenshot())
        page.goto(f"{url}/#p=incidents&theme=dark&lang=zh&at=117.9966,36.7911")
        page.wait_for_selector("html[data-ready=true]", timeout=120_000)
        page.wait_for_timeout(1500)
        save("console", page.screenshot())
        SMALL.mkdir(parents=True, exist_ok=True)
        for name in SCREENS:
            (SMALL / f"{name}.png").write_bytes(small(photograph(page, url, name)))
        browser.close()


if __name__ == "__main__":
    main()
