"""Changes of the hot list, told to open pages (热点榜变化): which grids became hot, which are so no longer."""

import logging
import threading
from dataclasses import dataclass, field

import numpy as np

from api.state import ServerState
from geo.errors import SantuError
from geo.live import Change

log = logging.getLogger("santu")

TOP = 50
ALPHA = 0.05


@dataclass
class HotWatch:
    """Compares the hot list with the one before, and logs what changed for the stream.

    `step` may be called as often as one likes: it looks again only where something has arrived. The first look
    learns what is hot and tells nothing.
    """

    state: ServerState
    known: set[str] | None = None
    _seen: int = -1
    _stop: threading.Event = field(default_factory=threading.Event)

    def step(self) -> list[Change]:
        """Look once; returns the changes that were logged, grids that became hot first, in the order of their codes."""
        if self._seen == self.state.live.last and self.known is not None:
            return []
        found = self.state.hot_list(category=None, source=None, top=TOP)
        hot = (np.asarray(found.q) <= ALPHA) & (np.asarray(found.z) > 0)
        now = {g for g, h in zip(found.grid_id, hot, strict=True) if h}
        before, self.known = self.known, now
        changes = []
        if before is not None:
            changes = [self._note(g, hot=True) for g in sorted(now - before)]
            changes += [self._note(g, hot=False) for g in sorted(before - now)]
        self._seen = self.state.live.last
        return changes

    def run(self, every_s: float = 60.0) -> None:
        """Look again and again until `stop`."""
        while not self._stop.wait(every_s):
            try:
                self.step()
            except SantuError as error:
                log.warning("hot list: %s", error)

    def stop(self) -> None:
        """End `run`."""
        self._stop.set()

    def _note(self, grid_id: str, *, hot: bool) -> Change:
        grid = self.state.city.degrees("grids").loc[grid_id]
        inside = grid.geometry.representative_point()
        body = {"grid_id": grid_id, "name": grid["name"], "hot": hot, "lon": inside.x, "lat": inside.y}
        return self.state.live.note("hotspot", grid_id, body)
