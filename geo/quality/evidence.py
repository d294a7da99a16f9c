"""What the city already holds, as evidence about the coordinates of a file (参照证据).

Each kind gives every point, at any trial position, the metres to what it has to do with: the area or the road that
the row itself states, the city, the nearest road, building or door plate.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pyproj import CRS

from geo.errors import BadInputError
from geo.quality.stated import Stated, geometry_of, ranks, road_index

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

AREA_CAP_M = 3000.0
NEAR_CAP_M = 200.0
_LAYERS = {
    "city": "cover",
    "roads": "roads",
    "buildings": "buildings",
    "door plates": "plates",
    "grid borders": "edges",
}


@dataclass(frozen=True)
class Reference:
    """What a city holds already (参照数据), in its metric CRS.

    `areas` are polygons by the code or name that rows may declare; `cover` are polygons that together are the
    city; `roads`, `buildings`, `plates` (door plates) and `edges` (borders of the finest grids, which mostly run
    along streets) are plain arrays of geometries; `road_names` are as long as `roads`, or empty. All may be empty. `hints` are EPSG names that the city's own files had. Make one with
    `Reference.of`, or give the arrays.
    """

    crs: CRS
    areas: gpd.GeoSeries | None = None
    cover: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, object))
    roads: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, object))
    buildings: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, object))
    plates: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, object))
    edges: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, object))
    road_names: NDArray[np.object_] = field(default_factory=lambda: np.empty(0, object))
    hints: tuple[str, ...] = ()
    _trees: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse a CRS in degrees."""
        object.__setattr__(self, "crs", CRS.from_user_input(self.crs))
        if not self.crs.is_projected:
            raise BadInputError(
                f"reference data in {self.crs.to_string()}; allowed: a projected CRS in metres"
            )

    @classmethod
    def of(
        cls,
        tables: Mapping[str, pd.DataFrame],
        *,
        crs: CRS | str,
        without: str = "",
        hints: tuple[str, ...] = (),
    ) -> Reference:
        """Take the evidence out of a city's tables, all in `crs`; `without` names the table under test."""
        grids = tables.get("grids") if without != "grids" else None
        boundary = tables.get("boundary") if without != "boundary" else None
        cover = next((t for t in (boundary, _lowest(grids)) if t is not None and len(t)), None)
        roads = tables.get("roads") if without != "roads" else None
        lines, names = _present(roads), np.empty(0, object)
        if roads is not None and "name" in roads and len(lines) == len(roads):
            names = roads["name"].to_numpy(object)
        return cls(
            crs=CRS.from_user_input(crs),
            areas=declared_areas(grids) if grids is not None and len(grids) else None,
            cover=np.empty(0, object) if cover is None else _present(cover),
            roads=lines,
            road_names=names,
            buildings=_present(tables.get("buildings")) if without != "buildings" else np.empty(0, object),
            plates=_present(tables.get("addresses")) if without != "addresses" else np.empty(0, object),
            edges=_edges(grids),
            hints=hints,
        )

    def tree(self, name: str) -> shapely.STRtree:
        """Spatial index of one of the arrays, made once."""
        if name not in self._trees:
            self._trees[name] = shapely.STRtree(getattr(self, name))
        return self._trees[name]

    @property
    def borders(self) -> NDArray[np.object_]:
        """Outlines of `areas`, prepared, made once."""
        if "borders" not in self._trees and self.areas is not None:
            self._trees["borders"] = shapely.boundary(self.areas.to_numpy())
            shapely.prepare(self._trees["borders"])
        return np.asarray(self._trees["borders"], dtype=object)

    @property
    def area_ranks(self) -> dict[str, tuple[float, int]]:
        """Names of areas that a text may hold, the smaller area first."""
        if "area_ranks" not in self._trees and self.areas is not None:
            self._trees["area_ranks"] = ranks(self.areas.index, shapely.area(self.areas.to_numpy()))
        found: dict[str, tuple[float, int]] = self._trees.get("area_ranks", {})
        return found

    @property
    def road_ranks(self) -> dict[str, tuple[float, int]]:
        """Names of roads that a text may hold, the longer name first."""
        if "road_ranks" not in self._trees:
            names, shapes = road_index(
                self.road_names, self.roads if len(self.road_names) else self.road_names
            )
            self._trees["road_ranks"] = ranks(names, -names.astype("str").str.len().to_numpy(np.float64))
            self._trees["named_roads"] = shapes
        made: dict[str, tuple[float, int]] = self._trees["road_ranks"]
        return made

    def shapes_of(self, stated: Stated) -> dict[str, NDArray[np.object_]]:
        """Kind of evidence → the shape that each row states for it, None for none; kinds that no row states left out."""
        found = {}
        if self.areas is not None and (stated.area >= 0).any():
            found["declared area"] = geometry_of(self.areas.to_numpy(), stated.area)
        if (stated.road >= 0).any():
            found["named road"] = geometry_of(self._trees["named_roads"], stated.road)
        return found

    def hits(self, name: str, xy: Floats) -> NDArray[np.intp]:
        """Positions of the points that touch a polygon of one of the arrays, in no order, some of them twice."""
        shapes = getattr(self, name)
        points, polygons = self.tree(name).query(shapely.points(xy))
        shapely.prepare(shapes)
        touch = shapely.intersects_xy(shapes[polygons], xy[points, 0], xy[points, 1])
        return np.asarray(points[touch])

    def extent(self) -> tuple[float, float, float, float] | None:
        """West, south, east, north of the city in degrees, with 5 % and at least 3 km of slack; None: nothing."""
        layers = [self.cover, *([] if self.areas is None else [self.areas.to_numpy()])]
        shapes = [s for s in layers if len(s)] or [s for s in (self.buildings, self.roads) if len(s)]
        if not shapes:
            return None
        west, south, east, north = shapely.total_bounds(np.concatenate(shapes))
        slack = max(3000.0, 0.05 * max(east - west, north - south))
        corners = gpd.GeoSeries(
            [shapely.box(west - slack, south - slack, east + slack, north + slack)], crs=self.crs
        )
        bounds = corners.to_crs(4326).total_bounds
        return (float(bounds[0]), float(bounds[1]), float(bounds[2]), float(bounds[3]))


