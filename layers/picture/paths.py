"""Compound paths of many features (合并路径): one path a colour keeps a whole city to a fraction of a second."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.path import Path

from layers.tiles import mvt

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from layers.style import Entry, Style


def matches(column: mvt.Column | None, e: Entry, look: Style) -> NDArray[np.bool_] | bool:
    """Which features an entry stands for, by the encoded value of the style's property."""
    if column is None or not look.by:
        return e is look.entries[0]
    codes = {value: i for i, value in enumerate(column.dictionary)}
    code = codes.get(mvt.encode_value(e.value))
    mine: NDArray[np.bool_] = column.codes == (-9 if code is None else code)
    if e is look.entries[-1]:
        known = [codes[v] for v in (mvt.encode_value(o.value) for o in look.entries) if v in codes]
        mine = mine | ~np.isin(column.codes, known)
    return mine


def path_of(features: mvt.Features, rows: NDArray[np.int64], *, closed: bool) -> Path:
    """One compound path of many features; lines and rings begin with a move, rings are closed."""
    counts = np.diff(features.rows)[rows]
    parts = _ranges(features.rows[rows], counts)
    lengths = np.diff(features.parts)[parts]
    vertices = features.xy[_ranges(features.parts[parts], lengths)]
    first = np.zeros(len(lengths), np.int64)
    np.cumsum(lengths[:-1], out=first[1:])
    codes = np.full(len(vertices), Path.LINETO, Path.code_type)
    codes[first] = Path.MOVETO
    if closed:
        ends = first + lengths
        vertices = np.insert(vertices, ends, vertices[first], axis=0)
        codes = np.insert(codes, ends, Path.CLOSEPOLY)
    return Path(vertices, codes)


def _ranges(starts: NDArray[np.int64], counts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Concatenated ranges start .. start + count."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) - np.repeat(ends - counts, counts) + np.repeat(starts, counts)
