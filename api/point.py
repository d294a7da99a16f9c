"""The answer to "which grid is this point in" as JSON, the same bytes at every door (点定位应答).

A command centre asks this thousands of times a second, and building a dict and writing it as JSON costs twenty
times the lookup. So what depends on the grids alone is written once per version of the grids.
"""

from collections.abc import Callable

import orjson

from geo.city import City
from geo.grid import GridLookup, Level

Find = Callable[[float, float], int]


class PointAnswers:
    """Answers for single points in degrees, for one version of the grids."""

    def __init__(self, lookup: GridLookup) -> None:
        self.lookup = lookup
        base, dedicated, micro = (lookup.levels[n] for n in ("base", "dedicated", "micro"))
        self._find = base.index.one.find
        self._edge = base.index.one.nearest_edge
        self._disjoint = base.index.disjoint
        self._heads = _heads(lookup)
        self._base = _written(base)
        self._dedicated: Find | None = dedicated.index.one.find if len(dedicated) else None
        self._dedicated_grids = _written(dedicated)
        self._micro: Find | None = micro.index.one.find if len(micro) else None
        self._micro_grids = _written(micro)
        self._micro_base = micro.above["base"].tolist()

    def body(self, lon: float, lat: float) -> bytes:
        """JSON of `GridLookup.answers` for one point."""
        base = self._find(lon, lat)
        if base < 0 or not self._disjoint:
            return self.full(lon, lat)
        metres = round(self._edge(lon, lat, base)[0], 2)
        grids = self._heads[base]
        if metres == 0 or grids is None:
            return self.full(lon, lat)
        if self._dedicated is not None and (i := self._dedicated(lon, lat)) >= 0:
            grids += self._dedicated_grids[i] + b","
        grids += self._base[base]
        if self._micro is not None and (i := self._micro(lon, lat)) >= 0:
            if self._micro_base[i] not in (base, -1):
                return self.full(lon, lat)
            grids += b"," + self._micro_grids[i]
        numbers = repr(lon).encode(), repr(lat).encode(), grids, repr(metres).encode()
        return b'{"lon":%b,"lat":%b,"grids":[%b],"edge_m":%b,"also":[],"nearest":null}' % numbers

    def full(self, lon: float, lat: float, radius_m: float = 0.0) -> bytes:
        """Return the same in the general way: near borders, outside, where grids overlap, with a radius."""
        return orjson.dumps(self.lookup.answers([lon], [lat], radius_m=radius_m)[0])


def point_answers(city: City) -> PointAnswers:
    """Answers over the grids of a city, made once per version."""
    return city.derive("point-answers", ("grids",), lambda: PointAnswers(city.lookup))


def _written(level: Level) -> list[bytes]:
    return [orjson.dumps(level.grid(i)) for i in range(len(level))]


def _heads(lookup: GridLookup) -> list[bytes | None]:
    """Town and village of every base grid, each with a comma after it; None where a level has to be searched."""
    base = lookup.levels["base"]
    heads: list[bytes | None] = [b""] * len(base)
    for name in ("town", "village"):
        level = lookup.levels[name]
        if len(level) == 0:
            continue
        written = [*(w + b"," for w in _written(level)), None]
        parts = [written[i] for i in base.above[name].tolist()]
        heads = [None if a is None or b is None else a + b for a, b in zip(heads, parts, strict=True)]
    return heads
