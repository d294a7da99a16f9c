"""The three maps (三张地图): people, hazards, facilities, as Folium pages over our own vector tiles.

Folium makes the page, the layer control and the layers (`folium.plugins.VectorGridProtobuf`); `OfflineFigure`
takes every script and style from installed packages. A page is a few kilobytes however large the city is:
what it shows arrives as tiles. No tile server is asked unless one is set.
"""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import folium
import numpy as np
from branca.element import CssLink, Element, JavascriptLink, MacroElement
from folium.plugins import VectorGridProtobuf
from folium.template import Template

from geo.errors import UnknownNameError
from geo.indicators import INDICATORS
from layers import assets, catalog, summary, tiles
from layers.basemap import NONE
from layers.tiles.mvt import tile_of
from layers.tiles.source import mercator, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pandas as pd

    from geo.city import City
    from geo.scope import Scope
    from layers.basemap import Basemap
    from layers.catalog import Layer
    from layers.tiles.selection import Selection

MAX_ZOOM = 18


@dataclass(frozen=True, slots=True)
class ThemeMap:
    """One of the three maps: the indicator that colours the grids and the points on top."""

    name: str
    zh: str
    en: str
    indicator: str
    points: str = ""
    pick: str = ""  # field whose values can be ticked on and off
    note: str = ""
    note_en: str = ""


MAPS: Mapping[str, ThemeMap] = {
    m.name: m
    for m in (
        ThemeMap(
            "people", "重点关注人员服务图", "service workload", "service_workload",
            note="只按网格计数，不含个人", note_en="counts per grid, no persons",
        ),
        ThemeMap("hazards", "重点预防隐患图", "hazards to prevent", "open_hazards", "hazards", "kind"),
        ThemeMap("facilities", "重点物防设施图", "protective facilities", "faulty_facilities", "facilities", "kind"),
    )
}  # fmt: skip


def theme(name: str) -> ThemeMap:
    """Return one of the three maps; `UnknownNameError` names them."""
    try:
        return MAPS[name]
    except KeyError:
        raise UnknownNameError("map", name, MAPS) from None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page finds what it needs: with us (`SERVED`), or in files beside it.

    `tiles` gives the address of a layer's tiles from its name, its indicator and its version, `page` that of
    a map; `scripts` are loaded before the page's own. Tiles are drawn at 512 px, so a page's zoom is one more
    than that of its tiles.
    """

    tiles: Callable[[str, str, str], str]
    page: Callable[[str], str]
    assets: str = assets.URL_BASE
    scripts: tuple[str, ...] = ()
    max_zoom: int = MAX_ZOOM


def _served_tiles(name: str, indicator: str, version: str) -> str:
    query = f"indicator={indicator}&" if indicator else ""
    return f"/tiles/{name}/{{z}}/{{x}}/{{y}}.mvt?{query}v={version}"


SERVED = Place(_served_tiles, lambda name: f"/maps/{name}")


class _Map(folium.Map):
    """A folium map that carries only Leaflet: no jQuery, Bootstrap or icon fonts are needed here."""

    default_js: ClassVar = [pair for pair in folium.Map.default_js if pair[0] == "leaflet"]
    default_css: ClassVar = [pair for pair in folium.Map.default_css if pair[0] == "leaflet_css"]


class _Begin(MacroElement):
    """What the browser must know, and the first view; before the layers, so that nothing loads twice."""

    _template = Template(
        "{% macro script(this, kwargs) %}santu.begin({{ this._parent.get_name() }}, {{ this.config }});{% endmacro %}"
    )

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self._name = "Begin"
        self.config = _script_json(config)


class _Page(MacroElement):
    """Legend, search and cards; after the layers."""

    _template = Template(
        "{% macro script(this, kwargs) %}santu.page({ {% for name, layer in this.layers.items() %}"
        "{{ name }}: {{ layer.get_name() }}, {% endfor %} });{% endmacro %}"
    )

    def __init__(self, layers: Mapping[str, VectorGridProtobuf]) -> None:
        super().__init__()
        self._name = "Page"
        self.layers = layers


def _script_json(value: object) -> str:
    """JSON that may stand inside a script element whatever its strings hold."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for raw, escaped in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("\u2028", "\\u2028")):
        text = text.replace(raw, escaped)
    return text