def _lowest(grids: gpd.GeoDataFrame | None) -> gpd.GeoDataFrame | None:
    """Grids of the coarsest level that there is: few polygons, and no holes between them."""
    if grids is None or "level" not in grids or not len(grids):
        return grids
    return grids[(grids["level"] == grids["level"].min()).fillna(True).to_numpy(bool)]


def _edges(grids: gpd.GeoDataFrame | None) -> NDArray[np.object_]:
    """Borders of the grids of the finest level that is spread over the city: base grids, or those above them."""
    if grids is None or not {"level", "kind"} <= set(grids.columns) or not len(grids):
        return np.empty(0, object)
    level = grids["level"].where(~grids["kind"].isin(["dedicated", "micro"]))
    finest = grids[(level == level.max()).fillna(value=False).to_numpy(bool)]
    return np.asarray(shapely.boundary(_present(finest)), dtype=object)


def _present(table: gpd.GeoDataFrame | None) -> NDArray[np.object_]:
    if table is None:
        return np.empty(0, object)
    shapes = table.geometry.to_numpy()
    return np.asarray(shapes[~(shapely.is_missing(shapes) | shapely.is_empty(shapes))], dtype=object)


def declared_areas(grids: gpd.GeoDataFrame) -> gpd.GeoSeries:
    """Polygons by every word that a row may use for them: the code, and the name where it is unique."""
    shapes = grids.geometry.rename_axis("area")
    shapes.index = shapes.index.astype("str")
    if "name" not in grids:
        return shapes[~shapes.index.duplicated()]
    names = grids["name"]
    once = names.notna() & ~names.duplicated(keep=False) & (names != "")
    named = grids.geometry[once.to_numpy(bool)]
    named.index = pd.Index(names[once].astype("str"), name="area")
    every = pd.concat([shapes, named])
    return every[~every.index.duplicated()]


@dataclass(frozen=True)
class Evidence:
    """One kind of evidence for the sampled points: metres at positions, and a figure for people.

    `stated` are the shapes that the rows themselves name (None: none), for the two kinds of that sort.
    """

    name: str
    figure: str
    reference: Reference
    stated: NDArray[np.object_] | None = None

    def metres(self, xy: Floats) -> Floats:
        """Distance of each point to what it should be at (0 inside), metres, capped."""
        if self.stated is not None:
            return _to_stated(self.stated, xy)
        cap = AREA_CAP_M if self.name == "city" else NEAR_CAP_M
        layer = _LAYERS[self.name]
        result = np.full(len(xy), cap)
        if layer in ("cover", "buildings"):
            result[self.reference.hits(layer, xy)] = 0.0
        away = np.flatnonzero(result > 0)
        found, far = self.reference.tree(layer).query_nearest(
            shapely.points(xy[away]), max_distance=cap, return_distance=True, all_matches=False
        )
        result[away[found[0]]] = far
        return result

    @property
    def learns(self) -> bool:
        """Whether the distance at which rows stand is learnt from the file; stated shapes simply hold their rows."""
        return self.stated is None and self.name != "city"

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows state a shape; none for other kinds of evidence."""
        return np.empty(0, bool) if self.stated is None else ~shapely.is_missing(self.stated)

    def value(self, metres: Floats) -> float:
        """Return the figure that `figure` names: a share (0 to 1) or a median distance in metres."""
        if self.stated is not None:
            metres = metres[self.known]
        if self.figure.startswith("share"):
            return float((metres == 0).mean()) if len(metres) else float("nan")
        return float(np.median(metres))


def _to_stated(shapes: NDArray[np.object_], xy: Floats) -> Floats:
    result = np.zeros(len(xy))
    known = np.flatnonzero(~shapely.is_missing(shapes))
    shapely.prepare(shapes[known])
    outside = known[~shapely.intersects_xy(shapes[known], xy[known, 0], xy[known, 1])]
    far = shapely.distance(shapes[outside], shapely.points(xy[outside]))
    result[outside] = np.minimum(far, AREA_CAP_M)
    return result


def gather(table: str, reference: Reference, stated: Stated) -> list[Evidence]:
    """Evidence that the city has for the sampled rows of a table, and for what they state themselves."""
    figures = {"declared area": "share inside", "named road": "median distance m"}
    found = [
        Evidence(name, figures[name], reference, stated=shapes)
        for name, shapes in reference.shapes_of(stated).items()
    ]
    if len(reference.cover) and table != "grids":  # their edges lie on the edge of the city
        found.append(Evidence("city", "share inside", reference))
    if len(reference.roads):
        found.append(Evidence("roads", "median distance m", reference))
    if len(reference.buildings):
        found.append(Evidence("buildings", "share in buildings", reference))
    if len(reference.edges) and not len(reference.roads):
        found.append(Evidence("grid borders", "median distance m", reference))
    if len(reference.plates) and not (len(reference.roads) and len(reference.buildings)):
        found.append(Evidence("door plates", "median distance m", reference))
    return found
