"""What is wrong in a table of addresses (地址表体检): found when it is compiled, before an operator finds it.

Each fault is one line of a table: `code`, `id`, `value`, `message`. Codes:
`address.outside-grid` (the point is not in the grid its row names), `address.no-grid` (in no base grid),
`address.number-jump` (a number stands far from its neighbours), `address.two-points` (one address at two
points), `address.similar-names` (two names of one district differ by a character or only in writing),
`address.name-twice` (one compound name at several places), `address.few-plates` (a street of one or two
plates: numbers on it can hardly be interpolated).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from geo.address import gazetteer as gz
from geo.address.gazetteer import TWO_POINTS_M
from geo.address.names import HOW
from geo.address.near_kernel import HOMOPHONE, LOOK_ALIKE
from geo.address.normalize import fold_text
from geo.address.resolve import house_text

if TYPE_CHECKING:
    from geo.address.around import BaseGrids
    from geo.address.gazetteer import Gazetteer

CODES = {
    "address.outside-grid": "坐标不在所写网格内",
    "address.no-grid": "坐标不在任何基础网格内",
    "address.number-jump": "门牌号顺序跳跃",
    "address.two-points": "同一地址两处坐标",
    "address.similar-names": "同县区名称易混",
    "address.name-twice": "小区重名",
    "address.few-plates": "门牌过少的道路",
}
COLUMNS = ("code", "id", "value", "message")
JUMP_M = 300.0
OUTSIDE_M = 30.0
FEW = 3


def audit(gazetteer: Gazetteer, grids: BaseGrids | None = None) -> pd.DataFrame:
    """Faults of the table that a gazetteer was compiled from.

    Parameters
    ----------
    gazetteer
        Compiled table.
    grids
        Base grids; without them, points are not compared with grids.

    Returns
    -------
    DataFrame
        `COLUMNS`, ordered by code and id; no faults: no rows.
    """
    rows = [
        *_jumps(gazetteer),
        *_two_points(gazetteer),
        *_similar(gazetteer),
        *_twice(gazetteer),
        *_few(gazetteer),
    ]
    if grids is not None and len(grids):
        rows += _grids(gazetteer, grids)
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.sort_values(["code", "id", "message"], ignore_index=True)


def summary(faults: pd.DataFrame) -> dict[str, int]:
    """Number of faults per code, every code named."""
    found = faults["code"].value_counts()
    return {code: int(found.get(code, 0)) for code in CODES}


_Row = tuple[str, str, str, str]


def _plate_text(g: Gazetteer, plate: int) -> str:
    return g.street_text[int(g.plate_street[plate])] + house_text(
        int(g.plate_num[plate]), int(g.plate_sub[plate])
    )


def _path_of_plates(g: Gazetteer) -> Any:  # noqa: ANN401 - an array
    path = np.empty(len(g.plate_num), np.int64)
    order = np.argsort(g.path_start)
    path[:] = np.repeat(order, (g.path_end - g.path_start)[order])
    return path


def _jumps(g: Gazetteer) -> list[_Row]:
    """A plate more than 300 m from both neighbours of its side, which are near each other."""
    if len(g.plate_num) < 3:
        return []
    path = _path_of_plates(g)
    order = np.lexsort((g.plate_num, g.plate_num % 2, path))
    x, y = g.plate_x[order], g.plate_y[order]
    group = path[order] * 2 + g.plate_num[order] % 2
    before, after = np.hypot(np.diff(x)[:-1], np.diff(y)[:-1]), np.hypot(np.diff(x)[1:], np.diff(y)[1:])
    across = np.hypot(x[2:] - x[:-2], y[2:] - y[:-2])
    one = (group[2:] == group[1:-1]) & (group[:-2] == group[1:-1])
    bad = np.flatnonzero(one & (before > JUMP_M) & (after > JUMP_M) & (across < JUMP_M))
    return [
        ("address.number-jump", g.plate_id[int(order[i + 1])], _plate_text(g, int(order[i + 1])),
         f"{before[i]:.0f} m and {after[i]:.0f} m from its neighbours, which are {across[i]:.0f} m apart")
        for i in bad
    ]  # fmt: skip


def _two_points(g: Gazetteer) -> list[_Row]:
    path = _path_of_plates(g)
    same = (np.diff(path) == 0) & (np.diff(g.plate_num) == 0) & (np.diff(g.plate_sub) == 0)
    far = np.hypot(np.diff(g.plate_x), np.diff(g.plate_y))
    return [
        ("address.two-points", g.plate_id[int(i) + 1], _plate_text(g, int(i)),
         f"{far[i]:.0f} m from row {g.plate_id[int(i)]} of the same address (over {TWO_POINTS_M:.0f} m)")
        for i in np.flatnonzero(same)
    ]  # fmt: skip


def _similar(g: Gazetteer) -> list[_Row]:
    """Pairs of street or compound names of one district that a caller may confuse."""
    kinds = {gz.STREET: ("street_area", g.street_text), gz.COMPOUND: ("compound_area", g.compound_text)}
    out: set[_Row] = set()
    for column, texts in kinds.values():
        place: dict[str, list[int]] = {}
        for i, area in enumerate(g.arrays[column].tolist()):
            place.setdefault(fold_text(texts[i]), []).append(_district(g, int(area)))
        for name, districts in place.items():
            if len(name) < 3:
                continue
            for start, end, other, _, how in g.names.near(name, limit=1.0):
                if start or end != len(name) or how not in (HOMOPHONE, LOOK_ALIKE):
                    continue
                text = g.names.texts[other]
                both = set(districts) & set(place.get(text, ()))
                if text > name and both:
                    district = min(both)
                    where = g.area_text[district] if district >= 0 else ""
                    out.add(
                        ("address.similar-names", f"{name}|{text}", where, f"differ only by a {HOW[how]}")
                    )
    return sorted(out)


def _district(g: Gazetteer, area: int) -> int:
    while area >= 0 and int(g.area_level[area]) != gz.DISTRICT and int(g.area_parent[area]) >= 0:
        area = int(g.area_parent[area])
    return area


def _twice(g: Gazetteer) -> list[_Row]:
    names = pd.Series([fold_text(t) for t in g.compound_text.tolist()], dtype=object)
    named = names[names != ""]
    counts = named.value_counts()
    out = []
    for name in sorted(counts[counts > 1].index):
        at = np.flatnonzero((names == name).to_numpy())
        spread = float(np.hypot(np.ptp(g.compound_x[at]), np.ptp(g.compound_y[at])))
        out.append(("address.name-twice", str(name), str(len(at)), f"places up to {spread:.0f} m apart"))
    return out


def _few(g: Gazetteer) -> list[_Row]:
    count = (
        np.bincount(g.plate_street, minlength=len(g.street_area)) if len(g.street_area) else np.zeros(0, int)
    )
    return [
        (
            "address.few-plates",
            g.street_text[int(i)],
            str(int(count[i])),
            "numbered plate(s) on it",
        )
        for i in np.flatnonzero((count > 0) & (count < FEW))
    ]


def _grids(g: Gazetteer, grids: BaseGrids) -> list[_Row]:
    """Plates and buildings whose point and grid code disagree; two arrays of points against one tree."""
    out: list[_Row] = []
    for kind in ("plate", "building"):
        x, y, code = (g.arrays[f"{kind}_{c}"] for c in ("x", "y", "grid"))
        if not len(x):
            continue
        points = shapely.points(x, y)
        inside = np.full(len(x), -1, np.int64)
        at, grid = grids.tree.query(points, predicate="intersects")
        inside[at[::-1]] = grid[::-1]
        said = np.array([grids.index_of(t) for t in g.grid_text.tolist()], np.int64)[code]
        out += [
            ("address.no-grid", _id(g, kind, int(i)), _text(g, kind, int(i)), "in no base grid")
            for i in np.flatnonzero(inside < 0)
        ]
        other = np.flatnonzero((said >= 0) & (inside >= 0) & (said != inside))
        away = shapely.distance(grids.shapes[said[other]], points[other])
        for i, metres in zip(other[away > OUTSIDE_M], away[away > OUTSIDE_M], strict=True):
            message = (
                f"row says {grids.ids[said[i]]}, point lies in {grids.ids[inside[i]]}, {metres:.0f} m away"
            )
            out.append(("address.outside-grid", _id(g, kind, int(i)), _text(g, kind, int(i)), message))
    return out


def _id(g: Gazetteer, kind: str, at: int) -> str:
    if kind == "plate":
        return g.plate_id[at]
    compound = int(np.searchsorted(g.building_ptr, at, "right")) - 1
    return f"{g.compound_text[compound]}#{int(g.building_code[at])}"


def _text(g: Gazetteer, kind: str, at: int) -> str:
    if kind == "plate":
        return _plate_text(g, at)
    return g.compound_text[int(np.searchsorted(g.building_ptr, at, "right")) - 1]
