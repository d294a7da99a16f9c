"""Learning from operators (学习): a confirmed choice becomes an alias, reviewed and reversible.

An alias is never deleted: it is proposed, accepted, withdrawn; who did so and when stands in the row (the last
step) and in the audit log (every step). Pure: the moment and the post come from the caller.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

import geopandas as gpd
import pandas as pd
import shapely

from geo.address.normalize import fold_text
from geo.errors import BadInputError, NotFoundError

if TYPE_CHECKING:
    from datetime import datetime

Step = Literal["accepted", "withdrawn"]
SHORTEST, LONGEST = 2, 60


def alias_id(text: str, standard: str) -> str:
    """Key of an alias: the same text for the same place is the same alias."""
    body = f"{fold_text(text)}|{fold_text(standard)}".encode()
    return "T" + hashlib.blake2b(body, digest_size=6).hexdigest()


def taught(
    text: str, standard: str, lon: float, lat: float, *, by: str, at: datetime, accepted: bool = False
) -> gpd.GeoDataFrame:
    """One row for the table `aliases`: what an operator confirmed (待审别名).

    Parameters
    ----------
    text
        The words that meant the place, without house number; 2 to 60 characters.
    standard
        Standard text of the place that was chosen.
    lon, lat
        The place, degrees.
    by
        Post of the operator (岗位), never a person's name.
    at
        When.
    accepted
        Whether it counts at once; else it waits for a review.

    Raises
    ------
    BadInputError
        Text too short or long, nothing but digits, equal to the standard text, or no post.
    """
    folded = fold_text(text)
    if not SHORTEST <= len(folded) <= LONGEST or folded.replace("|", "").isdigit():
        raise BadInputError(
            f"an alias needs {SHORTEST} to {LONGEST} characters that are not only digits; got {len(folded)}"
        )
    if folded == fold_text(standard):
        raise BadInputError("the alias is the standard text itself; there is nothing to learn")
    if not standard.strip() or not by.strip():
        raise BadInputError("an alias needs the standard text of the place and the post that confirms it")
    row = {
        "text": text.strip(),
        "standard": standard.strip(),
        "kind": "俗称",
        "state": "accepted" if accepted else "proposed",
        "taught_by": by.strip(),
        "taught_at": at,
    }
    index = pd.Index([alias_id(text, standard)], name="alias_id")
    return gpd.GeoDataFrame(pd.DataFrame([row], index=index), geometry=[shapely.Point(lon, lat)])


def reviewed(aliases: gpd.GeoDataFrame, key: str, step: Step, *, by: str, at: datetime) -> gpd.GeoDataFrame:
    """The row of an alias after a review (审核): accepted, or withdrawn; any state can become either again.

    Raises
    ------
    NotFoundError
        There is no such alias.
    """
    if key not in aliases.index:
        raise NotFoundError(f"there is no alias {key!r}")
    row = aliases.loc[[key]].copy()
    row["state"], row["taught_by"], row["taught_at"] = step, by, pd.Timestamp(at)
    return row
