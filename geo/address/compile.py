"""Compile the tables of a city into a gazetteer (编译地名地址库)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import shapely
from scipy.spatial import cKDTree

from geo.address import elements as el
from geo.address.doors import Builder, add_compounds, add_plates
from geo.address.gazetteer import (
    AREA,
    COMPOUND,
    DEVICES,
    DISTRICT,
    NEEDS_NUMBER,
    NONE,
    POI,
    ROAD_LINE,
    STREET,
    TOWN,
    VILLAGE,
    Gazetteer,
    content_version,
    short_roads,
)
from geo.address.lines import compile_lines
from geo.address.names import NameIndex, Strings, char_told
from geo.address.normalize import fold_text
from geo.address.rows import Rows, distinct_rows, group_mean, group_radius, read_rows
from geo.address.sides import learn

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    from numpy.typing import NDArray


_AREA_END = re.compile(r"(?:街道办事处|街道|社区居委会|社区|居委会|村委会|[区县市镇乡村里旗])$")
_BRANCH = re.compile(r"^(.{3,}?)[^一-鿿A-Z0-9]?[^()]{1,8}(?:店|分店|支行|营业部|门店)$")


def compile_gazetteer(
    addresses: pd.DataFrame,
    *,
    roads: gpd.GeoDataFrame | None = None,
    facilities: gpd.GeoDataFrame | None = None,
    grids: gpd.GeoDataFrame | None = None,
    version: str = "",
) -> Gazetteer:
    """Compile the tables of a city into a gazetteer (编译地名地址库).

    Parameters
    ----------
    addresses
        Table `addresses`: points in metres (or columns `x`, `y`); `standard` or element columns.
    roads, facilities, grids
        Tables of the same city; each may be missing. Only grids of level 1 and 2 give names, and only
        facilities that are a place (not a smoke alarm or a gas cylinder in one).
    version
        Name of this compilation; empty: made from the content.

    Returns
    -------
    Gazetteer
        Rows without a usable point are left out. No rows: a gazetteer that finds nothing.
    """
    build = Builder()
    rows = read_rows(addresses)
    _areas(build, rows, grids)
    _streets(build, rows)
    add_plates(build, rows)
    build.arrays |= learn(build.arrays)
    add_compounds(build, rows)
    _pois(build, facilities)
    build.arrays |= compile_lines(build.arrays, roads, build.name, ROAD_LINE)
    _street_roads(build)
    return _finish(build, version)


def _areas(build: Builder, rows: Rows, grids: gpd.GeoDataFrame | None) -> None:
    """Districts, towns and villages with a parent and a middle; the narrowest of each row is its area."""
    names: list[str] = []
    level: list[int] = []
    parent: list[int] = []
    xs: list[float] = []
    ys: list[float] = []
    above = np.full(len(rows.x), NONE, np.int64)
    narrow = above
    district_of = town_of = above
    for column, rank in (("district", DISTRICT), ("town", TOWN), ("village", VILLAGE)):
        empty = np.array([t == "" for t in rows.text[column]], bool)
        given = ~empty[rows.code[column]] if len(empty) else np.zeros(0, bool)
        if not given.any():
            continue
        at = np.flatnonzero(given)
        first, group = distinct_rows(narrow[at], rows.code[column][at])
        base = len(names)
        names += [rows.text[column][rows.code[column][at[i]]] for i in first]
        level += [rank] * len(first)
        parent += narrow[at[first]].tolist()
        xs += group_mean(rows.x[at], group, len(first)).tolist()
        ys += group_mean(rows.y[at], group, len(first)).tolist()
        new = narrow.copy()
        new[at] = base + group
        narrow = new
        if rank == DISTRICT:
            district_of = town_of = new
        elif rank == TOWN:
            town_of = new
    rows.area = narrow
    radius = np.full(len(names), 500.0, np.float32)
    for codes in (district_of, town_of, narrow):
        at = np.flatnonzero(codes >= 0)
        seen = np.unique(codes[at])
        radius[seen] = group_radius(rows.x[at], rows.y[at], codes[at], len(names))[seen]
    if grids is not None and len(grids):
        for name, rank, x, y in _grid_areas(grids, {fold_text(n) for n in names}):
            names.append(name)
            level.append(rank)
            parent.append(NONE)
            xs.append(x)
            ys.append(y)
        radius = np.append(radius, np.full(len(names) - len(radius), 800.0, np.float32))
    build.text("area_text", names)
    build.arrays |= {
        "area_level": np.array(level, np.int16),
        "area_parent": np.array(parent, np.int32),
        "area_x": np.array(xs, np.float64),
        "area_y": np.array(ys, np.float64),
        "area_radius": radius,
        "row_district": district_of,
        "row_town": town_of,
    }
    for i, name in enumerate(names):
        folded = fold_text(name)
        build.name(folded, AREA, i)
        stem = _AREA_END.sub("", folded)
        if stem != folded and len(stem) >= 2:
            build.name(stem, AREA, i, 0.3)


def _grid_areas(grids: gpd.GeoDataFrame, have: set[str]) -> list[tuple[str, int, float, float]]:
    """(name, level, x, y) of towns and villages that the grid table names and no address does."""
    high = grids[grids["level"].isin([1, 2]).to_numpy(bool) & grids["name"].notna().to_numpy(bool)]
    middles = high.geometry.representative_point()
    return [
        (str(name), TOWN if int(rank) == 1 else VILLAGE, point.x, point.y)
        for name, rank, point in zip(high["name"], high["level"], middles, strict=True)
        if fold_text(str(name)) not in have
    ]


def _streets(build: Builder, rows: Rows) -> None:
    """Streets: one name in one district; a name that repeats its numbers between towns is several."""
    road = rows.code["road"]
    texts = list(rows.text["road"])
    number = rows.code["number"]
    blank_road = np.array([t == "" for t in texts], bool)
    blank_number = np.array([t == "" for t in rows.text["number"]], bool)
    numbered = ~blank_number[number] if len(number) else np.zeros(0, bool)
    village = np.array(
        [fold_text(re.sub("(社区居委会|居委会|村委会|社区)$", "", t)) for t in rows.text["village"]]
    )
    loose = blank_road[road] & numbered if len(road) else np.zeros(0, bool)
    if loose.any():  # 杨家村25号: the village is the street
        road = road.copy()
        known = {t: i for i, t in enumerate(texts)}
        for code in np.unique(rows.code["village"][loose]):
            if village[code]:
                at = known.setdefault(str(village[code]), len(texts))
                if at == len(texts):
                    texts.append(str(village[code]))
                road[loose & (rows.code["village"] == code)] = at
    blank = np.array([t == "" for t in texts], bool)
    used = np.flatnonzero(~blank[road]) if len(road) else np.zeros(0, np.int64)
    scope = _scope(rows, road.astype(np.int64), used, build.arrays["row_district"], build.arrays["row_town"])
    first, group = distinct_rows(scope[used], road[used])
    rows.street = np.full(len(rows.x), NONE, np.int64)
    rows.street[used] = group
    size = len(first)
    x, y = rows.x[used], rows.y[used]
    build.text("street_text", [texts[road[used[i]]] for i in first])
    build.arrays |= {
        "street_area": scope[used[first]].astype(np.int32) if size else np.zeros(0, np.int32),
        "street_x": group_mean(x, group, size),
        "street_y": group_mean(y, group, size),
        "street_size": np.bincount(group, minlength=size).astype(np.int32),
        "street_radius": group_radius(x, y, group, size),
    }
    for i, row in enumerate(first):
        folded = fold_text(texts[road[used[row]]])
        build.name(folded, STREET, i)
        for short, penalty in short_roads(folded):
            build.name(short, STREET, i, penalty, NEEDS_NUMBER)


def _scope(
    rows: Rows,
    road: NDArray[np.int64],
    used: NDArray[np.int64],
    district: NDArray[np.int64],
    towns: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Area that makes a street name unique: the district, or the town where towns repeat its numbers."""
    scope = district.copy()
    town = rows.code["town"]
    if len(rows.text["town"]) < 2 or not len(used):
        return np.where(scope == NONE, towns, scope)
    same, group = distinct_rows(district[used], road[used], rows.code["lane"][used], rows.code["number"][used],
                            rows.code["building"][used])  # fmt: skip
    first_town = town[used][same][group]
    far = np.hypot(rows.x[used] - rows.x[used][same][group], rows.y[used] - rows.y[used][same][group]) > 500
    repeats = (town[used] != first_town) & far
    _, street = distinct_rows(district[used], road[used])
    share = np.bincount(street, repeats) / np.bincount(street)
    split = share[street] > 0.05
    scope[used[split]] = towns[used[split]]
    return np.where(scope == NONE, towns, scope)


