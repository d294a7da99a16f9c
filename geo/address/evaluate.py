"""Score the engine on labelled texts (评测): per class, never only the mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable

    from geo.address.answer import Answer

WITHIN_M = 50.0
TOP = 5


def evaluate(labelled: pd.DataFrame, ask: Callable[[str], Answer]) -> pd.DataFrame:
    """Ask every labelled text and compare with its truth (逐条评测).

    Parameters
    ----------
    labelled
        Columns `text`, `class`, `x`, `y` (metres; NaN: the place does not exist in the table) and `grid_id`
        (true base grid, may be missing).
    ask
        The engine, its candidates with their `grid_id`.

    Returns
    -------
    DataFrame
        One row a text, same index: `class`, `top1` and `top5` (within 50 m), `error_m` of the first candidate
        (infinite where there is none), `grid` (base grid right; missing where unknown), `answered_grid`, `status`,
        `confidence`, `standard`, `faults`. No texts: no rows.
    """
    rows = []
    for text, x, y, grid in zip(
        labelled["text"], labelled["x"], labelled["y"], labelled["grid_id"], strict=True
    ):
        answer = ask(str(text))
        away = [float(np.hypot(c.x - x, c.y - y)) for c in answer.candidates[:TOP]]
        first = answer.candidates[0] if answer.candidates else None
        rows.append({
            "top1": bool(away) and away[0] <= WITHIN_M,
            "top5": bool(away) and min(away) <= WITHIN_M,
            "error_m": away[0] if away else np.inf,
            "grid": bool(first and first.grid_id == grid) if isinstance(grid, str) and grid else None,
            "answered_grid": first.grid_id if first else "",
            "status": answer.status,
            "confidence": first.confidence if first else 0.0,
            "standard": first.standard if first else "",
            "faults": " ".join(code for code, _ in first.faults) if first else "",
        })  # fmt: skip
    result = pd.DataFrame(rows, index=labelled.index, columns=list(_COLUMNS))
    result.insert(0, "class", labelled["class"].to_numpy())
    return result.astype({"top1": bool, "top5": bool, "error_m": float, "confidence": float})


_COLUMNS = ("top1", "top5", "error_m", "grid", "answered_grid", "status", "confidence", "standard", "faults")


def summary(results: pd.DataFrame) -> pd.DataFrame:
    """Shares per class and over all (分类汇总).

    Columns: `count`, `within_50m`, `top5_within_50m`, `right_village`, `right_grid`, `auto` (share assigned without a person:
    status unique) and `auto_precision` (of those, the share whose base grid is right; NaN where none was).
    """
    parts = {str(name): part for name, part in results.groupby("class", sort=True)}
    parts["all"] = results
    return pd.DataFrame({name: _shares(part) for name, part in parts.items()}).T.astype({"count": int})


def _shares(part: pd.DataFrame) -> dict[str, float]:
    auto = (part["status"] == "unique").to_numpy()
    known = part["grid"].notna().to_numpy()
    right = part["grid"].fillna(value=False).to_numpy(bool)
    villages = part["village"].dropna().astype(float) if "village" in part.columns else pd.Series(dtype=float)
    return {
        "count": len(part),
        "within_50m": float(part["top1"].mean()),
        "top5_within_50m": float(part["top5"].mean()),
        "right_village": float(villages.mean()) if len(villages) else np.nan,
        "right_grid": float(right[known].mean()) if known.any() else np.nan,
        "auto": float(auto.mean()),
        "auto_precision": float(right[auto & known].mean()) if (auto & known).any() else np.nan,
    }
