"""Rows and looks of the layers of coverage (覆盖图层): views, levels, multiplicity, staircase, blind spots, health.

Layers of single cameras (`cut="camera"`) hold secret ones too, and the cut leaves them out below their role. What
sums cameras up (multiplicity, staircase, blind spots) is made without them, whoever asks: a map that two roles share must
not show by its difference where a secret camera looks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo import covered
from geo.coverage.level import NAMES_ZH, PROFILES
from layers import style
from layers.style import BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION

if TYPE_CHECKING:
    from geo.city import City

LEAST_M2 = 4.0  # smaller pieces are no sight on a map
LEVELS = {
    "en62676-4:2014": ("detect", "observe", "recognise"),
    "iec62676-4:2025": ("outline", "discern", "perceive", "characterise"),
}
OFTEN = 4  # as many views or more are one class
BANDS = (0.0, 0.1, 0.25, 0.5, 0.75)

TIMES_LOOK = style.entries(
    [
        (1, "一重覆盖", "seen once", style.RAMPS["green"][1], "fill"),
        (2, "二重覆盖", "seen twice", style.RAMPS["green"][2], "fill"),
        (3, "三重覆盖", "seen three times", style.RAMPS["green"][3], "fill"),
        (4, "四重及以上", "four times or more", style.RAMPS["green"][4], "fill"),
    ]
)


def _level_look(profile: str, shades: tuple[int, ...]) -> tuple[style.Entry, ...]:
    names = LEVELS[profile]
    return style.entries(
        [
            (n, f"{NAMES_ZH[n]}（{PROFILES[profile][n]:g} px/m）", f"{n} ({PROFILES[profile][n]:g} px/m)",
             style.RAMPS["blue"][shade], "fill")
            for n, shade in zip(names, shades, strict=True)
        ]
    )  # fmt: skip


LEVEL_LOOK = _level_look("en62676-4:2014", (0, 2, 4))
LEVEL_LOOK_2025 = _level_look("iec62676-4:2025", (0, 1, 3, 4))
BAND_LOOK = style.entries(
    [
        (0, "不足 10 %", "under 10 %", style.RAMPS["red"][4], "fill"),
        (1, "10–25 %", "10–25 %", style.RAMPS["orange"][3], "fill"),
        (2, "25–50 %", "25–50 %", style.RAMPS["orange"][1], "fill"),
        (3, "50–75 %", "50–75 %", style.RAMPS["green"][1], "fill"),
        (4, "75 % 以上", "75 % or more", style.RAMPS["green"][3], "fill"),
    ]
)
SPOT_LOOK = style.entries(
    [
        ("junction", "无覆盖路口", "unwatched junction", VERMILION, "cross"),
        ("target", "未覆盖目标", "unwatched target", PURPLE, "diamond"),
    ]
)
GAP_LOOK = style.entries(
    [
        ("road", "无覆盖路段", "unwatched road", VERMILION, "line"),
        ("cordon", "围合缺口", "leak of a ring", PURPLE, "line"),
    ]
)
HEALTH_LOOK = style.entries(
    [
        ("ok", "可用", "usable", BLUE, "circle"),
        ("state", "设备不在线", "not in order", VERMILION, "triangle"),
        ("no_bearing", "方位缺失", "no bearing", ORANGE, "diamond"),
        ("inside", "落在建筑内", "inside a building", PURPLE, "square"),
        ("defaults", "参数取缺省", "rests on defaults", GREEN, "pentagon"),
        ("out", "不参与（室内、移动、拆除）", "takes no part", GREY, "cross"),
    ]
)


def views(city: City) -> gpd.GeoDataFrame:
    """Fields of view of cameras that see something (可视域)."""
    seen, table = covered.watch_of(city, secret=True), covered.cameras_of(city, secret=True)
    rows = np.flatnonzero(seen.fields.area_m2 > LEAST_M2)
    optics = seen.fields.optics.iloc[rows]
    frame = table.iloc[rows][["name", "state"]].assign(
        camera_id=table.index[rows],
        state=table["state"].iloc[rows].fillna("unknown"),
        optics=optics["kind"].to_numpy(),
        area_m2=seen.fields.area_m2[rows].round(),
        by_default=_defaults(optics),
    )
    return gpd.GeoDataFrame(frame, geometry=seen.fields.shapes[rows], crs=city.crs)


def levels(city: City, profile: str = "en62676-4:2014") -> gpd.GeoDataFrame:
    """Where each camera reaches an image level of a profile, weakest first: the sharper lie on top (图像等级)."""
    seen = covered.watch_of(city, secret=True)
    parts = []
    for name in LEVELS[profile]:
        shapes = seen.sharp(PROFILES[profile][name])
        rows = np.flatnonzero(shapely.area(shapes) > LEAST_M2)
        parts.append(
            gpd.GeoDataFrame(
                {"camera_id": seen.ids[rows], "level": name}, geometry=shapes[rows], crs=city.crs
            )
        )
    return gpd.GeoDataFrame(pd.concat(parts, ignore_index=True), crs=city.crs)


def levels_2025(city: City) -> gpd.GeoDataFrame:
    """`levels` of IEC 62676-4:2025."""
    return levels(city, "iec62676-4:2025")


def times(city: City) -> gpd.GeoDataFrame:
    """Ground by how many devices see it, one shape per grid and number (覆盖重数)."""
    cut = covered.tiles_of(city)
    number = np.minimum(cut.times(), OFTEN)
    rows = np.flatnonzero(number > 0)
    key, group = np.unique(cut.zone[rows] * 8 + number[rows], return_inverse=True)
    order = np.argsort(group, kind="stable")
    parts = np.split(cut.shape[rows[order]], np.flatnonzero(np.diff(group[order])) + 1) if len(rows) else []
    shapes = np.array([shapely.coverage_union_all(p) for p in parts], dtype=object)
    frame = gpd.GeoDataFrame(
        {"grid_id": cut.zones[key // 8], "times": key % 8, "area_m2": shapely.area(shapes).round()},
        geometry=shapes,
        crs=city.crs,
    )
    return frame[frame["area_m2"] > LEAST_M2].reset_index(drop=True)


def staircase(city: City) -> gpd.GeoDataFrame:
    """Lowest grids with the share of free ground that holds each claim, percent (网格覆盖阶梯)."""
    table = covered.grid_ground(city)
    rows = covered.lowest(city.grids)
    part = table[rows]
    free = part["free_m2"].to_numpy()
    claims = {c: np.round(100 * part[c].to_numpy() / np.maximum(free, 1e-9), 1) for c in covered.STEPS}
    band = np.searchsorted(BANDS, claims["geometric"] / 100, side="right") - 1
    grids = city.degrees("grids")[rows]
    return grids[["name", "geometry"]].assign(grid_id=grids.index, band=band, **claims)


def gaps(city: City) -> gpd.GeoDataFrame:
    """Road intervals nobody sees, and streets that would close a ring (无覆盖路段与围合缺口)."""
    table = covered.blind_spots_of(city)
    return table[table["kind"].isin(["road", "cordon"])].reset_index(drop=True)


def spots(city: City) -> gpd.GeoDataFrame:
    """Junctions and targets nobody sees, as points (无覆盖路口与目标)."""
    table = covered.blind_spots_of(city)
    part = table[table["kind"].isin(["junction", "target"])].reset_index(drop=True)
    return part.set_geometry(part.geometry.representative_point())


def health(city: City) -> gpd.GeoDataFrame:
    """Cameras by what keeps them from counting, the gravest first (监控点健康)."""
    table = covered.cameras_of(city, secret=True)
    optics = covered.watch_of(city, secret=True).fields.optics
    state = table["state"].fillna("unknown").to_numpy(dtype=object)
    why = optics["why_not"].to_numpy(dtype=object)
    found = np.select(
        [why == "inside_building", why == "no_bearing", why != "", state != "on", _defaults(optics) > 0],
        ["inside", "no_bearing", "out", "state", "defaults"],
        default="ok",
    )
    frame = city.degrees("cameras").loc[table.index]
    return frame[["name", "unit", "state", "geometry"]].assign(
        camera_id=frame.index, health=found, by_default=_defaults(optics), absurd=optics["absurd"].to_numpy()
    )


def _defaults(optics: pd.DataFrame) -> np.ndarray:
    """How many of opening, range and resolution nobody wrote down."""
    return (
        (optics["fov_source"] == "default").to_numpy(dtype=np.int64)
        + (optics["range_source"] == "default").to_numpy(dtype=np.int64)
        + optics["resolution_px"].isna().to_numpy(dtype=np.int64)
    )
