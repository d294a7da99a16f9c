"""Scripts, styles, fonts and icons without internet (离线静态资源).

Folium names its third-party files by CDN address. The asset wheel `folium-offline`, pinned with `folium`,
carries the text of every one of them; here they are read (never imported or run), cleaned of what would
still reach for a network, named by the hash of their content, and served by us or written beside an export.
Our own page modules in `layers/assets/*.js|css` get the same treatment.

`OfflineFigure` is the one hook: a branca figure that rewrites the address of every script and style link at
render time, whatever plugin asked for it, and stops with `MissingAssetError` on an address nobody knows.
"""

from __future__ import annotations

import ast
import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from branca.element import CssLink, Figure, JavascriptLink

from geo.errors import SantuError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import folium

MEDIA_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
URL_BASE = "/assets/"  # where `api.routers.static` serves them
NOTICE = "NOTICE.txt"
_OWN = Path(__file__).parent


class MissingAssetError(SantuError):
    """A page asks for a script or style that is not among the installed assets (离线资源缺失)."""

    code = "missing-asset"


@dataclass(frozen=True)
class Asset:
    """One file to serve or write: a name that holds the hash of its content, and its bytes."""

    name: str
    body: bytes

    @property
    def media_type(self) -> str:
        """Content type by the ending of the name."""
        return MEDIA_TYPES[Path(self.name).suffix]

    @cached_property
    def compressed(self) -> bytes:
        """The body in gzip, level 9, made once."""
        return gzip.compress(self.body, 9, mtime=0)


def named(stem: str, suffix: str, text: str) -> Asset:
    """Return an asset called `<stem>.<hash><suffix>`: new content, new name, so it may be cached for ever."""
    body = text.encode()
    return Asset(f"{stem}.{hashlib.sha256(body).hexdigest()[:12]}{suffix}", body)


@cache
def third_party() -> Mapping[str, Asset]:
    """Return every asset of the wheels by the address or file name their pages know them by; read once a process."""
    texts = _wheel_texts() | _documentation_texts()
    return MappingProxyType({url: _third_party_asset(url, text) for url, text in texts.items()})


@cache
def own() -> Mapping[str, Asset]:
    """Return our own page modules by file name (`map.js`)."""
    files = sorted(p for p in _OWN.iterdir() if p.suffix in MEDIA_TYPES)
    return MappingProxyType({p.name: named(p.stem, p.suffix, p.read_text("utf-8")) for p in files})


@cache
def by_name() -> Mapping[str, Asset]:
    """Return every asset by its hashed name."""
    return MappingProxyType({a.name: a for a in [*third_party().values(), *own().values()]})


def resolve(url: str) -> Asset:
    """Return the asset behind a CDN address or the file name of one of our own modules.

    Raises
    ------
    MissingAssetError
        If neither the wheel nor our own folder holds it.
    """
    asset = third_party().get(url) or own().get(url)
    if asset is None:
        raise MissingAssetError(
            f"no installed asset for {url!r}: it is neither in the wheel folium-offline "
            f"({len(third_party())} files) nor in layers/assets; pages never load from the internet"
        )
    return asset


