"""Who may see what (可见范围): grid subtree, roles and the small-count limit.

A `Scope` is made once per request or command and is a required keyword of every function that lets data out.
Analyse the whole city, then cut the output: cutting the input would change the answer at the border.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from geo.errors import ForbiddenError, NotFoundError

DEFAULT_K = 5
ROLES = ("public", "operator", "planner", "admin")


@dataclass(frozen=True, slots=True)
class Scope:
    """What one caller may see.

    Parameters
    ----------
    who
        Name of the post or token, for the audit log.
    role
        One of `ROLES`; `admin` alone sees secret cameras (涉密点位).
    roots
        Grid ids whose subtrees are visible; empty: the whole city.
    k
        Counts of persons under `k` are suppressed.
    """

    who: str = "local"
    role: str = "operator"
    roots: frozenset[str] = field(default_factory=frozenset)
    k: int = DEFAULT_K

    @property
    def whole_city(self) -> bool:
        """Whether nothing is cut by place."""
        return not self.roots

    @property
    def key(self) -> str:
        """What a cache must tell apart: equal keys see equal bytes (the name of the caller is not part)."""
        return f"{self.role}|{self.k}|{','.join(sorted(self.roots))}"

    @property
    def sees_secret(self) -> bool:
        """Whether cameras with secrecy = 1 (涉密) are visible."""
        return self.role == "admin"


EVERYTHING = Scope(who="system", role="admin", k=0)


def visible_grids(grids: pd.DataFrame, scope: Scope) -> pd.Series:
    """Which grids a scope reaches (可见网格).

    Parameters
    ----------
    grids
        Grid table with `parent_id`; index `grid_id`.
    scope
        Whose view.

    Returns
    -------
    Series
        Boolean on the index of `grids`: the roots and everything below them. No roots: all True.
    """
    if scope.whole_city:
        return pd.Series(True, index=grids.index)
    ids = grids.index.to_numpy(dtype=object)
    parents = grids["parent_id"].to_numpy(dtype=object)
    position = {g: i for i, g in enumerate(ids)}
    up = np.array([position.get(p, -1) for p in parents], dtype=np.int64)
    seen = np.isin(ids, list(scope.roots))
    for _ in range(8):  # deeper than any hierarchy of the scheme; stops as soon as nothing changes
        grown = seen | ((up >= 0) & seen[np.maximum(up, 0)])
        if (grown == seen).all():
            break
        seen = grown
    return pd.Series(seen, index=grids.index)


def visible_ids(grids: pd.DataFrame, scope: Scope) -> frozenset[str]:
    """Codes of the grids that a scope reaches; see `visible_grids`."""
    seen = visible_grids(grids, scope)
    return frozenset(seen.index[seen.to_numpy()])


def check_grid(grids: pd.DataFrame, scope: Scope, grid: str) -> None:
    """Make sure that a grid exists and that a scope reaches it.

    Raises
    ------
    NotFoundError, ForbiddenError
        If it does not.
    """
    if grid not in grids.index:
        raise NotFoundError(f"there is no grid {grid!r}")
    if not scope.whole_city and not visible_grids(grids, scope)[grid]:
        raise ForbiddenError(f"grid {grid!r} is outside your scope")


def reach(grids: pd.DataFrame, scope: Scope, grid: str | None = None) -> frozenset[str]:
    """Codes of a grid and of all below it; without one, of all that the scope reaches. Errors as `check_grid`."""
    if not grid:
        return visible_ids(grids, scope)
    check_grid(grids, scope, grid)
    return visible_ids(grids, Scope(roots=frozenset([grid])))


def visible_cameras(cameras: pd.DataFrame, scope: Scope) -> pd.Series:
    """Which cameras a role may see: secret ones (涉密) only for `admin`. Boolean on the index of `cameras`."""
    secret = (cameras["secrecy"] == 1).fillna(value=False).astype(bool)
    return ~secret | scope.sees_secret
