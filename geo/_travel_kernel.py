"""Compiled search along the roads (编译核). Imported on first use: loading numba takes half a second."""
# ruff: noqa: ANN001, ANN202, PLR0913, PLR0917
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from heapq import heappop, heappush

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def quickest(indptr, indices, seconds, start, first_s, limit_s, stop_at, stop_row, stop_kind, stop_s, kinds):
    """Quickest stop of each kind from a node, by Dijkstra that ends as soon as no kind can get a quicker one.

    `indptr`, `indices`, `seconds` are a sparse matrix of drives; the stops of node i are `stop_at[i]` to
    `stop_at[i + 1]`, each with its row, kind and seconds more. Gives seconds and row of each kind; infinite and -1
    where none is within the limit. Of equals the one of the lower row.
    """
    best, found = np.full(kinds, np.inf), np.full(kinds, -1)
    arrive = np.full(len(indptr) - 1, np.inf)
    arrive[start] = first_s
    heap = [(first_s, np.int64(start))]
    while len(heap) > 0:
        now, node = heappop(heap)
        if now > arrive[node]:
            continue
        if now > limit_s or now > best.max():
            break
        for k in range(stop_at[node], stop_at[node + 1]):
            kind, total = stop_kind[k], now + stop_s[k]
            better = total < best[kind] or (total == best[kind] and stop_row[k] < found[kind])
            if total <= limit_s and better:
                best[kind], found[kind] = total, stop_row[k]
        for k in range(indptr[node], indptr[node + 1]):
            then, other = now + seconds[k], np.int64(indices[k])
            if then < arrive[other]:
                arrive[other] = then
                heappush(heap, (then, other))
    return best, found
