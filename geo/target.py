"""Places to be watched (监控目标), by class one to three: what they ask of a picture, and what is aimed at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

CLASSES: Mapping[int, str] = {1: "一类目标", 2: "二类目标", 3: "三类目标"}
# A published municipal aim (2013): class 1 all, class 2 nine in ten, class 3 (nine small venues, rural) eight.
GOALS: Mapping[int, float] = {1: 1.0, 2: 0.9, 3: 0.8}
# Suggested level per class (EN 62676-4:2014); a target's own `required_level` comes first.
CLASS_LEVELS: Mapping[int, str] = {1: "recognise", 2: "observe", 3: "detect"}


def required_level(targets: pd.DataFrame, *, by_class: Mapping[int, str] = CLASS_LEVELS) -> pd.Series:
    """Image level that each target asks for (要求图像等级): its own, else that of its class.

    Parameters
    ----------
    targets
        Target table with `target_class` and, where known, `required_level`.
    by_class
        Level per class.

    Returns
    -------
    Series
        Name of a level, on the index of `targets`.
    """
    default = targets["target_class"].map(dict(by_class))
    if "required_level" not in targets:
        return default.rename("required_level")
    stated = targets["required_level"]
    return stated.where(stated.notna() & (stated != ""), default).rename("required_level")


def list_versions(targets: pd.DataFrame) -> str:
    """Return the versions of the list that these targets come from, in order, joined by a comma; empty: none."""
    if "list_version" not in targets:
        return ""
    return ",".join(sorted(targets["list_version"].dropna().astype("str").unique()))


def class_counts(targets: pd.DataFrame) -> pd.Series:
    """Count the targets of each class (各类目标数); index 1, 2, 3."""
    values = targets["target_class"].to_numpy(dtype="float64", na_value=np.nan)
    return pd.Series({c: int((values == c).sum()) for c in CLASSES})
