"""Parents, children and codes of the grids (网格隶属与编码检查)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

from geo import codes
from geo.quality.checks import SLIVER_M, Tables, check, faults
from geo.quality.tiling import mean_width_m, polygonal

if TYPE_CHECKING:
    from collections.abc import Iterator

    import geopandas as gpd
    from numpy.typing import NDArray


@check
def hierarchy(tables: Tables) -> Iterator[gpd.GeoDataFrame]:
    """Parents that are absent, unknown, of a wrong level; grids with nothing below."""
    grids = tables.get("grids")
    if not len(grids):
        return
    ids, shapes = grids.index.astype("str").to_numpy(object), grids.geometry.to_numpy()
    level = grids["level"].astype("float64").to_numpy()
    parent = grids["parent_id"].fillna("").astype("str").to_numpy(object)
    at = parent_position(grids)

    def fault(code: str, rows: NDArray[np.bool_], value: object, text: str) -> gpd.GeoDataFrame:
        return faults(
            code, "grids", ids[rows], value=value, message=text, shapes=shapes[rows], crs=tables.crs
        )

    absent = (parent == "") & (level > np.nanmin(level))
    yield fault("grid.parent.absent", absent, "", "parent_id is empty below the top level")
    unknown = (parent != "") & (at < 0)
    yield fault("grid.parent.unknown", unknown, parent[unknown], "parent_id is not a grid")
    wrong = (at >= 0) & (level[at] >= level)
    yield fault("grid.parent.level", wrong, parent[wrong], "the parent must be of a level above")
    named = np.zeros(len(ids), bool)
    named[at[at >= 0]] = True
    base = level[(grids["kind"] == "base").to_numpy(bool)]
    deepest = base.max() if len(base) else np.nanmax(level)
    childless = ~named & (level < deepest) & (grids["kind"] == "admin").to_numpy(bool)
    yield fault("grid.childless", childless, "", "no grid names it as parent")


def parent_position(grids: gpd.GeoDataFrame) -> NDArray[np.int64]:
    """Row of each grid's parent, -1 for none; the first row where a code occurs twice."""
    place = pd.Series(np.arange(len(grids)), index=grids.index.astype("str"))
    place = place[~place.index.duplicated()]
    return np.asarray(place.reindex(grids["parent_id"].astype("str")).fillna(-1), dtype=np.int64)


@check
def leaving(tables: Tables) -> Iterator[gpd.GeoDataFrame]:
    """Children that leave their parent by more than a sliver; the part outside is the geometry.

    Dedicated grids (专属网格: a campus, a market) may lie across several villages.
    """
    grids = tables.get("grids")
    at = parent_position(grids)
    known = np.flatnonzero((at >= 0) & (grids["kind"] != "dedicated").to_numpy(bool))
    valid = polygonal(grids.geometry.to_numpy())
    child, parent = valid[known], valid[at[known]]
    shapely.prepare(parent)
    suspects = np.flatnonzero(~shapely.covers(parent, child))
    outside = shapely.difference(child[suspects], parent[suspects])
    wide = mean_width_m(outside) >= SLIVER_M
    yield faults(
        "grid.parent.leaves", "grids", grids.index[known[suspects[wide]]],
        value=shapely.area(outside[wide]).round(3), message="m² outside the parent", shapes=outside[wide],
        crs=tables.crs,
    )  # fmt: skip


@check
def grid_codes(tables: Tables) -> Iterator[gpd.GeoDataFrame]:
    """Codes against the city's scheme, and against the parent's code. No scheme: codes are opaque."""
    grids = tables.get("grids")
    if not tables.scheme or not len(grids):
        return
    scheme = codes.scheme(tables.scheme)
    text = pd.Series(grids.index.astype("str").to_numpy())
    why = codes.faults(text, grids["level"].reset_index(drop=True), scheme)
    bad = (why != "").to_numpy(bool)
    shapes = grids.geometry.to_numpy()
    allowed = f"scheme {scheme.name} allows {scheme.length} digits for a base grid"
    yield faults("grid.code", "grids", text[bad], value=why[bad].to_numpy(), message=allowed, shapes=shapes[bad],
                 crs=tables.crs)  # fmt: skip
    at = parent_position(grids)
    level = grids["level"].fillna(3).to_numpy("int64")
    parent = text.iloc[at].reset_index(drop=True)
    broken = np.zeros(len(grids), bool)
    for above in (1, 2):
        rows = (at >= 0) & (level > above) & (level[at] == above) & ~bad & ~bad[at]
        digits = scheme.region_digits(above)
        own = pd.concat([scheme.region(text[rows & (level == n)], int(n)) for n in (2, 3, 4)]).str.slice(
            0, digits
        )
        broken[rows] = (own.reindex(text.index[rows]) != scheme.region(parent[rows], above)).to_numpy(bool)
    yield faults("grid.code.parent", "grids", text[broken], value=parent[broken].to_numpy(),
                 message="region digits differ from those of the parent", shapes=shapes[broken],
                 crs=tables.crs)  # fmt: skip


@check
def grid_dates(tables: Tables) -> Iterator[gpd.GeoDataFrame]:
    """`valid_to` not after `valid_from`; a beginning in the future is fine (planned grids)."""
    grids = tables.get("grids")
    bad = (grids["valid_to"] <= grids["valid_from"]).fillna(value=False).to_numpy(bool)
    until = grids["valid_to"][bad].dt.strftime("%Y-%m-%d").to_numpy(object)
    yield faults("grid.dates", "grids", grids.index[bad], value=until, message="valid_to must be after valid_from",
                 shapes=grids.geometry.to_numpy()[bad], crs=tables.crs)  # fmt: skip
