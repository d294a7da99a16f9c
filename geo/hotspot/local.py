"""Local statistics of place (局部空间统计): Gi*, local Moran, false-discovery control, exact permutations.

Gi* on raw counts finds hundreds of false hot grids in a city where nothing clusters, because counts are
skewed: give these functions the residual of `geo.hotspot.expect`, and use the adjusted p (`q`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

import numpy as np
import pandas as pd
from scipy import special

from geo.errors import BadInputError
from geo.hotspot import _check

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from geo.hotspot.graph import Graph

Fdr = Literal["bh", "by"]
Alternative = Literal["two-sided", "greater", "less"]

Plane = TypeVar("Plane", "NDArray[Any]", pd.Series, pd.DataFrame)
Values: TypeAlias = "ArrayLike | pd.Series"

QUADRANTS = ("none", "HH", "LL", "LH", "HL")


def gi_star(values: Plane, graph: Graph) -> Plane:
    """Getis-Ord Gi* of each grid, as a z score (热点 Gi* 统计量).

    Binary weights with the grid itself, moments of Ord & Getis (1995), equal to spdep's `localG` and to
    ArcGIS "Hot Spot Analysis" for binary weights.

    Parameters
    ----------
    values
        Series on the graph's index, DataFrame of several planes on it, or an array `(n,)` or `(n, planes)`.
    graph
        Neighbours without self.

    Returns
    -------
    Series, DataFrame or array
        z scores, of the type and on the index of `values`. A constant or all-zero plane: 0 everywhere (no hot
        spot). An island: its own standardised value. No grids: nothing.

    Raises
    ------
    BadInputError
        If a value is missing, or the index is not the graph's.

    Examples
    --------
    >>> import numpy as np
    >>> from geo.hotspot.graph import distance_band
    >>> xy = [(10, 10), (20, 10), (40, 10), (15, 20), (30, 20), (30, 30)]
    >>> graph = distance_band(xy, distance_m=15)
    >>> gi_star(np.array([2, 3, 3.2, 5, 8, 7]), graph).round(4).tolist()
    [-1.3973, -0.2892, 0.6506, -0.2892, 1.2345, 2.0242]
    """
    return _like(values, gi_star_array(_matrix(values, graph), graph))


def gi_star_array(x: NDArray[np.float64], graph: Graph) -> NDArray[np.float64]:
    """Gi* of checked `(n,)` or `(n, planes)` float64 values: the kernel of `gi_star`, without its checks."""
    n = graph.size
    if n < 2:
        return np.zeros_like(x)
    from geo.hotspot import _kernels  # noqa: PLC0415  (numba)

    values = np.ascontiguousarray(x)
    z = np.empty_like(values)
    kernel = _kernels.gi_star if x.ndim == 1 else _kernels.gi_stars
    kernel(graph.with_self.indptr, graph.with_self.indices, values, z)
    return z


def gi(values: Plane, graph: Graph) -> Plane:
    """Getis-Ord Gi (without the grid itself) as a z score; same arguments and answers as `gi_star`.

    Moments leave the grid itself out (Getis & Ord 1992). Islands and constant planes: 0.
    """
    x = _matrix(values, graph)
    n = graph.size
    if n < 3:
        return _like(values, np.zeros_like(x))
    column = (slice(None),) + (None,) * (x.ndim - 1)
    k = graph.degree.astype(np.float64)[column]
    mean = (x.sum(axis=0) - x) / (n - 1)
    square = (np.square(x).sum(axis=0) - np.square(x)) / (n - 1)
    variance = np.maximum(square - np.square(mean), 0.0)
    bottom = np.sqrt(variance * ((n - 1) * k - k * k) / (n - 2))
    valid = (np.ptp(x, axis=0) > 0) & (bottom > 1e-12 * np.abs(mean))
    z = np.where(valid, (graph.matrix @ x - k * mean) / np.where(valid, bottom, 1.0), 0.0)
    return _like(values, z)


@dataclass(frozen=True, slots=True)
class Moran:
    """Moran's I of the whole city (全局莫兰指数) with its moments under randomisation."""

    i: float
    expected: float
    variance: float
    z: float
    p: float


