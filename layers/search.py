"""Find a grid by code or name (网格查找)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geo.scope import visible_grids

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
    ids, names = table["grid_id"].str.lower(), table["name"].str.lower()
    hit = ids.str.startswith(wanted) | names.str.contains(wanted, regex=False)
    found = table[hit.to_numpy(dtype=bool) & seen(city, scope)]
    exact = (found["grid_id"].str.lower() == wanted) | (found["name"].str.lower() == wanted)
    order = np.lexsort([found["grid_id"], found["level"], ~exact])
    return rows(found.iloc[order[:limit]])


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
