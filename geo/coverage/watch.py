"""Who watches (监控能力): fields of view with what is known of each camera's state, light and picture.

Six claims about one place, each harder than the one before; every claim implies those above it:

===========  ==========================================================================================
nominal      a registered camera is within its range, whatever it looks at and whatever stands between
geometric    the place lies in the field of view of a camera, among buildings and walls
quality      and the picture there has the pixel density that is asked for
available    and the camera is in order (state on)
night        and it has a light of its own
twice        and two devices do all that
===========  ==========================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

from geo.camera import DEFAULTS, devices
from geo.coverage.level import ground_reach_m, reach_m
from geo.coverage.sector import TWO_PI
from geo.coverage.view import Fields, fields, seen, with_range

if TYPE_CHECKING:
    from collections.abc import Mapping

    import geopandas as gpd
    from numpy.typing import NDArray

    from geo.camera import Defaults
    from geo.coverage.view import Scene

    Ints = NDArray[np.intp]
    Mask = NDArray[np.bool_]

STEPS: Mapping[str, str] = {
    "nominal": "名义覆盖（登记半径内）",
    "geometric": "几何可视（考虑朝向与遮挡）",
    "quality": "达到要求图像等级",
    "available": "且设备在线完好",
    "night": "且具备夜间补光",
    "twice": "且两台以上设备",
}
LIT = (2, 3, 4)
NEAR_ARC = 5e-4  # chords of 2° lie up to 1.5e-4 of the radius within their arc
DISC = np.linspace(0, TWO_PI, 73)[:-1]


@dataclass(frozen=True, eq=False)
class Watch:
    """Fields of view of a register, and which cameras count for which claim.

    Attributes
    ----------
    fields
        Fields of view on the rows of the camera table.
    on, lit
        (N,) state on; own light (infrared, white, laser). Unknown counts as no.
    device
        (N,) number of the device of each row: channels of one device count once.
    ids
        (N,) camera ids.
    """

    fields: Fields
    on: Mask
    lit: Mask
    device: Ints
    ids: NDArray[np.object_]
    levels: dict[float, NDArray[np.object_]] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of cameras."""
        return len(self.ids)

    def reach_m(self, px_m: float) -> NDArray[np.float64]:
        """Ground distance to which each camera has this pixel density; 0 where its resolution is unknown."""
        optics = self.fields.optics
        slant = reach_m(px_m, resolution_px=optics["resolution_px"], fov_deg=optics["fov_deg"])
        return np.nan_to_num(ground_reach_m(slant, height_m=optics["eye_m"]))

    def sharp(self, px_m: float) -> NDArray[np.object_]:
        """Part of each field of view with this pixel density (达到等级的可视域), computed once per level."""
        result = self.levels.get(px_m)
        if result is None:
            result = np.full(len(self), shapely.Polygon(), dtype=object)
            rows = self.fields.rows
            reach = self.reach_m(px_m)[rows]
            whole = reach >= self.fields.sectors.far
            result[rows[whole]] = self.fields.shapes[rows[whole]]
            cut = np.flatnonzero(~whole & (reach > self.fields.sectors.near))
            nearer = with_range(self.fields.sectors.take(cut), reach[cut])
            result[rows[cut]] = seen(nearer, self.fields.scene)[0]
            self.levels[px_m] = result
        return result

    def forget_levels(self) -> None:
        """Let go of what `sharp` has made: millions of vertices, a few seconds to make again."""
        self.levels.clear()

    def outlines(self, px_m: float) -> NDArray[np.object_]:
        """Lines that hold the outlines of all fields and of their sharp parts, none of them twice (轮廓线).

        A sharp part ends at an arc; the rest of its outline is that of its field.
        """
        rows = self.fields.rows
        cut = rows[self.sharp(px_m)[rows] != self.fields.shapes[rows]]
        ends = _far_edges(self.sharp(px_m)[cut], self.fields.xy[cut], self.reach_m(px_m)[cut])
        return np.concatenate([shapely.boundary(self.fields.shapes[rows]), ends])

    @property
    def discs(self) -> NDArray[np.object_]:
        """Circle of the range of every camera with a place that takes part, whatever it looks at (名义范围)."""
        optics, xy = self.fields.optics, self.fields.xy
        counts = np.isin(optics["why_not"].to_numpy(), ("", "no_bearing"))
        # the polygon holds the circle, and the arcs of fields of view, which leave it by up to 3e-4
        radius = optics["range_m"].to_numpy() * (1.0005 / np.cos(np.pi / len(DISC)))
        result = np.full(len(self), shapely.Polygon(), dtype=object)
        rows = np.flatnonzero(counts & np.isfinite(xy).all(axis=1))
        ring = np.stack([np.cos(DISC), np.sin(DISC)], axis=1)
        result[rows] = shapely.polygons(xy[rows, None] + radius[rows, None, None] * ring)
        return result

    def viewers(self, px_m: float, *, nominal: bool = True) -> Viewers:
        """Stack of the three outlines of every camera: range circle, field of view, its sharp part.

        Without `nominal` the circles are empty.
        """
        circles = self.discs if nominal else np.full(len(self), shapely.Polygon(), dtype=object)
        return Viewers(self, np.concatenate([circles, self.fields.shapes, self.sharp(px_m)]))