def moran(values: Values, graph: Graph) -> Moran:
    """Global Moran's I, row-standardised (Cliff & Ord 1981); constant values: I and z are 0, p is 1."""
    x = _matrix(values, graph)
    n = graph.size
    expected = -1.0 / (n - 1) if n > 1 else 0.0
    if n < 4 or np.ptp(x) == 0 or graph.links == 0:
        return Moran(0.0, expected, 0.0, 0.0, 1.0)
    w = graph.row_standardised
    d = x - x.mean()
    s0 = w.sum()
    s1 = 0.5 * np.square((w + w.T).toarray() if n < 500 else (w + w.T).data).sum()
    s2 = np.square(np.asarray(w.sum(axis=1)).ravel() + np.asarray(w.sum(axis=0)).ravel()).sum()
    m2, m4 = np.square(d).mean(), (d**4).mean()
    i = n / s0 * (d @ (w @ d)) / (n * m2)
    kurtosis = m4 / m2**2
    top = n * ((n * n - 3 * n + 3) * s1 - n * s2 + 3 * s0**2)
    top -= kurtosis * ((n * n - n) * s1 - 2 * n * s2 + 6 * s0**2)
    variance = top / ((n - 1) * (n - 2) * (n - 3) * s0**2) - expected**2
    z = (i - expected) / np.sqrt(variance) if variance > 0 else 0.0
    return Moran(float(i), expected, float(variance), float(z), float(p_value(np.array([z]))[0]))


def local_moran(values: Values, graph: Graph) -> pd.DataFrame:
    """Local Moran's I of each grid, with the class of grid and surroundings (局部莫兰).

    `i` follows Anselin (1995) with the population variance, as spdep does, so that its mean is Moran's I
    (esda's is `(n - 1) / n` of it). `z` is the score of the surroundings under the conditional draw of k
    other grids, by its exact moments: that of Gi, with the sign of the grid's own deviation.

    Returns
    -------
    DataFrame
        On the graph's index: `i`, `z`, `p` (two-sided), `quadrant` ("HH", "LL", "LH", "HL"; "none" for islands
        and constant planes). HL, a high grid among low ones, is the useful class: a single problem place.
    """
    x = _matrix(values, graph)
    d = x - x.mean() if len(x) else x
    m2 = np.square(d).mean() if len(x) else 0.0
    around = graph.row_standardised @ d
    constant = len(x) == 0 or np.ptp(x) == 0
    i = np.zeros_like(x) if constant else d * around / m2
    z = np.sign(d) * gi(x, graph)
    code = np.where((d > 0) & (around > 0), 1, np.where((d <= 0) & (around <= 0), 2, np.where(d > 0, 4, 3)))
    code = np.where(graph.islands | constant, 0, code)
    quadrant = np.array(QUADRANTS)[code]
    return pd.DataFrame({"i": i, "z": z, "p": p_value(z), "quadrant": quadrant}, index=graph.index)


def p_value(z: ArrayLike, *, alternative: Alternative = "two-sided") -> NDArray[np.float64]:
    """Normal p of z scores; two-sided for maps, "greater" for alarms."""
    z = np.asarray(z, dtype=np.float64)
    if alternative == "greater":
        return special.ndtr(-z)
    if alternative == "less":
        return special.ndtr(z)
    return np.minimum(2.0 * special.ndtr(-np.abs(z)), 1.0)


