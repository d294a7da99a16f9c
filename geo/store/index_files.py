"""Grid indexes on disk (网格索引文件): built once per content, then mapped into memory by every worker.

A folder per index, named by a digest of the polygons and of the format: what is found is never out of date.
Processes that map the same files share one copy in memory.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from geo.index import GridIndex
from geo.index.arrays import Arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = "1"
KEEP = 12  # levels of this and of some former versions
SMALL = 1 << 16  # bytes under which a file is read, not mapped


class IndexFiles:
    """A folder of indexes; call it with polygons in degrees to get their index, from the folder or built now.

    A folder that cannot be written is no error: the files are only for speed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, polygons: NDArray[np.object_]) -> GridIndex:
        """Return the index over polygons in degrees."""
        place = self.folder / _digest(polygons)
        arrays = read(place)
        if arrays is not None:
            return GridIndex(arrays)
        shutil.rmtree(place, ignore_errors=True)  # damaged, or not there
        made = GridIndex.build(polygons)
        try:
            write(made.arrays, place)
            self._forget()
        except OSError:
            return made
        found = read(place)
        return made if found is None else GridIndex(found)

    def _forget(self) -> None:
        """Remove all but the newest indexes. On POSIX, processes that map a removed one keep it."""
        places = [p for p in self.folder.iterdir() if p.is_dir()]
        places.sort(key=lambda p: p.stat().st_mtime, reverse=True)
        for old in places[KEEP:]:
            shutil.rmtree(old, ignore_errors=True)


def _digest(polygons: NDArray[np.object_]) -> str:
    state = hashlib.blake2b(FORMAT.encode(), digest_size=12)
    for shape in shapely.to_wkb(polygons):
        state.update(shape or b"-")
    return state.hexdigest()


def write(arrays: Arrays, place: Path) -> None:
    """Write the arrays to a new folder, whole or not at all; one that is there already stays."""
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=place.parent))
    try:
        for name, array in arrays._asdict().items():
            np.save(partial / f"{name}.npy", array)
        shapes = {name: [a.dtype.str, a.shape] for name, a in arrays._asdict().items()}
        (partial / "shapes.json").write_text(json.dumps(shapes))
        os.rename(partial, place)  # noqa: PTH104  # Path.rename would do the same; this one is known to be atomic
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
        if not place.is_dir():
            raise


def read(place: Path) -> Arrays | None:
    """Map the arrays of a folder; None if it is not there or not whole."""
    try:
        shapes = json.loads((place / "shapes.json").read_text())
        loaded = {name: _load(place / f"{name}.npy") for name in Arrays._fields}
    except (OSError, ValueError, EOFError):
        return None
    if shapes != {name: [a.dtype.str, list(a.shape)] for name, a in loaded.items()}:
        return None
    return Arrays(**loaded)


def _load(path: Path) -> Any:  # noqa: ANN401  # of the type that the field has
    """Map one array; copy on write, because compiled code takes only arrays that could be written."""
    large = path.stat().st_size > SMALL
    return np.load(path, mmap_mode="c" if large else None, allow_pickle=False).view(np.ndarray)