def page(
    city: City,
    chosen: ThemeMap,
    *,
    scope: Scope,
    place: Place = SERVED,
    basemap: Basemap = NONE,
    lang: str = "zh",
) -> tuple[str, list[str]]:
    """Return the document of a map and the names of the assets it uses.

    Parameters
    ----------
    city
        Snapshot.
    chosen
        Which of the three maps.
    scope
        Whose view.
    place
        Where tiles, assets and the other pages are.
    basemap
        A raster basemap on the own network; none: the city's own roads, buildings, water and border.
    lang
        `zh` or `en`.

    Raises
    ------
    MissingAssetError
        If anything in the page would load from the internet.
    """
    bounds = summary.bounds_of(city, scope)
    m = _Map(
        location=[(bounds[1] + bounds[3]) / 2, (bounds[0] + bounds[2]) / 2], tiles=None,
        zoom_start=11, font_size="1rem",
    )  # fmt: skip
    m.options["max_zoom"] = place.max_zoom  # without a raster layer nothing else says so
    m.options["min_zoom"] = 8
    stack = _stack(city, chosen, own_basemap=not basemap.url)
    configs = [
        _config(city, chosen, *layer, scope=scope, z=n + 1, lang=lang) for n, layer in enumerate(stack)
    ]
    west, south, east, north = bounds
    first = {
        "bounds": [[south, west], [north, east]],
        "timezone": city.timezone,
        "missing": missing(city, chosen, lang),
    }
    m.add_child(_Begin({"lang": lang, "base": "", "layers": configs, **first}))
    if basemap.url:
        folium.TileLayer(
            basemap.url, attr=basemap.attribution or "basemap", name="底图", overlay=False, tms=basemap.tms,
            min_zoom=basemap.min_zoom, max_native_zoom=basemap.max_zoom, max_zoom=place.max_zoom,
        ).add_to(m)  # fmt: skip
    layers: dict[str, VectorGridProtobuf] = {}
    for (name, indicator), config in zip(stack, configs, strict=True):
        address = place.tiles(name, indicator, _version(city, name, indicator, scope))
        layers[name] = VectorGridProtobuf(address, config["title"][lang], f'santu.options("{name}")')
        layers[name].add_to(m)
    folium.LayerControl(collapsed=False).add_to(m)
    m.add_child(_Page(layers))
    title = f"{city.name}{chosen.zh}" if lang == "zh" else f"{city.name}: {chosen.en}"
    figure = assets.offline(m, title=title, base=place.assets, lang="zh-CN" if lang == "zh" else "en")
    figure.html.add_child(
        Element(_bar(chosen, title, city, scope=scope, place=place, lang=lang)), name="bar", index=0
    )
    figure.header.add_child(Element('<link rel="icon" href="data:,">'), name="icon")
    figure.header.add_child(CssLink("map.css"), name="map.css")
    m.add_child(_Scripts(place.scripts), index=0)
    return figure.render(), figure.used


class _Scripts(MacroElement):
    """Our own modules, after Leaflet and vector grids and before the page's own script."""

    _template = Template("")

    def __init__(self, scripts: tuple[str, ...]) -> None:
        super().__init__()
        self._name = "Scripts"
        self.scripts = scripts

    def render(self, **kwargs: object) -> None:
        """Put the links into the header, in order."""
        del kwargs
        figure = self.get_root()
        vector = dict(VectorGridProtobuf.default_js)["vectorGrid"]
        leaflet = dict(folium.Map.default_js)["leaflet"]
        own = [(module, module) for module in ("look.js", "map.js")]
        for name, url in (("leaflet", leaflet), ("vectorGrid", vector), *own):
            figure.header.add_child(JavascriptLink(url), name=name)
        for script in self.scripts:
            figure.header.add_child(Element(f'<script src="{html.escape(script)}"></script>'), name=script)


def _stack(city: City, chosen: ThemeMap, *, own_basemap: bool) -> list[tuple[str, str]]:
    """Layers from bottom to top, with the indicator that each carries."""
    stack = [("basemap", "")] if own_basemap else []
    stack += [(catalog.deepest_grids(city), chosen.indicator), ("borders", "")]
    stack += [(chosen.points, "")] if chosen.points else []
    return [*stack, ("grid_labels", "")]  # names lie above clusters of points


def missing(city: City, chosen: ThemeMap, lang: str) -> str:
    """Say which table a map waits for, and the command that brings it; empty where it has its data."""
    tables = ("grids", INDICATORS[chosen.indicator].tables[0])
    name = next((t for t in tables if not len(city.degrees(t))), "")
    if not name:
        return ""
    zh, en = _TABLES[name]
    if lang == "zh":
        return f"这座城市还没有{zh}。导入：santu import {name} 文件"
    return f"This city has no {en} yet. Import: santu import {name} FILE"


_TABLES = {
    "grids": ("网格", "grids"),
    "people": ("服务工作量", "service workload"),
    "hazards": ("隐患", "hazards"),
    "facilities": ("物防设施", "facilities"),
    "incidents": ("警情", "incidents"),
    "cameras": ("监控点", "cameras"),
}


_GROUP_TITLES = {"basemap": ("底图", "basemap"), "borders": ("网格界线", "grid borders")}


