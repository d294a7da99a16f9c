"""What a scope lets out of an answer about an address (可见范围裁剪): analyse the whole city, then cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection


def cut(answer: dict[str, Any], visible: Collection[str]) -> dict[str, Any]:
    """Leave what a scope reaches in an answer (只留可见网格内的结果).

    Parameters
    ----------
    answer
        As `geo.store.addresses.locate_address` gives it.
    visible
        Grid codes that the caller may see.

    Returns
    -------
    dict
        Candidates whose base grid is visible, their chains and shares cut to visible grids. Where the best
        candidate was cut away the rest is `low` at most, and names that were read are left out: they may be
        those of the other place. Nothing left: status `none`.
    """
    kept = [_candidate(c, visible) for c in answer["candidates"] if c["grid_id"] in visible]
    whole = bool(kept) and answer["candidates"][0]["grid_id"] in visible
    out: dict[str, Any] = {
        "status": answer["status"] if whole else "low" if kept else "none",
        "candidates": kept,
        "spans": answer["spans"] if whole else [],
    }
    others = [cut(other, visible) for other in answer.get("others", ())]
    others = [o for o in others if o["candidates"]]
    return out | ({"others": others} if others else {})


def _candidate(candidate: dict[str, Any], visible: Collection[str]) -> dict[str, Any]:
    """One candidate with the grids around it cut to those that are visible."""
    return candidate | {
        "grids": [g for g in candidate["grids"] if g["grid_id"] in visible],
        "also": [a for a in candidate["also"] if a["grid_id"] in visible],
        "faults": [f for f in candidate["faults"] if f[0] != "GRID.disagrees"],  # it names another grid
    }
