"""Our own pages (网页): `api/web/NAME/index.html` with the addresses of the scripts that it loads."""

from functools import lru_cache
from pathlib import Path

from fastapi import Response

from layers import assets

WEB = Path(__file__).parent / "web"
LEAFLET = "https://cdn.jsdelivr.net/npm/leaflet@1.9.3/dist/leaflet"
CHINA = [73.0, 18.0, 135.0, 54.0]
"""What the map of an empty city shows: west, south, east, north, degrees."""
VECTOR_GRID = "https://unpkg.com/leaflet.vectorgrid@latest/dist/Leaflet.VectorGrid.bundled.js"


def page(name: str) -> Response:
    """Return a page of `api/web`."""
    headers = {"Cache-Control": "no-cache"}
    return Response(_document(name), media_type="text/html; charset=utf-8", headers=headers)


@lru_cache(maxsize=8)
def _document(name: str) -> str:
    """Fill the addresses of third-party scripts, which hold the hash of their content, into a page."""
    modules = [
        f"{folder}/{p.name}" for folder in ("common", name) for p in sorted((WEB / folder).glob("*.js"))
    ]
    words = {
        "leaflet_css": assets.URL_BASE + assets.resolve(f"{LEAFLET}.css").name,
        "leaflet_js": assets.URL_BASE + assets.resolve(f"{LEAFLET}.js").name,
        "vectorgrid_js": assets.URL_BASE + assets.resolve(VECTOR_GRID).name,
        "preloads": "\n".join(f'<link rel="modulepreload" href="/static/{m}">' for m in modules),
    }
    document = (WEB / name / "index.html").read_text("utf-8")
    for key, value in words.items():
        document = document.replace("{" + key + "}", value)
    return document
