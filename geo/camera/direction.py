"""Directions as people and maps write them (朝向文字): degrees, ranges, lists, compass points, Chinese words.

Bearings are degrees clockwise from north, the way the optical axis points. ``东(西向东)`` looks east.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

    import geopandas as gpd

_POINTS = ("n", "nne", "ne", "ene", "e", "ese", "se", "sse", "s", "ssw", "sw", "wsw", "w", "wnw", "nw", "nnw")
COMPASS: Mapping[str, float] = {name: 22.5 * i for i, name in enumerate(_POINTS)}
_LONG = {
    "north": "n",
    "east": "e",
    "south": "s",
    "west": "w",
    "北": "n",
    "东": "e",
    "東": "e",
    "南": "s",
    "西": "w",
}
_ERROR = {1: 22.5, 2: 22.5, 3: 11.25}  # eight points are in use where one or two letters are written
_NUMBER = r"[+-]?\d+(?:\.\d+)?"
RELATIVE = {"forward", "backward", "both", "left", "right", "up", "down"}
NOTHING = {"", "null", "none", "nan", "no", "无", "未知", "unknown", "?", "-", "<na>"}


def parse(texts: pd.Series) -> pd.DataFrame:
    """Read directions (解析朝向).

    Parameters
    ----------
    texts
        Text or numbers, any index.

    Returns
    -------
    DataFrame
        Index of `texts`. `bearings`: tuple of degrees in [0, 360), one per camera on the spot; `fov_deg`:
        tuple of the same length, the width where a range was written and NaN elsewhere; `error_deg`: 0 for
        degrees, half the step for compass points; `reason`: why nothing was read (`absent`, `relative`,
        `over 360`, `not a direction`), empty where something was.

    Examples
    --------
    >>> parse(pd.Series(["165", "338-23", "70;240", "WSW", "西北", "lamp post"])).bearings.tolist()
    [(165.0,), (0.5,), (70.0, 240.0), (247.5,), (315.0,), ()]
    """
    codes, words = pd.factorize(texts)
    read = [_parse(w) for w in words] + [((), (), np.nan, "absent")]
    rows = [read[c] for c in codes]
    return pd.DataFrame(rows, columns=["bearings", "fov_deg", "error_deg", "reason"], index=texts.index)


def expand(cameras: gpd.GeoDataFrame, texts: pd.Series) -> gpd.GeoDataFrame:
    """Give each written direction its own camera (一处多向拆分为多台).

    Parameters
    ----------
    cameras
        Camera table.
    texts
        Directions on the index of `cameras`.

    Returns
    -------
    GeoDataFrame
        One row per direction with `bearing_deg`, `bearing_error_deg` and, from a range, `fov_deg`; ids of
        the second and later cameras on a spot get ``#2``, ``#3`` … and `pole_id` names the first. Unread
        directions leave the row as it was.
    """
    read = parse(texts.reindex(cameras.index))
    times = np.maximum(read["bearings"].str.len().to_numpy(), 1)
    rows = np.repeat(np.arange(len(cameras)), times)
    number = np.arange(len(rows)) - np.repeat(np.cumsum(times) - times, times)
    result = cameras.take(rows).copy()
    flat = [b for bearings in read["bearings"] for b in (bearings or (np.nan,))]
    width = [w for widths in read["fov_deg"] for w in (widths or (np.nan,))]
    for name, values in (
        ("bearing_deg", np.array(flat, dtype=np.float64)),
        ("bearing_error_deg", read["error_deg"].to_numpy(dtype=np.float64)[rows]),
        ("fov_deg", np.array(width, dtype=np.float64)),
    ):
        before = result[name].to_numpy(dtype=np.float64) if name in result else np.full(len(rows), np.nan)
        result[name] = np.where(np.isnan(values), before, values)
    several = times[rows] > 1
    first = result.index.astype("str").to_numpy(dtype=object)
    ids = first.copy()
    later = number > 0
    ids[later] = [f"{i}#{n + 1}" for i, n in zip(first[later], number[later], strict=True)]
    result.index = pd.Index(ids, name=cameras.index.name)
    poles = result["pole_id"].to_numpy(dtype=object) if "pole_id" in result else np.full(len(rows), None)
    result["pole_id"] = np.where(several & pd.isna(poles), first, poles)
    return result


def _parse(word: object) -> tuple[tuple[float, ...], tuple[float, ...], float, str]:
    text = unicodedata.normalize("NFKC", str(word)).strip().lower()
    text = re.sub(r"\s*(°|度|degrees|degree|deg)\.?", "", text)
    if text in NOTHING:
        return (), (), np.nan, "absent"
    if text in RELATIVE:
        return (), (), np.nan, "relative"
    bearings: list[float] = []
    widths: list[float] = []
    error = 0.0
    for part in re.split(r"\s*[;,、|/，；]\s*", text.strip(" ;,、|/")):
        found = _one(part)
        if isinstance(found, str):
            return (), (), np.nan, found
        bearing, width, uncertain = found
        error = max(error, uncertain)
        if bearing not in bearings:
            bearings.append(bearing)
            widths.append(width)
    return tuple(bearings), tuple(widths), error, ""


def _one(part: str) -> tuple[float, float, float] | str:
    """Bearing, width (NaN: not said) and error of one direction; or the reason why it is none."""
    if re.fullmatch(_NUMBER, part):
        value = float(part)
        return (value % 360.0, np.nan, 0.0) if -360 <= value <= 360 else "over 360"
    span = re.fullmatch(rf"({_NUMBER})\s*(?:-|–|—|~|～|to|至|到)\s*({_NUMBER})", part)
    if span:
        low, high = float(span[1]), float(span[2])
        if not (0 <= low <= 360 and 0 <= high <= 360):
            return "over 360"
        width = 360.0 if abs(high - low) == 360 else (high - low) % 360.0
        return ((low + width / 2) % 360.0, width or np.nan, 0.0)
    return _compass(part)


def _compass(part: str) -> tuple[float, float, float] | str:
    """Compass points in English letters or words and in Chinese, with "looking from … to …"."""
    to = re.fullmatch(r"(?:[由从自]?[东東南西北]+)?(?:向|往|朝|至)([东東南西北]+)(?:向|方向)?", part)
    inner = re.fullmatch(r"([东東南西北]+)(?:侧|面|向|方向|方)?(?:\((?:.*)\))?", part)
    text = to[1] if to else inner[1] if inner else part
    for word, letter in _LONG.items():
        text = text.replace(word, letter)
    text = re.sub(r"[\s\-_]", "", text)
    if text not in COMPASS:
        # Chinese puts east and west first: 东北 is "en", 西北偏北 is not read
        text = text[::-1] if len(text) == 2 and text[::-1] in COMPASS else text
    if text not in COMPASS:
        return "not a direction"
    return COMPASS[text], np.nan, _ERROR[len(text)]
