"""Which polygon is this point in (点在哪个多边形): an exact cell index over one level of grids.

Works in longitude and latitude exactly as the store holds them. The answer is that of `shapely.covers`, and
where several polygons cover a point (borders, overlaps) the first one in the order given.
"""

from geo.index._jit import COMPILED
from geo.index.grid_index import GridIndex

__all__ = ["COMPILED", "GridIndex"]
