"""What a file lacks and the rest of it says for certain (推导): levels, kinds, names and parents of grids, grid of an address."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from geo import schema
from geo.errors import ImportRefusedError
from geo.io.cleaning import clean
from geo.io.hanzi import fold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geo.city import City
    from geo.io.report import Report
    from geo.io.rows import FilePlan
    from geo.io.source import Source

INSIDE = 0.9
"""A grid belongs to the grid above that holds at least this share of its area."""

_KIND = {1: "admin", 2: "admin", 3: "base", 4: "micro"}


def parent_headers(source: Source, parents: Sequence[str]) -> tuple[str, ...]:
    """Headers of the file that `--parents` names, in its order; a header that the format cut fits its whole name.

    Raises `ImportRefusedError` for a name that the file does not have.
    """
    known = {fold(h): h for h in source.columns}
    result = []
    for name in parents:
        cut = [h for h in source.cut if fold(name).startswith(fold(h))]
        header = known.get(fold(name)) or (cut[0] if len(cut) == 1 else "")
        if not header:
            raise ImportRefusedError(
                f"{source.name}: no column {name!r} for --parents; allowed: {', '.join(source.columns)}"
            )
        result.append(header)
    return tuple(result)


def grid_constants(
    found: dict[str, str], constants: dict[str, str], parents: Sequence[str], report: Report
) -> None:
    """Set `level` and `kind` where neither the file nor the user says them.

    The level is 3 (基础网格), with three parents 4 (微网格), so that every level is kept; the kind follows the level.
    """
    if len(parents) >= max(schema.GRID_LEVELS):
        raise ImportRefusedError(
            f"--parents names {len(parents)} levels above the rows ({', '.join(parents)}); allowed: at most 3, nearest "
            "first, up to the town 镇街 (level 1). Leave out what lies above it"
        )
    if "level" not in found and "level" not in constants:
        level = max(3, len(parents) + 1)
        constants["level"] = str(level)
        more = "--set level=3 makes them base grids 基础网格" if level != 3 else "--set level=n says another"
        report.note(f"level {level} ({schema.GRID_LEVELS[level]}) taken for every row ({more})")
    if "kind" not in found and "kind" not in constants and constants.get("level", "").isdigit():
        constants["kind"] = _KIND.get(int(constants["level"]), "base")
    if "kind" not in found and "kind" not in constants:
        constants["kind"] = "base"


def grids(frame: gpd.GeoDataFrame, raw: pd.DataFrame, plan: FilePlan, report: Report) -> gpd.GeoDataFrame:
    """Names, parents and, from the columns `plan.parents` of the raw rows, the levels above of a file of grids."""
    result = _with_levels_above(frame, raw, plan, report) if plan.parents else frame.copy()
    unnamed = result["name"].isna()
    if unnamed.any():
        result.loc[unnamed, "name"] = result.index[unnamed]
        report.derived["name.from_code"] += int(unnamed.sum())
    return _with_parents(result, plan.city, report)


def _with_levels_above(
    base: gpd.GeoDataFrame, raw: pd.DataFrame, plan: FilePlan, report: Report
) -> gpd.GeoDataFrame:
    """Join base grids by the codes of their parents, nearest level first, into the grids above."""
    level = int(base["level"].max()) if len(base) else max(3, len(plan.parents) + 1)
    names = _fitting(plan.parents, level, report)
    codes = _parent_codes(base, raw, plan, names)
    parts = [base.assign(parent_id=codes.iloc[:, 0].to_numpy())]
    for step, name in enumerate(codes.columns):
        above = codes.columns[step + 1] if step + 1 < len(codes.columns) else None
        upper = _joined_level(base, codes[name], level - 1 - step)
        if above is not None:
            upward = codes[[name, above]].dropna().drop_duplicates().set_index(name)[above]
            upper["parent_id"] = upward.reindex(upper.index).to_numpy()
        report.derived[f"grids of level {level - 1 - step} from {name}"] += len(upper)
        parts.append(upper)
    both = pd.concat([schema.conform("grids", p)[0] for p in parts])
    repeated = both.index[both.index.duplicated()]
    if len(repeated):
        raise ImportRefusedError(
            f"{plan.path}: code {repeated[0]!r} stands for grids of two levels; allowed: codes that differ "
            "between levels"
        )
    return gpd.GeoDataFrame(both, geometry="geometry", crs=base.crs)


def _fitting(parents: Sequence[str], level: int, report: Report) -> list[str]:
    """Parents that have a level: counted from the town (镇街) down; what lies between village and rows is left out."""
    room = level - 1
    if room < 1:
        raise ImportRefusedError(
            "--parents names levels above level 1 (镇街), which is the highest; allowed: no --parents, or --set level=3"
        )
    kept = list(parents[-room:])
    left = list(parents[: len(parents) - len(kept)])
    if left:
        report.note(
            f"{', '.join(left)} not made into grids: above level {level} there are {room} levels, taken from "
            f"{' and '.join(kept)}; --set level={level + len(left)} keeps every level"
        )
    return kept


def _parent_codes(
    base: gpd.GeoDataFrame, raw: pd.DataFrame, plan: FilePlan, names: Sequence[str]
) -> pd.DataFrame:
    """Codes of the levels above on the index of `base`; refuse those that do not nest."""
    key = plan.headers.get("grid_id")
    if key is None:
        raise ImportRefusedError(
            f"{plan.path}: --parents needs a column of grid codes (--column HEADER=grid_id)"
        )
    table = pd.DataFrame({h: clean(raw[h])[0] for h in [key, *names]})
    table = table.drop_duplicates(subset=key).set_index(key).reindex(base.index)
    for below, above in pairwise(names):
        pairs = table[[below, above]].dropna().drop_duplicates()
        twice = pairs[below][pairs[below].duplicated()]
        if len(twice):
            which = sorted(pairs.loc[pairs[below] == twice.iloc[0], above])
            raise ImportRefusedError(
                f"{plan.path}: column {below!r} value {twice.iloc[0]!r} lies in {len(which)} values of {above!r} "
                f"({', '.join(which[:3])}); allowed: one parent each"
            )
    return table


def _joined_level(base: gpd.GeoDataFrame, codes: pd.Series, level: int) -> gpd.GeoDataFrame:
    """One grid per code: the union of its base grids; their first day where all share one."""
    at, keys = pd.factorize(codes, sort=True)
    order = np.argsort(at, kind="stable")
    order = order[at[order] >= 0]
    starts = np.searchsorted(at[order], np.arange(1, len(keys)))
    joined = [_union(part) for part in np.split(base.geometry.to_numpy()[order], starts)]
    days = base["valid_from"].dropna().unique()
    data = {
        "level": level,
        "kind": _KIND[level],
        "valid_from": days[0] if len(days) == 1 and base["valid_from"].notna().all() else pd.NaT,
        "parent_id": None,
    }
    index = pd.Index(keys.astype("str"), name="grid_id")
    return gpd.GeoDataFrame(data, geometry=np.array(joined, dtype="object"), index=index, crs=base.crs)


def _union(shapes: NDArray[np.object_]) -> shapely.Geometry:
    """Join cells: a coverage by dropping shared edges (exact), anything else by a full union."""
    if len(shapes) == 1:
        return shapes[0]
    if shapely.coverage_is_valid(shapes):
        return shapely.orient_polygons(shapely.coverage_union_all(shapes))
    return shapely.orient_polygons(shapely.union_all(shapes))


def _with_parents(frame: gpd.GeoDataFrame, city: City, report: Report) -> gpd.GeoDataFrame:
    """Fill a missing `parent_id` with the grid one level up that holds at least `INSIDE` of the area."""
    level = frame["level"].astype("float64").to_numpy()
    orphan = frame["parent_id"].isna().to_numpy() & (level > 1)
    stored = city.degrees("grids")
    above = pd.concat([stored[~stored.index.isin(frame.index)], frame]) if len(stored) else frame
    result = frame
    for one in np.unique(level[orphan]):
        upper = above[above["level"].astype("float64") == one - 1]
        here = np.flatnonzero(orphan & (level == one))
        if not len(upper):
            report.note(
                f"{len(here):,} grids of level {one:.0f} have no parent: there is no grid of level {one - 1:.0f} yet"
            )
            continue
        parents = _containing(frame.geometry.to_numpy()[here], upper)
        result = result.copy() if result is frame else result
        result.iloc[here, result.columns.get_loc("parent_id")] = parents
        found = int(pd.notna(parents).sum())
        report.derived["parent_id.from_containment"] += found
        if found < len(here):
            report.note(
                f"{len(here) - found:,} grids of level {one:.0f} lie in no grid of level {one - 1:.0f} to {INSIDE:.0%}: no parent"
            )
    return result


def _containing(shapes: NDArray[np.object_], upper: gpd.GeoDataFrame) -> NDArray[np.object_]:
    tree = shapely.STRtree(upper.geometry.to_numpy())
    child, candidate = tree.query(shapes, predicate="intersects")
    shared = shapely.area(shapely.intersection(shapes[child], upper.geometry.to_numpy()[candidate]))
    share = shared / np.maximum(shapely.area(shapes[child]), 1e-300)
    good = share >= INSIDE
    order = np.lexsort((candidate[good], -share[good], child[good]))
    child, candidate = child[good][order], candidate[good][order]
    first = np.unique(child, return_index=True)[1]
    result = np.full(len(shapes), None, dtype="object")
    result[child[first]] = upper.index.to_numpy(dtype="object")[candidate[first]]
    return result


def grid_of(shapes: NDArray[np.object_], city: City) -> pd.Series:
    """Code of the base grid that holds each point; missing where none does. On a border the lowest code wins."""
    stored = city.degrees("grids")
    found = np.full(len(shapes), None, dtype="object")
    level = stored["level"].astype("float64").to_numpy()
    base = stored[level == (3 if (level == 3).any() else level.max())] if len(stored) else stored
    if len(base):
        tree = shapely.STRtree(base.geometry.to_numpy())
        point, grid = tree.query(shapes, predicate="intersects")
        codes = base.index.to_numpy(dtype="object")[grid]
        order = np.lexsort((codes.astype("str"), point))
        point, codes = point[order], codes[order]
        first = np.unique(point, return_index=True)[1]
        found[point[first]] = codes[first]
    return pd.Series(found, dtype="str")


_ELEMENTS = ("district", "town", "village", "road", "lane", "number", "compound", "building", "unit", "room")


def addresses(frame: gpd.GeoDataFrame, city: City, report: Report) -> gpd.GeoDataFrame:
    """Fill a missing standard text from its elements, and a missing `grid_id` with the base grid of the point.

    The village stands in the text only where there is no road: a door plate says one or the other.
    """
    unnamed = frame["standard"].isna().to_numpy()
    result = frame
    if unnamed.any():
        parts = frame.loc[unnamed, list(_ELEMENTS)].astype("str").fillna("")
        parts["village"] = parts["village"].where(parts["road"] == "", "")
        text = parts["district"].str.cat([parts[c] for c in _ELEMENTS[1:]])
        result = frame.copy()
        result.loc[unnamed, "standard"] = text.where(text != "").to_numpy()
        report.derived["standard.from_elements"] += int((text != "").sum())
    return _address_grids(result, city, report)


def _address_grids(frame: gpd.GeoDataFrame, city: City, report: Report) -> gpd.GeoDataFrame:
    missing = frame["grid_id"].isna().to_numpy()
    if not missing.any():
        return frame
    found = grid_of(frame.geometry.to_numpy()[missing], city)
    result = frame.copy()
    result.iloc[np.flatnonzero(missing), result.columns.get_loc("grid_id")] = found.to_numpy()
    report.derived["grid_id.from_containment"] += int(found.notna().sum())
    return result
