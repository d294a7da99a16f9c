"""What the city holds, as a witness about the coordinates of a file (坐标佐证)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from geo.io.cleaning import clean
from geo.quality import Reference, Verdict, verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from geo.city import City

FAR_SHARE = 0.5
FAR_DEG = 0.1  # about 10 km: added to every side of a city's extent
_TABLES = ("boundary", "grids", "roads", "buildings")
_DECLARES = 0.5  # a column in which this share of the rows is a code or name of a grid says where they are


@dataclass(frozen=True, slots=True)
class Extent:
    """A box of degrees around all that the city holds: west, south, east, north; None where it holds nothing."""

    box: tuple[float, float, float, float] | None = None

    @classmethod
    def of(cls, city: City | None) -> Extent:
        """Extent of the boundary and the grids, grown by half its size and `FAR_DEG` on every side."""
        if city is None:
            return cls()
        frames = [city.degrees(name) for name in ("boundary", "grids")]
        bounds = [f.total_bounds for f in frames if len(f)]
        if not bounds:
            return cls()
        west, south = np.min(bounds, axis=0)[:2]
        east, north = np.max(bounds, axis=0)[2:]
        dx, dy = (east - west) * FAR_SHARE + FAR_DEG, (north - south) * FAR_SHARE + FAR_DEG
        return cls((west - dx, south - dy, east + dx, north + dy))

    def holds(self, lon: NDArray[np.float64], lat: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which points lie inside; all of them where nothing is known."""
        if self.box is None:
            return np.ones(len(lon), dtype=bool)
        west, south, east, north = self.box
        return (lon >= west) & (lon <= east) & (lat >= south) & (lat <= north)

    def __str__(self) -> str:
        """The box in words."""
        if self.box is None:
            return "anywhere"
        west, south, east, north = self.box
        return f"longitude {west:.3f} to {east:.3f}, latitude {south:.3f} to {north:.3f} (around the city)"


@dataclass(frozen=True, slots=True)
class Words:
    """What rows say of their own place: `area` a code or name of a grid (None: none), `text` all their words."""

    area: NDArray[np.object_]
    text: NDArray[np.object_]

    def __getitem__(self, rows: slice) -> Words:
        """Return the part about some rows."""
        return Words(self.area[rows].copy(), self.text[rows].copy())

    @classmethod
    def joined(cls, parts: Sequence[Words]) -> Words:
        """One after the other."""
        return cls(np.concatenate([p.area for p in parts]), np.concatenate([p.text for p in parts]))


@dataclass(slots=True)
class Witness:
    """What the city holds, as evidence about coordinates: made from a snapshot when first asked."""

    city: City | None
    table: str
    extent: Extent = field(default_factory=Extent)
    _reference: Reference | None = None

    @classmethod
    def of(cls, city: City, table: str) -> Witness:
        """Witness of all tables but the one that is imported (地面数据不作自己的证人)."""
        extent = Extent() if table in ("boundary", "grids") else Extent.of(city)
        return cls(city, table, extent)

    def verdict(
        self, shapes: NDArray[np.object_], words: Words | None = None, declared: str = "", *, most: int = 4000
    ) -> Verdict:
        """Judge the place of shapes by what the city holds; ``unknown`` where it holds no grids and no boundary.

        `words` are what each row says of its place, `declared` the system that the file names; of more than `most`
        shapes some are taken.
        """
        reference = self.evidence()
        if reference is None:
            return Verdict("unknown")
        rows = np.flatnonzero(~shapely.is_missing(shapes) & ~shapely.is_empty(shapes))
        rows = rows[:: max(len(rows) // most, 1)]
        whole = shapes[rows]
        points = np.where(shapely.get_type_id(whole) == 0, whole, shapely.centroid(whole))
        return verdict(
            shapely.get_x(points),
            shapely.get_y(points),
            reference=reference,
            table=self.table,
            area=None if words is None else words.area[rows],
            text=None if words is None else words.text[rows],
            declared=declared,
        )

    def evidence(self) -> Reference | None:
        """What the city holds; None without grids and boundary."""
        if self._reference is None and self.city is not None:
            others = [n for n in ("boundary", "grids") if n != self.table and len(self.city.degrees(n))]
            if others:
                tables = {n: self.city.table(n) for n in _TABLES}
                self._reference = Reference.of(tables, crs=self.city.crs, without=self.table)
        return self._reference


def stated(frame: pd.DataFrame, columns: Sequence[str], witness: Witness) -> Words | None:
    """Read what raw rows say of their place (行内自述位置), from any column of text, used by the table or not.

    The column of grid codes or names with the smallest grids counts as declaration; the words of all columns are
    looked through for names of grids and roads. None where the city holds nothing to compare with.
    """
    reference = witness.evidence()
    if reference is None or not len(frame):
        return None
    texts = {c: clean(frame[c].astype("str").where(frame[c].notna()))[0] for c in columns if c in frame}
    area: Any = np.full(len(frame), None, dtype=object)
    smallest = np.inf
    if reference.areas is not None:
        size = shapely.area(reference.areas.to_numpy())
        for text in texts.values():
            at = reference.areas.index.get_indexer(pd.Index(text.astype("object").str.removesuffix(".0")))
            typical = float(np.median(size[at[at >= 0]])) if (at >= 0).mean() > _DECLARES else np.inf
            if typical < smallest:
                area = np.where(at >= 0, reference.areas.index.to_numpy(object)[at], None)
                smallest = typical
    wordy = [t.fillna("") for t in texts.values() if not _numeric(t)]
    joined = (
        wordy[0].str.cat(wordy[1:], sep=" ").to_numpy(object) if wordy else np.full(len(frame), None, object)
    )
    return Words(area, joined)


def _numeric(text: pd.Series) -> bool:
    given = text.dropna().head(50)
    return not len(given) or bool(pd.to_numeric(given, errors="coerce").notna().mean() > 0.5)
