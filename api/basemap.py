"""Another basemap, by setting (自备底图): an XYZ address, or a TileJSON document that names one.

The document is read by the server, once, so that a page needs no leave of another origin; the tiles are asked by
the browser. Nothing is read where nothing is set.
"""

import logging
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from geo.errors import BadInputError
from layers.basemap import NONE, Basemap, parse

LOG = logging.getLogger("santu")
MOST_BYTES = 1_000_000
PATIENCE_S = 5.0


def basemap_of(address: str, attribution: str = "") -> Basemap:
    """Return the basemap of a setting; none where it is empty or its document cannot be read (the log says why).

    Parameters
    ----------
    address
        Empty; an XYZ address with `{z}`, `{x}` and `{y}`; the address or the file of a TileJSON document.
    attribution
        Said instead of the document's own.
    """
    try:
        return _read(address, attribution)
    except (OSError, BadInputError, ValueError) as error:
        LOG.warning("basemap %s: %s; the city's own is shown", address, error)
        return NONE


def _read(address: str, attribution: str) -> Basemap:
    if not address:
        return NONE
    if "{z}" in address:
        return Basemap(address, attribution)
    return parse(_document(address), base=address, attribution=attribution)


def _document(address: str) -> bytes:
    if urlsplit(address).scheme in ("http", "https"):
        with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:  # noqa: S310  # the operator's setting
            return bytes(answer.read(MOST_BYTES))
    return Path(address).read_bytes()
