"""Results kept between runs (成果缓存): what was slow to compute, beside the store; may be deleted at any time.

A folder per result, named by a digest of everything it depends on: the result's name and parameters, the versions
and times of change of its tables, the source code of this package and the libraries that compute. What is found is
therefore never out of date. No file holds code: values are numbers, text, arrays and tables, and a value that does
not come back equal is not kept.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import shutil
import sys
import tempfile
import zlib
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyproj
import scipy
import shapely

from geo.coverage.fraction import Cells
from geo.coverage.interval import Interval
from geo.hotspot.cube import Account, Cube

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

T = TypeVar("T")

MOST_BYTES = 1 << 30
VERSIONS = 2  # of one result: this and the one before
RECORDS = {kind.__name__: kind for kind in (Account, Cells, Cube, Interval)}
"""Kinds of records that values may hold."""


class KeptFiles:
    """A folder of results; `marks` tells when each table was last changed, by this program or another."""

    def __init__(self, folder: Path, marks: Mapping[str, str]) -> None:
        self.folder = folder
        self._marks = marks

    def __call__(self, name: str, given: str, tables: tuple[str, ...], compute: Callable[[], T]) -> T:
        """Return the value of `name` from the folder, or compute and keep it.

        A folder that cannot be written is no error, nor is a value that is none of those described above.
        """
        place = self._place(name, given, tables)
        if place is None:
            return compute()
        try:
            found: T = read(place)
        except (OSError, ValueError, KeyError, TypeError):
            shutil.rmtree(place, ignore_errors=True)  # damaged, or not there
        else:
            return found
        made = compute()
        try:
            write(made, place)
            _forget(self.folder, place.name)
        except (OSError, NotKeptError):
            pass
        return made

    def _place(self, name: str, given: str, tables: tuple[str, ...]) -> Path | None:
        now = code()
        if now is None:
            return None
        history = ("grids_history",) if "grids" in tables else ()
        marks = [f"{t}@{self._marks.get(t, '')}" for t in (*tables, *history)]
        return self.folder / f"{_digest(name, size=6)}-{_digest(name, given, *marks, now)}"


class NotKeptError(Exception):
    """A value is of a kind that is not kept."""


@cache
def code() -> str | None:
    """Digest of what computes: this package's source, Python, the libraries; None where there is no source to read."""
    root = Path(__file__).parents[1]
    sources = sorted(root.rglob("*.py"))
    if not sources:
        return None
    state = hashlib.blake2b(digest_size=12)
    for path in sources:
        state.update(str(path.relative_to(root)).encode())
        state.update(path.read_bytes())
    made_with = (
        sys.version, np.__version__, pd.__version__, scipy.__version__, gpd.__version__, shapely.__version__,
        shapely.geos_version_string, pyproj.proj_version_str, pa.__version__,
    )  # fmt: skip
    state.update("|".join(made_with).encode())
    return state.hexdigest()


def write(value: object, place: Path) -> None:
    """Write a value to a new folder, whole or not at all; one that is there already stays.

    Raises
    ------
    NotKeptError
        If the value is of another kind, or does not come back equal.
    """
    files: list[bytes] = []
    again: list[bytes] = []
    try:
        tree = _packed(value, files)
        text = json.dumps({"value": tree, "files": [[len(f), zlib.crc32(f)] for f in files]})
        back = _packed(_opened(json.loads(text)["value"], files), again)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise NotKeptError(str(error)) from error
    if json.dumps(back) != json.dumps(tree) or again != files:
        raise NotKeptError("the value does not come back equal")
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=place.parent))
    try:
        for number, content in enumerate(files):
            (partial / f"{number}.bin").write_bytes(content)
        (partial / "value.json").write_text(text)
        os.rename(partial, place)  # noqa: PTH104  # Path.rename would do the same; this one is known to be atomic
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
        if not place.is_dir():
            raise


def read(place: Path) -> Any:  # noqa: ANN401  # of the kind that was written
    """Read the value of a folder; `OSError` if it is not there, `ValueError` if it is damaged."""
    text = json.loads((place / "value.json").read_text())
    files = []
    for number, (size, check) in enumerate(text["files"]):
        content = (place / f"{number}.bin").read_bytes()
        if len(content) != size or zlib.crc32(content) != check:
            raise ValueError(f"{place}: file {number} is damaged")
        files.append(content)
    os.utime(place)
    return _opened(text["value"], files)


def _forget(folder: Path, newest: str) -> None:
    """Remove older versions of a result, and the results that were not used for longest where there are too many."""
    places = [p for p in folder.iterdir() if p.is_dir() and not p.name.startswith(".partial-")]
    places.sort(key=lambda p: p.stat().st_mtime, reverse=True)
    same = [p for p in places if p.name.split("-")[0] == newest.split("-", maxsplit=1)[0]]
    used = 0
    for place in places:
        used += sum(f.stat().st_size for f in place.iterdir())
        if place.name != newest and (used > MOST_BYTES or place in same[VERSIONS:]):
            shutil.rmtree(place, ignore_errors=True)


def _digest(*parts: str, size: int = 16) -> str:
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=size).hexdigest()


# -- values as plain text and files of bytes ------------------------------------------------------------------


