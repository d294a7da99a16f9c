"""A raster basemap beside the city's own (自备底图): what a page must know of it, and how a TileJSON names it."""

from __future__ import annotations

import html
import json
import re
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from geo.errors import BadInputError


@dataclass(frozen=True, slots=True)
class Basemap:
    """A raster basemap: XYZ address, what to say of its source, its zooms; `tms` counts rows from the south."""

    url: str = ""
    attribution: str = ""
    min_zoom: int = 0
    max_zoom: int = 18
    tms: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return plain data for the pages."""
        return asdict(self)


NONE = Basemap()


def parse(text: bytes, *, base: str = "", attribution: str = "") -> Basemap:
    """Parse a TileJSON document of raster tiles; addresses in it may be relative to `base`.

    Raises
    ------
    BadInputError
        If it is no TileJSON, names no tiles, or names vector tiles, which have no look of their own.
    """
    try:
        document = json.loads(text)
        address = document["tiles"][0]
    except (ValueError, TypeError, LookupError) as error:
        raise BadInputError(f"no TileJSON with tiles: {error!r}") from None
    path = urlsplit(address).path
    if document.get("vector_layers") or path.endswith((".pbf", ".mvt")):
        raise BadInputError("these are vector tiles; allowed: raster tiles (png, jpg, webp)")
    return Basemap(
        urljoin(base, address),
        attribution or _plain(str(document.get("attribution", ""))),
        int(document.get("minzoom", 0)),
        int(document.get("maxzoom", 18)),
        document.get("scheme", "xyz") == "tms",
    )


def _plain(text: str) -> str:
    """Words of an attribution: a document from elsewhere brings no markup into our pages."""
    return html.escape(html.unescape(re.sub(r"<[^>]*>", "", text)))
