"""What a contract is made of (契约): a column, a table, and the types they use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from geo.errors import UnknownNameError

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["text", "int", "float", "bool", "time", "date"]

DTYPES: Mapping[Kind, str] = {
    "text": "str",
    "int": "Int64",
    "float": "float64",
    "bool": "boolean",
    "time": "datetime64[us, UTC]",
    "date": "datetime64[us]",
}

POLYGONS = ("Polygon", "MultiPolygon")
LINES = ("LineString", "MultiLineString")
POINTS = ("Point",)
ANY_GEOMETRY = POINTS + LINES + POLYGONS


@dataclass(frozen=True, slots=True)
class Column:
    """One column: type, Chinese name, unit, and what is allowed."""

    name: str
    kind: Kind
    zh: str
    unit: str = ""
    required: bool = False
    allowed: Mapping[str, str] = field(default_factory=dict)  # value -> 中文
    minimum: float | None = None
    maximum: float | None = None

    @property
    def rule(self) -> str:
        """What the column accepts, in words."""
        if self.allowed:
            return ", ".join(f"{k} {v}" for k, v in self.allowed.items())
        if self.minimum is not None or self.maximum is not None:
            low = "" if self.minimum is None else f"{self.minimum:g} ≤ "
            high = "" if self.maximum is None else f" ≤ {self.maximum:g}"
            return f"{low}{self.name}{high} {self.unit}".strip()
        return f"{self.kind} {self.unit}".strip()


@dataclass(frozen=True, slots=True)
class Table:
    """One table: name, Chinese name, key column (its index), geometry types (none: no geometry), columns."""

    name: str
    zh: str
    key: str
    geometry: tuple[str, ...]
    columns: tuple[Column, ...]

    def column(self, name: str) -> Column:
        """Return the column of this name; `UnknownNameError` names those that exist."""
        for column in self.columns:
            if column.name == name:
                return column
        raise UnknownNameError(f"column of {self.name}", name, [c.name for c in self.columns])

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns but the key and the geometry."""
        return tuple(c.name for c in self.columns)
