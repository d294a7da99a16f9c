"""What is wrong with a register against its own optics and the map (监控点体检).

Codes, duplicates and absent fields are `register`'s; here is what needs buildings, grids or the optics.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

from geo.camera.optics import DEFAULTS, views
from geo.camera.place import INSIDE, SNAPPED, free_of_buildings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import geopandas as gpd
    from numpy.typing import NDArray

    from geo.camera.optics import Defaults

CODES: Mapping[str, tuple[str, str]] = {
    "camera.inside": ("deep inside a building", "落在建筑内部"),
    "camera.wall": ("drawn inside the wall it hangs on", "墙装点位画在建筑内"),
    "camera.district": ("code names another district than the place", "编码行政区与位置不符"),
    "camera.optics": ("zero or absurd optics", "光学参数为零或荒谬"),
    "camera.bearing": ("no bearing", "方位缺失"),
    "camera.bearing.zero": ("bearing 0 far too often: a filler", "方位多为 0，疑似填充值"),
}
FILLER_SHARE = 0.2
FILLER_LEAST = 20
_OPTICS = {"fov": "fov_deg", "range": "range_m", "height": "height_m", "tilt": "tilt_deg"}


def faults(
    cameras: gpd.GeoDataFrame,
    *,
    blocks: NDArray[np.object_] | None = None,
    grids: gpd.GeoDataFrame | None = None,
    defaults: Defaults = DEFAULTS,
) -> pd.DataFrame:
    """Find faults of cameras (监控点问题).

    Parameters
    ----------
    cameras
        Camera table in metres.
    blocks
        Disjoint polygons of buildings; None: not looked at.
    grids
        Grid table in the same CRS whose ids begin with the six digits of the district; None: not looked at.
    defaults
        What is not believed.

    Returns
    -------
    DataFrame
        `code` of `CODES`, `id`, `value`, `message`; by code, then in the order of the cameras.
    """
    optics = views(cameras, defaults=defaults)
    found = [*_optics(cameras, optics)]
    there = ~(cameras.geometry.isna() | cameras.geometry.is_empty).to_numpy()
    placed, bearing = cameras[there], optics["bearing_deg"].to_numpy()[there]
    outdoors = optics["why_not"].to_numpy()[there] != "indoor"
    if blocks is not None and len(blocks):
        found += _buildings(placed[outdoors], bearing[outdoors], blocks)
    if grids is not None and len(grids):
        found += _district(placed, grids)
    columns = ["code", "id", "value", "message"]
    return pd.concat([pd.DataFrame(columns=columns), *found], ignore_index=True)[columns]


def _table(code: str, ids: pd.Index, value: object, message: str) -> pd.DataFrame:
    return pd.DataFrame({"code": code, "id": ids.astype("str"), "value": value, "message": message})


def _optics(cameras: pd.DataFrame, optics: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for word, column in _OPTICS.items():
        rows = np.flatnonzero(
            optics["absurd"].str.split().map(lambda w, word=word: word in w).to_numpy(dtype=bool)
        )
        if len(rows):
            value = [f"{column} = {v}" for v in cameras[column].iloc[rows]]
            yield _table(
                "camera.optics", cameras.index[rows], value, "not believed: the default of its kind is taken"
            )
    rows = np.flatnonzero((optics["why_not"] == "no_bearing").to_numpy())
    if len(rows):
        yield _table(
            "camera.bearing", cameras.index[rows], "", "sees nothing in any rate until its bearing is known"
        )
    stated = cameras["bearing_deg"] if "bearing_deg" in cameras else pd.Series(dtype=float)
    zero = int((stated == 0).sum())
    if zero >= FILLER_LEAST and zero > FILLER_SHARE * stated.notna().sum():
        names = cameras.index[(stated == 0).to_numpy(dtype=bool)]
        yield _table(
            "camera.bearing.zero", names, "0", f"{zero} of {int(stated.notna().sum())} bearings are exactly 0"
        )


def _buildings(
    cameras: gpd.GeoDataFrame, bearing: NDArray[np.float64], blocks: NDArray[np.object_]
) -> list[pd.DataFrame]:
    xy = shapely.get_coordinates(cameras.geometry.to_numpy())
    moved, place = free_of_buildings(xy, bearing, blocks)
    far = np.hypot(*(moved - xy).T)
    inside, wall = np.flatnonzero(place == INSIDE), np.flatnonzero(place == SNAPPED)
    return [
        _table(
            "camera.inside", cameras.index[inside], "", "takes no part; check its place, or mark it indoor"
        ),
        _table(
            "camera.wall", cameras.index[wall], [f"{d:.1f} m" for d in far[wall]], "set in front of the wall"
        ),
    ]


def _district(cameras: gpd.GeoDataFrame, grids: gpd.GeoDataFrame) -> list[pd.DataFrame]:
    """Districts that the code and the civil code name against the one the place lies in."""
    digits = grids.index.astype("str").str.slice(0, 6)
    usable = digits.str.fullmatch(r"\d{6}")
    row, grid = shapely.STRtree(grids.geometry.to_numpy()[usable]).query(
        cameras.geometry.to_numpy(), predicate="intersects"
    )
    row, first = np.unique(row, return_index=True)
    here = digits.to_numpy()[usable][grid[first]]
    ids = cameras.index[row]
    code = ids.astype("str")
    stated = np.where(code.str.fullmatch(r"\d{16}|\d{20}"), code.str.slice(0, 6), "")
    civil = (
        cameras["civil_code"].iloc[row].fillna("").astype("str").str.slice(0, 6).to_numpy(dtype=object)
        if "civil_code" in cameras
        else np.full(len(row), "", dtype=object)
    )
    found = []
    for words, name in ((stated, "code"), (civil, "civil_code")):
        # "3798 00": a city-wide code names no district
        wrong = np.array([len(w) == 6 and w[4:] != "00" for w in words], dtype=bool) & (words != here)
        value = [f"{w} ≠ {h}" for w, h in zip(words[wrong], here[wrong], strict=True)]
        found.append(
            _table("camera.district", ids[wrong], value, f"district of its {name}, and where it stands")
        )
    return found
