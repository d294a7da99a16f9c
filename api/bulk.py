"""Many points in and out of `/v1/locate` (批量定位): JSON and Arrow, never a Python object per point on the way out."""

import array
from collections.abc import Mapping

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from geo import grid
from geo.errors import BadInputError
from geo.grid import COLUMNS, GridLookup, Level

MOST = 100_000
ARROW = "application/vnd.apache.arrow.stream"

Floats = NDArray[np.float64]
Positions = NDArray[np.int32]


def points_of_json(body: bytes) -> tuple[Floats, Floats]:
    """Longitudes and latitudes of `{"lon": […], "lat": […]}`; other members are left alone."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadInputError(f"the body is not JSON: {error}") from None
    if not isinstance(document, dict) or not {"lon", "lat"} <= document.keys():
        raise BadInputError('the body must be a JSON object like {"lon": [118.05], "lat": [36.81]}')
    lon, lat = (_numbers(name, document[name]) for name in ("lon", "lat"))
    return _checked(lon, lat)


def _numbers(name: str, values: object) -> Floats:
    if not isinstance(values, list):
        raise BadInputError(f"{name}: a list of numbers is wanted, not {type(values).__name__}")
    if len(values) > MOST:
        raise BadInputError(f"{name}: {len(values)} points; at most {MOST} at once: send them in parts")
    try:
        return np.frombuffer(array.array("d", values), np.float64)
    except TypeError:
        for i, value in enumerate(values):
            if value is not None and not isinstance(value, int | float):
                raise BadInputError(
                    f"{name}[{i}]: {value!r} is no number; allowed: degrees or null"
                ) from None
        return np.array(values, np.float64)


def points_of_arrow(body: bytes) -> tuple[Floats, Floats]:
    """Longitudes and latitudes of an Arrow IPC stream (or file) with columns `lon` and `lat`."""
    try:
        buffer = pa.BufferReader(body)
        reader = pa.ipc.open_file(buffer) if body[:6] == b"ARROW1" else pa.ipc.open_stream(buffer)
        table = reader.read_all()
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInputError(f"the body is not an Arrow IPC stream: {error}") from None
    if table.num_rows > MOST:
        raise BadInputError(f"{table.num_rows} points; at most {MOST} at once: send them in parts")
    lon, lat = (_column(table, name) for name in ("lon", "lat"))
    return _checked(lon, lat)


def _column(table: pa.Table, name: str) -> Floats:
    if table.column_names.count(name) != 1:
        raise BadInputError(
            f"the table must have one column {name!r}; it has: {', '.join(table.column_names)}"
        )
    column = table.column(name)
    try:
        values = column.cast(pa.float64()).to_numpy()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise BadInputError(
            f"column {name!r}: {column.type} is no number; allowed: float64, degrees"
        ) from None
    return np.asarray(values, np.float64)


def _checked(lon: Floats, lat: Floats) -> tuple[Floats, Floats]:
    """Refuse lists of unequal length, and degrees that cannot be: mostly latitude and longitude in each other's place."""
    if len(lon) != len(lat):
        raise BadInputError(f"lon has {len(lon)} values and lat has {len(lat)}: they must be as many")
    for name, values, limit in (("lon", lon, 180), ("lat", lat, 90)):
        over = np.abs(values) > limit
        if over.any():
            i = int(np.argmax(over))
            raise BadInputError(
                f"{name}[{i}]: {float(values[i])!r} is no {name}; allowed: -{limit} to {limit} degrees, or null"
            )
    return lon, lat


def json_of(found: Mapping[str, Positions], cells: Mapping[str, NDArray[np.bytes_]]) -> bytes:
    """Columns of codes as one JSON object, out of `json_cells`."""
    columns = [
        b'"%b":[%b]' % (name.encode(), cells[name].take(found[name], mode="wrap").tobytes().rstrip(b" ")[:-1])
        for name in COLUMNS
    ]
    return b'{"count":%d,%b}' % (len(found["base"]), b",".join(columns))


def json_cells(lookup: GridLookup) -> dict[str, NDArray[np.bytes_]]:
    """Per level, every code as JSON with a comma; `null` stands last, where position -1 finds it.

    Spaces make them equally wide, so that writing a column is copying.
    """
    result = {}
    for name, level in lookup.levels.items():
        cells = [*(orjson.dumps(i) + b"," for i in level.ids), b"null,"]
        width = max(map(len, cells))
        result[name] = np.array([c.ljust(width) for c in cells])
    return result


def arrow_of(levels: Mapping[str, Level], found: Mapping[str, Positions]) -> bytes:
    """Columns of codes as an Arrow IPC stream; null outside."""
    batch = pa.record_batch({name: grid.codes(levels[name], found[name]) for name in COLUMNS})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()
