"""Text of a cell without what nobody meant (文本清洗): spaces, invisible characters, full-width letters, “null”."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable

ABSENT = frozenset(
    (
        "",
        "null",
        "none",
        "nan",
        "nat",
        "n/a",
        "na",
        "#n/a",
        "\\n",
        "<na>",
        "-",
        "--",
        "—",
        "/",
        "\\",
        "无数据",
        "未知值",
    )
)
_ABSENT_TEXT = frozenset(("", "null", "none", "nan", "nat", "n/a", "#n/a", "\\n", "<na>"))

_INVISIBLE = re.compile(
    "[\u200b-\u200f\u202a-\u202e\u2060\ufeff\u00ad\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]"
)
_SPACES = re.compile("[ \u00a0\u3000\t\r\n]+")
WIDE = {
    c: c - 0xFEE0
    for r in ((0xFF10, 0xFF19), (0xFF21, 0xFF3A), (0xFF41, 0xFF5A))
    for c in range(r[0], r[1] + 1)
}
_WIDE_RUN = re.compile("[０-９Ａ-Ｚａ-ｚ]")


def clean(column: pd.Series) -> tuple[pd.Series, dict[str, int]]:
    """Text without what nobody meant: spaces at the ends, invisible characters, full-width digits and letters.

    Returns
    -------
    column, counts
        Same index, ``str``, missing where nothing is left or the text says “null”; and how many values each
        repair (``text.trimmed``, ``text.invisible``, ``text.full_width``) touched. Chinese punctuation stays.
    """
    text = column.astype("str")
    codes, words = pd.factorize(text, use_na_sentinel=True)
    raw = ["" if w is None or w is pd.NA else str(w) for w in words]
    counts = {"text.invisible": 0, "text.full_width": 0, "text.trimmed": 0}
    times = np.bincount(codes[codes >= 0], minlength=len(raw))
    done = []
    for i, word in enumerate(raw):
        value = word
        if _INVISIBLE.search(value):
            value = _INVISIBLE.sub("", value)
            counts["text.invisible"] += int(times[i])
        if _WIDE_RUN.search(value):
            value = value.translate(WIDE)
            counts["text.full_width"] += int(times[i])
        trimmed = value.strip(" \u00a0\u3000\t\r\n")
        if trimmed != value:
            counts["text.trimmed"] += int(times[i])
        done.append(None if trimmed.lower() in _ABSENT_TEXT else trimmed)
    lookup = np.array([*done, None], dtype="object")
    result = pd.Series(lookup[codes], index=column.index, dtype="str")
    return result, {k: n for k, n in counts.items() if n}


def by_word(values: pd.Series, function: Callable[[str], object], dtype: str) -> pd.Series:
    """Apply a function to each distinct word, folded to lower case, once."""
    codes, found = pd.factorize(values.astype("str"), use_na_sentinel=True)
    results = [function(str(w).strip().lower()) for w in found]
    lookup = np.array([*results, None], dtype="object")
    return pd.Series(lookup[codes], index=values.index).astype(dtype)
