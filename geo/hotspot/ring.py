"""Live counts (实时计数): the hot list after each incident, without counting history again.

What is kept is the incidents of the windows, by id; the windows' counts are a pure function of them. So a
repetition changes nothing, a correction takes the old place back, any order of arrival gives the same state, and
that state equals a rebuild from the store bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import special

from geo.errors import BadInputError, UnknownNameError
from geo.hotspot import _check
from geo.hotspot.cube import SOURCES
from geo.hotspot.expect import expected, residual
from geo.hotspot.local import adjusted, p_value
from geo.hotspot.pooled import dispersion, widening

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from geo.hotspot.cube import Cube
    from geo.hotspot.graph import Graph

FACTOR_STEP = (
    0.005  # the city-wide factor is rounded to half a per cent, so that most scores stay as they are
)
MOST_PLANES = 4096  # categories × sources
ALARM_DAYS = 7  # recent window and gap of the early warning


@dataclass(frozen=True, slots=True)
class Span:
    """Windows of a view (时窗): days of the recent one, of the gap before it and of the baseline before that."""

    recent: int
    gap: int
    baseline: int

    def place(self, age: NDArray[np.int64] | int) -> tuple[Any, Any]:
        """Whether days of this age (0 is today) lie in the recent window, and whether in the baseline."""
        back = age - self.recent - self.gap
        return (age >= 0) & (age < self.recent), (back >= 0) & (back < self.baseline)


@dataclass(frozen=True, slots=True)
class HotList:
    """The hottest grids now (实时热点榜), best first.

    `hot` is how many grids of the whole city pass the false-discovery control; `grid_id`, `z`, `q`, `observed`,
    `expected` describe the first of the list.
    """

    hot: int
    grid_id: tuple[str, ...]
    z: NDArray[np.float64]
    q: NDArray[np.float64]
    observed: NDArray[np.int64]
    expected: NDArray[np.float64]


@dataclass
class _View:
    """Pooled counts and scores of one choice of category and source."""

    recent: NDArray[np.float64]
    baseline: NDArray[np.float64]
    pooled_recent: NDArray[np.float64]
    pooled_baseline: NDArray[np.float64]
    city_recent: int
    city_baseline: int
    factor: float = -1.0
    z: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    stale: set[int] = field(default_factory=set)


class RingCounts:
    """Counts of a recent window and its baseline, kept up to date incident by incident (环形计数).

    Parameters
    ----------
    graph
        Neighbours; its index are the grids.
    today
        Last day of the recent window.
    recent_days, baseline_days, gap_days
        Windows, multiples of 7.
    overdispersion
        Of `pooled.overdispersion`, measured on history.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        today: date,
        recent_days: int = 14,
        baseline_days: int = 56,
        gap_days: int = 0,
        overdispersion: float = 0.0,
    ) -> None:
        for name, days in (("recent_days", recent_days), ("baseline_days", baseline_days)):
            _check.whole_weeks(days, name)
        if gap_days:
            _check.whole_weeks(gap_days, "gap_days")
        if baseline_days < recent_days:
            raise BadInputError(
                f"baseline of {baseline_days} days is shorter than the window of {recent_days}"
            )
        self.graph = graph
        self.today = today
        self.recent_days, self.baseline_days, self.gap_days = recent_days, baseline_days, gap_days
        self.overdispersion = overdispersion
        self.categories: list[str] = []
        self._position = {g: i for i, g in enumerate(graph.index)}
        self._events: dict[str, int] = {}  # id -> (day, grid, plane) as one number
        self._views: dict[tuple[str | None, str | None, Span], _View] = {}
        self.span = Span(recent_days, gap_days, baseline_days)

    def __len__(self) -> int:
        """How many incidents are remembered."""
        return len(self._events)

    @property
    def first_day(self) -> date:
        """First day of the baseline; what is older is forgotten."""
        return self.today - timedelta(days=self.recent_days + self.gap_days + self.baseline_days - 1)

    @property
    def alarm_span(self) -> Span:
        """Windows of the early warning within the days that are remembered: a week, a week's gap, the rest."""
        rest = self.recent_days + self.gap_days + self.baseline_days - 2 * ALARM_DAYS
        return (
            Span(ALARM_DAYS, ALARM_DAYS, rest)
            if rest >= ALARM_DAYS
            else Span(ALARM_DAYS, 0, rest + ALARM_DAYS)
        )

    # -- what happens -----------------------------------------------------------------------------------------

    def put(self, incident_id: str, *, day: date, category: str, source: str | None, grid_id: str) -> bool:
        """Add an incident, or correct the one of this id (新增或更正); whether anything changed.

        A day before the windows, or a grid that is not counted (`""`), takes an earlier version of the incident
        out again. A day after today waits until `roll` reaches it.

        Raises
        ------
        UnknownNameError
            If the grid is not in the graph.
        """
        if grid_id and grid_id not in self._position:
            raise UnknownNameError("grid", grid_id, self.graph.index[:5])
        if not grid_id or day < self.first_day:
            return self.remove(incident_id)
        code = self._code(day, self._position[grid_id], self._plane(category, source))
        old = self._events.get(incident_id)
        if old == code:
            return False
        if old is not None:
            self._shift(old, -1)
        self._events[incident_id] = code
        self._shift(code, 1)
        return True

    def remove(self, incident_id: str) -> bool:
        """Take an incident out (撤销), for example one that proved to be a duplicate; whether it was there."""
        old = self._events.pop(incident_id, None)
        if old is None:
            return False
        self._shift(old, -1)
        return True

    def roll(self, today: date) -> None:
        """Move the windows to a later day; incidents that fall out are forgotten (日切)."""
        if today < self.today:
            raise BadInputError(f"roll to {today}, before {self.today}: windows move forward only")
        if today == self.today:
            return
        self.today = today
        least = self.first_day.toordinal() * len(self._position) * MOST_PLANES
        self._events = {k: v for k, v in self._events.items() if v >= least}
        self._views.clear()

    def load(self, cube: Cube, ids: pd.Index) -> None:
        """Put every incident of a cube (整体装入); `ids` names the rows of the incident table it was made of."""
        if not cube.grids.equals(self.graph.index):
            raise BadInputError("the cube's grids are not those of the graph")
        planes = np.array([[self._plane(c, s) for s in cube.sources] for c in cube.categories], np.int64)
        days = cube.first_day.toordinal() + cube.day.astype(np.int64)
        keep = np.flatnonzero(days >= self.first_day.toordinal())
        if len(keep):
            plane = planes[cube.category[keep], cube.source[keep]]
            code = (days[keep] * len(self._position) + cube.grid[keep]) * MOST_PLANES + plane
            names = ids.take(cube.row[keep]).to_numpy(dtype=object)
            self._events.update(zip(names.tolist(), code.tolist(), strict=True))
        self._views.clear()

    # -- what is asked ----------------------------------------------------------------------------------------

    def windows(
        self, *, category: str | None = None, source: str | None = None, span: Span | None = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Counts of the recent window and of the baseline, one per grid; `span`: other windows than the ring's."""
        view = self._view(category, source, span)
        return view.recent.astype(np.int64), view.baseline.astype(np.int64)

    def hot(
        self, *, category: str | None = None, source: str | None = None, top: int = 20, alpha: float = 0.05
    ) -> HotList:
        """The hottest grids now, false-discovery control on, one-sided (实时热点榜)."""
        view = self._view(category, source)
        self._refresh(view)
        z = view.z / float(dispersion(view.z))
        # only grids that alone would pass matter to the adjustment, and the list is among them if it is long enough
        least = float(special.ndtri(1.0 - alpha))
        likely = np.flatnonzero(z >= least)
        q = _adjusted_of(p_value(z[likely], alternative="greater"), len(z))
        pool = likely if len(likely) >= top else np.arange(len(z))
        order = np.lexsort((pool, -z[pool]))[:top]
        best = pool[order]
        listed = np.ones(len(best))
        listed[z[best] >= least] = (
            q[order] if pool is likely else q[np.searchsorted(likely, best[z[best] >= least])]
        )
        return HotList(
            hot=int(np.count_nonzero(q <= alpha)),
            grid_id=tuple(self.graph.index[best]),
            z=z[best],
            q=listed,
            observed=view.recent[best].astype(np.int64),
            expected=expected(view.baseline[best], view.factor),
        )

    def behind(self, grid_id: str, *, category: str) -> pd.DataFrame:
        """Every remembered incident of a grid and category (网格内事件), newest first.

        Returns
        -------
        DataFrame
            Index `incident_id`: `age` in days (0 is today), `source`. Later than today is left out.
        """
        if grid_id not in self._position:
            raise UnknownNameError("grid", grid_id, self.graph.index[:5])
        if category not in self.categories:
            raise UnknownNameError("category", category, self.categories)
        code = np.fromiter(self._events.values(), np.int64, len(self._events))
        rest, plane = np.divmod(code, MOST_PLANES)
        day, grid = np.divmod(rest, len(self._position))
        wanted = plane // len(SOURCES) == self.categories.index(category)
        rows = np.flatnonzero(wanted & (grid == self._position[grid_id]) & (day <= self.today.toordinal()))
        names = list(self._events)
        table = pd.DataFrame(
            {
                "age": self.today.toordinal() - day[rows],
                "source": np.array(SOURCES)[plane[rows] % len(SOURCES)],
            },
            index=pd.Index([names[r] for r in rows], name="incident_id", dtype="str"),
        )
        return table.sort_index().sort_values("age", kind="stable")

    # -- inside -----------------------------------------------------------------------------------------------

    def _plane(self, category: str, source: str | None) -> int:
        source = "unknown" if source is None else source
        if source not in SOURCES:
            raise UnknownNameError("source", source, SOURCES)
        if category not in self.categories:
            if (len(self.categories) + 1) * len(SOURCES) > MOST_PLANES:
                raise BadInputError(
                    f"over {MOST_PLANES // len(SOURCES)} categories; merge some before counting"
                )
            self.categories.append(category)
        return self.categories.index(category) * len(SOURCES) + SOURCES.index(source)

    def _code(self, day: date, grid: int, plane: int) -> int:
        return (day.toordinal() * len(self._position) + grid) * MOST_PLANES + plane

    def _parts(self, code: int) -> tuple[int, int, int]:
        rest, plane = divmod(code, MOST_PLANES)
        day, grid = divmod(rest, len(self._position))
        return day, grid, plane

    def _shift(self, code: int, by: int) -> None:
        """Count one incident in or out of every view that shows it."""
        day, grid, plane = self._parts(code)
        age = self.today.toordinal() - day
        category, source = self.categories[plane // len(SOURCES)], SOURCES[plane % len(SOURCES)]
        around = self.graph.with_self.indices[
            self.graph.with_self.indptr[grid] : self.graph.with_self.indptr[grid + 1]
        ]
        for (of_category, of_source, span), view in self._views.items():
            if of_category not in (None, category) or of_source not in (None, source):
                continue
            recent, baseline = span.place(age)
            if not (recent or baseline):
                continue
            if recent:
                view.recent[grid] += by
                view.pooled_recent[around] += by
                view.city_recent += by
            else:
                view.baseline[grid] += by
                view.pooled_baseline[around] += by
                view.city_baseline += by
            view.stale.update(around.tolist())

    def _view(self, category: str | None, source: str | None, span: Span | None = None) -> _View:
        key = (category, source, self.span if span is None else span)
        if key in self._views:
            return self._views[key]
        if category is not None and category not in self.categories:
            raise UnknownNameError("category", category, self.categories)
        if source is not None and source not in SOURCES:
            raise UnknownNameError("source", source, SOURCES)
        n = len(self._position)
        code = np.fromiter(self._events.values(), np.int64, len(self._events))
        plane = code % MOST_PLANES
        chosen = np.ones(len(code), dtype=bool)
        if category is not None:
            chosen &= plane // len(SOURCES) == self.categories.index(category)
        if source is not None:
            chosen &= plane % len(SOURCES) == SOURCES.index(source)
        day, grid = np.divmod(code[chosen] // MOST_PLANES, max(n, 1))
        in_recent, in_baseline = key[2].place(self.today.toordinal() - day)
        recent = np.bincount(grid[in_recent], minlength=n).astype(np.float64)
        baseline = np.bincount(grid[in_baseline], minlength=n).astype(np.float64)
        around = self.graph.with_self
        view = _View(
            recent, baseline, around @ recent, around @ baseline, int(recent.sum()), int(baseline.sum())
        )  # fmt: skip
        self._views[key] = view
        return view

    def _refresh(self, view: _View) -> None:
        """Bring scores up to date: only those around changed grids, unless the rounded factor moved."""
        factor = _rounded(view.city_recent, view.city_baseline)
        if factor != view.factor:
            view.factor = factor
            view.z = self._score(view.pooled_recent, view.pooled_baseline, factor)
        elif view.stale:
            rows = np.fromiter(view.stale, np.int64, len(view.stale))
            view.z[rows] = self._score(view.pooled_recent[rows], view.pooled_baseline[rows], factor)
        view.stale.clear()

    def _score(
        self, recent: NDArray[np.float64], baseline: NDArray[np.float64], factor: float
    ) -> NDArray[np.float64]:
        return residual(recent, baseline, factor=factor) / widening(baseline, factor, self.overdispersion)


def _rounded(recent: int, baseline: int) -> float:
    if recent == 0 or baseline == 0:
        return 0.0
    return float(np.exp(np.round(np.log(recent / baseline) / FACTOR_STEP) * FACTOR_STEP))


def _adjusted_of(p: NDArray[np.float64], tests: int) -> NDArray[np.float64]:
    """Benjamini-Hochberg over `tests` of which only the smallest p are given; the others count as 1."""
    if not len(p):
        return p
    return np.minimum(adjusted(p) * (tests / len(p)), 1.0)


def as_frame(hot: HotList) -> pd.DataFrame:
    """Put a hot list into a table, index `grid_id`."""
    index = pd.Index(hot.grid_id, name="grid_id", dtype="str")
    return pd.DataFrame(
        {"z": hot.z, "q": hot.q, "observed": hot.observed, "expected": hot.expected}, index=index
    )
