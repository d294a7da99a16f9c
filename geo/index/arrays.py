"""What the index is made of, and the constants that its builder and its readers share (索引的数组)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from geo.index.types import Floats, Ints

SHIFT = 4e-9  # corners lie this far south-west of their cell: a point is always north-east of its corner
PAD = 1e-6  # a border this near a cell counts as in it; far above the rounding of cell indices
NOISE = 1e-11  # bound of the rounding of a coordinate, in cells
COARSE = 1e-7  # cells of which a coordinate's last digit is a larger part are not proper
NEAR = (
    1e-6  # a point this near a border of its leaf, in leaf widths, is decided exactly; float32 errs by 3e-7
)
OPEN = -1  # corner face of a leaf that only the candidates can answer
FINEST = 7  # blocks have at most 2⁷ × 2⁷ small cells: log2 k fits in 3 bits
RECORD = 5  # words: low, high, slope, intercept (float32), combined face (int32)
HEADER = 2  # words: corner face, number of records


class Arrays(NamedTuple):
    """What is saved, mapped into memory and searched.

    Polygons are numbered from 0 in the order given; a *face* is that number plus one, 0 is outside. A cell is
    *proper* if polygons do not overlap in it, its borders match and its corner is clear of them.
    """

    frame: Floats  # x and y of the raster's corner in degrees, cells per degree in x and y
    shape: Ints  # columns, rows, polygons
    top: Ints  # per cell: face, or minus (block << 3 | log2 k) minus one
    sub: Ints  # per small cell: face, or minus (place of the leaf in pool) minus one
    pool: Ints  # leaves: header, then the records
    near_start: Ints  # per cell: where its edges start in near_edge; one more at the end
    near_edge: Ints
    corner: Ints  # per cell: face at its south-west corner
    candidate_start: (
        Ints  # per cell that is not proper: where its polygons start in candidate; one more at the end
    )
    candidate: Ints  # ascending in every cell
    row_first: Ints  # per polygon that is a candidate: first raster row
    row_base: Ints  # per polygon: where its rows start in row_start; one more at the end
    row_start: Ints  # per row of a polygon: where its edges start in row_edge; one more at the end
    row_edge: Ints
    xy: Floats  # edges: ax, ay, bx, by in degrees, (ay, ax) <= (by, bx)
    owner: Ints  # edges: polygon on the left and on the right of a → b, -1 none
