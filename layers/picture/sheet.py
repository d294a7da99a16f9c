"""The map on a sheet while it is drawn (图幅): every layer from the same source, style and scope as its tiles."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib import font_manager
from matplotlib.patches import PathPatch, Rectangle

from geo.errors import BadInputError
from geo.scope import check_grid
from layers import catalog, style, summary, tiles
from layers.picture.paths import matches, path_of
from layers.tiles import mvt
from layers.tiles.source import Crowd, mercator, source, visible

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path
    from numpy.typing import NDArray

    from geo.city import City
    from geo.scope import Scope
    from layers.catalog import Layer
    from layers.picture.view import Shade, View
    from layers.style import Entry, Style

PANEL = 0.22  # share of the width for the legend
HEAD, FOOT = 0.07, 0.045
FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "Source Han Sans CN", "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei", "Microsoft YaHei", "PingFang SC", "SimHei", "Heiti SC",
)  # fmt: skip
FEW = 5000  # as many points of one day are drawn as points at every scale
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


class Sheet:
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
        box = self.view.bbox or summary.bounds_of(self.city, self.scope)
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
        selection = self._selection(entry)
        shade = self.view.shade if entry.name == self._coloured() else None
        look = shade.style if shade else tiles.legend(self.city, entry, scope=self.scope, selection=selection)
        made = source(self.city, entry)
        keep = visible(self.city, entry, self.scope, selection.grid)
        if isinstance(made, Crowd):
            self._crowd(made, made.chosen(self._of_day(made, keep), selection), look, z)
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

    def _selection(self, entry: Layer) -> tiles.Selection:
        """What the view's filters mean for a layer; borders and names stay whole around a grid."""
        whole = entry.name == "grid_labels" or entry.name in catalog.GROUPS["borders"]
        known = {*entry.filters, *(("since", "until") if entry.time else ()), *(() if whole else ("grid",))}
        mine = {k.removeprefix(f"{entry.name}."): v for k, v in self.view.asked.items()}
        asked = {k: v for k, v in mine.items() if k in known}
        if entry.name == self._coloured() and self.view.indicator and not self.view.shade:
            asked["indicator"] = self.view.indicator
        selection = tiles.parse(entry, asked, timezone=self.city.timezone)
        if selection.grid:
            check_grid(self.city.degrees("grids"), self.scope, selection.grid)
        return selection

    def word(self, thing: Entry | Layer | Shade) -> str:
        """Name of a thing in the language of the sheet."""
        return thing.en if self.view.lang == "en" else thing.zh

    def _of_day(self, made: Crowd, keep: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
        if self.view.day is None or not made.entry.time:
            return keep
        begin = pd.Timestamp(self.view.day, tz=self.city.timezone)
        times = made.frame[made.entry.time]
        mine = ((times >= begin) & (times < begin + pd.Timedelta(days=1))).to_numpy(dtype=bool)
        return mine if keep is None else mine & keep

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
        ranks = self._ranks(entry, indicator)
        used: list[tuple[Entry, Style, str]] = []
        for e in look.entries:
            rows = shown & (ranks == e.value if ranks is not None else matches(column, e, look))
            if not rows.any():
                continue
            used.append((e, look, entry.geometry))
            path = path_of(features, np.flatnonzero(rows), closed=entry.geometry == "polygon")
            self.axes.add_artist(self._patch(path, e, drawn, entry.geometry, ranked=ranks is not None, z=z))
        if look.mark is not None and ranks is None:
            used += self._over(features, shown, look.mark, z)
        title = self.word(entry)
        if ranks is not None:
            colon = ": " if self.view.lang == "en" else "："
            title += colon + self._meaning(indicator)
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
            path = path_of(features, np.flatnonzero(rows), closed=True)
            width = 0.0 if e.shape == "hatch" else mark.weight * 0.75
            self.axes.add_artist(
                PathPatch(path, facecolor="none", edgecolor=e.colour, lw=width, zorder=z + 0.4, snap=False,
                          hatch=HATCH if e.shape == "hatch" else None)
            )  # fmt: skip
            used.append((e, mark, "over"))
        return used

    def _meaning(self, indicator: str) -> str:
        if self.view.shade:
            return self.word(self.view.shade)
        found = tiles.indicator(indicator)
        return found.name.replace("_", " ") if self.view.lang == "en" else found.zh

    def _ranks(self, entry: Layer, indicator: str) -> NDArray[np.int64] | None:
        """Rank of every row of the coloured grid layer, -1 where it has none; None for other layers."""
        ids = catalog.entry_rows(self.city, entry).index
        if self.view.shade and entry.name == self._coloured():
            return self.view.shade.ranks.reindex(ids).fillna(-1).to_numpy(dtype=np.int64)
        if not indicator:
            return None
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
        elif entry.crowd == "none" or self.zoom >= made.points_from or self._few(entry, keep):
            self._points(made, keep, look, z)
        elif entry.crowd == "density":
            self._density(made, keep, z)
        else:
            self._clusters(made, keep, z)

    def _few(self, entry: Layer, keep: NDArray[np.bool_] | None) -> bool:
        """A day's worth is shown one by one."""
        return bool(self.view.day and entry.time and keep is not None and np.count_nonzero(keep) <= FEW)

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
        used = self._symbols(made.index.xy[places], values, look, z)
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
        self.legends.append((self.word(made.entry), used))

    def draw_open(self, *, z: int) -> None:
        """Draw the open incidents of the view, one by one, above everything else."""
        rows = self.view.open
        if rows is None or rows.empty:
            return
        xy = mercator(np.column_stack([rows.geometry.x, rows.geometry.y]))
        look = catalog.layer("incidents").style
        used = self._symbols(xy, rows["stage"].astype(str).to_numpy(), look, z)
        self.legends.append(("open incidents" if self.view.lang == "en" else "未办结警情", used))

    def _symbols(
        self, xy: NDArray[np.float64], values: NDArray[np.object_], look: Style, z: int
    ) -> list[tuple[Entry, Style, str]]:
        """Draw points in the look of their value, unknown ones in the last; what was drawn, for the legend."""
        known, used = [str(e.value) for e in look.entries], []
        for e in look.entries:
            mine = values == str(e.value)
            if e is look.entries[-1]:
                mine |= ~np.isin(values, known)
            if mine.any():
                used.append((e, look, "point"))
                self._scatter(
                    xy[mine], e.shape, face=e.colour, edge="white", width=0.6, radius=look.radius, z=z
                )
        return used

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
            cells = made.index.cells(place, across=4, keep=mask)
            if len(cells.count):
                size = np.minimum(8 + 3.2 * np.log10(cells.count), 18)
                self.axes.scatter(cells.x_m, cells.y_m, s=(size * 1.45) ** 2, c="#33566f", edgecolors="white",
                                  linewidths=0.8, alpha=0.92, zorder=z)  # fmt: skip
                for x, y, n in zip(cells.x_m, cells.y_m, cells.count.tolist(), strict=True):
                    text = f"{n / 1000:.0f}k" if n > 9999 else str(n)
                    self.axes.text(x, y, text, color="white", ha="center", va="center", fontsize=7, zorder=z + 0.5,
                                   clip_on=True)  # fmt: skip
        zh, en = f"{made.entry.zh}聚合点（数字为数量）", f"cluster of {made.entry.en} (number: how many)"
        cluster = style.Entry("", zh, en, "#33566f", "circle")
        self.legends.append((self.word(made.entry), [(cluster, style.Style(), "point")]))

    def _density(self, made: Crowd, keep: NDArray[np.bool_] | None, z: int) -> None:
        across = 32
        patches: dict[int, list[NDArray[np.float64]]] = {}
        for place in self._tiles():
            part = made.index.slice(place)
            mask = None if keep is None else keep[made.index.order[part]]
            cells = made.index.cells(place, across=across, keep=mask, centres=False)
            corners = tiles.squares(cells, place, across).reshape(-1, 4, 2)
            rank = np.searchsorted(style.DENSITY_EDGES, cells.count, side="right") - 1
            for r in np.unique(rank).tolist():
                patches.setdefault(r, []).append(corners[rank == r])
        look = style.Style(opacity=0.75, weight=0)
        for r, found in sorted(patches.items()):
            quads = np.concatenate(found)
            features = mvt.Features.boxes(quads.reshape(-1, 2), {}, np.arange(len(quads), dtype=np.uint64))
            path = path_of(features, np.arange(len(quads)), closed=True)
            self.axes.add_artist(self._patch(path, style.DENSITY[r], look, "polygon", ranked=False, z=z))
        used = [(style.DENSITY[r], look, "polygon") for r in sorted(patches)]
        self.legends.append(
            (self.word(made.entry) + (" density" if self.view.lang == "en" else "密度"), used)
        )

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
