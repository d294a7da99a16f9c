"""The watch (值守): tells open pages which grids became hot or are so no longer, and the early warnings (预警)."""

import logging
import threading
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np

from api.state import ServerState
from api.watching import plain
from geo.errors import SantuError
from geo.live import Change

log = logging.getLogger("santu")

TOP = 50
ALPHA = 0.05
KEEP = (
    0.10  # a hot grid is told to be so no longer when its q is over this: not at every step across the limit
)
AGAIN_DAYS = 7  # a warning that lasts is told again after its window
MOST_BEHIND = 100  # incidents named with a warning


@dataclass
class HotWatch:
    """Compares the hot list and the warnings with those before, and logs what changed for the stream.

    `step` may be called as often as one likes: it looks again only where something has arrived. The first look
    learns what is hot and what has been warned of, and tells nothing: a restart repeats nothing.
    """

    state: ServerState
    known: set[str] | None = None
    told: dict[tuple[str, str], date] = field(default_factory=dict)
    _seen: int = -1
    _stop: threading.Event = field(default_factory=threading.Event)

    def step(self) -> list[Change]:
        """Look once; returns what was logged: grids that became hot, grids no longer hot, warnings."""
        number = self.state.live.last
        if self._seen == number and self.known is not None:
            return []
        first = self.known is None
        changes = [*self._hot(), *self._warnings(tell=not first)]
        self._seen = number + len(changes) if self.state.live.last == number + len(changes) else number
        return changes

    def run(self, every_s: float = 2.0) -> None:
        """Look again and again until `stop`."""
        while not self._stop.wait(every_s):
            try:
                self.step()
            except SantuError as error:
                log.warning("hot list: %s", error)
            except Exception:  # the watch must not end because of one bad moment
                log.exception("hot list")

    def stop(self) -> None:
        """End `run`."""
        self._stop.set()

    def _hot(self) -> list[Change]:
        before = self.known
        found = self.state.hot_list(category=None, source=None, top=TOP)
        if found.hot >= TOP or len(before or ()) >= TOP:  # the list must reach to the last grid that counts
            found = self.state.hot_list(category=None, source=None, top=2 * max(found.hot, len(before or ())))
        q = dict(zip(found.grid_id, np.where(np.asarray(found.z) > 0, found.q, 1.0), strict=True))
        now = {g for g, value in q.items() if value <= (KEEP if before and g in before else ALPHA)}
        self.known = now
        if before is None:
            return []
        return [self._note(g, hot=True) for g in sorted(now - before)] + [
            self._note(g, hot=False) for g in sorted(before - now)
        ]

    def _note(self, grid_id: str, *, hot: bool) -> Change:
        return self.state.live.note("hotspot", grid_id, self._place(grid_id) | {"hot": hot})

    def _warnings(self, *, tell: bool) -> list[Change]:
        today = self.state.today()
        self.told = {k: day for k, day in self.told.items() if (today - day).days < AGAIN_DAYS}
        table = self.state.alarms(told=self.told)
        self.told |= {(r.grid_id, r.category): today for r in table.itertuples()}
        if not tell:
            return []
        return [
            self.state.live.note("warning", f"{row['grid_id']}|{row['category']}", self._body(row))
            for row in plain(table)
        ]

    def _body(self, row: dict[str, Any]) -> dict[str, Any]:
        place = self._place(row["grid_id"])
        row = row | place | {"incident_ids": row["incident_ids"][:MOST_BEHIND]}
        name, since = place["name"] or row["grid_id"], row["since"]
        return row | {
            "text": f"预警：{name} {row['category']} {row['observed']} 起（常态 {row['expected']:.1f}），{since:%m-%d} 起",
            "text_en": f"Warning: {name}, {row['category']}: {row['observed']} where {row['expected']:.1f} are usual, "
            f"since {since}",
        }

    def _place(self, grid_id: str) -> dict[str, Any]:
        grid = self.state.city.degrees("grids").loc[grid_id]
        inside = grid.geometry.representative_point()
        return {"grid_id": grid_id, "name": grid["name"], "lon": inside.x, "lat": inside.y}
