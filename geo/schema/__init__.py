"""The contract of every table (数据表契约): columns, key, geometry type, units, allowed values.

One `Table` per noun. `conform` turns a frame with the right names into the right types and reports every
value that does not fit; `empty` makes a table of no rows. Anything from outside passes through here once, at
the door (`geo.io`, `api`), and is trusted afterwards.
"""

from geo.schema.conform import checked, conform, empty, table
from geo.schema.contract import ANY_GEOMETRY, DTYPES, LINES, POINTS, POLYGONS, Column, Kind, Table
from geo.schema.tables import TABLES
from geo.schema.vocabulary import (
    CAMERA_STATES,
    FACILITY_KINDS,
    FACILITY_STATES,
    GRID_KINDS,
    GRID_LEVELS,
    HAZARD_KINDS,
    IMAGE_LEVELS,
    INCIDENT_SOURCES,
    INCIDENT_STAGES,
)

__all__ = [
    "ANY_GEOMETRY",
    "CAMERA_STATES",
    "DTYPES",
    "FACILITY_KINDS",
    "FACILITY_STATES",
    "GRID_KINDS",
    "GRID_LEVELS",
    "HAZARD_KINDS",
    "IMAGE_LEVELS",
    "INCIDENT_SOURCES",
    "INCIDENT_STAGES",
    "LINES",
    "POINTS",
    "POLYGONS",
    "TABLES",
    "Column",
    "Kind",
    "Table",
    "checked",
    "conform",
    "empty",
    "table",
]