def _pois(build: Builder, facilities: gpd.GeoDataFrame | None) -> None:
    """Named facilities and the street their address names."""
    if facilities is None or not len(facilities) or "name" not in facilities.columns:
        table = None
    else:
        points = facilities.geometry.to_numpy()
        good = np.isfinite(shapely.get_x(points)) & facilities["name"].notna().to_numpy(bool)
        good &= ~facilities["kind"].isin(DEVICES).to_numpy(bool)
        table = facilities.loc[good]
    names = [] if table is None else [str(n) for n in table["name"]]
    points = np.array([]) if table is None else table.geometry.to_numpy()
    address = [""] * len(names)
    if table is not None and "address" in table.columns:
        address = [str(a) if isinstance(a, str) else "" for a in table["address"]]
    build.text("poi_text", names)
    build.text("poi_street", [el.split_text(a)[3] if a else "" for a in address])
    x = shapely.get_x(points) if len(points) else np.zeros(0)
    y = shapely.get_y(points) if len(points) else np.zeros(0)
    area = np.full(len(names), NONE, np.int32)
    plates = np.column_stack([build.arrays["plate_x"], build.arrays["plate_y"]])
    if len(plates) and names:
        away, at = cKDTree(plates).query(np.column_stack([x, y]), distance_upper_bound=500.0)
        near = np.isfinite(away)
        area[near] = build.arrays["plate_area"][at[near]]
    build.arrays |= {"poi_x": x, "poi_y": y, "poi_area": area}
    for i, name in enumerate(names):
        folded = fold_text(name)
        build.name(folded, POI, i)
        inner = re.match(r"^(.{2,}?)[(（【\[]", name)
        if inner:
            build.name(fold_text(inner[1]), POI, i, 0.5)
        branch = _BRANCH.match(folded)
        if branch and not inner:
            build.name(branch[1], POI, i, 0.9)