def write(names: Iterable[str], folder: Path) -> None:
    """Write the assets of these hashed names into a folder, for a page that is opened from disk.

    Their licences go with them, as `NOTICE.txt`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(by_name()[name].body)
    (folder / NOTICE).write_bytes((_OWN / NOTICE).read_bytes())


class OfflineFigure(Figure):
    """A page whose script and style links all point to our own assets (离线页面).

    Parameters
    ----------
    title
        Title of the document.
    base
        What stands before an asset's name: `URL_BASE` when served, a relative folder for a file on disk.
    lang
        Language of the document, for readers and for the choice of CJK glyphs.
    """

    def __init__(self, *, title: str, base: str = URL_BASE, lang: str = "zh-CN") -> None:
        super().__init__(title=title)
        self.base = base
        self.lang = lang
        self.used: list[str] = []

    def render(self, **kwargs: object) -> str:
        """Return the document; `MissingAssetError` if anything in it would load from elsewhere."""
        for child in list(self._children.values()):
            child.render(**kwargs)
        self.used = []
        for element in self.header._children.values():  # noqa: SLF001
            if isinstance(element, JavascriptLink | CssLink):
                element.url = self._local(element.url)
        html: str = self._template.render(this=self, kwargs=kwargs)
        html = html.replace("<html>", f'<html lang="{self.lang}">', 1)
        foreign = _FOREIGN_TAG.search(html)
        if foreign:
            raise MissingAssetError(f"the page would load {foreign[0]!r} from outside")
        return html

    def _local(self, url: str) -> str:
        if url.startswith(self.base) and url[len(self.base) :] in by_name():
            name = url[len(self.base) :]  # rendered before
        else:
            name = resolve(url).name
        self.used.append(name)
        return self.base + name


def offline(m: folium.Map, *, title: str, base: str = URL_BASE, lang: str = "zh-CN") -> OfflineFigure:
    """Move a folium map into an `OfflineFigure`, with everything that was added to its old figure."""
    old = m.get_root()
    figure = OfflineFigure(title=title, base=base, lang=lang)
    m._parent = None  # noqa: SLF001 - branca has no public way to move a child
    figure.add_child(m)
    for part in ("header", "html", "script"):
        target, source = getattr(figure, part), getattr(old, part)
        for name, child in source._children.items():  # noqa: SLF001
            if name not in target._children:  # noqa: SLF001
                target.add_child(child, name=name)
    return figure


# A tag that loads at once; `<a href>` does not, and basemap addresses live in script options.
_FOREIGN_TAG = re.compile(
    r"<(?:script|link|img|iframe)\b[^>]*?\b(?:src|href)=[\"']?(?:https?:)?//[^>]*>", re.IGNORECASE
)
_CSS_URL = re.compile(r"""url\(\s*(?!["']?(?:data:|\#|%23))[^)]*\)""")
_SOURCE_MAP = re.compile(r"^\s*(?://|/\*)[#@]\s*sourceMappingURL=(?!data:)[^\n]*$", re.MULTILINE)
_TOGGLE = (
    "url(\"data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='18' height='18'%3E"
    "%3Cpath d='M4 14V6h2v4.6L13.6 3 15 4.4 7.4 12H12v2z' fill='%23444'/%3E%3C/svg%3E\")"
)


def _wheel_texts() -> dict[str, str]:
    spec = find_spec("offlinefolium")
    if spec is None or spec.origin is None:
        raise MissingAssetError("the asset wheel is not installed: pip install folium-offline==0.20.0.2")
    source = (Path(spec.origin).parent / "elements.py").read_text("utf-8")
    texts: dict[str, str] = {}
    for node in ast.parse(source).body:
        match node:
            case ast.Assign(
                targets=[ast.Subscript(value=ast.Name(id="_res"), slice=ast.Constant(value=str(url)))],
                value=ast.Constant(value=str(text)),
            ):
                texts[url] = text
    return texts


def _documentation_texts() -> dict[str, str]:
    """Swagger UI, by file name."""
    spec = find_spec("fastapi_offline")
    if spec is None or spec.origin is None:
        raise MissingAssetError(
            "the files of the documentation page are not installed: pip install fastapi-offline"
        )
    folder = Path(spec.origin).parent / "static"
    return {name: (folder / name).read_text("utf-8") for name in ("swagger-ui-bundle.js", "swagger-ui.css")}


def _third_party_asset(url: str, text: str) -> Asset:
    tail = url.split("?", maxsplit=1)[0].rstrip("/").rsplit("/", 1)[-1]
    suffix = ".css" if tail.endswith(".css") else ".js"
    text = _SOURCE_MAP.sub("", text)
    if suffix == ".css":
        text = _offline_css(text)
    return named(tail.removesuffix(suffix).removesuffix(".min"), suffix, text)


def _offline_css(text: str) -> str:
    """Keep embedded images; the mini-map's button gets one of ours, other addresses an empty picture."""
    text = re.sub(r"url\(\s*[\"']?images/toggle\.(?:svg|png)[\"']?\s*\)", lambda _: _TOGGLE, text)
    return _CSS_URL.sub('url("data:,")', text)
