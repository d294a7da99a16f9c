"""Text encoding of a shapefile's attributes (DBF): .cpg file, language id, else the bytes themselves."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING

from geo.errors import ImportRefusedError
from geo.io.encoding import BLOCK, of_bytes

if TYPE_CHECKING:
    from pathlib import Path

# Language driver ids of the dBASE and ESRI lists that occur with Chinese, Japanese, Korean and Latin text.
_LANGUAGE = {
    0x4D: "gb18030", 0x7A: "gb18030", 0x4F: "cp950", 0x78: "cp950", 0x13: "cp932", 0x7B: "cp932",
    0x4E: "cp949", 0x79: "cp949", 0x01: "cp437", 0x02: "cp850", 0x03: "cp1252", 0x57: "cp1252",
}  # fmt: skip
FIELD_BYTES = 10
_SINGLE_BYTE = {"cp437", "cp850", "cp1252", "latin-1", "iso8859-1"}


@dataclass(frozen=True, slots=True)
class DbfEncoding:
    """Encoding as Python and as GDAL call it (`ogr` None: GDAL's own choice), and what to tell the user."""

    name: str
    ogr: str | None
    note: str
    raw: bool = False  # GDAL hands over bytes as Latin-1 letters; `text` reads them

    def text(self, word: str) -> str:
        """Text of what GDAL gives; of a character cut in the middle nothing is left."""
        return word.encode("latin-1").decode(self.name, "ignore") if self.raw else word

    def cut(self, header: str) -> bool:
        """Whether a header fills the ten bytes that a DBF has for it, so that its end may be missing."""
        return (len(header.encode(self.name, "replace")) > FIELD_BYTES - 4 and not header.isascii()) or (
            header.isascii() and len(header) == FIELD_BYTES
        )


def encoding_of(path: Path, declared: str = "auto") -> DbfEncoding:
    """Return the encoding of a shapefile's text.

    The declared one (by the user, the ``.cpg``, or the language id in the header) is taken if the bytes of
    every record decode with it; a declared single-byte set, which always decodes, gives way when the bytes
    are clearly Chinese. Without a .dbf: UTF-8.
    """
    table = _beside(path, ".dbf")
    if table is None:
        return DbfEncoding("utf-8", None, "no .dbf beside the .shp: no attributes")
    if _beside(path, ".shx") is None:
        raise ImportRefusedError(
            f"{path}: its index {path.stem}.shx is missing; copy all files of the shapefile"
        )
    header, body = _records(table)
    if declared != "auto":
        return _as(declared, "named by the user")
    sign = _beside(path, ".cpg")
    stated, why = "", ""
    if sign is not None:
        stated, why = sign.read_text("ascii", "replace").strip().removeprefix("ANSI "), ".cpg"
    elif len(header) > 29 and header[29] in _LANGUAGE:
        stated, why = _LANGUAGE[header[29]], f"DBF language id 0x{header[29]:02X}"
    if body.isascii():
        return _as(stated or "utf-8", why or "plain ASCII")
    name = _python_name(stated)
    if name and _decodes(body, name) and name not in _SINGLE_BYTE:
        return _as(name, why)
    if _decodes(body, "utf-8"):
        return _as("utf-8", _overrule("every byte is valid UTF-8", stated, why))
    found = of_bytes(body)
    if name in _SINGLE_BYTE and found.name not in ("gb18030", "cp950"):
        return _as(name, why)
    return _as(found.name, _overrule(found.evidence, stated, why))


def _beside(path: Path, suffix: str) -> Path | None:
    for candidate in (path.with_suffix(suffix), path.with_suffix(suffix.upper())):
        if candidate.exists():
            return candidate
    return None


def _records(table: Path) -> tuple[bytes, bytes]:
    """The header and up to a megabyte of the records of a .dbf."""
    with table.open("rb") as file:
        header = file.read(32)
        if len(header) < 32:
            raise ImportRefusedError(f"{table}: broken: shorter than a DBF header")
        start = int.from_bytes(header[8:10], "little")
        file.seek(start)
        return header, file.read(BLOCK)


def _decodes(body: bytes, name: str) -> bool:
    try:
        codecs.getincrementaldecoder(name)("strict").decode(body)
    except (UnicodeDecodeError, LookupError):
        return False
    return True


def _python_name(stated: str) -> str:
    text = stated.strip().lower().replace("oem ", "")
    text = {"936": "gb18030", "gbk": "gb18030", "gb2312": "gb18030", "cp936": "gb18030", "950": "cp950",
            "big5": "cp950", "65001": "utf-8", "utf8": "utf-8"}.get(text, text)  # fmt: skip
    text = {"88591": "latin-1"}.get(text, f"cp{text}" if text.isdigit() else text)
    try:
        return codecs.lookup(text).name if text else ""
    except LookupError:
        return ""


def _as(name: str, why: str) -> DbfEncoding:
    python = _python_name(name) or "utf-8"
    ogr = {"gb18030": "GB18030", "cp950": "CP950", "big5": "CP950"}.get(python, python.upper())
    return DbfEncoding(python, ogr, f"encoding {python}: {why}")


def _overrule(evidence: str, stated: str, why: str) -> str:
    return f"{evidence}, although {why} says {stated}" if stated else evidence
