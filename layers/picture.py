"""A map view on paper (地图打印): PNG or PDF with title, legend, scale bar, north arrow, date and scope.

Drawn from the same sources, styles and scope as the tiles, by matplotlib without any browser. PDF is vector.
One compound path for each colour keeps it to a fraction of a second for a whole city.
"""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path

from geo.errors import BadInputError
from layers import catalog, folium_map, style, tiles
from layers.tiles import mvt
from layers.tiles.source import Crowd, mercator, source, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from geo.city import City
    from geo.scope import Scope
    from layers.catalog import Layer
    from layers.style import Entry, Style

DPI = 100
PANEL = 0.22  # share of the width for the legend
HEAD, FOOT = 0.07, 0.045
MOST_PIXELS = 40_000_000
FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "Source Han Sans CN", "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei", "Microsoft YaHei", "PingFang SC", "SimHei", "Heiti SC",
)  # fmt: skip
HATCH = "////"
MARKERS = {
    "circle": "o",
    "square": "s",
    "triangle": "^",
    "diamond": "D",
    "cross": "P",
    "pentagon": "p",
    "star": "*",
}
_LOCK = threading.Lock()  # matplotlib's font and glyph caches are not safe between threads


@dataclass(frozen=True, slots=True)
class View:
    """What is on the sheet.

    Attributes
    ----------
    layers
        Names of layers and groups from bottom to top.
    indicator
        Indicator that colours the grid layer; empty: none.
    bbox
        West, south, east, north in degrees; None: all that the scope sees.
    width, height
        Pixels of the sheet at 100 dots an inch (PDF: the same size in inches).
    title
        Heading.
    """

    layers: tuple[str, ...]
    indicator: str = ""
    bbox: tuple[float, float, float, float] | None = None
    width: int = 1600
    height: int = 1130
    title: str = ""


def view_of(city: City, name: str, **more: Any) -> View:  # noqa: ANN401
    """Return the view of one of the three maps."""
    theme = folium_map.theme(name)
    names = ("basemap", catalog.deepest_grids(city), "borders", "grid_labels")
    points = (theme.points,) if theme.points else ()
    return View((*names, *points), theme.indicator, **{"title": f"{city.name}{theme.zh}", **more})


def parse_box(text: str) -> tuple[float, float, float, float] | None:
    """Parse `west,south,east,north`; empty gives None, `BadInputError` says what was wrong."""
    if not text:
        return None
    try:
        west, south, east, north = (float(v) for v in text.split(","))
    except ValueError:
        raise BadInputError(
            f"bbox {text!r}; allowed: four numbers west,south,east,north in degrees"
        ) from None
    return west, south, east, north


def picture(city: City, view: View, *, scope: Scope, form: Literal["png", "pdf"] = "png") -> bytes:
    """Draw a view.

    Parameters
    ----------
    city
        Snapshot.
    view
        What is on the sheet.
    scope
        Whose view: what it hides is not drawn; what it sees is said on the sheet.
    form
        `png` or `pdf`.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    BadInputError
        A size or box that cannot be drawn, or no Chinese font on this machine.
    UnknownNameError
        A layer or indicator that does not exist.
    """
    _check(view)
    members = [entry for name in view.layers for entry in catalog.members(name)]
    with _LOCK:
        figure = Figure(figsize=(view.width / DPI, view.height / DPI), dpi=DPI, facecolor="white")
        sheet = _Sheet(city, view, scope, figure)
        for n, entry in enumerate(members):
            sheet.draw(entry, z=n + 2)
        sheet.furniture()
        canvas = FigureCanvasPdf(figure) if form == "pdf" else FigureCanvasAgg(figure)
        out = io.BytesIO()
        if form == "pdf":
            canvas.print_figure(out, format="pdf", metadata={"CreationDate": None, "Title": view.title})
        else:
            canvas.print_figure(out, format="png", pil_kwargs={"compress_level": 3})
    return out.getvalue()


def _check(view: View) -> None:
    if not (view.width >= 200 and view.height >= 200 and view.width * view.height <= MOST_PIXELS):
        raise BadInputError(
            f"size {view.width} x {view.height}; allowed: 200 and more each way, {MOST_PIXELS:,} pixels in all"
        )
    if view.bbox is not None:
        west, south, east, north = view.bbox
        if not (-180 <= west < east <= 180 and -85 <= south < north <= 85):
            raise BadInputError(
                f"bbox {view.bbox}; allowed: west,south,east,north in degrees, west < east, south < north"
            )