def adjusted(p: ArrayLike, *, method: Fdr = "bh", axis: int | None = None) -> NDArray[np.float64]:
    """False-discovery adjusted p values, "q" (错误发现率校正).

    Parameters
    ----------
    p
        p values of everything that is shown together.
    method
        "bh" (Benjamini & Hochberg 1995) or "by" (Benjamini & Yekutieli 2001: any dependence, stricter).
    axis
        Adjust along this axis only; all values together if `None`.

    Returns
    -------
    array
        Shape of `p`; a test is significant at rate a if its q is at most a. Empty gives empty.
    """
    p = np.asarray(p, dtype=np.float64)
    if method not in ("bh", "by"):
        raise BadInputError(f"false-discovery method {method!r}; allowed: 'bh', 'by'")
    if p.size and not (np.nanmin(p) >= 0 and np.nanmax(p) <= 1 and np.isfinite(p).all()):
        raise BadInputError("p values outside 0 to 1 or missing")
    if axis is None:
        return adjusted(p.ravel(), method=method, axis=0).reshape(p.shape)
    m = p.shape[axis]
    if m == 0:
        return p.copy()
    moved = np.moveaxis(p, axis, 0)
    order = np.argsort(moved, axis=0, kind="stable")
    rank = np.arange(1, m + 1, dtype=np.float64).reshape((m,) + (1,) * (moved.ndim - 1))
    factor = m * (np.reciprocal(np.arange(1.0, m + 1)).sum() if method == "by" else 1.0)
    q = np.take_along_axis(moved, order, axis=0) * factor / rank
    q = np.minimum(np.minimum.accumulate(q[::-1], axis=0)[::-1], 1.0)
    result = np.empty_like(q)
    np.put_along_axis(result, order, q, axis=0)
    return np.moveaxis(result, 0, axis)


def passing(p: NDArray[np.float64], *, alpha: float, method: Fdr = "bh") -> NDArray[np.bool_]:
    """Which tests of each column pass the false-discovery control: `adjusted(p, axis=0) <= alpha`, sorting little.

    Only p values up to alpha can pass (Benjamini & Hochberg's step-up rule), so only they are ranked.
    """
    m = len(p)
    factor = m * (np.reciprocal(np.arange(1.0, m + 1)).sum() if method == "by" else 1.0)
    mark = np.zeros(p.shape, dtype=bool)
    for column in range(p.shape[1]):
        small = np.sort(p[:, column][p[:, column] <= alpha])
        fits = np.flatnonzero(small * factor / np.arange(1, len(small) + 1) <= alpha)
        if len(fits):
            mark[:, column] = p[:, column] <= small[fits[-1]]
    return mark


def gi_bin(z: ArrayLike, q: ArrayLike) -> NDArray[np.int8]:
    """ArcGIS "Gi_Bin": ±3, ±2, ±1 for 99, 95, 90 % confidence, 0 not significant; sign of z (热点置信等级)."""
    q = np.asarray(q, dtype=np.float64)
    level = (q <= 0.10).astype(np.int8) + (q <= 0.05) + (q <= 0.01)
    return (np.sign(np.asarray(z)) * level).astype(np.int8)


def hot_cold(values: Values, graph: Graph, *, alpha: float = 0.05, fdr: Fdr | None = "bh") -> pd.DataFrame:
    """Gi* table of one plane, false-discovery control on (热点与冷点).

    Parameters
    ----------
    values
        One value per grid: the residual of `expect.residual`, not a raw count.
    graph
        Neighbours.
    alpha
        Rate of false discoveries among those marked.
    fdr
        Method; `None` shows unadjusted p (named so in the interface).

    Returns
    -------
    DataFrame
        On the graph's index: `z`, `p` (two-sided), `q`, `gi_bin`, `hot` and `cold` (bool), `island`.
    """
    z = np.asarray(gi_star(np.asarray(values, dtype=np.float64), graph))
    p = p_value(z)
    q = p if fdr is None else adjusted(p, method=fdr)
    mark = q <= alpha
    return pd.DataFrame(
        {"z": z, "p": p, "q": q, "gi_bin": gi_bin(z, q), "hot": mark & (z > 0), "cold": mark & (z < 0),
         "island": graph.islands},
        index=graph.index,
    )  # fmt: skip


def _matrix(values: Values, graph: Graph) -> NDArray[np.float64]:
    if isinstance(values, pd.Series | pd.DataFrame) and not values.index.equals(graph.index):
        raise BadInputError("values are not on the index of the graph; use values.reindex(graph.index)")
    x = _check.finite(values)
    if x.ndim not in (1, 2) or x.shape[0] != graph.size:
        raise BadInputError(
            f"values of shape {x.shape} for a graph of {graph.size} grids; allowed: one row a grid"
        )
    return x


def _like(values: Plane, result: NDArray[np.float64]) -> Plane:
    if isinstance(values, pd.Series):
        return pd.Series(result, index=values.index, name=values.name)
    if isinstance(values, pd.DataFrame):
        return pd.DataFrame(result, index=values.index, columns=values.columns)
    return result
