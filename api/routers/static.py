"""Scripts, styles and fonts of the pages, from installed packages and our own folder (静态资源)."""

import gzip
import hashlib
import re
from functools import lru_cache
from pathlib import Path

from fastapi import APIRouter, Request, Response

from api import pages
from geo.errors import NotFoundError
from layers import assets

router = APIRouter(include_in_schema=False)

WEB = pages.WEB
FOR_EVER = "public, max-age=31536000, immutable"
VERSION = re.compile("[0-9a-f]{12}").fullmatch
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".png": "image/png",
}


@router.get("/assets/{name}")
def asset(name: str, request: Request) -> Response:
    """Return an asset whose name holds the hash of its content: it never changes."""
    found = assets.by_name().get(name)
    if found is None:
        raise NotFoundError(f"there is no asset {name!r}")
    headers = {"Cache-Control": FOR_EVER, "Vary": "Accept-Encoding"}
    return _packed(request, found.body, found.compressed, found.media_type, headers)


@router.get("/static/{path:path}")
def page_file(path: str, request: Request) -> Response:
    """Return a file of the pages (`api/web`), for ever under the version of today, else with the question if it changed."""
    first, _, rest = path.partition("/")
    kept = first == pages.version()
    path = rest if VERSION(first) else path
    file = (WEB / path).resolve()
    if not file.is_relative_to(WEB) or file.suffix not in TYPES or not file.is_file():
        raise NotFoundError(f"there is no page file {path!r}")
    body, packed, tag = _read(file, file.stat().st_mtime_ns)
    headers = {"Cache-Control": FOR_EVER if kept else "no-cache", "ETag": tag, "Vary": "Accept-Encoding"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return _packed(request, body, packed, TYPES[file.suffix], headers)


@lru_cache(maxsize=256)
def _read(file: Path, _changed: int) -> tuple[bytes, bytes, str]:
    body = file.read_bytes()
    return body, gzip.compress(body, 9, mtime=0), f'"{hashlib.sha256(body).hexdigest()[:16]}"'


def _packed(request: Request, body: bytes, packed: bytes, media: str, headers: dict[str, str]) -> Response:
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, media_type=media, headers=headers | {"Content-Encoding": "gzip"})
    return Response(body, media_type=media, headers=headers)