def _config(
    city: City, chosen: ThemeMap, name: str, indicator: str, *, scope: Scope, z: int, lang: str
) -> dict[str, Any]:
    """Everything the browser must know of one layer."""
    entries = catalog.members(name)
    point = name == chosen.points
    shown = point or bool(indicator)
    zh, en = _GROUP_TITLES.get(name, (entries[0].zh, entries[0].en))
    selection = tiles.Selection(indicator=indicator)
    config: dict[str, Any] = {
        "name": name,
        "title": {"zh": zh, "en": en},
        "z": z,
        "minzoom": min(e.min_zoom for e in entries),
        "click": shown,
        "legend": shown or name == "borders",
        "members": [
            _member(city, e, scope=scope, selection=selection, card=shown, lang=lang) for e in entries
        ],
    }
    if indicator:
        chosen_one = INDICATORS[indicator]
        en = indicator.replace("_", " ")
        config["indicator"] = {"zh": chosen_one.zh, "en": en, "unit": chosen_one.unit}
    if point:
        config |= {"pick": chosen.pick, "counts": _tally(city, entries[0], chosen.pick, scope)}
        if entries[0].style.mark:
            config["marks"] = _tally(city, entries[0], entries[0].style.mark.by, scope)
    return config


def _member(
    city: City, entry: Layer, *, scope: Scope, selection: Selection, card: bool, lang: str
) -> dict[str, Any]:
    member: dict[str, Any] = {
        "name": entry.name,
        "title": {"zh": entry.zh, "en": entry.en},
        "geometry": entry.geometry,
        "rows": _number(city, entry, scope) if entry.grids else None,
        "style": tiles.legend(city, entry, scope=scope, selection=selection).as_json(),
    }
    if card:
        member["fields"] = list(catalog.field_names(entry).items())
        member["words"] = {k: dict(v) for k, v in catalog.words(entry, lang=lang).items()}
    if entry.grids:
        member["size_m"] = round(catalog.typical_size_m(city, entry), 1)
    if entry.geometry == "point":
        member |= {"crowd": entry.crowd, "parts": any(s.startswith("n_") for s in entry.sums)}
        member["clusters"] = entry.crowd == "cluster" and bool(tiles.points_from(city, entry))
    if selection.indicator:
        member["border"] = "#7b8790"
    if entry.name == "roads":
        member["widths"] = [2.4, 1.8, 1.2, 0.8]
    return member


def _number(city: City, entry: Layer, scope: Scope) -> int:
    keep = visible(city, entry, scope)
    return len(catalog.entry_rows(city, entry)) if keep is None else int(keep.sum())


def _tally(city: City, entry: Layer, field: str, scope: Scope) -> dict[str, int]:
    rows = catalog.entry_rows(city, entry)
    keep = visible(city, entry, scope)
    values: pd.Series = (rows if keep is None else rows[keep])[field].dropna()
    return {str(k): int(v) for k, v in values.value_counts().items()}


def _version(city: City, name: str, indicator: str, scope: Scope) -> str:
    return tiles.etag_of(city, catalog.members(name), scope, tiles.Selection(indicator=indicator)).strip('"')


_BAR = {
    "zh": ("三张地图", "按网格编码或名称查找", "网格编码或名称", "查找结果", "数据日期"),
    "en": ("three maps", "search by grid code or name", "grid code or name", "found", "data to"),
}


def _bar(chosen: ThemeMap, title: str, city: City, *, scope: Scope, place: Place, lang: str) -> str:
    maps, search, hint, found, data_to = _BAR[lang]
    tail = f"?lang={lang}" if lang != "zh" and place is SERVED else ""
    links = "".join(
        f'<a href="{html.escape(place.page(m.name) + tail)}"{" aria-current=page" if m is chosen else ""}>'
        f"{html.escape(m.zh if lang == 'zh' else m.en)}</a>"
        for m in MAPS.values()
    )
    facts = f"{data_to} {summary.data_date(city)}　{html.escape(summary.scope_words(city, scope, lang))}"
    note = chosen.note if lang == "zh" else chosen.note_en
    note = f"　{html.escape(note)}" if note else ""
    return (
        f'<header class="santu-bar"><h1>{html.escape(title)}</h1><nav aria-label="{maps}">{links}</nav>'
        '<form class="santu-search" role="search"><input type="search" role="combobox" autocomplete="off" '
        f'aria-label="{search}" placeholder="{hint}" aria-expanded="false" aria-controls="santu-found">'
        f'<ul id="santu-found" role="listbox" aria-label="{found}" hidden></ul></form>'
        f'<span class="santu-facts">{facts}{note}</span></header>'
        '<div class="santu-note" role="status" hidden></div>'
    )


def warm(city: City, *, scope: Scope) -> None:
    """Make everything that the first visitor would wait for: pages, indexes, simplified borders, compiled code.

    A city without grids has nothing to prepare.
    """
    if not len(city.degrees("grids")):
        return
    west, south, east, north = summary.bounds_of(city, scope)
    [[x, y]] = mercator(np.array([[(west + east) / 2, (south + north) / 2]]))
    for chosen in MAPS.values():
        page(city, chosen, scope=scope)
        for name, indicator in _stack(city, chosen, own_basemap=True):
            for entry in catalog.members(name):
                for z in (11, 13, 15):
                    place = (z, *tile_of(x, y, z))
                    tiles.tile(
                        city, entry, place, scope=scope, selection=tiles.Selection(indicator=indicator)
                    )
