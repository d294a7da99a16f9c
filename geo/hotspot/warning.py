"""Early warning on counts (早期预警): is this grid above its own normal, since when, and which incidents are behind it.

The alarm is the upper tail of the negative binomial predictive law; EARS C1 and C2 stand beside it as a
cross-check that health services know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from geo.errors import BadInputError
from geo.hotspot import _check

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def ears_limit(
    series: ArrayLike, *, alpha: float = 0.001, baseline: int = 7, lag: int = 0
) -> NDArray[np.float64]:
    """Upper limit of EARS at each step (EARS 预警上限): mean + z(1 - alpha) × sd of the steps before.

    Parameters
    ----------
    series
        Counts `(..., steps)`, oldest first.
    alpha
        One-sided level.
    baseline
        Steps in the mean and sd (sample sd, n - 1).
    lag
        Steps left out before the step: 0 is C1, 2 is C2 (Fricker, Hegler & Dunfee 2008; `earsC` in R).

    Returns
    -------
    array
        Same shape; infinite (no alarm possible) where the baseline does not fit before the step.
    """
    x = _check.counts(series, "series")
    if baseline < 2 or lag < 0:
        raise BadInputError(
            f"baseline {baseline}, lag {lag}; allowed: baseline of 2 and more, lag of 0 and more"
        )
    limit = np.full(x.shape, np.inf)
    if x.shape[-1] <= baseline + lag:
        return limit
    view = np.lib.stride_tricks.sliding_window_view(x, baseline, axis=-1)[
        ..., : x.shape[-1] - baseline - lag, :
    ]
    limit[..., baseline + lag :] = view.mean(axis=-1) + special.ndtri(1 - alpha) * view.std(axis=-1, ddof=1)
    return limit
