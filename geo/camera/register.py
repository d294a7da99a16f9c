"""The register judged by itself (监控点台账): completeness, duplicates, what is one device, one pole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from collections.abc import Mapping

    import geopandas as gpd
    from numpy.typing import NDArray

# Required fields per point class (PointType): after GB/T 28181-2022 annex A as independent implementations
# read it; a city may pass its own.
ALWAYS = ("name", "civil_code", "point_class", "state", "secrecy")
REQUIRED: Mapping[int, tuple[str, ...]] = {
    1: (*ALWAYS, "place", "install_time", "has_contact", "record_days"),
    2: (*ALWAYS, "place"),
    3: ALWAYS,
}
SAME_PLACE_M = 2.0
SAME_BEARING_DEG = 10.0
MULTI_LENS = (6, 7)


def missing_fields(
    cameras: gpd.GeoDataFrame, *, required: Mapping[int, tuple[str, ...]] = REQUIRED
) -> pd.DataFrame:
    """Which required fields each camera lacks (缺项).

    Parameters
    ----------
    cameras
        Camera table.
    required
        Fields per point class; classes not named ask for those of the highest named one. `place` is the
        geometry. `has_contact` must be true, not only filled in.

    Returns
    -------
    DataFrame
        Boolean, index of `cameras`, one column a field: True where the field is required and absent.
    """
    point_class = _column(cameras, "point_class").fillna(max(required)).astype(int)
    point_class = point_class.where(point_class.isin(list(required)), max(required)).to_numpy()
    names = list(dict.fromkeys(f for fields in required.values() for f in fields))
    result = pd.DataFrame(index=cameras.index)
    for name in names:
        asked = np.isin(point_class, [c for c, fields in required.items() if name in fields])
        result[name] = asked & _absent(cameras, name)
    return result


def completeness(
    cameras: gpd.GeoDataFrame, *, required: Mapping[int, tuple[str, ...]] = REQUIRED
) -> pd.DataFrame:
    """Record completeness per unit (建档率): cameras whose required fields are all there ÷ all.

    Returns
    -------
    DataFrame
        Index `unit` (empty text: no unit given), then all together as ``全市``: `numerator`, `denominator`,
        `rate`, and one column per required field with the number of cameras that lack it. No cameras: only
        the last row, rate NaN.
    """
    lacking = missing_fields(cameras, required=required)
    table = lacking.astype(int)
    table.insert(0, "numerator", (~lacking.any(axis=1)).astype(int))
    table.insert(1, "denominator", 1)
    unit = _column(cameras, "unit").fillna("").astype("str").to_numpy()
    by_unit = table.groupby(unit).sum()
    result = pd.concat([by_unit, table.sum().to_frame("全市").T]).rename_axis(index="unit")
    result.insert(2, "rate", result["numerator"] / result["denominator"].replace(0, np.nan))
    return result


def duplicates(cameras: gpd.GeoDataFrame) -> pd.DataFrame:
    """Rows that are most likely the same camera registered twice (疑似重复登记).

    Returns
    -------
    DataFrame
        One row per later registration: `camera_id`, `same_as` (the first one) and `why`: `code` (the same code
        but for white space and case) or `place` (within 2 m, bearings known and within 10°, neither a
        multi-lens channel). Sorted by `camera_id`.
    """
    ids = cameras.index.astype("str").to_numpy(dtype=object)
    plain = pd.Series(ids).str.replace(r"\s", "", regex=True).str.upper()
    code = pd.factorize(plain)[0]
    first = np.unique(code, return_index=True)[1][code]
    by_code = first != np.arange(len(ids))
    one, two = _pairs(cameras, SAME_PLACE_M)
    bearing = _number(cameras, "bearing_deg")
    turn = np.abs((bearing[one] - bearing[two] + 180) % 360 - 180)
    channel = _channels(cameras)
    same = (turn <= SAME_BEARING_DEG) & ~channel[one] & ~channel[two]
    one, two = one[same], two[same]
    later, index = np.unique(two, return_index=True)
    place = ~by_code[later]
    rows = np.concatenate([np.flatnonzero(by_code), later[place]])
    partner = np.concatenate([first[by_code], one[index[place]]]).astype(int)
    why = np.repeat(["code", "place"], [int(by_code.sum()), int(place.sum())])
    result = pd.DataFrame({"camera_id": ids[rows], "same_as": ids[partner], "why": why})
    return result.sort_values("camera_id", ignore_index=True)


def devices(cameras: gpd.GeoDataFrame) -> pd.Series:
    """Name the device that each row belongs to (所属设备): channels of one multi-lens camera are one device.

    Returns
    -------
    Series
        Id of the first row of the device, on the index of `cameras`. Channels (PTZType 6 or 7, code type 122)
        in one place, and rows of `duplicates`, are one device; every other row is its own.
    """
    n = len(cameras)
    one, two = _pairs(cameras, SAME_PLACE_M)
    channel = _channels(cameras)
    unit = pd.factorize(_column(cameras, "unit"))[0]
    same = channel[one] & channel[two] & (unit[one] == unit[two])
    twice = duplicates(cameras)
    position = pd.Series(np.arange(n), index=cameras.index.astype("str"))
    position = position[~position.index.duplicated()]
    later = position.reindex(twice["camera_id"]).to_numpy()
    former = position.reindex(twice["same_as"]).to_numpy()
    return _named(cameras, np.concatenate([one[same], former]), np.concatenate([two[same], later]))


def poles(cameras: gpd.GeoDataFrame) -> pd.Series:
    """Name the pole of each camera (所属杆件): the stated `pole_id`, or the first camera within 2 m."""
    one, two = _pairs(cameras, SAME_PLACE_M)
    stated = _column(cameras, "pole_id")
    free = stated.isna().to_numpy()
    both = free[one] & free[two]
    return stated.where(~free, _named(cameras, one[both], two[both])).astype("str").rename("pole")


def _named(cameras: pd.DataFrame, one: NDArray[np.intp], two: NDArray[np.intp]) -> pd.Series:
    """Name connected groups by the id of their first row."""
    n = len(cameras)
    links = coo_array((np.ones(len(one), dtype=np.int8), (one, two)), shape=(n, n))
    group = connected_components(links, directed=False)[1] if n else np.empty(0, dtype=int)
    first = np.unique(group, return_index=True)[1][group]
    return pd.Series(cameras.index.astype("str").to_numpy(dtype=object)[first], index=cameras.index)


def _pairs(cameras: gpd.GeoDataFrame, within_m: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of rows (lower first) within a distance."""
    points = cameras.geometry.to_numpy()
    one, two = shapely.STRtree(points).query(points, predicate="dwithin", distance=within_m)
    keep = one < two
    order = np.lexsort((one[keep], two[keep]))
    return one[keep][order], two[keep][order]


def _channels(cameras: pd.DataFrame) -> NDArray[np.bool_]:
    code = cameras.index.astype("str").str.slice(10, 13).to_numpy() == "122"
    return np.isin(_number(cameras, "ptz_type"), MULTI_LENS) | code


def _absent(cameras: gpd.GeoDataFrame, name: str) -> NDArray[np.bool_]:
    if name == "place":
        return (cameras.geometry.isna() | cameras.geometry.is_empty).to_numpy()
    values = _column(cameras, name)
    if name == "has_contact":
        return ~values.fillna(False).astype(bool).to_numpy()
    if pd.api.types.is_string_dtype(values.dtype):
        return (values.isna() | (values.astype("str").str.strip() == "")).to_numpy()
    return values.isna().to_numpy()


def _column(cameras: pd.DataFrame, name: str) -> pd.Series:
    if name in cameras.columns:
        return cameras[name]
    return pd.Series(None, index=cameras.index, dtype=object)


def _number(cameras: pd.DataFrame, name: str) -> NDArray[np.float64]:
    return pd.to_numeric(_column(cameras, name), errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
