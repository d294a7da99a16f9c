"""Rows of an address table as codes and points, and sums over groups of them (地址行)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from geo.address import elements as el
from geo.address.normalize import fold_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPELT = ("district", "town", "village", "road", "lane", "compound")


@dataclass
class Rows:
    """Rows of the address table as codes: one array a column, and the distinct texts of each."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    code: dict[str, NDArray[np.int32]]
    text: dict[str, list[str]]
    ids: pd.Index
    street: NDArray[np.int64] = None  # type: ignore[assignment]
    plate: NDArray[np.int64] = None  # type: ignore[assignment]
    area: NDArray[np.int64] = None  # type: ignore[assignment]


def read_rows(addresses: pd.DataFrame) -> Rows:
    """Rows with a usable point, as codes. A plain table has its points in columns `x` and `y`."""
    if "x" in addresses.columns and "y" in addresses.columns:
        table = addresses
        x, y = table["x"].to_numpy(np.float64), table["y"].to_numpy(np.float64)
    else:
        points = addresses.geometry.to_numpy()
        x, y = shapely.get_x(points), shapely.get_y(points)
        table = pd.DataFrame(addresses.drop(columns=addresses.geometry.name))
    good = np.isfinite(x) & np.isfinite(y)
    if not good.all():
        table, x, y = table.loc[good], x[good], y[good]
    given = el.coded(table)
    code = given.code | {c: one_spelling(given.code[c], given.text[c]) for c in SPELT}
    return Rows(x, y, code, given.text, table.index)


def one_spelling(code: NDArray[np.int32], text: list[str]) -> NDArray[np.int32]:
    """Codes of a column with one code for all spellings of a name: 1巷 and 一巷 are one lane.

    The commonest spelling stays, of equals the first in the order of their characters.
    """
    count = np.bincount(code, minlength=len(text))
    order = sorted(range(len(text)), key=lambda i: (-count[i], text[i]))
    first: dict[str, int] = {}
    for i in order:
        first.setdefault(fold_text(text[i]) or text[i], i)
    kept = np.array([first[fold_text(t) or t] for t in text], np.int32)
    return kept[code] if len(code) else code


def distinct_rows(*columns: NDArray[np.integer[Any]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(first row of each distinct combination, group of each row); groups are in the order of their values."""
    key, span = np.zeros(len(columns[0]), np.int64), 1
    for column in columns:
        size = int(column.max(initial=0)) + 2
        if span * size > 1 << 62:
            key, unique = pd.factorize(key, sort=True)
            key, span = key.astype(np.int64), len(unique)
        key, span = key * size + column + 1, span * size
    group, unique = pd.factorize(key)
    order = np.argsort(unique, kind="stable")
    place = np.empty(len(unique), np.int64)
    place[order] = np.arange(len(unique))
    group = place[group]
    first = np.empty(len(unique), np.int64)
    first[group[::-1]] = np.arange(len(key) - 1, -1, -1)
    return first, group


def group_mean(values: NDArray[np.float64], group: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """Mean of each group's values; 0 for a group of no rows."""
    total = np.bincount(group, values, size)
    return total / np.maximum(np.bincount(group, minlength=size), 1)


def group_radius(
    x: NDArray[np.float64], y: NDArray[np.float64], group: NDArray[np.int64], size: int
) -> NDArray[np.float32]:
    """Half the diagonal of the box around each group of rows, metres; 50 m for a group of no rows."""
    low, high = np.full((2, size), np.inf), np.full((2, size), -np.inf)
    for axis, values in enumerate((x, y)):
        np.minimum.at(low[axis], group, values)
        np.maximum.at(high[axis], group, values)
    radius = np.full(size, 50.0, np.float32)
    seen = np.isfinite(low[0])
    radius[seen] = np.hypot(*(high - low)[:, seen]) / 2
    return radius
