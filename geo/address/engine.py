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
            if self.grids is not None:
                self._doubt_border(one)
            elif one.status == "unique" and one.candidates[0].precision == "offset":
                one.status = "low"  # 对面 and 西边50米 may be in another grid, and no polygon can say
        return answer

    def _settle(self, c: Candidate) -> None:
        if self.grids is None:
            c.grid_id = c.grid_id or self._nearest_grid(c.x, c.y)
            c.also = [(c.grid_id, 1.0)] if c.grid_id else []
            return
        c.grid_id, fault = self.grids.decide(c.x, c.y, c.grid_id)
        if fault:
            c.faults.append(("GRID.disagrees", fault))
        c.also = self.grids.shares(c.x, c.y, min(c.radius_m, 2000.0))
        c.chain = self.grids.chain(c.grid_id)

    def _doubt_border(self, answer: Answer) -> None:
        """A place whose circle reaches well into other grids is less sure than its text: no automatic pick."""
        calibration = self.resolver.calibration
        for c in answer.candidates:
            if c.precision in ("door", "building", "unit", "room") and c.radius_m <= 15.0:
                continue
            share = dict(c.also).get(c.grid_id, 0.0)
            c.confidence *= 0.5 + 0.5 * share if c.also else 0.5
        if answer.status == "unique" and answer.candidates[0].confidence < calibration.unique_at:
            answer.status = "low"

    def _nearest_grid(self, x: float, y: float) -> str:
        g = self.gazetteer
        if not len(g.plate_num):
            return ""
        if self._plates is None:
            self._plates = cKDTree(np.column_stack([g.plate_x, g.plate_y]))
        away, at = self._plates.query([x, y], distance_upper_bound=NEAREST_PLATE_M)
        return g.grid_text[int(g.plate_grid[at])] if np.isfinite(away) else ""
