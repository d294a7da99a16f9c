"""The weekly forecast (每周预测): written down before its week without anybody asking, and scored after it.

At `ISSUE` before the week's turn, in the city's own time, the forecasts of the coming week are made and stored:
of all incidents together, and of each category that has enough of them. A server that was not running then
makes up for the week that goes on, and the forecast is marked as late. Several servers of one city do not issue
twice: the store takes the first and keeps it.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from api.state import ServerState
from api.watching import settle_due, store_forecast, week_of
from geo import watch
from geo.errors import SantuError
from geo.hotspot import ledger

log = logging.getLogger("santu")

ISSUE = timedelta(hours=2)  # before Monday 0:00
LEAST_INCIDENTS = 100  # in the data of a category; fewer leave nothing to forecast
LEAST_DAYS = 28


def local_now(state: ServerState) -> datetime:
    """Return the moment in the city's zone."""
    return datetime.now(ZoneInfo(state.city.timezone))


@dataclass
class Weekly:
    """Issues and scores the forecasts of a server's city.

    `step` does what is due and nothing else; it may be called as often as one likes.
    """

    state: ServerState
    now: Callable[[ServerState], datetime] = local_now
    _done: set[str] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)

    def step(self) -> list[dict[str, Any]]:
        """Issue what is due and score what is over; returns the forecasts that this call stored."""
        now, store = self.now(self.state), self.state.store
        if store is None:
            return []
        week = week_of((now + ISSUE).date())
        weeks = [week] if week > now.date() else [week_of(now.date())]
        if all(w.isoformat() in self._done for w in weeks):
            return []
        if len(self.state.live):
            self.state.reload()  # the forecast and the score know what has arrived
        city = self.state.city
        cube = watch.cube_of(city)
        if cube.days < LEAST_DAYS or not len(cube.row):
            return []
        settle_due(store, city, now)
        issued = []
        counts = cube.totals().sum(axis=1)
        names = [None, *(str(name) for name in counts.index[counts >= LEAST_INCIDENTS])]
        origin = watch.default_source(cube)
        for chosen in weeks:
            kept = dict(store.records(ledger.FORECASTS))
            for name in names:
                if ledger.key_of(chosen, name, origin) not in kept:
                    body, new = store_forecast(store, city, now, category=name, source=origin, week=chosen)
                    issued += [body] if new else []
            self._done.add(chosen.isoformat())
        return issued

    def run(self, every_s: float = 60.0) -> None:
        """Look again and again until `stop`."""
        while True:
            try:
                for body in self.step():
                    log.info("forecast of %s %s issued %s", body["week"], body["category"], body["issued"])
            except SantuError as error:
                log.warning("forecast: %s", error)
            except Exception:  # next week is another week
                log.exception("forecast")
            if self._stop.wait(every_s):
                return

    def stop(self) -> None:
        """End `run`."""
        self._stop.set()
