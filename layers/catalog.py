"""Every layer of the map (图层目录): the one place that ties a name to a table, its look and its zooms.

Tiles, TileJSON, legends, pages, exports and prints are all made from `LAYERS`. **A new layer is one entry**::

    Layer(
        "blind_spots", "盲区", "blind spots", "polygon",
        tables=("cameras", "buildings"),          # a change in one of these makes new tiles
        rows=lambda city: blind_spots(city),      # a GeoDataFrame in degrees or metres, index = id
        fields=("area_m2", "rank"),               # what travels with each feature
        style=style.one("#d55e00", "盲区", "blind spot"),
        min_zoom=12,
    ),

`rows` is called once per version of `tables` (`City.derive`). Points are drawn as they are where a tile holds
few, and as counted clusters (`crowd="cluster"`) or density cells (`crowd="density"`) where it holds many;
`sums` are yes/no columns that clusters count. `cut` says how a scope cuts the rows: by the grid a row names
(`"grid"`), by the camera it names (`"camera"`), by where it lies (`"place"`) or not at all (`"open"`, the
basemap). `filters` may be asked for in the address (`?category=theft,fraud&since=…&grid=…`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np
import shapely

from geo import covered, schema
from geo.errors import UnknownNameError
from layers import hot, rows, style, watched
from layers.style import Style

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import geopandas as gpd

    from geo.city import City

Geometry = Literal["point", "line", "polygon"]
GRID_FIELDS = ("grid_id", "name", "level", "kind", "parent_id", "parent", "staff_post", "households")


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of the map; the module's text says what each part does.

    `grids` is set for layers of grids, which take an indicator (`?indicator=open_hazards`); `zoom` names a
    column with the first zoom of each row.
    """

    name: str
    zh: str
    en: str
    geometry: Geometry
    tables: tuple[str, ...]
    rows: Callable[[City], gpd.GeoDataFrame]
    fields: tuple[str, ...] = ()
    style: Style = field(default_factory=Style)
    min_zoom: int = 0
    max_zoom: int = 18
    cut: Literal["grid", "camera", "place", "open"] = "place"
    crowd: Literal["none", "cluster", "density"] = "none"
    points_from: int | None = None  # first zoom that shows points themselves; None: chosen from the data
    sums: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    time: str = ""
    zoom: str = ""
    simplify: bool = False
    grids: bool = False
    when: tuple[str, ...] = ()  # of layers that are costly to compute: present if these tables have rows


def layer(name: str) -> Layer:
    """Return a layer; `UnknownNameError` names those that exist."""
    try:
        return LAYERS[name]
    except KeyError:
        raise UnknownNameError("layer", name, [*LAYERS, *GROUPS]) from None


# Layers that travel together in one tile: one request instead of several.
GROUPS: Mapping[str, tuple[str, ...]] = {
    "basemap": ("boundary", "water", "waterways", "buildings", "roads"),
    "borders": ("dedicated_grids", "villages", "towns"),
}


def members(name: str) -> tuple[Layer, ...]:
    """Return the layers behind a name: one layer, or those of a group, in drawing order."""
    if name in GROUPS:
        return tuple(LAYERS[n] for n in GROUPS[name])
    return (layer(name),)


def present(city: City) -> tuple[Layer, ...]:
    """Layers that have at least one row in this city, in drawing order."""
    return tuple(
        entry
        for entry in LAYERS.values()
        if (all(len(city.degrees(t)) for t in entry.when) if entry.when else len(entry_rows(city, entry)))
    )


def entry_rows(city: City, entry: Layer) -> gpd.GeoDataFrame:
    """Rows of a layer, computed once per version of its tables."""
    return city.derive(f"layer:{entry.name}", entry.tables, lambda: entry.rows(city))


def typical_size_m(city: City, entry: Layer) -> float:
    """Median width of a layer's shapes, metres of EPSG:3857; 0 where there are none.

    Borders are drawn thinner where shapes are small on the screen, or a city of 15,000 grids is all border.
    """

    def compute() -> float:
        west, south, east, north = (
            shapely.bounds(entry_rows(city, entry).geometry.to_numpy()).reshape(-1, 4).T
        )
        width = np.sqrt((east - west) * (north - south)) * 111_319.49
        return float(np.nanmedian(width)) if len(width) else 0.0

    return city.derive(f"size:{entry.name}", entry.tables, compute)


