"""What a caller asks a layer for: values, a time window, a grid, an indicator (筛选条件)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from geo.errors import BadInputError, UnknownNameError
from geo.indicators import indicator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from layers.catalog import Layer


RANKED = ("value", "rank")  # what an indicator adds to a grid


@dataclass(frozen=True, slots=True)
class Selection:
    """A parsed request for part of a layer; everything is optional.

    Attributes
    ----------
    fields
        Field -> values that may stand there, as text.
    since, until
        Window of the layer's time, from inclusive to exclusive.
    grid
        Only what lies in this grid or below it.
    indicator
        Indicator that a grid layer carries.
    carried
        The only properties that travel with a feature; None: all of the layer's.
    """

    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    since: pd.Timestamp | None = None
    until: pd.Timestamp | None = None
    grid: str = ""
    indicator: str = ""
    carried: tuple[str, ...] | None = None

    @property
    def key(self) -> str:
        """Text that is equal for equal selections."""
        parts = [f"{k}={chr(31).join(sorted(v))}" for k, v in sorted(self.fields.items())]
        window = [f"{n}={t.isoformat()}" for n, t in (("since", self.since), ("until", self.until)) if t]
        carried = [] if self.carried is None else [f"fields={','.join(sorted(self.carried))}"]
        return "&".join([*parts, *window, self.grid and f"grid={self.grid}", self.indicator, *carried])

    @property
    def narrows(self) -> bool:
        """Whether any row can be left out."""
        return bool(self.fields or self.since or self.until or self.grid)


NOTHING = Selection()


def parse(entry: Layer, asked: Mapping[str, str], *, timezone: str) -> Selection:
    """Parse the query of a tile address (`category=theft,fraud&since=2026-01-01`).

    Parameters
    ----------
    entry
        Layer that is asked.
    asked
        Query parameters; commas part the values of one, and a backslash before a comma makes it a part
        of a value. `fields` names the properties that are to travel: a map that draws 15,000 grids in one colour
        needs none of their names.
    timezone
        Zone of times without one.

    Raises
    ------
    UnknownNameError
        A parameter or a property that this layer does not have, or an indicator that does not exist.
    BadInputError
        A time that is none, or a window of no length.
    """
    allowed = [*entry.filters, "grid", "fields"]
    allowed += ["since", "until"] if entry.time else []
    allowed += ["indicator"] if entry.grids else []
    for name in asked:
        if name not in allowed:
            raise UnknownNameError(f"parameter of layer {entry.name!r}", name, allowed)
    since, until = (_moment(n, asked[n], timezone) if n in asked else None for n in ("since", "until"))
    if since is not None and until is not None and since >= until:
        raise BadInputError(f"since {since} is not before until {until}")
    chosen = asked.get("indicator", "")
    if chosen:
        indicator(chosen)
    values = {n: _values(asked[n]) for n in entry.filters if n in asked}
    carried = tuple(n for n in asked["fields"].split(",") if n) if "fields" in asked else None
    known = [*entry.fields, *(RANKED if entry.grids else ())]
    for name in carried or ():
        if name not in known:
            raise UnknownNameError(f"field of layer {entry.name!r}", name, known)
    return Selection(values, since, until, asked.get("grid", ""), chosen, carried)


def _values(text: str) -> tuple[str, ...]:
    """Split at commas; behind a backslash a comma, or another backslash, is part of a value."""
    plain = text.replace("\\\\", "\0").replace("\\,", "\1")
    return tuple(v.replace("\1", ",").replace("\0", "\\") for v in plain.split(","))


def _moment(name: str, text: str, timezone: str) -> pd.Timestamp:
    try:
        moment = pd.Timestamp(text)
    except ValueError:
        raise BadInputError(
            f"{name} {text!r} is no time; allowed: ISO 8601, such as 2026-01-31T08:00:00"
        ) from None
    if moment is pd.NaT:
        raise BadInputError(f"{name} is empty; allowed: ISO 8601, such as 2026-01-31T08:00:00")
    return moment.tz_localize(timezone) if moment.tzinfo is None else moment
