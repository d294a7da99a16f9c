"""What everything else on a city rests on (基础): who watches, the ledger, and where things lie."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from geo.camera import devices, poles
from geo.camera.history import current_states
from geo.coverage import ledger as book
from geo.coverage.view import scene
from geo.coverage.watch import part, watch
from geo.errors import UnknownNameError

if TYPE_CHECKING:
    from typing import Any

    import geopandas as gpd
    from numpy.typing import NDArray

    from geo.city import City
    from geo.coverage.view import Scene
    from geo.coverage.watch import Watch

WATCHED = ("cameras", "camera_states", "buildings", "occluders")
GROUND = (*WATCHED, "grids", "water")
STATE = ["state", "state_since"]
GROUPS = {"camera": "监控点", "pole": "杆件", "switch": "交换机 / 供电回路", "unit": "管理单位"}


def scene_of(city: City) -> Scene:
    """Buildings and extra occluders, prepared (遮挡场景)."""
    return city.derive("scene", ("buildings", "occluders"), lambda: scene(city.buildings, city.occluders))


def cameras_of(city: City, *, secret: bool = False) -> gpd.GeoDataFrame:
    """Cameras in their newest state that may leave a trace: without `secret`, only those that are not secret."""

    def compute() -> gpd.GeoDataFrame:
        cameras, states = city.cameras, city.degrees("camera_states")
        if len(states):
            cameras = cameras.assign(state=current_states(cameras, states).astype(cameras["state"].dtype))
        return (
            cameras if secret else cameras[(cameras["secrecy"] != 1).fillna(value=True).to_numpy(dtype=bool)]
        )

    return city.derive(f"cameras:{secret}", ("cameras", "camera_states"), compute)


def watch_of(city: City, *, secret: bool = False, home: bool = True) -> Watch:
    """Fields of view of the city; after a change only what the change touches is swept again (监控能力)."""
    key = f"watch:{secret}:{home}"
    last: dict[str, tuple[gpd.GeoDataFrame, Watch]] = city.derive(f"{key}:last", (), dict)
    whole: dict[str, tuple[gpd.GeoDataFrame, Watch]] = city.derive(f"watch:True:{home}:last", (), dict)

    def compute() -> Watch:
        cameras, before = cameras_of(city, secret=secret), last.get("watch") or whole.get("watch")
        known = (
            None
            if before is None or before[1].fields.scene is not scene_of(city)
            else _kept(cameras, *before)
        )
        if known is not None:
            found = replace(known, on=(cameras["state"] == "on").fillna(value=False).to_numpy(dtype=bool))
        else:
            previous = None if before is None else before[1]
            found = watch(cameras, scene_of(city), home=home, previous=previous)
        last["watch"] = cameras, found
        return found

    return city.derive(key, WATCHED, compute)


def watches_made(city: City) -> list[Watch]:
    """What `watch_of` has made last, with and without secret cameras; nothing is made for it."""
    made: list[Watch] = []
    for secret in (True, False):
        last: dict[str, tuple[gpd.GeoDataFrame, Watch]] = city.derive(f"watch:{secret}:True:last", (), dict)
        made += [last["watch"][1]] if "watch" in last else []
    return made


def _kept(now: gpd.GeoDataFrame, then: gpd.GeoDataFrame, known: Watch) -> Watch | None:
    """What was known, in the order of a register that differs at most in who is in order; None if more changed.

    Cameras go on and off all day, and none turns for it.
    """
    order = then.index.get_indexer(now.index)
    if len(now) != len(then) or (order < 0).any():
        return None
    then = then.iloc[order]
    removed = [(t["state"] == "removed").fillna(value=False).to_numpy(dtype=bool) for t in (now, then)]
    if (removed[0] != removed[1]).any() or not now.drop(columns=STATE).equals(then.drop(columns=STATE)):
        return None
    return known if (order == np.arange(len(order))).all() else part(known, order)


def ledger_of(city: City, *, secret: bool = False) -> gpd.GeoDataFrame:
    """Target ledger with the base grid of each target (目标覆盖台账); see `coverage.ledger.ledger`."""

    def compute() -> gpd.GeoDataFrame:
        table = book.ledger(city.targets, watch_of(city, secret=secret))
        return table.assign(grid_id=grid_of(city, city.targets.geometry))

    return city.keep(f"ledger:{secret}", (*WATCHED, "targets", "grids"), compute)


def grid_of(city: City, shapes: gpd.GeoSeries) -> NDArray[np.object_]:
    """Lowest grid that holds each shape's middle (所在基础网格); empty text outside."""
    middle = shapes.representative_point()
    lon, lat = city.to_degrees(middle.x.to_numpy(), middle.y.to_numpy())
    found = city.locate(lon, lat)
    best = np.full(len(shapes), "", dtype=object)
    for column in ("town", "village", "base"):
        if column in found:
            ids = found[column].to_numpy(dtype=object)
            best = np.where(pd.isna(ids), best, ids)
    return best


def lowest(grids: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether each grid is one of those that tile the city: of an ordinary kind, none below it (最低级网格)."""
    ordinary = ~grids["kind"].isin(["dedicated", "micro"]).to_numpy(dtype=bool)
    parents = set(grids.loc[ordinary, "parent_id"].dropna())
    return ordinary & ~grids.index.isin(parents)


def group_of(cameras: gpd.GeoDataFrame, by: str) -> pd.Series:
    """Name of the group of each camera, by a key of `GROUPS`; `UnknownNameError` for another."""
    if by == "camera":
        return devices(cameras)
    if by == "pole":
        return poles(cameras)
    if by not in GROUPS:
        raise UnknownNameError("group of cameras", by, GROUPS)
    return cameras["switch_id" if by == "switch" else "unit"]


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as plain data; missing values are None."""
    plain = table.astype(object).where(table.notna(), None)
    return [
        {str(k): v.item() if hasattr(v, "item") else v for k, v in row.items()}
        for row in plain.to_dict("records")
    ]
