"""Our own pages (网页): `api/web/NAME/index.html` with the addresses of the scripts that it loads.

The address of every file of the pages holds the hash of all of them, so that a browser keeps them for ever and a
page that is opened again asks for its document and its data alone.
"""

import hashlib
from functools import lru_cache
from pathlib import Path

from fastapi import Response

from layers import assets

WEB = Path(__file__).parent / "web"
LEAFLET = "https://cdn.jsdelivr.net/npm/leaflet@1.9.3/dist/leaflet"
VECTOR_GRID = "https://unpkg.com/leaflet.vectorgrid@latest/dist/Leaflet.VectorGrid.bundled.js"


def page(name: str) -> Response:
    """Return a page of `api/web`."""
    headers = {"Cache-Control": "no-cache"}
    return Response(_document(name), media_type="text/html; charset=utf-8", headers=headers)


@lru_cache(maxsize=1)
def version() -> str:
    """Hash of all files of the pages as they are when the server first gives one out."""
    found = hashlib.sha256()
    for file in sorted(p for p in WEB.rglob("*") if p.is_file()):
        found.update(f"{file.relative_to(WEB)}\0".encode() + file.read_bytes() + b"\0")
    return found.hexdigest()[:12]


@lru_cache(maxsize=8)
def _document(name: str) -> str:
    """Fill the addresses of scripts, which hold the hash of their content, into a page."""
    modules = [
        f"{folder}/{p.name}" for folder in ("common", name) for p in sorted((WEB / folder).glob("*.js"))
    ]
    static = f"/static/{version()}"
    words = {
        "static": static,
        "leaflet_css": assets.URL_BASE + assets.resolve(f"{LEAFLET}.css").name,
        "leaflet_js": assets.URL_BASE + assets.resolve(f"{LEAFLET}.js").name,
        "vectorgrid_js": assets.URL_BASE + assets.resolve(VECTOR_GRID).name,
        "preloads": "\n".join(f'<link rel="modulepreload" href="{static}/{m}">' for m in modules),
    }
    document = (WEB / name / "index.html").read_text("utf-8")
    for key, value in words.items():
        document = document.replace("{" + key + "}", value)
    return document
