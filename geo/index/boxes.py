"""A tree over boxes in flat arrays (矩形索引): 40 bytes a box, where a tree of geometries takes 300 and more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.intp]

FAN = 16  # boxes below one of the next level


@dataclass(frozen=True, slots=True, eq=False)
class BoxTree:
    """Boxes in the order of an STR-tree, and the boxes around every `FAN` of them, level upon level.

    Attributes
    ----------
    order
        Row of each box, as an `shapely.STRtree` of the same boxes would find them.
    levels
        Boxes of each level, lowest first: (M, 4), west, south, east, north.
    """

    order: NDArray[np.int32]
    levels: tuple[Floats, ...]

    @classmethod
    def of(cls, low: Floats, high: Floats) -> BoxTree:
        """Tree over boxes from their lower left and upper right corners, (M, 2) each, all of them finite."""
        if len(low) == 0:
            return cls(np.empty(0, dtype=np.int32), (np.empty((0, 4)),))
        tree = shapely.STRtree(shapely.linestrings(np.stack([low, high], axis=1)))
        order = tree.query(shapely.box(*low.min(axis=0), *high.max(axis=0)))
        levels = [np.column_stack([low, high])[order]]
        while len(levels[-1]) > FAN:
            first = np.arange(0, len(levels[-1]), FAN)
            least = np.minimum.reduceat(levels[-1][:, :2], first)
            most = np.maximum.reduceat(levels[-1][:, 2:], first)
            levels.append(np.column_stack([least, most]))
        return cls(order.astype(np.int32), tuple(levels))

    def query(self, boxes: Floats) -> tuple[Ints, Ints]:
        """Pairs (row of `boxes`, row of the tree) of boxes that meet, borders counted.

        The same pairs in the same order as `shapely.STRtree.query`: by row of `boxes`, then as the tree is sorted.
        """
        top = len(self.levels[-1])
        who = np.repeat(np.arange(len(boxes)), top)
        node = np.tile(np.arange(top), len(boxes))
        for depth in range(len(self.levels) - 1, -1, -1):
            box, asked = self.levels[depth][node], boxes[who]
            meet = (
                (box[:, 0] <= asked[:, 2]) & (box[:, 2] >= asked[:, 0])
                & (box[:, 1] <= asked[:, 3]) & (box[:, 3] >= asked[:, 1])
            )  # fmt: skip
            who, node = who[meet], node[meet]
            if depth == 0:
                break
            below = len(self.levels[depth - 1])
            first = node * FAN
            count = np.minimum(first + FAN, below) - first
            who = np.repeat(who, count)
            node = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count - first, count)
        return who, self.order[node].astype(np.intp)
