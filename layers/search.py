"""Find a grid or a camera by code or name (网格、监控点查找)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geo.scope import visible_cameras, visible_grids

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from geo.city import City
    from geo.scope import Scope


def find_grids(city: City, text: str, *, scope: Scope, limit: int = 12) -> list[dict[str, Any]]:
    """Grids whose code begins with, or whose name contains, `text`: towns first, then villages, then grids.

    Parameters
    ----------
    city
        Snapshot.
    text
        Beginning of a code, or part of a name; case and blanks around it do not matter.
    scope
        Grids outside it are not found.
    limit
        At most so many.

    Returns
    -------
    list
        `grid_id`, `name`, `parent` (name of the grid above), `bbox` and `at` (a point inside), degrees. An
        exact code or name comes first. Nothing found, or no text: empty.
    """
    wanted = text.strip().lower()
    table = directory(city)
    if not wanted:
        return []
    hit, exact = _matches(city.derive("grid-words", ("grids",), lambda: _lower(table)), wanted)
    found = np.flatnonzero(hit & seen(city, scope))
    order = np.lexsort([found, table["level"].to_numpy()[found], ~exact[found]])
    return rows(table.iloc[found[order[:limit]]])


def find_cameras(city: City, text: str, *, scope: Scope, limit: int = 12) -> list[dict[str, Any]]:
    """Cameras whose code begins with, or whose name contains, `text` (监控点查找).

    Parameters
    ----------
    city
        Snapshot.
    text
        Beginning of a code, or part of a name; case and blanks around it do not matter.
    scope
        Cameras in grids outside it, and secret ones below their role, are not found.
    limit
        At most so many.

    Returns
    -------
    list
        `camera_id`, `name`, `state`, `lon` and `lat` (degrees). An exact code or name comes first, then by code.
        Nothing found, or no text: empty.
    """
    wanted = text.strip().lower()
    cameras = city.degrees("cameras")
    if not wanted or not len(cameras):
        return []
    words = city.derive("camera-words", ("cameras",), lambda: _lower(cameras.reset_index()))
    hit, exact = _matches(words, wanted)
    found = np.flatnonzero(hit & visible_cameras(cameras, scope).to_numpy(dtype=bool))
    if not scope.whole_city:
        places = cameras.geometry.iloc[found]
        chain = city.locate(places.x.to_numpy(), places.y.to_numpy())
        grids = city.degrees("grids")
        reach = grids.index[visible_grids(grids, scope).to_numpy(dtype=bool)]
        found = found[chain.isin(set(reach)).any(axis=1).to_numpy()]
    part = cameras.iloc[found[np.lexsort([found, ~exact[found]])[:limit]]]
    names, states = (part[c].astype(object).where(part[c].notna(), None) for c in ("name", "state"))
    return [
        {"camera_id": str(i), "name": name, "state": state, "lon": round(p.x, 7), "lat": round(p.y, 7)}
        for i, name, state, p in zip(part.index, names, states, part.geometry, strict=True)
    ]


Words = tuple[list[str], list[str]]


def _lower(table: pd.DataFrame) -> Words:
    """Codes (the first column that ends in `_id`) and names of a table in lower case."""
    key = next(c for c in table.columns if c.endswith("_id"))
    return table[key].str.lower().tolist(), table["name"].fillna("").str.lower().tolist()


def _matches(words: Words, wanted: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows begin with, or hold, what is wanted; which are exactly it."""
    pairs = list(zip(*words, strict=True))
    hit = np.fromiter((wanted in name or code.startswith(wanted) for code, name in pairs), bool, len(pairs))
    exact = np.zeros(len(pairs), dtype=bool)
    for i in np.flatnonzero(hit):
        exact[i] = wanted in pairs[i]
    return hit, exact


def seen(city: City, scope: Scope) -> NDArray[np.bool_]:
    """Which rows of `directory` a scope sees."""
    mask: NDArray[np.bool_] = visible_grids(city.degrees("grids"), scope).to_numpy(dtype=bool)
    return mask


def rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Turn rows of `directory` into plain data."""
    return [
        {"grid_id": r.grid_id, "name": r.name_, "parent": r.parent, "bbox": list(r.bbox), "at": list(r.at)}
        for r in table.rename(columns={"name": "name_"}).itertuples()
    ]


def directory(city: City) -> pd.DataFrame:
    """Every grid with code, name, name above, level, box and a point inside, degrees; once per version."""
    return city.derive("grid-directory", ("grids",), lambda: _directory(city))


def _directory(city: City) -> pd.DataFrame:
    grids = city.degrees("grids")
    shapes = grids.geometry.to_numpy()
    inside = shapely.get_coordinates(shapely.point_on_surface(shapes))
    parent = grids["name"].reindex(grids["parent_id"]).fillna("").to_numpy()
    return grids[["level"]].assign(
        grid_id=grids.index,
        name=grids["name"].fillna(""),
        parent=parent,
        level=grids["level"].fillna(9),
        bbox=[tuple(b) for b in np.round(shapely.bounds(shapes), 6).tolist()],
        at=[tuple(p) for p in np.round(inside, 6).tolist()],
    )
