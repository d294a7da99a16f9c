"""Coverage that can be defended (覆盖): what cameras truly see, and what follows from it.

`field_of_view` gives exact polygons; `watch` joins them with each camera's state and picture; `ledger`,
`staircase`, `outage` measure; `blind_spot` and `cordon` name what nobody watches.
"""

from geo.coverage.view import Fields, Scene, field_of_view, fields, scene
from geo.coverage.watch import STEPS, Watch, watch

__all__ = ["STEPS", "Fields", "Scene", "Watch", "field_of_view", "fields", "scene", "watch"]
