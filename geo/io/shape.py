"""Geometry of a file's rows (空间位置): from columns or from the file, cleaned as far as the repair is certain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import shapely

from geo.errors import Problem
from geo.io import values
from geo.io.cleaning import ABSENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from geo import schema

SAME_AREA = 1e-3
"""A repair of a polygon is certain if it changes the area by less than this share."""

Problems = dict[int, Problem]


def from_columns(
    columns: Mapping[str, pd.Series], headers: Mapping[str, str], rows: NDArray[np.int64]
) -> tuple[NDArray[np.object_], Problems]:
    """Shapes from coordinate, WKT or GeoJSON columns, in the file's own coordinates.

    Returns
    -------
    shapes, problems
        One shape a row, missing where there is a problem; problems by position: `coordinates.absent`,
        `coordinates.unreadable`, `geometry.unreadable`.
    """
    if "wkt" in columns or "geojson" in columns:
        name = "wkt" if "wkt" in columns else "geojson"
        return _from_text(columns[name], headers[name], rows, geojson=name == "geojson")
    if "lonlat" in columns:
        parts = columns["lonlat"].astype("str").str.replace(r"[()（）\[\]]", "", regex=True)
        split = parts.str.extract(r"^\s*([^,，;\s]+)\s*[,，;\s]\s*([^,，;\s]+)\s*$")
        pair, names = (split[0], split[1]), (headers["lonlat"], headers["lonlat"])
        texts = (columns["lonlat"], columns["lonlat"])
    else:
        keys = ("lon", "lat") if "lon" in columns else ("x", "y")
        pair = texts = (columns[keys[0]], columns[keys[1]])
        names = (headers[keys[0]], headers[keys[1]])
    x, y = (values.degrees(s).to_numpy(dtype="float64") for s in pair)
    problems: Problems = {}
    for text, number, name in zip(texts, (x, y), names, strict=True):
        missing = ~np.isfinite(number)
        for i in np.flatnonzero(missing):
            raw = text.iloc[i]
            if pd.isna(raw) or str(raw).strip().lower() in ABSENT:
                problem = Problem("coordinates.absent", name, int(rows[i]), "", "a number in every row")
            else:
                problem = Problem(
                    "coordinates.unreadable", name, int(rows[i]), str(raw), "a number, or 116°25′15″"
                )
            problems.setdefault(int(i), problem)
    good = np.isfinite(x) & np.isfinite(y)
    shapes = np.full(len(rows), None, dtype="object")
    shapes[good] = shapely.points(x[good], y[good])
    return shapes, problems


def _from_text(
    column: pd.Series, header: str, rows: NDArray[np.int64], *, geojson: bool
) -> tuple[NDArray[np.object_], Problems]:
    text = column.astype("str").to_numpy(dtype="object", na_value=None)
    reader = shapely.from_geojson if geojson else shapely.from_wkt
    shapes = reader(text, on_invalid="ignore")
    if not geojson:  # PostGIS writes SRID=4326;POINT(…)
        again = [i for i, t in enumerate(text) if t and shapes[i] is None and t[:5].upper() == "SRID="]
        shapes[again] = reader(np.array([text[i].split(";", 1)[-1] for i in again]), on_invalid="ignore")
    kind = "GeoJSON" if geojson else "WKT"
    problems = {
        int(i): Problem(
            "geometry.unreadable", header, int(rows[i]), str(text[i] or "")[:60], f"{kind} geometry"
        )
        for i in np.flatnonzero(shapely.is_missing(shapes))
    }
    return shapes, problems


def fit(
    shapes: NDArray[np.object_], table: schema.Table, rows: NDArray[np.int64]
) -> tuple[NDArray[np.object_], Problems, dict[str, int]]:
    """Shapes that a table accepts, repaired where that is certain (几何修复).

    Made and counted: `geometry.z_dropped`, `geometry.one_part` (a collection or multi-part shape of one
    part), `geometry.parts` (a collection of shapes of one kind),
    `geometry.stray_parts` (lines and points beside polygons), `geometry.point_inside` (a point on the surface
    of a polygon for tables of points), `geometry.closed_lines` (a closed line for a table of polygons),
    `geometry.made_valid` (a self-touching or spiked polygon, area kept within `SAME_AREA`),
    `geometry.ring_orientation` (shell counter-clockwise, RFC 7946).

    Returns
    -------
    shapes, problems, counts
        New array, missing where there is a problem: `geometry.absent`, `geometry.type`, `geometry.nan`,
        `geometry.invalid`.
    """
    shapes = shapes.copy()
    counts: dict[str, int] = {}
    problems: Problems = {}
    allowed = ", ".join(table.geometry)

    def refuse(where: NDArray[np.bool_], code: str, value: NDArray[np.object_] | str, rule: str) -> None:
        for i in np.flatnonzero(where):
            text = value if isinstance(value, str) else str(value[i])
            problems.setdefault(int(i), Problem(code, "geometry", int(rows[i]), text, rule))
        shapes[where] = None

    absent = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    refuse(absent, "geometry.absent", "", allowed)
    finite = np.isfinite(shapely.bounds(shapes)).all(axis=1)
    refuse(~finite & ~absent, "geometry.nan", "NaN or infinite", "finite coordinates")
    deep = shapely.has_z(shapes)
    if deep.any():
        shapes[deep] = shapely.force_2d(shapes[deep])
        counts["geometry.z_dropped"] = int(deep.sum())
    _unpack(shapes, table, counts)
    types = np.array([s.geom_type if s is not None else "" for s in shapes], dtype="object")
    wrong = ~np.isin(types, table.geometry) & (types != "")
    refuse(wrong, "geometry.type", types, allowed)
    polygons = np.isin(types, ("Polygon", "MultiPolygon")) & ~wrong
    if polygons.any():
        faulty, reasons = _make_valid(shapes, polygons, counts)
        refuse(faulty, "geometry.invalid", reasons, "a polygon whose border does not cross itself")
        _orient(shapes, polygons & ~faulty, counts)
    return shapes, problems, counts


def _unpack(shapes: NDArray[np.object_], table: schema.Table, counts: dict[str, int]) -> None:
    """Take single parts out of collections, join collections of one kind, points out of surfaces."""
    kind = shapely.get_type_id(shapes)
    several = kind >= 4
    one = several & (shapely.get_num_geometries(shapes) == 1)
    multi_allowed = {"MultiPolygon", "MultiLineString"} & set(table.geometry)
    kept = np.isin(
        kind, [5 if "MultiLineString" in multi_allowed else -1, 6 if "MultiPolygon" in multi_allowed else -1]
    )
    one &= ~kept
    if one.any():
        shapes[one] = shapely.get_geometry(shapes[one], 0)
        counts["geometry.one_part"] = int(one.sum())
    kind = shapely.get_type_id(shapes)
    for i in np.flatnonzero(kind == 7):
        parts = _flat_parts(shapes[i])
        kinds = {p.geom_type for p in parts}
        polygons = parts[shapely.get_dimensions(parts) == 2]
        if "MultiPolygon" in table.geometry and len(polygons):
            # lines and points beside polygons have no area: they are left-overs of a cut
            code = "geometry.parts" if kinds == {"Polygon"} else "geometry.stray_parts"
            shapes[i] = polygons[0] if len(polygons) == 1 else shapely.multipolygons(polygons)
        elif "MultiLineString" in table.geometry and kinds == {"LineString"}:
            code, shapes[i] = "geometry.parts", shapely.multilinestrings(parts)
        else:
            continue
        counts[code] = counts.get(code, 0) + 1
    kind = shapely.get_type_id(shapes)
    if table.geometry == ("Point",) and table.name in ("facilities", "addresses", "hazards"):
        surface = np.isin(kind, (3, 6))
        if surface.any():
            shapes[surface] = shapely.point_on_surface(shapes[surface])
            counts["geometry.point_inside"] = int(surface.sum())
    if "Polygon" in table.geometry and "LineString" not in table.geometry:
        ring = np.isin(kind, (1, 2)) & shapely.is_closed(shapes) & (shapely.get_num_points(shapes) >= 4)
        if ring.any():
            shapes[ring] = shapely.polygons(
                shapely.linearrings([shapely.get_coordinates(s) for s in shapes[ring]])
            )
            counts["geometry.closed_lines"] = int(ring.sum())


def _flat_parts(shape: shapely.Geometry) -> NDArray[np.object_]:
    """Single parts of a collection, of collections inside it too; empty ones left out."""
    parts = np.array([shape], dtype="object")
    while (shapely.get_type_id(parts) >= 4).any():
        parts = shapely.get_parts(parts)
    return parts[~shapely.is_empty(parts)]


def _make_valid(
    shapes: NDArray[np.object_], polygons: NDArray[np.bool_], counts: dict[str, int]
) -> tuple[NDArray[np.bool_], NDArray[np.object_]]:
    """Repair self-touching polygons in place; say which cannot be repaired for certain, and why.

    The signed area of a ring that crosses itself counts parts against one another; where it equals the area
    of the repaired shape nothing was crossed over, only touched.
    """
    faulty = np.zeros(len(shapes), dtype=bool)
    reasons = np.full(len(shapes), "", dtype="object")
    broken = np.flatnonzero(polygons & ~shapely.is_valid(shapes))
    if not len(broken):
        return faulty, reasons
    raw = shapes[broken]
    reasons[broken] = shapely.is_valid_reason(raw)
    fixed = shapely.make_valid(raw, method="structure", keep_collapsed=False)
    area = shapely.area(raw)
    sure = np.abs(shapely.area(fixed) - area) <= SAME_AREA * area
    sure &= (area > 0) & np.isin(shapely.get_type_id(fixed), (3, 6)) & shapely.is_valid(fixed)
    shapes[broken[sure]] = fixed[sure]
    faulty[broken[~sure]] = True
    if sure.any():
        counts["geometry.made_valid"] = int(sure.sum())
    return faulty, reasons


def _orient(shapes: NDArray[np.object_], where: NDArray[np.bool_], counts: dict[str, int]) -> None:
    index = np.flatnonzero(where)
    given = shapes[index]
    turned = shapely.orient_polygons(given)
    changed = ~shapely.equals_identical(given, turned)
    shapes[index[changed]] = turned[changed]
    if changed.any():
        counts["geometry.ring_orientation"] = int(changed.sum())
