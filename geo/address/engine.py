"""The whole engine of a city (地址引擎): resolver, aliases, grids, calibration and suggestions together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.spatial import cKDTree

from geo.address.aliases import NO_ALIASES, Aliases
from geo.address.confidence import DEFAULT, Calibration
from geo.address.resolve import Hint, Resolver
from geo.address.suggest import Suggester

if TYPE_CHECKING:
    from geo.address.answer import Answer, Candidate
    from geo.address.around import BaseGrids
    from geo.address.fallback import Kind
    from geo.address.gazetteer import Gazetteer

ROWS, ROW_RADIUS_M = ("door", "building", "unit", "room"), 15.0  # what stands in the table with its grid
NEAREST_PLATE_M = 300.0  # where the city has no base grids: the row code of the nearest plate within this


class AddressEngine:
    """Answers texts with grids; immutable, safe to share between threads."""

    def __init__(
        self,
        gazetteer: Gazetteer,
        grids: BaseGrids | None = None,
        *,
        aliases: Aliases = NO_ALIASES,
        calibration: Calibration = DEFAULT,
        fallback: Kind | None = "fts5",
    ) -> None:
        self.gazetteer, self.grids = gazetteer, grids
        self.resolver = Resolver(gazetteer, calibration, aliases=aliases, fallback=fallback)
        self.suggester = Suggester(gazetteer)
        self._plates: cKDTree | None = None

    def locate(self, text: str, *, hint: Hint = Hint(), limit: int = 5) -> Answer:  # noqa: B008 - frozen
        """`Resolver.resolve`, and for every candidate its base grid, the chain above it and the shares around."""
        answer = self.resolver.resolve(text, hint=hint, limit=limit)
        for one in (answer, *answer.others):
            for candidate in one.candidates:
                self._settle(candidate)
            self._doubt_border(one)
        return answer

    def _settle(self, c: Candidate) -> None:
        if self.grids is None:
            c.grid_id = c.grid_id or self._nearest_grid(c.x, c.y)
            c.also = self._plate_shares(c) if _nearby(c) else [(c.grid_id, 1.0)] if c.grid_id else []
            return
        c.grid_id, fault = self.grids.decide(c.x, c.y, c.grid_id)
        if fault:
            c.faults.append(("GRID.disagrees", fault))
        c.also = self.grids.shares(c.x, c.y, min(c.radius_m, 2000.0))
        c.chain = self.grids.chain(c.grid_id)

    def _doubt_border(self, answer: Answer) -> None:
        """Make the confidence that of the base grid: the probability of the place times the grid's share of its circle.

        A plate or building in the table keeps its own grid: its row says which. Without grid polygons the plates
        around count; for a place across a road or some metres off nothing can say, so it is never assigned.
        """
        for c in answer.candidates:
            if c.precision in ROWS and c.radius_m <= ROW_RADIUS_M:
                continue
            if self.grids is not None or _nearby(c):
                c.confidence *= dict(c.also).get(c.grid_id, 0.0) if c.also else 0.5
        first = answer.candidates[0] if answer.candidates else None
        if first is None or answer.status != "unique":
            return
        blind = self.grids is None and first.precision == "offset"
        if blind or first.confidence < self.resolver.calibration.unique_at:
            answer.status = "low"

    def _plate_shares(self, c: Candidate) -> list[tuple[str, float]]:
        """Grids that the rows of the plates around name, and the share of the plates each has, largest first."""
        tree, g = self._tree(), self.gazetteer
        near = tree.query_ball_point([c.x, c.y], min(c.radius_m, NEAREST_PLATE_M)) if tree is not None else []
        if not len(near):
            return [(c.grid_id, 1.0)] if c.grid_id else []
        grid, count = np.unique(g.plate_grid[near], return_counts=True)
        order = np.argsort(-count, kind="stable")
        return [(g.grid_text[int(grid[i])], round(float(count[i] / count.sum()), 3)) for i in order]

    def _tree(self) -> cKDTree | None:
        g = self.gazetteer
        if self._plates is None and len(g.plate_num):
            self._plates = cKDTree(np.column_stack([g.plate_x, g.plate_y]))
        return self._plates

    def _nearest_grid(self, x: float, y: float) -> str:
        tree, g = self._tree(), self.gazetteer
        if tree is None:
            return ""
        away, at = tree.query([x, y], distance_upper_bound=NEAREST_PLATE_M)
        return g.grid_text[int(g.plate_grid[at])] if np.isfinite(away) else ""


def _nearby(c: Candidate) -> bool:
    """Whether the text says only that it is near this place (旁边, 附近)."""
    return any(code == "OFFSET.nearby" for code, _ in c.faults)