def _street_roads(build: Builder) -> None:
    """Road line of every street, by name; short forms of the roads."""
    roads = Strings(build.arrays["road_text_blob"], build.arrays["road_text_ptr"]).tolist()
    at = {fold_text(name): i for i, name in enumerate(roads)}
    streets = Strings(build.arrays["street_text_blob"], build.arrays["street_text_ptr"]).tolist()
    build.arrays["street_road"] = np.array([at.get(fold_text(s), NONE) for s in streets], np.int32)
    for folded, i in at.items():
        for short, penalty in short_roads(folded):
            build.name(short, ROAD_LINE, i, penalty, NEEDS_NUMBER)


def _finish(build: Builder, version: str) -> Gazetteer:
    """Postings sorted by name, the index of names, and the version from the content."""
    rows = build.rows
    table = np.array([(n, k, a, f) for n, k, a, _, f in rows], np.int64).reshape(-1, 4)
    penalty = np.array([p for *_, p, _ in rows], np.float32)
    order = np.lexsort((penalty, table[:, 0]))
    table, penalty = table[order], penalty[order]
    names = list(build.names)
    kinds = np.zeros(len(names), np.int64)
    np.bitwise_or.at(kinds, table[:, 0], np.left_shift(1, table[:, 1]))
    near = np.array([sum("一" <= c <= "鿿" for c in n) >= 2 or len(n) >= 3 for n in names], bool)
    full = np.zeros(len(names), bool)
    full[table[penalty <= 0, 0]] = True
    near &= full | np.array(
        [len(n) >= 3 for n in names], bool
    )  # a short form of two characters: only as it is
    build.arrays |= {
        "posting_ptr": np.searchsorted(table[:, 0], np.arange(len(names) + 1)).astype(np.int64),
        "posting_kind": table[:, 1].astype(np.uint8),
        "posting_at": table[:, 2].astype(np.int32),
        "posting_flag": table[:, 3].astype(np.uint8),
        "posting_penalty": penalty,
        "name_kinds": kinds.astype(np.uint8),
    }
    build.arrays = {k: v for k, v in build.arrays.items() if not k.startswith("row_")}
    doors = (kinds & ((1 << STREET) | (1 << COMPOUND))) != 0
    build.arrays["char_told"] = char_told([n for n, good in zip(names, full & doors, strict=True) if good])
    index = NameIndex.build(names, near & (kinds != 0))
    arrays = {**build.arrays, **index.arrays}
    return Gazetteer(version or content_version(arrays), arrays, index)