def _packed(value: Any, files: list[bytes]) -> Any:  # noqa: ANN401, C901, PLR0911  # one return a kind
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, np.generic):
        return _packed(value.item(), files)
    if isinstance(value, date) and not isinstance(value, datetime):
        return {"date": value.isoformat()}
    if isinstance(value, (tuple, list)):
        return {type(value).__name__: [_packed(v, files) for v in value]}
    if isinstance(value, dict) and all(isinstance(k, str) for k in value):
        return {"dict": {k: _packed(v, files) for k, v in value.items()}}
    if type(value).__name__ in RECORDS and dataclasses.is_dataclass(value):
        fields = {f.name: _packed(getattr(value, f.name), files) for f in dataclasses.fields(value)}
        return {"record": type(value).__name__, "fields": fields}
    if isinstance(value, np.ndarray):
        return _packed_array(value, files)
    if isinstance(value, pd.Index):
        return {"index": _packed(value.to_frame(index=False, name="index"), files), "name": _name(value.name)}
    if isinstance(value, pd.Series):
        return {"series": _packed(value.to_frame("values"), files), "name": _name(value.name)}
    if isinstance(value, pd.DataFrame):
        return _packed_frame(value, files)
    raise NotKeptError(f"a {type(value).__name__} is not kept")


def _opened(tree: Any, files: list[bytes]) -> Any:  # noqa: ANN401, C901, PLR0911
    if not isinstance(tree, dict):
        return tree
    kind = next(iter(tree))
    inner = tree[kind]
    if kind == "date":
        return date.fromisoformat(inner)
    if kind in ("tuple", "list"):
        values = [_opened(v, files) for v in inner]
        return tuple(values) if kind == "tuple" else values
    if kind == "dict":
        return {k: _opened(v, files) for k, v in inner.items()}
    if kind == "record":
        return RECORDS[inner](**{k: _opened(v, files) for k, v in tree["fields"].items()})
    if kind == "array":
        return np.load(io.BytesIO(files[inner]), allow_pickle=False)
    if kind == "shapes":
        return shapely.from_wkb(_column(files[inner]).to_numpy(zero_copy_only=False))
    if kind == "texts":
        return _column(files[inner]).to_numpy(zero_copy_only=False)
    if kind == "index":
        return pd.Index(_opened(inner, files)["index"], name=tree["name"])
    if kind == "series":
        return _opened(inner, files)["values"].rename(tree["name"])
    return _opened_frame(tree, files)


def _packed_array(value: NDArray[Any], files: list[bytes]) -> dict[str, Any]:
    files.append(b"")
    number = len(files) - 1
    if value.dtype != object:
        content = io.BytesIO()
        np.save(content, np.ascontiguousarray(value), allow_pickle=False)
        files[number] = content.getvalue()
        return {"array": number}
    if value.ndim != 1:
        raise NotKeptError("an array of objects in rows and columns is not kept")
    missing = np.array([v is None for v in value], dtype=bool)
    if (shapely.is_geometry(value) | missing).all() and not missing.all():
        files[number] = _arrow(pa.array(shapely.to_wkb(value), pa.large_binary()))
        return {"shapes": number}
    if not all(isinstance(v, str) for v in value[~missing]):
        raise NotKeptError("an array of mixed objects is not kept")
    files[number] = _arrow(pa.array(value, pa.large_string()))
    return {"texts": number}


def _packed_frame(value: pd.DataFrame, files: list[bytes]) -> dict[str, Any]:
    shapes = None
    plain = pd.DataFrame(value)
    if isinstance(value, gpd.GeoDataFrame):
        name = value.geometry.name
        crs = None if value.crs is None else value.crs.to_wkt()
        shapes = {"name": name, "crs": crs, "values": _packed(value.geometry.to_numpy(), files)}
        plain = plain.drop(columns=name)
    objects = [c for c in plain.columns if plain[c].dtype == object]
    for column in objects:
        _packed_array(plain[column].to_numpy(), [])  # refuses what is not text
    attrs = {k: _packed(v, files) for k, v in value.attrs.items()}
    plain.attrs = {}
    files.append(_ipc(pa.Table.from_pandas(plain)))
    return {
        "frame": len(files) - 1,
        "columns": list(value.columns),
        "objects": objects,
        "shapes": shapes,
        "attrs": attrs,
    }


def _opened_frame(tree: dict[str, Any], files: list[bytes]) -> pd.DataFrame:
    plain = pa.ipc.open_file(files[tree["frame"]]).read_all().to_pandas()
    for column in tree["objects"]:
        values = plain[column].astype(object)
        plain[column] = values.where(values.notna(), None)
    shapes = tree["shapes"]
    if shapes is not None:
        plain = gpd.GeoDataFrame(
            plain.assign(**{shapes["name"]: _opened(shapes["values"], files)}),
            geometry=shapes["name"],
            crs=shapes["crs"],
        )
    plain = plain[tree["columns"]]
    plain.attrs = {k: _opened(v, files) for k, v in tree["attrs"].items()}
    return plain


def _name(name: object) -> str | None:
    if name is not None and not isinstance(name, str):
        raise NotKeptError(f"the name {name!r} is not kept")
    return name


def _arrow(values: pa.Array) -> bytes:
    return _ipc(pa.table({"values": values}))


def _column(content: bytes) -> pa.ChunkedArray:
    return pa.ipc.open_file(content).read_all()["values"]


def _ipc(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()
