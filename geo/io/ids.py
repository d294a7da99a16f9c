"""Keys of rows (主键): made from content where a file has none, and remembered across chunks to find repeats."""

from __future__ import annotations

import numpy as np
import pandas as pd
import shapely

_KEY = "santu-content-id"  # 16 characters; with it the same content has the same id for ever


def content_hash(frame: pd.DataFrame, shapes: np.ndarray | None) -> np.ndarray:
    """64-bit hash of each row's values (as text) and geometry (as WKB); equal content, equal hash."""
    columns = {
        str(c): frame[c].astype("str").fillna("").to_numpy(dtype="object") for c in sorted(frame.columns)
    }
    if shapes is not None:
        columns["geometry"] = shapely.to_wkb(shapes, hex=True).astype("object")
    if not columns:
        return np.zeros(len(frame), dtype="uint64")
    total = np.zeros(len(frame), dtype="uint64")
    for name, values in columns.items():
        salt = pd.util.hash_array(np.array([name], dtype="object"), hash_key=_KEY, categorize=False)[0]
        filled = np.where(pd.isna(values), "", values)
        hashed = pd.util.hash_array(filled, hash_key=_KEY, categorize=True)
        total = (total ^ (hashed + salt)) * np.uint64(0x9E3779B97F4A7C15)
        total ^= total >> np.uint64(29)
    return total


def text_ids(table: str, hashes: np.ndarray, times: np.ndarray) -> pd.Index:
    """Ids like ``inc-0f3a…``; the n-th row of the same content gets ``-n`` behind."""
    prefix = table[:3]
    base = [
        f"{prefix}-{h:016x}" if n == 1 else f"{prefix}-{h:016x}-{n}"
        for h, n in zip(hashes.tolist(), times.tolist(), strict=True)
    ]
    return pd.Index(base, dtype="str")


class Seen:
    """A growing set of 64-bit keys, each with a 64-bit companion; 16 bytes a row, merged like a log.

    Asked with a chunk, it says for each row how often its key came before, and what companion came first.
    """

    def __init__(self) -> None:
        self._runs: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, keys: np.ndarray, companions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Count earlier occurrences of each key (earlier chunks, then this one in order), then remember them.

        Returns
        -------
        before, first
            Times seen before; the companion of the first occurrence (its own where there was none).
        """
        before = np.zeros(len(keys), dtype="int64")
        first = companions.copy()
        found = np.zeros(len(keys), dtype=bool)
        for run_keys, run_companions in self._runs:  # oldest first
            low = np.searchsorted(run_keys, keys, side="left")
            high = np.searchsorted(run_keys, keys, side="right")
            here = high > low
            before += high - low
            fresh = here & ~found
            first[fresh] = run_companions[low[fresh]]
            found |= here
        series = pd.Series(keys)
        within = series.groupby(series, sort=False).cumcount().to_numpy()
        repeated = (within > 0) & ~found
        if repeated.any():
            origin = pd.Series(companions).groupby(series, sort=False).transform("first").to_numpy()
            first[repeated] = origin[repeated]
        order = np.argsort(keys, kind="stable")
        self._runs.append((keys[order], companions[order]))
        while len(self._runs) > 1 and len(self._runs[-2][0]) <= 2 * len(self._runs[-1][0]):
            self._merge()
        return before + within, first

    def _merge(self) -> None:
        newer, older = self._runs.pop(), self._runs.pop()
        keys = np.concatenate([older[0], newer[0]])
        companions = np.concatenate([older[1], newer[1]])
        order = np.argsort(keys, kind="stable")  # of equal keys the older stay first
        self._runs.append((keys[order], companions[order]))


def keys_hash(ids: pd.Series | pd.Index) -> np.ndarray:
    """64-bit hash of text keys."""
    return pd.util.hash_array(np.asarray(ids, dtype="object"), hash_key=_KEY, categorize=False)
