"""A zip archive that holds one file to import (压缩包), mostly a zipped shapefile."""

from __future__ import annotations

import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from geo.errors import ImportRefusedError
from geo.io.source import FORMATS, ReadOptions, Source, check_zip, open_source

if TYPE_CHECKING:
    from collections.abc import Iterator

    from geo.io.source import Chunk

_BLOCK = 1 << 20


def open_archive(path: Path, options: ReadOptions, *, table: str = "") -> Source:
    """Open the one file of an archive that can be imported; `layer` chooses by name where there are more."""
    members = [m for m in check_zip(path, options.max_bytes) if not m.is_dir()]
    names = [m.filename for m in members if _importable(m.filename)]
    chosen = [n for n in names if PurePosixPath(n).stem == options.layer] or names
    if len(chosen) != 1:
        raise ImportRefusedError(
            f"{path}: {len(names)} files that can be imported ({', '.join(names[:8]) or 'none'}); "
            "allowed: one, or name it with --layer"
        )
    folder = tempfile.TemporaryDirectory(prefix="santu-zip-")
    try:
        stem = PurePosixPath(chosen[0]).with_suffix("")
        with zipfile.ZipFile(path) as archive:
            for member in members:
                if PurePosixPath(member.filename).with_suffix("") == stem:
                    _unpack(archive, member, Path(folder.name))
        inner = Path(folder.name) / PurePosixPath(chosen[0]).name
        layer = "" if options.layer == stem.name else options.layer
        source = open_source(inner, ReadOptions(options.encoding, layer, options.max_bytes), table=table)
    except BaseException:
        folder.cleanup()
        raise
    read = source.read

    def chunks(size: int) -> Iterator[Chunk]:
        try:
            yield from read(size)
        finally:
            folder.cleanup()

    source.read = chunks
    source.notes.append(f"{inner.name} taken out of {path.name}")
    source.inside = str(path)
    return source


def _importable(name: str) -> bool:
    pure = PurePosixPath(name)
    return FORMATS.get(pure.suffix.lower(), "zip") != "zip" and not pure.name.startswith((".", "__"))


def _unpack(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    """Write one member under its bare name: no path of the archive reaches the disk."""
    target = folder / PurePosixPath(member.filename).name
    with archive.open(member) as packed, target.open("wb") as file:
        while block := packed.read(_BLOCK):
            file.write(block)
