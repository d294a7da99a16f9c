"""The tree over boxes finds what shapely's finds, in the same order."""

import numpy as np
import pytest
import shapely

from geo.index.boxes import BoxTree


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 300, 5000])
def test_pairs_are_those_of_an_strtree(n) -> None:
    rng = np.random.default_rng(n)
    low = rng.uniform(0, 1000, (n, 2)).round(rng.integers(0, 3))
    high = low + rng.uniform(0, 30, (n, 2)).round() * rng.integers(0, 2, (n, 2))  # some are lines or points
    asked = rng.uniform(-50, 1000, (200, 2)).round()
    boxes = np.hstack([asked, asked + rng.uniform(0, 120, (200, 2)).round()])
    boxes[3] = np.nan
    boxes[4] = [-1e9, -1e9, 1e9, 1e9]
    mine = BoxTree.of(low, high).query(boxes)
    tree = shapely.STRtree(shapely.box(low[:, 0], low[:, 1], high[:, 0], high[:, 1]))
    np.testing.assert_array_equal(mine, tree.query(shapely.box(*boxes.T)))


def test_no_boxes_asked() -> None:
    tree = BoxTree.of(np.zeros((3, 2)), np.ones((3, 2)))
    assert [len(a) for a in tree.query(np.empty((0, 4)))] == [0, 0]