@cache
def chinese_font(bold: bool = False) -> font_manager.FontProperties:  # noqa: FBT001, FBT002
    """Return a font of this machine that has Chinese glyphs; `BadInputError` says what to install."""
    weight = "bold" if bold else "regular"
    installed = {f.name for f in font_manager.fontManager.ttflist}
    for name in FONTS:
        if name in installed:
            return font_manager.FontProperties(family=[name, "DejaVu Sans"], weight=weight)
    raise BadInputError(
        "no Chinese font on this machine; install fonts-noto-cjk (or Microsoft YaHei, Source Han Sans)"
    )


class _Sheet:
    """One sheet while it is drawn."""

    def __init__(self, city: City, view: View, scope: Scope, figure: Figure) -> None:
        self.city, self.view, self.scope, self.figure = city, view, scope, figure
        self.font, self.bold = chinese_font(), chinese_font(bold=True)
        self.axes: Axes = figure.add_axes((0.012, FOOT, 1 - PANEL - 0.02, 1 - HEAD - FOOT))
        self.axes.set_axis_off()
        self.window, self.pixel_m = self._fit()
        west, south, east, north = self.window
        self.axes.set_xlim(west, east)
        self.axes.set_ylim(south, north)
        self.axes.add_artist(
            Rectangle(
                (west, south),
                east - west,
                north - south,
                facecolor="#f4f3ef",
                edgecolor="#8a949c",
                lw=0.8,
                zorder=0,
            )
        )
        self.zoom = int(np.clip(np.floor(np.log2(2 * mvt.HALF_WORLD_M / 256 / self.pixel_m) + 0.3), 3, 18))
        self.legends: list[tuple[str, list[tuple[Entry, Style, str]]]] = []
        self.names: list[tuple[float, float, float, float]] = []

    def _fit(self) -> tuple[tuple[float, float, float, float], float]:
        """Grow the box to the shape of the sheet; EPSG:3857 metres, and metres a pixel."""
        box = self.view.bbox or folium_map.bounds_of(self.city, self.scope)
        (west, south), (east, north) = mercator(np.array([[box[0], box[1]], [box[2], box[3]]]))
        wide = self.view.width * (1 - PANEL - 0.02)
        high = self.view.height * (1 - HEAD - FOOT)
        margin = 1.0 if self.view.bbox else 1.04
        pixel = max((east - west) / wide, (north - south) / high) * margin
        x, y = (west + east) / 2, (south + north) / 2
        return (x - pixel * wide / 2, y - pixel * high / 2, x + pixel * wide / 2, y + pixel * high / 2), pixel

    # -- layers ---------------------------------------------------------------------------------------------

    def draw(self, entry: Layer, *, z: int) -> None:
        """Draw one layer and note its legend."""
        if self.zoom < entry.min_zoom:
            return
        selection = tiles.Selection(indicator=self.view.indicator if entry.name == self._coloured() else "")
        look = tiles.legend(self.city, entry, scope=self.scope, selection=selection)
        made = source(self.city, entry)
        keep = visible(self.city, entry, self.scope)
        if isinstance(made, Crowd):
            self._crowd(made, keep, look, z)
            return
        west, south, east, north = self.window
        _, features = made.geometry(self.zoom)
        left, bottom, right, top = features.bounds.T
        shown = (
            (left <= east)
            & (right >= west)
            & (bottom <= north)
            & (top >= south)
            & (made.first_zoom <= self.zoom)
        )
        if keep is not None:
            shown &= keep
        self._areas(entry, features, shown, look, indicator=selection.indicator, z=z)

    def _coloured(self) -> str:
        return next((n for n in self.view.layers if n in catalog.LAYERS and catalog.LAYERS[n].grids), "")

    def _areas(
        self,
        entry: Layer,
        features: mvt.Features,
        shown: NDArray[np.bool_],
        look: Style,
        *,
        indicator: str,
        z: int,
    ) -> None:
        if not shown.any():
            return
        column = features.columns.get(look.by)
        drawn = look
        if entry.grids:
            share = catalog.border_share(catalog.typical_size_m(self.city, entry), self.pixel_m)
            drawn = replace(look, weight=look.weight * share if look.weight * share > 0.08 else 0.0)
        ranks = self._ranks(entry, indicator) if indicator else None
        used: list[tuple[Entry, Style, str]] = []
        for e in look.entries:
            rows = shown & (ranks == e.value if ranks is not None else _matches(column, e, look))
            if not rows.any():
                continue
            used.append((e, look, entry.geometry))
            path = _path(features, np.flatnonzero(rows), closed=entry.geometry == "polygon")
            self.axes.add_artist(self._patch(path, e, drawn, entry.geometry, ranked=bool(indicator), z=z))
        if look.mark is not None and not indicator:
            used += self._over(features, shown, look.mark, z)
        title = f"{entry.zh}：{tiles.indicator(indicator).zh}" if indicator else entry.zh
        if indicator:
            used = [(e, look, entry.geometry) for e in look.entries]
        self.legends.append((title, used))

    def _over(
        self, features: mvt.Features, shown: NDArray[np.bool_], mark: Style, z: int
    ) -> list[tuple[Entry, Style, str]]:
        """Hatch or frame the areas that carry a mark; what was drawn, for the legend."""
        column, used = features.columns.get(mark.by), []
        codes = {value: i for i, value in enumerate(column.dictionary)} if column is not None else {}
        for e in mark.entries:
            code = codes.get(mvt.encode_value(e.value))
            rows = shown & (column.codes == code) if column is not None and code is not None else None
            if rows is None or not rows.any():
                continue
            path = _path(features, np.flatnonzero(rows), closed=True)
            width = 0.0 if e.shape == "hatch" else mark.weight * 0.75
            self.axes.add_artist(
                PathPatch(path, facecolor="none", edgecolor=e.colour, lw=width, zorder=z + 0.4, snap=False,
                          hatch=HATCH if e.shape == "hatch" else None)
            )  # fmt: skip
            used.append((e, mark, "over"))
        return used

    def _ranks(self, entry: Layer, indicator: str) -> NDArray[np.int64]:
        ids = catalog.entry_rows(self.city, entry).index
        shown = tiles.ranked(self.city, tiles.indicator(indicator), scope=self.scope).rank
        ranks: NDArray[np.int64] = shown.reindex(ids).to_numpy(dtype=np.int64)
        return ranks

    def _patch(self, path: Path, e: Entry, look: Style, geometry: str, *, ranked: bool, z: int) -> PathPatch:
        if geometry == "line":
            return PathPatch(path, facecolor="none", edgecolor=e.colour, lw=look.weight, zorder=z, snap=False)
        opacity = 0.04 if ranked and e.value == -1 else look.opacity
        edge = "#7b8790" if ranked else e.colour
        width = look.weight * 0.75
        red, green, blue = (int(e.colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        return PathPatch(
            path,
            facecolor=(red, green, blue, opacity),
            edgecolor=edge if width else "none",
            lw=width,
            zorder=z,
            snap=False,
        )

    def _crowd(self, made: Crowd, keep: NDArray[np.bool_] | None, look: Style, z: int) -> None:
        entry = made.entry
        if look.label:
            self._labels(made, keep, look, z)
        elif entry.crowd == "none" or self.zoom >= made.points_from:
            self._points(made, keep, look, z)
        elif entry.crowd == "density":
            self._density(made, keep, z)
        else:
            self._clusters(made, keep, z)

    def _tiles(self) -> Iterator[tuple[int, int, int]]:
        west, south, east, north = self.window
        (left, bottom), (right, top) = (
            mvt.tile_of(west, south, self.zoom),
            mvt.tile_of(east, north, self.zoom),
        )
        yield from ((self.zoom, x, y) for y in range(top, bottom + 1) for x in range(left, right + 1))

    def _inside(self, made: Crowd, keep: NDArray[np.bool_] | None) -> NDArray[np.int64]:
        """Places in the index of the points in the window."""
        west, south, east, north = self.window
        x, y = made.index.xy.T
        inside = (x >= west) & (x <= east) & (y >= south) & (y <= north)
        if keep is not None:
            inside &= keep[made.index.order]
        return np.flatnonzero(inside)

    def _points(self, made: Crowd, keep: NDArray[np.bool_] | None, look: Style, z: int) -> None:
        places = self._inside(made, keep)
        rows = made.index.order[places]
        values = made.frame[look.by].iloc[rows].astype(str).to_numpy() if look.by else np.full(len(rows), "")
        known = [str(e.value) for e in look.entries]
        used = []
        for e in look.entries:
            mine = values == str(e.value)
            if e is look.entries[-1]:
                mine |= ~np.isin(values, known)
            if mine.any():
                used.append((e, look, "point"))
                self._scatter(
                    made.index.xy[places[mine]],
                    e.shape,
                    face=e.colour,
                    edge="white",
                    width=0.6,
                    radius=look.radius,
                    z=z,
                )
        if look.mark is not None:
            marks = made.frame[look.mark.by].iloc[rows].astype(str).to_numpy()
            for e in look.mark.entries:
                mine = marks == str(e.value)
                if mine.any():
                    used.append((e, look.mark, "mark"))
                    self._scatter(
                        made.index.xy[places[mine]],
                        "circle",
                        face="none",
                        edge=e.colour,
                        width=1.6,
                        radius=look.radius + 4,
                        z=z,
                    )
        self.legends.append((made.entry.zh, used))

    def _scatter(
        self,
        xy: NDArray[np.float64],
        shape: str,
        *,
        face: str,
        edge: str,
        width: float,
        radius: float,
        z: int,
    ) -> None:
        self.axes.plot(
            xy[:, 0], xy[:, 1], linestyle="none", marker=MARKERS.get(shape, "o"), markersize=radius * 1.45,
            markerfacecolor=face, markeredgecolor=edge, markeredgewidth=width, zorder=z,
        )  # fmt: skip

    def _clusters(self, made: Crowd, keep: NDArray[np.bool_] | None, z: int) -> None:
        for place in self._tiles():
            part = made.index.slice(place)
            mask = None if keep is None else keep[made.index.order[part]]
            cells = made.index.cells(place, across=5, keep=mask)
            if len(cells.count):
                size = np.minimum(8 + 3.2 * np.log10(cells.count), 18)
                self.axes.scatter(cells.x_m, cells.y_m, s=(size * 1.45) ** 2, c="#33566f", edgecolors="white",
                                  linewidths=0.8, alpha=0.92, zorder=z)  # fmt: skip
                for x, y, n in zip(cells.x_m, cells.y_m, cells.count.tolist(), strict=True):
                    text = f"{n / 1000:.0f}k" if n > 9999 else str(n)
                    self.axes.text(x, y, text, color="white", ha="center", va="center", fontsize=7, zorder=z + 0.5,
                                   clip_on=True)  # fmt: skip
        cluster = style.Entry("", "聚合点（数字为数量）", "cluster", "#33566f", "circle")
        self.legends.append((made.entry.zh, [(cluster, style.Style(), "point")]))

    def _density(self, made: Crowd, keep: NDArray[np.bool_] | None, z: int) -> None:
        across = 32
        patches: dict[int, list[NDArray[np.float64]]] = {}
        for place in self._tiles():
            part = made.index.slice(place)
            mask = None if keep is None else keep[made.index.order[part]]
            cells = made.index.cells(place, across=across, keep=mask)
            corners = tiles.squares(cells, place, across).reshape(-1, 4, 2)
            rank = np.searchsorted(style.DENSITY_EDGES, cells.count, side="right") - 1
            for r in np.unique(rank).tolist():
                patches.setdefault(r, []).append(corners[rank == r])
        look = style.Style(opacity=0.75, weight=0)
        for r, found in sorted(patches.items()):
            quads = np.concatenate(found)
            features = mvt.Features.boxes(quads.reshape(-1, 2), {}, np.arange(len(quads), dtype=np.uint64))
            path = _path(features, np.arange(len(quads)), closed=True)
            self.axes.add_artist(self._patch(path, style.DENSITY[r], look, "polygon", ranked=False, z=z))
        used = [(style.DENSITY[r], look, "polygon") for r in sorted(patches)]
        self.legends.append((f"{made.entry.zh}密度", used))

    def _labels(self, made: Crowd, keep: NDArray[np.bool_] | None, look: Style, z: int) -> None:
        """Write names, larger things first; what would cover one that is there is left out."""
        places = self._inside(made, keep)
        rows = made.index.order[places]
        fits = (made.first_zoom[rows] <= self.zoom) & (self.zoom <= made.last_zoom[rows])
        order = np.lexsort([rows[fits], made.first_zoom[rows[fits]]])
        table = made.frame.iloc[rows[fits][order]]
        for (x, y), name, level in zip(
            made.index.xy[places[fits][order]].tolist(), table[look.label], table["level"], strict=True
        ):
            size = {1: 11, 2: 9}.get(level, 8)
            half_w, half_h = len(name) * size * 0.72 * self.pixel_m, size * 0.95 * self.pixel_m
            if any(abs(x - a) < half_w + c and abs(y - b) < half_h + d for a, b, c, d in self.names):
                continue
            self.names.append((x, y, half_w, half_h))
            self.axes.text(
                x, y, name, fontproperties=self.bold if level == 1 else self.font, fontsize=size, color="#1f2d38",
                ha="center", va="center", zorder=z, clip_on=True,
                bbox={"boxstyle": "square,pad=0.08", "facecolor": (1, 1, 1, 0.55), "edgecolor": "none"},
            )  # fmt: skip

    # -- furniture ------------------------------------------------------------------------------------------

    def furniture(self) -> None:
        """Write title, legend, scale bar, north arrow, data date and scope."""
        date, seen = folium_map.data_date(self.city), folium_map.scope_words(self.scope)
        self.figure.text(
            0.012, 1 - HEAD / 2, self.view.title, fontproperties=self.bold, fontsize=20, va="center"
        )
        facts = (
            f"数据日期 {date}　可见范围：{seen.removeprefix('范围：')}　少于 {self.scope.k} 人的计数不显示"
        )
        self.figure.text(
            0.012, FOOT / 2, facts, fontproperties=self.font, fontsize=10, va="center", color="#333333"
        )
        self.figure.text(
            1 - 0.012, FOOT / 2, "三图 Santu　CGCS2000", fontproperties=self.font, fontsize=10, va="center", ha="right",
            color="#333333",
        )  # fmt: skip
        self._north()
        self._scale()
        self._legend()

    def _north(self) -> None:
        _, _, east, north = self.window
        x, y = east - 32 * self.pixel_m, north - 26 * self.pixel_m
        u = self.pixel_m
        arrow = Path([(x, y), (x - 9 * u, y - 34 * u), (x, y - 26 * u), (x + 9 * u, y - 34 * u), (x, y)])
        self.axes.add_artist(PathPatch(arrow, facecolor="#222222", edgecolor="white", lw=1, zorder=90))
        self.axes.text(
            x, y + 2 * u, "北", fontproperties=self.bold, fontsize=12, ha="center", va="bottom", zorder=90
        )

    def _scale(self) -> None:
        west, south, east, north = self.window
        middle = 2 * np.arctan(np.exp((south + north) / 2 / (mvt.HALF_WORLD_M / np.pi))) - np.pi / 2
        ground = float(np.cos(middle))  # metres on the ground a metre of the projection
        length = nice_length((east - west) * ground / 6)
        span, u = length / ground, self.pixel_m
        x, y = west + 20 * u, south + 22 * u
        for k, colour in enumerate(("#222222", "white")):
            self.axes.add_artist(
                Rectangle(
                    (x + k * span / 2, y),
                    span / 2,
                    7 * u,
                    facecolor=colour,
                    edgecolor="#222222",
                    lw=1,
                    zorder=90,
                )
            )
        text = f"{length / 1000:g} 公里" if length >= 1000 else f"{length:g} 米"
        self.axes.text(
            x + span,
            y + 11 * u,
            text,
            fontproperties=self.font,
            fontsize=10,
            ha="right",
            va="bottom",
            zorder=90,
        )
        self.axes.text(
            x, y + 11 * u, "0", fontproperties=self.font, fontsize=10, ha="left", va="bottom", zorder=90
        )

    def _legend(self) -> None:
        panel = self.figure.add_axes((1 - PANEL, FOOT, PANEL - 0.012, 1 - HEAD - FOOT))
        panel.set_axis_off()
        width, height = self.view.width * (PANEL - 0.012), self.view.height * (1 - HEAD - FOOT)
        panel.set_xlim(0, width)
        panel.set_ylim(height, 0)
        groups = [(title, used) for title, used in reversed(self.legends) if used]
        lines = sum((1.6 if len(used) > 1 else 0) + len(used) for _, used in groups)
        step = min(21.0, height / max(lines + 1, 1))
        small = min(10.0, step * 0.5)
        y = step
        for title, used in groups:
            if len(used) > 1:
                panel.text(0, y, title, fontproperties=self.bold, fontsize=small * 1.1, va="center")
                y += step
            for one in used:
                _swatch(panel, y, step, one)
                panel.text(44, y, one[0].zh, fontproperties=self.font, fontsize=small, va="center")
                y += step
            y += 0.6 * step if len(used) > 1 else 0


def _swatch(panel: Axes, y: float, step: float, used: tuple[Entry, Style, str]) -> None:
    (e, look, kind), x = used, 6
    h = step * 0.62
    if kind == "polygon":
        red, green, blue = (int(e.colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        edge = e.colour if look.opacity < 0.2 else "#7b8790"
        panel.add_patch(
            Rectangle(
                (x, y - h / 2),
                26,
                h,
                facecolor=(red, green, blue, look.opacity),
                edgecolor=edge,
                lw=max(look.weight, 0.6),
            )
        )
    elif kind == "over":
        hatch = HATCH if e.shape == "hatch" else None
        width = 0.6 if hatch else look.weight
        panel.add_patch(
            Rectangle((x, y - h / 2), 26, h, facecolor="none", edgecolor=e.colour, lw=width, hatch=hatch)
        )
    elif kind == "line":
        panel.plot([x, x + 26], [y, y], color=e.colour, lw=look.weight + 1)
    else:
        face, edge, width = ("none", e.colour, 2) if kind == "mark" else (e.colour, "white", 0.6)
        panel.plot([x + 13], [y], linestyle="none", marker=MARKERS.get(e.shape, "o"), markersize=h * 0.62,
                   markerfacecolor=face, markeredgecolor=edge, markeredgewidth=width)  # fmt: skip


def nice_length(most_m: float) -> float:
    """Return the longest 1, 2 or 5 times a power of ten that is no longer than `most_m`, metres."""
    power = 10.0 ** np.floor(np.log10(most_m))
    return float(max(step * power for step in (1, 2, 5) if step * power <= most_m))


def _matches(column: mvt.Column | None, e: Entry, look: Style) -> NDArray[np.bool_] | bool:
    """Which features an entry stands for, by the encoded value of the style's property."""
    if column is None or not look.by:
        return e is look.entries[0]
    codes = {value: i for i, value in enumerate(column.dictionary)}
    code = codes.get(mvt.encode_value(e.value))
    mine: NDArray[np.bool_] = column.codes == (-9 if code is None else code)
    if e is look.entries[-1]:
        known = [codes[v] for v in (mvt.encode_value(o.value) for o in look.entries) if v in codes]
        mine = mine | ~np.isin(column.codes, known)
    return mine


def _path(features: mvt.Features, rows: NDArray[np.int64], *, closed: bool) -> Path:
    """One compound path of many features; lines and rings begin with a move, rings are closed."""
    counts = np.diff(features.rows)[rows]
    parts = _ranges(features.rows[rows], counts)
    lengths = np.diff(features.parts)[parts]
    vertices = features.xy[_ranges(features.parts[parts], lengths)]
    first = np.zeros(len(lengths), np.int64)
    np.cumsum(lengths[:-1], out=first[1:])
    codes = np.full(len(vertices), Path.LINETO, Path.code_type)
    codes[first] = Path.MOVETO
    if closed:
        ends = first + lengths
        vertices = np.insert(vertices, ends, vertices[first], axis=0)
        codes = np.insert(codes, ends, Path.CLOSEPOLY)
    return Path(vertices, codes)


def _ranges(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Concatenated ranges start .. start + count."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) - np.repeat(ends - counts, counts) + np.repeat(starts, counts)
