"""Risk of each grid (风险评分): an additive percentile score that explains itself.

`score = 100 Σ w_k P_k`, P_k the mid-rank percentile of factor k among its peers. So "why is it red" is addition,
not a model of a model. Levels (红橙黄蓝) follow the capacity to act; a separate mark says whether a grid is
significantly above the city. The factors are about places and what happens there. A factor about persons,
belief, ethnicity, household registration or petitioning is refused here, in code.
"""

from geo.risk.factors import FACTORS, Factor, RiskConfig, refuse_persons
from geo.risk.score import (
    LEVELS,
    OUTCOME,
    contributions,
    explain,
    levels,
    percentile,
    probability_above,
    rank_interval,
    risk_score,
)

__all__ = [
    "FACTORS",
    "LEVELS",
    "OUTCOME",
    "Factor",
    "RiskConfig",
    "contributions",
    "explain",
    "levels",
    "percentile",
    "probability_above",
    "rank_interval",
    "refuse_persons",
    "risk_score",
]
