"""Headings of cameras that are more than a number (多向、范围朝向): lists and ranges, as maps of volunteers write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from geo import schema
from geo.camera import direction

if TYPE_CHECKING:
    from collections.abc import Mapping

    import geopandas as gpd

    from geo.io.report import Report


def first(
    given: pd.Series, columns: Mapping[str, pd.Series], typed: dict[str, pd.Series], report: Report
) -> pd.Series:
    """First bearing of a list or a range (70;240, 338-23); the width of a range, where none is stated, is `fov_deg`."""
    read = direction.parse(given.where(pd.to_numeric(given, errors="coerce").isna()))
    found = read[read["bearings"].str.len() > 0]
    width = found["fov_deg"].map(lambda w: w[0]).astype("float64").dropna()
    if len(width) and "fov_deg" not in columns:
        typed["fov_deg"] = width.reindex(given.index)
        report.derived["fov_deg.from_range"] += len(width)
    return found["bearings"].map(lambda b: b[0]).astype("float64").reindex(given.index)


def each(frame: gpd.GeoDataFrame, given: pd.Series, report: Report) -> gpd.GeoDataFrame:
    """A camera of its own for each further direction that is written at one place; see `direction.expand`."""
    texts = pd.Series(given.to_numpy(dtype=object), index=frame.index)
    several = direction.parse(texts)["bearings"].str.len() > 1
    if not several.any():
        return frame
    more = direction.expand(frame[several.to_numpy()], texts[several])
    report.derived["cameras.of_further_directions"] += len(more) - int(several.sum())
    return schema.checked("cameras", pd.concat([frame[~several.to_numpy()], more]))