def border_share(size_m: float, pixel_m: float) -> float:
    """Share of its full width that a border of shapes of this size gets, 0 to 1."""
    return float(np.clip((size_m / pixel_m - 6) / 40, 0.0, 1.0))


def field_names(entry: Layer) -> Mapping[str, str]:
    """Chinese name of each field that travels with a feature (属性中文名)."""
    known = {
        c.name: c.zh for t in reversed(entry.tables) if t in schema.TABLES for c in schema.table(t).columns
    }
    return {name: _FIELD_ZH.get(name, known.get(name, name).split("（")[0]) for name in entry.fields}


def words(entry: Layer, *, lang: str = "zh") -> Mapping[str, Mapping[str, str]]:
    """Word of every coded value, by field (代码 → 中文); in English that of the legend, else the code itself."""
    known = {
        c.name: dict(c.allowed)
        for t in reversed(entry.tables)
        if t in schema.TABLES
        for c in schema.table(t).columns
        if c.allowed
    }
    known |= {"level": {str(k): v for k, v in schema.GRID_LEVELS.items()}} if entry.grids else {}
    if lang != "zh":
        known = {name: {code: code.replace("_", " ") for code in codes} for name, codes in known.items()}
        looks = [s for s in (entry.style, entry.style.mark) if s is not None and s.by]
        known |= {s.by: known.get(s.by, {}) | {str(e.value): e.en for e in s.entries} for s in looks}
    elif entry.style.by and entry.style.by not in known:
        known[entry.style.by] = {str(e.value): e.zh for e in entry.style.entries}
    return {name: known[name] for name in entry.fields if name in known}


_FIELD_ZH = {
    "grid_id": "网格编码", "parent": "上级网格", "camera_id": "监控点编码", "hazard_id": "隐患编号",
    "facility_id": "设施编号", "target_id": "目标编号", "incident_id": "事件编号", "overdue": "逾期",
    "value": "指标值", "count": "数量", "bad": "异常",
    "optics": "摄像机类别", "area_m2": "面积（m²）", "by_default": "取缺省的参数数", "times": "重数", "band": "覆盖率分段",
    "nominal": "名义覆盖 %", "geometric": "几何可视 %", "quality": "达到等级 %", "available": "在线 %", "night": "夜间 %",
    "twice": "双重 %", "rank": "序号", "text": "说明", "score": "得分", "incidents": "周边警情", "health": "健康",
    "absurd": "荒谬参数",
}  # fmt: skip


def deepest_grids(city: City) -> str:
    """Name of the grid layer to colour: base grids, or the finest level that the city has."""
    level = city.degrees("grids")["level"].to_numpy(dtype=np.int64, na_value=0)
    return next((n for n, k in (("grids", 3), ("villages", 2), ("towns", 1)) if (level == k).any()), "grids")


_ROAD_STYLE = Style(
    by="rank",
    entries=style.entries(
        [
            (0, "高速 / 快速路", "motorway", "#d9a441", "line"),
            (1, "主干路", "primary", "#dcb55f", "line"),
            (2, "次干路", "secondary", "#c9c4b8", "line"),
            (3, "支路街巷", "street", "#d8d5cd", "line"),
        ]
    ),
    weight=1.6,
)
_GRID_STYLE = style.one("#5c6f7f", "网格", "grid", opacity=0.05, weight=0.8)

