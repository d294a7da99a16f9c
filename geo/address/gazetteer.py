"""A city's addresses compiled for search (地名地址库): names in an index, numbers in sorted arrays.

Households are many but their doors are few: names (10^5) are indexed, house numbers are sorted arrays per
street and lane, rooms are sorted integers of eight bytes. Everything is a plain array, so that the whole is
memory-mapped and shared between processes (`geo.store.addresses` writes and opens it; `geo.address.compile` makes it). All coordinates
are metres in the city's CRS.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from geo.address.lines import RoadLines
from geo.address.names import NameIndex, Strings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

FORMAT = 5  # raise it when the arrays change: older artefacts are then rebuilt

AREA, STREET, LANE, COMPOUND, POI, ROAD_LINE = range(6)
Codes = TypeVar("Codes", int, "NDArray[np.int64]")
NEEDS_NUMBER = 1  # posting flag: the name is a short form that counts only before a number
NONE = -1
TWO_POINTS_M = 100.0  # one address at two points this far apart is two candidates

DISTRICT, TOWN, VILLAGE = 13, 20, 30
DEVICES = ("smoke_alarm", "lpg_cylinder", "ebike_charger")  # facilities that are a thing, not a place


@dataclass(frozen=True)
class Gazetteer:
    """Compiled addresses of one city; immutable. `arrays` hold everything but the automaton of names."""

    version: str
    arrays: Mapping[str, NDArray[Any]]
    names: NameIndex

    def __post_init__(self) -> None:
        """Make the arrays attributes of the instance: a question reads them a hundred times."""
        self.__dict__.update(self.arrays)

    def __getattr__(self, name: str) -> NDArray[Any]:
        """Arrays are attributes: `gazetteer.plate_num`."""
        try:
            return self.arrays[name]
        except KeyError:
            raise AttributeError(name) from None

    def strings(self, name: str) -> Strings:
        """A packed list of texts: street, lane, area, compound, poi, grid or plate ids."""
        return Strings(self.arrays[f"{name}_blob"], self.arrays[f"{name}_ptr"])

    @cached_property
    def street_text(self) -> Strings:
        """Street names as the table writes them."""
        return self.strings("street_text")

    @cached_property
    def lane_text(self) -> Strings:
        """Lane part of every path as the table writes it."""
        return self.strings("lane_text")

    @cached_property
    def area_text(self) -> list[str]:
        """Names of districts, towns and villages."""
        return self.strings("area_text").tolist()

    @cached_property
    def compound_text(self) -> Strings:
        """Names of compounds (小区 / 院落)."""
        return self.strings("compound_text")

    @cached_property
    def poi_text(self) -> Strings:
        """Names of points of interest."""
        return self.strings("poi_text")

    @cached_property
    def grid_text(self) -> Strings:
        """Grid codes that the table's rows name."""
        return self.strings("grid_text")

    @cached_property
    def plate_id(self) -> Strings:
        """Row key of every door plate."""
        return self.strings("plate_id")

    @cached_property
    def lines(self) -> RoadLines:
        """Centre lines and crossings of named roads."""
        return RoadLines(self.arrays)

    @property
    def counts(self) -> dict[str, int]:
        """How much it holds, by kind."""
        a = self.arrays
        return {
            "names": len(self.names.texts),
            "areas": len(a["area_level"]),
            "streets": len(a["street_area"]),
            "paths": len(a["path_key"]),
            "plates": len(a["plate_num"]),
            "compounds": len(a["compound_area"]),
            "buildings": len(a["building_code"]),
            "households": len(a["household"]),
            "pois": len(a["poi_area"]),
            "crossings": len(a["crossing_x"]),
        }


@lru_cache(maxsize=65_536)
def text_hash(text: str) -> int:
    """Stable 64-bit hash of a folded text."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def path_key(street: int, lane: str) -> int:
    """Key of a (street, lane) pair in `path_key`."""
    return (text_hash(lane) ^ (street * 0x9E3779B97F4A7C15)) & 0xFFFFFFFFFFFFFFFF


_ROAD_END = re.compile(r"(?<=..)(?:大道|大街|公路|路|街|道)$")
_SECTION = re.compile(r"^(.{2,}?)(?:大道|大街|路|街|道)(\d{1,2}段)$")


def short_roads(folded: str) -> list[tuple[str, float]]:
    """Short forms of a road: without 路, and 中山一段 for 中山路一段."""
    stem = _ROAD_END.sub("", folded)
    shorts = [(stem, 0.6)] if stem != folded and len(stem) >= 2 else []
    section = _SECTION.match(folded)
    if section:
        shorts.append((section[1] + section[2], 0.5))
    return shorts


def household_key(building: Codes, unit: Codes, room: Codes) -> Codes:
    """Eight bytes for a household: building, unit (6 bits), room (14 bits). Never a name."""
    return (building << 20) | (unit << 14) | room


def content_version(arrays: Mapping[str, NDArray[Any]]) -> str:
    """Version of a gazetteer: a hash of its arrays, so that equal tables have equal versions."""
    digest = hashlib.blake2b(f"santu-address-{FORMAT}".encode(), digest_size=8)
    for name in sorted(arrays):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(arrays[name]).view(np.uint8).data)
    return digest.hexdigest()
