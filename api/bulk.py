"""Many points in and out of `/v1/locate` (批量定位): JSON and Arrow, never a Python object per point on the way out."""

import array
from collections.abc import Mapping

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from api import decimals
from geo.city import City
from geo.errors import BadInputError
from geo.grid import COLUMNS, GridLookup, Level

MOST = 100_000
ARROW = "application/vnd.apache.arrow.stream"

READ, WRITE = (
    pa.ipc.IpcReadOptions(use_threads=False),
    pa.ipc.IpcWriteOptions(use_threads=False),
)  # two columns: waking threads costs more than they do
SCHEMA = pa.schema([(name, pa.dictionary(pa.int32(), pa.string())) for name in COLUMNS])
AT_ONCE = 1 << 19  # bytes of a body whose points are found in about 3 ms: no thread is asked for that

Floats = NDArray[np.float64]
Positions = NDArray[np.int32]


def answer(city: City, body: bytes, *, arrow: bool) -> memoryview:
    """Answer a body of degrees in CGCS2000, in the form that it has, for callers who see the whole city."""
    lon, lat = points_of_arrow(body) if arrow else points_of_json(body)
    return written(city, city.lookup.positions(lon, lat), arrow=arrow)


def written(city: City, found: Mapping[str, Positions], *, arrow: bool) -> memoryview:
    """Write grids by level as an Arrow IPC stream or as JSON."""
    if arrow:
        return arrow_of(city.lookup.levels, found)
    return json_of(found, city.derive("json-cells", ("grids",), lambda: json_cells(city.lookup)))


def points_of_json(body: bytes) -> tuple[Floats, Floats]:
    """Longitudes and latitudes of `{"lon": […], "lat": […]}`; other members are left alone."""
    ordinary = decimals.lon_lat(body, MOST)
    if ordinary is not None:
        return _checked(*ordinary)
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
        opened = pa.ipc.open_file if body[:6] == b"ARROW1" else pa.ipc.open_stream
        reader = opened(buffer, options=READ)
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


class Cells:
    """The codes of one level as JSON, each with a comma and equally wide; `null` stands last, where -1 finds it."""

    def __init__(self, level: Level) -> None:
        cells = [*(orjson.dumps(i) + b"," for i in level.ids), b"null,"]
        self.sizes = np.array([len(c) for c in cells])
        self.width = int(self.sizes.max())
        self.table = np.array([c.ljust(self.width) for c in cells])

    def write(self, into: NDArray[np.uint8], position: Positions) -> None:
        """Write codes into as many times `width` bytes; the last comma becomes a space."""
        if len(position) == 0:
            return
        self.table.take(position, mode="wrap", out=into.view(self.table.dtype))
        into[len(into) - self.width + self.sizes[position[-1]] - 1] = ord(" ")


def json_cells(lookup: GridLookup) -> dict[str, Cells]:
    """Make what `json_of` copies from; once per version of the grids."""
    return {name: Cells(lookup.levels[name]) for name in COLUMNS}


def json_of(found: Mapping[str, Positions], cells: Mapping[str, Cells]) -> memoryview:
    """Columns of codes as one JSON object, by copying equally wide pieces."""
    count = len(found["base"])
    heads = [b',"%b":[' % name.encode() for name in COLUMNS]
    heads[0] = b'{"count":%d' % count + heads[0]
    heads = [heads[0], *(b"]" + head for head in heads[1:])]
    body = np.empty(sum(map(len, heads)) + count * sum(c.width for c in cells.values()) + 2, np.uint8)
    at = 0
    for name, head in zip(COLUMNS, heads, strict=True):
        body[at : at + len(head)] = np.frombuffer(head, np.uint8)
        at += len(head)
        size = count * cells[name].width
        cells[name].write(body[at : at + size], found[name])
        at += size
    body[at:] = np.frombuffer(b"]}", np.uint8)
    return body.data


def arrow_of(levels: Mapping[str, Level], found: Mapping[str, Positions]) -> memoryview:
    """Columns of codes as an Arrow IPC stream, each code sent once (dictionary encoding); null outside."""
    arrays = [levels[name].encoded(found[name]) for name in COLUMNS]
    batch = pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, SCHEMA, options=WRITE) as writer:
        writer.write_batch(batch)
    return memoryview(sink.getvalue())
