"""Coverage that can be defended (覆盖): what cameras truly see, and what follows from it."""

from geo.coverage.view import Fields, Scene, field_of_view, fields, scene

__all__ = ["Fields", "Scene", "field_of_view", "fields", "scene"]