LAYERS: Mapping[str, Layer] = {
    entry.name: entry
    for entry in (
        # The basemap, from the city's own tables.
        Layer(
            "boundary", "边界", "boundary", "polygon", ("boundary",), rows.table("boundary"),
            fields=("name",), cut="open", simplify=True,
            style=style.one("#8a94a0", "城市边界", "city boundary", opacity=0.06, weight=2),
        ),
        Layer(
            "water", "水系", "water", "polygon", ("water",), rows.of_dimension("water", 2),
            fields=("name", "kind"), cut="open", min_zoom=8,
            style=style.one("#b7d3e6", "水域", "water", opacity=0.9, weight=0),
        ),
        Layer(
            "waterways", "河道", "waterways", "line", ("water",), rows.of_dimension("water", 1),
            fields=("name", "kind"), cut="open", min_zoom=10,
            style=style.one("#9cc4de", "河道", "waterway", "line", weight=1.5),
        ),
        Layer(
            "buildings", "建筑", "buildings", "polygon", ("buildings",), rows.table("buildings"),
            fields=("name", "height_m", "floors"), cut="open", min_zoom=14,
            style=style.one("#d9d2c7", "建筑", "building", opacity=0.9, weight=0.5),
        ),
        Layer(
            "roads", "道路", "roads", "line", ("roads",), rows.roads,
            fields=("name", "class", "rank"), cut="open", min_zoom=8, zoom="zoom_from", style=_ROAD_STYLE,
        ),
        # Grids.
        Layer(
            "grids", "基础网格", "base grids", "polygon", ("grids",), rows.grids(3), fields=GRID_FIELDS,
            style=_GRID_STYLE, cut="grid", filters=("grid_id",), min_zoom=7, simplify=True, grids=True,
        ),
        Layer(
            "micro_grids", "微网格", "micro-grids", "polygon", ("grids",), rows.grids(4), fields=GRID_FIELDS,
            style=style.one("#7d8b97", "微网格", "micro-grid", opacity=0.03, weight=0.6),
            cut="grid", min_zoom=13, simplify=True, grids=True,
        ),
        Layer(
            "dedicated_grids", "专属网格", "dedicated grids", "polygon", ("grids",), rows.grids(dedicated=True),
            fields=GRID_FIELDS, cut="grid", min_zoom=10, grids=True,
            style=style.one("#6a3d9a", "专属网格", "dedicated grid", opacity=0.12, weight=1.6),
        ),
        Layer(
            "villages", "村居", "villages", "polygon", ("grids",), rows.grids(2), fields=GRID_FIELDS,
            style=style.one("#3f5463", "村居界", "village border", opacity=0.0, weight=1.4),
            cut="grid", min_zoom=7, simplify=True, grids=True,
        ),
        Layer(
            "towns", "镇街", "towns", "polygon", ("grids",), rows.grids(1), fields=GRID_FIELDS,
            style=style.one("#1f2d38", "镇街界", "town border", opacity=0.0, weight=2.2),
            cut="grid", simplify=True, grids=True,
        ),
        Layer(
            "grid_labels", "网格名称", "grid names", "point", ("grids",), rows.grid_labels,
            fields=("name", "level"), cut="grid", zoom="zoom_from", min_zoom=7,
            style=style.one("#1f2d38", "网格名称", "grid name", "text", label="name"),
        ),
        # What cameras see.
        Layer(
            "coverage_grids", "网格覆盖阶梯", "coverage by grid", "polygon", covered.GROUND, watched.staircase,
            fields=("grid_id", "name", "band", *covered.STEPS), cut="grid", min_zoom=9, simplify=True,
            style=Style(by="band", entries=watched.BAND_LOOK, opacity=0.6), when=("cameras", "grids"),
        ),
        Layer(
            "coverage_times", "覆盖重数", "views per place", "polygon", covered.GROUND, watched.times,
            fields=("grid_id", "times", "area_m2"), filters=("times",), cut="grid", min_zoom=14,
            style=Style(by="times", entries=watched.TIMES_LOOK, opacity=0.55, weight=0), when=("cameras", "grids"),
        ),
        Layer(
            "fields_of_view", "可视域", "fields of view", "polygon", covered.WATCHED, watched.views,
            fields=("camera_id", "name", "state", "optics", "area_m2", "by_default"), filters=("state",),
            cut="camera", min_zoom=14, when=("cameras",),
            style=Style(by="state", entries=style.CAMERA_STATES, opacity=0.25),
        ),
        Layer(
            "image_levels", "图像等级（EN 62676-4:2014）", "image levels (EN 62676-4:2014)", "polygon", covered.WATCHED, watched.levels,
            fields=("camera_id", "level"), filters=("level",), cut="camera", min_zoom=15, when=("cameras",),
            style=Style(by="level", entries=watched.LEVEL_LOOK, opacity=0.35),
        ),
        Layer(
            "image_levels_2025", "图像等级（IEC 62676-4:2025）", "image levels (IEC 62676-4:2025)", "polygon",
            covered.WATCHED, watched.levels_2025, fields=("camera_id", "level"), filters=("level",), cut="camera",
            min_zoom=15, when=("cameras",), style=Style(by="level", entries=watched.LEVEL_LOOK_2025, opacity=0.35),
        ),
        Layer(
            "blind_roads", "盲区路段", "unwatched roads", "line",
            (*covered.GROUND, "targets", "roads", "incidents"), watched.gaps,
            fields=("rank", "kind", "name", "text", "score", "incidents"), filters=("kind",), min_zoom=11,
            style=Style(by="kind", entries=watched.GAP_LOOK, weight=4), when=("cameras", "roads"),
        ),
        # What lies in the grids.
        Layer(
            "targets", "监控目标", "targets", "point", ("targets",), rows.targets, crowd="cluster",
            fields=("target_id", "name", "target_class", "kind", "required_level", "list_version"),
            filters=("target_class", "kind", "required_level"),
            style=Style(by="target_class", entries=style.TARGET_CLASSES),
        ),
        Layer(
            "cameras", "监控点", "cameras", "point", ("cameras",), rows.cameras, crowd="cluster", cut="camera",
            fields=("camera_id", "name", "state", "point_class", "bearing_deg", "fov_deg", "range_m", "unit"),
            filters=("state", "point_class", "unit", "room_type"), sums=("bad",),
            style=Style(by="state", entries=style.CAMERA_STATES, radius=4.5),
        ),
        Layer(
            "camera_health", "监控点健康", "camera health", "point", covered.WATCHED, watched.health,
            crowd="cluster", cut="camera", fields=("camera_id", "name", "unit", "state", "health", "by_default", "absurd"),
            filters=("health", "unit"), style=Style(by="health", entries=watched.HEALTH_LOOK, radius=5),
            when=("cameras",),
        ),
        Layer(
            "blind_places", "盲区路口与目标", "unwatched places", "point",
            (*covered.GROUND, "targets", "roads", "incidents"), watched.spots, crowd="cluster",
            fields=("rank", "kind", "name", "text", "score", "incidents"), filters=("kind",),
            style=Style(by="kind", entries=watched.SPOT_LOOK, radius=7), when=("cameras",),
        ),
        Layer(
            "facilities", "物防设施", "facilities", "point", ("facilities",), rows.facilities, crowd="cluster",
            fields=("facility_id", "name", "kind", "state", "last_seen_at", "address"),
            filters=("kind", "state"), sums=("bad", *(f"n_{k}" for k in schema.FACILITY_KINDS)),
            style=Style(
                by="kind", entries=style.FACILITY_KINDS,
                mark=Style(by="state", entries=style.FACILITY_MARKS, weight=2.5),
            ),
        ),
        Layer(
            "hazards", "未整改隐患", "open hazards", "point", ("hazards", "incidents"), rows.hazards,
            crowd="cluster", fields=("hazard_id", "name", "kind", "level", "overdue", "found_at", "due_at"),
            filters=("kind", "level", "overdue"), sums=("overdue", *(f"n_{k}" for k in schema.HAZARD_KINDS)),
            style=Style(
                by="level", entries=style.HAZARD_LEVELS,
                mark=Style(
                    by="overdue", weight=2.5,
                    entries=(style.Entry(1, "逾期（粗黑圈）", "overdue (thick black ring)", style.DARK, "circle"),),
                ),
            ),
        ),
        Layer(
            "hotspots", "热点网格", "hotspots", "polygon", hot.TABLES, hot.hotspots, fields=hot.HOT_FIELDS,
            cut="grid", filters=("category",),
            style=Style(
                by="gi_bin", entries=hot.HOT_LOOK, opacity=0.7,
                mark=Style(by="unstable", entries=hot.UNSTABLE, weight=2.5),
            ),
        ),
        Layer(
            "risk", "风险等级", "risk levels", "polygon", (*hot.TABLES, "hazards"), hot.risk, fields=hot.RISK_FIELDS,
            cut="grid", filters=("level",),
            style=Style(
                by="level", entries=hot.LEVEL_LOOK, opacity=0.6,
                mark=Style(by="significant", entries=hot.SIGNIFICANT, weight=2.0),
            ),
        ),
        Layer(
            "incidents", "警情", "incidents", "point", ("incidents",), rows.incidents, crowd="density",
            points_from=15, time="occurred_at",
            fields=("incident_id", "category", "stage", "source", "severity", "occurred_at", "address"),
            filters=("category", "source", "stage", "severity"),
            style=Style(by="stage", entries=style.INCIDENT_STAGES, radius=5),
        ),
    )
}  # fmt: skip