@dataclass(frozen=True, eq=False)
class Viewers:
    """Outlines of claims nominal, geometric and quality, N each; row r belongs to camera r mod N."""

    watch: Watch
    shapes: NDArray[np.object_]

    @cached_property
    def tree(self) -> shapely.STRtree:
        """Index of the outlines."""
        return shapely.STRtree(self.shapes)

    def claim(self, step: str) -> Mask:
        """Rows that count for a claim of `STEPS` (for `twice`: those of `night`)."""
        n = len(self.watch)
        kind, camera = np.repeat([0, 1, 2], n), np.tile(np.arange(n), 3)
        chosen = kind == {"nominal": 0, "geometric": 1}.get(step, 2)
        if step in ("available", "night", "twice"):
            chosen &= self.watch.on[camera]
        if step in ("night", "twice"):
            chosen &= self.watch.lit[camera]
        return chosen

    @property
    def device(self) -> Ints:
        """Device of each row."""
        return np.tile(self.watch.device, 3)

    def times(self, unit: Ints, viewer: Ints, n: int, step: str) -> Ints:
        """How many devices hold a claim at each of `n` units, from pairs of a unit and a row."""
        keep = self.claim(step)[viewer]
        pairs = np.unique(np.stack([unit[keep], self.device[viewer[keep]]], axis=1), axis=0)
        return np.bincount(pairs[:, 0], minlength=n).astype(np.intp)

    def holds(self, unit: Ints, viewer: Ints, n: int) -> pd.DataFrame:
        """Whether each claim holds at each of `n` units (six boolean columns)."""
        table = {}
        for step in STEPS:
            if step == "twice":
                table[step] = self.times(unit, viewer, n, step) >= 2
            else:
                table[step] = np.bincount(unit[self.claim(step)[viewer]], minlength=n) > 0
        return pd.DataFrame(table)


def watch(
    cameras: gpd.GeoDataFrame,
    scene: gpd.GeoDataFrame | gpd.GeoSeries | Scene | None = None,
    *,
    defaults: Defaults = DEFAULTS,
    home: bool = True,
    previous: Watch | None = None,
) -> Watch:
    """See what a register sees (由监控点台账得到监控能力).

    Parameters
    ----------
    cameras
        Camera table in metres. Leave out secret cameras before, where they must leave no trace.
    scene
        What hides, as for `view.field_of_view`.
    defaults
        What to take where the register is silent.
    home
        Steerable cameras with their home preset; without it with all they can turn to (可达), which is never a
        headline.
    previous
        An earlier result: only what changed is swept again.
    """
    found = fields(
        cameras,
        scene,
        defaults=defaults,
        indoors=False,
        home=home,
        previous=None if previous is None else previous.fields,
    )
    state = cameras["state"] if "state" in cameras else pd.Series("", index=cameras.index)
    light = cameras["light_type"] if "light_type" in cameras else pd.Series(np.nan, index=cameras.index)
    return Watch(
        found,
        (state == "on").fillna(value=False).to_numpy(dtype=bool),
        light.isin(LIT).fillna(value=False).to_numpy(dtype=bool),
        pd.factorize(devices(cameras))[0],
        cameras.index.astype("str").to_numpy(dtype=object),
    )


def _far_edges(
    shapes: NDArray[np.object_], eyes: NDArray[np.float64], reach: NDArray[np.float64]
) -> NDArray[np.object_]:
    """Runs of edges of the shapes whose ends lie at its reach: the chords of arcs."""
    ring, shape = shapely.get_parts(shapely.boundary(shapes), return_index=True)
    xy, line = shapely.get_coordinates(ring, return_index=True)
    owner = shape[line]
    far = np.hypot(*(xy - eyes[owner]).T) >= reach[owner] * (1 - NEAR_ARC)
    first = far & np.append(True, (line[1:] != line[:-1]) | ~far[:-1])
    run = (np.cumsum(first) - 1)[far]
    long = (np.bincount(run, minlength=1) > 1)[run] if len(run) else run.astype(bool)
    number = np.unique(run[long], return_inverse=True)[1]
    if len(number) == 0:
        return np.empty(0, dtype=object)
    return np.asarray(shapely.linestrings(xy[far][long], indices=number), dtype=object)


def part(watch: Watch, rows: Ints) -> Watch:
    """Return some cameras of a watch, nothing computed again (局部)."""
    fields_ = watch.fields
    position = np.full(len(watch), -1)
    position[fields_.rows] = np.arange(len(fields_.rows))
    swept = position[rows] >= 0
    some = Fields(
        fields_.cameras[rows],
        fields_.optics.iloc[rows],
        fields_.xy[rows],
        np.flatnonzero(swept),
        fields_.sectors.take(position[rows][swept]),
        fields_.shapes[rows],
        fields_.area_m2[rows],
        fields_.scene,
        fields_.crs,
    )
    levels = {px_m: shapes[rows] for px_m, shapes in list(watch.levels.items())}
    return Watch(some, watch.on[rows], watch.lit[rows], watch.device[rows], watch.ids[rows], levels)


def together(one: Watch, two: Watch) -> Watch:
    """Return the cameras of two watches of one scene as one; devices of the two are held apart."""
    a, b = one.fields, two.fields
    joined = Fields(
        a.cameras.append(b.cameras),
        pd.concat([a.optics, b.optics]),
        np.concatenate([a.xy, b.xy]),
        np.concatenate([a.rows, b.rows + len(one)]),
        a.sectors.join(b.sectors),
        np.concatenate([a.shapes, b.shapes]),
        np.concatenate([a.area_m2, b.area_m2]),
        a.scene,
        a.crs,
    )
    device = np.concatenate([one.device, two.device + one.device.max(initial=-1) + 1])
    return Watch(
        joined,
        np.concatenate([one.on, two.on]),
        np.concatenate([one.lit, two.lit]),
        device,
        np.concatenate([one.ids, two.ids]),
        {px_m: np.concatenate([shapes, two.sharp(px_m)]) for px_m, shapes in list(one.levels.items())},
    )


def without(watch: Watch, rows: Mask) -> Watch:
    """Return the watch with some cameras dark (失效情景): they keep their rows and see nothing."""
    return replace(watch, on=watch.on & ~rows)
