"""The address engine of a city, kept between runs (地址引擎存取).

The compiled gazetteer lies in `city/cache/address/<version>/`: plain `.npy` arrays that are memory-mapped, and
the automaton of names. It is written whole under another name and moved into place, so that a reader sees the
old one or the new one, never half of one; older versions are removed after. It can be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import ahocorasick
import numpy as np
import pandas as pd

from geo import schema
from geo.address import teach as teach_
from geo.address.aliases import Aliases
from geo.address.around import base_grids
from geo.address.audit import audit, summary
from geo.address.calibrate import fit_city
from geo.address.compile import compile_gazetteer
from geo.address.confidence import DEFAULT, Calibration
from geo.address.engine import AddressEngine
from geo.address.gazetteer import FORMAT, Gazetteer
from geo.address.names import NameIndex
from geo.address.normalize import fold_text
from geo.address.resolve import Hint
from geo.errors import BadInputError, StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from geo.address.answer import Answer, Candidate
    from geo.address.fallback import Kind
    from geo.city import City
    from geo.store.base import Store

SOURCES = ("addresses", "roads", "facilities", "grids")
LONGEST_TEXT = 500  # characters an address may have at the door
FEWEST_PLATES = 2000  # a city of fewer keeps the default calibration


# ---------------------------------------------------------------------------------------------- on disk
def write_gazetteer(gazetteer: Gazetteer, folder: Path) -> Path:
    """Write a gazetteer to `folder/<version>` whole, and remove other versions; where it lies now."""
    place = folder / gazetteer.version
    if place.is_dir():
        return place
    partial = folder / f".{gazetteer.version}.{os.getpid()}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    for name, array in gazetteer.arrays.items():
        np.save(partial / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)
    gazetteer.names.automaton.save(str(partial / "names.automaton"))
    facts = {"format": FORMAT, "version": gazetteer.version, "counts": gazetteer.counts}
    (partial / "manifest.json").write_text(json.dumps(facts, ensure_ascii=False, indent=1), encoding="utf-8")
    try:
        partial.rename(place)
    except OSError:  # another process was first
        shutil.rmtree(partial, ignore_errors=True)
    for old in folder.iterdir():
        if old.is_dir() and old.name != gazetteer.version and not old.name.startswith("."):
            shutil.rmtree(old, ignore_errors=True)
    return place


def open_gazetteer(place: Path) -> Gazetteer | None:
    """Open a written gazetteer, memory-mapped; None where there is none, or one of another format."""
    try:
        facts = json.loads((place / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if facts.get("format") != FORMAT:
        return None
    arrays: dict[str, Any] = {}
    for file in place.glob("*.npy"):
        array = np.load(file, mmap_mode="r", allow_pickle=False)
        arrays[file.stem] = np.asarray(array) if array.nbytes < 1 << 16 else array.view(np.ndarray)
    automaton = ahocorasick.Automaton(ahocorasick.STORE_INTS)
    if facts["counts"]["names"]:
        automaton = ahocorasick.load(str(place / "names.automaton"), _refuse)
    return Gazetteer(facts["version"], arrays, NameIndex(arrays, automaton))


def _refuse(_: bytes) -> None:
    """The automaton holds integers only: a file that wants an object made is not ours."""
    raise StoreError("the automaton of names holds something that is not an integer; delete cache/address")


def gazetteer_of(city: City) -> Gazetteer:
    """Gazetteer of a city's tables: from memory, from its cache folder, or compiled now."""
    return city.derive("gazetteer", SOURCES, lambda: _gazetteer(city))


def _gazetteer(city: City) -> Gazetteer:
    place = _place(city)
    if place is not None:
        found = open_gazetteer(place)
        if found is not None:
            return found
    made = compile_gazetteer(
        city.table("addresses"),
        roads=city.table("roads"),
        facilities=city.table("facilities"),
        grids=city.table("grids"),
        version=_version(city),
    )
    if place is None:
        return made
    try:
        place = write_gazetteer(made, place.parent)
    except OSError:  # a folder that cannot be written: the copy is only for speed
        return made
    return open_gazetteer(place) or made


def audit_of(city: City) -> pd.DataFrame:
    """Faults of a city's address table (地址表体检); see `geo.address.audit`."""

    def make() -> pd.DataFrame:
        return audit(gazetteer_of(city), base_grids(city.table("grids")))

    return city.derive("address-audit", SOURCES, make)


def kind_of(setting: str) -> Kind | None:
    """Fallback index that a setting names: fts5 or tantivy, None for off.

    Raises
    ------
    BadInputError
        Another word.
    """
    if setting not in ("fts5", "tantivy", "off"):
        raise BadInputError(f"fallback must be fts5, tantivy or off; not {setting!r}")
    return None if setting == "off" else cast("Kind", setting)


def engine_of(
    city: City,
    *,
    as_of: date | None = None,
    calibration: Calibration | None = None,
    fallback: Kind | None = "fts5",
) -> AddressEngine:
    """Address engine of a city, with the aliases and grids of a day; made once per version of the tables.

    `fallback` is the text index over names that is asked where the parser is unsure: `fts5` (SQLite), `tantivy`
    (the extra of that name), or None for none.
    """
    then = city if as_of is None else city.as_of(as_of)
    day = pd.Timestamp(as_of) if as_of is not None else None
    chosen = calibration or _calibration(city)
    key = f"address-engine:{day}:{chosen.fitted_on}:{hash(chosen.weights)}:{fallback}"

    def make() -> AddressEngine:
        aliases = Aliases.of(then.degrees("aliases"), day)
        return AddressEngine(
            gazetteer_of(city),
            base_grids(then.table("grids")),
            aliases=aliases,
            calibration=chosen,
            fallback=fallback,
        )

    return then.derive(key, (*SOURCES, "aliases", "grids_history"), make)


def build(city: City, *, seed: int = 0, per_class: int = 60) -> dict[str, Any]:
    """Make all that a city's addresses need, as an import does: index, audit, and a calibration of its own.

    The city's own calibration is kept beside the index if it was fitted on enough plates, is trustworthy on texts
    it did not see, and assigns more than the default does (`fit_city`); else the default stays.

    Returns
    -------
    dict
        `counts`, `audit` (faults per code), `calibration` (default or city) and `trust` measured with it.
    """
    gazetteer = gazetteer_of(city)
    faults = summary(audit_of(city))
    if not len(gazetteer.plate_num):
        return {"counts": gazetteer.counts, "audit": faults, "calibration": "default", "trust": None}
    fitted, trust = fit_city(gazetteer, seed=seed, per_class=per_class)
    own = fitted.fitted_on == "city" and len(gazetteer.plate_num) >= FEWEST_PLATES
    place = _place(city)
    if place is not None and place.is_dir():
        file = place / "calibration.json"
        if own:
            partial = file.with_suffix(f".{os.getpid()}.partial")
            partial.write_text(fitted.dumps(), encoding="utf-8")
            partial.replace(file)
        else:
            file.unlink(missing_ok=True)
    return {
        "counts": gazetteer.counts,
        "audit": faults,
        "calibration": "city" if own else "default",
        "trust": asdict(trust),
    }


def _place(city: City) -> Path | None:
    """Folder of this version of a city's index, or None for a city that lives in memory only."""
    if "folder" not in city.meta:
        return None
    return Path(str(city.meta["folder"])) / "cache" / "address" / _version(city)


def _version(city: City) -> str:
    text = f"{FORMAT}:{city.crs.to_string()}:{city.version(*SOURCES)}"
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _calibration(city: City) -> Calibration:
    """The city's own calibration, or the default."""
    place = _place(city)
    try:
        text = (place / "calibration.json").read_text(encoding="utf-8") if place is not None else ""
    except OSError:
        return DEFAULT
    return Calibration.loads(text) if text else DEFAULT


# ---------------------------------------------------------------------------------------------- answers
def locate_address(
    city: City,
    text: str,
    *,
    near: tuple[float, float] | None = None,
    district: str = "",
    limit: int = 5,
    as_of: date | None = None,
    fallback: Kind | None = "fts5",
) -> dict[str, Any]:
    """Answer one address in the shape that the API, the command line and the console share (地址定位).

    Parameters
    ----------
    city
        The snapshot.
    text
        The address; at most 500 characters.
    near
        A point near the place, degrees (longitude, latitude): evidence, not a filter.
    district
        District or town the caller named apart.
    limit
        Most candidates, 1 to 20.
    as_of
        Day whose grids and aliases count.
    fallback
        Text index over names for texts that the parser is unsure of; see `engine_of`.

    Returns
    -------
    dict
        `status`, `candidates` best first, `spans`, and `others` where the text holds more than one address.

    Raises
    ------
    BadInputError
        Text longer than 500 characters.
    """
    if len(text) > LONGEST_TEXT:
        raise BadInputError(f"an address has at most {LONGEST_TEXT} characters; this text has {len(text)}")
    hint = Hint(None, district)
    if near is not None:
        x, y = city.to_metres([near[0]], [near[1]])
        if np.isfinite(x[0]) and np.isfinite(y[0]):
            hint = Hint((float(x[0]), float(y[0])), district)
    answer = engine_of(city, as_of=as_of, fallback=fallback).locate(
        text, hint=hint, limit=max(1, min(limit, 20))
    )
    return shape(city, answer)


def warm(city: City) -> None:
    """Open the index and load the compiled search, so that the first caller does not wait for it (预热)."""
    place = _place(city)
    compiled = place is not None and place.is_dir()  # then nobody needs the table itself
    if compiled or not city.degrees("addresses").empty:
        engine_of(city).locate("预热路1号")


def shape(city: City, answer: Answer) -> dict[str, Any]:
    """An answer as plain data, coordinates in degrees."""
    out: dict[str, Any] = {
        "status": answer.status,
        "candidates": [_candidate(city, c) for c in answer.candidates],
        "spans": [{"start": a, "end": b, "text": t, "level": level} for a, b, t, level in answer.spans],
    }
    if answer.others:
        out["others"] = [shape(city, o) for o in answer.others]
    return out


def _candidate(city: City, c: Candidate) -> dict[str, Any]:
    lon, lat = city.to_degrees([c.x], [c.y])
    out: dict[str, Any] = {
        "standard": c.standard,
        "lon": round(float(lon[0]), 7),
        "lat": round(float(lat[0]), 7),
        "precision": c.precision,
        "radius_m": round(c.radius_m, 1),
        "confidence": round(c.confidence, 4),
        "faults": [[code, detail] for code, detail in c.faults],
        "grids": c.chain,
        "also": [{"grid_id": g, "share": s} for g, s in c.also],
        "grid_id": c.grid_id or None,
        "source": c.source,
        "address_id": c.address_id or None,
    }
    if c.geometry is not None:
        line = np.asarray(c.geometry.coords)
        lons, lats = city.to_degrees(line[:, 0], line[:, 1])
        points = [[round(float(a), 7), round(float(b), 7)] for a, b in zip(lons, lats, strict=True)]
        out["geometry"] = {"type": "LineString", "coordinates": points}
    return out


def suggest(city: City, text: str, *, limit: int = 8) -> list[dict[str, Any]]:
    """Completions of what was typed (输入提示); `Suggester.suggest` with coordinates in degrees."""
    if len(text) > LONGEST_TEXT:
        raise BadInputError(f"an address has at most {LONGEST_TEXT} characters; this text has {len(text)}")
    found = engine_of(city).suggester.suggest(text, limit=max(1, min(limit, 50)))
    if not found:
        return []
    lon, lat = city.to_degrees([s["x"] for s in found], [s["y"] for s in found])
    return [
        {"text": s["text"], "kind": s["kind"], "lon": round(float(a), 7), "lat": round(float(b), 7)}
        for s, a, b in zip(found, lon, lat, strict=True)
    ]


def query_hash(text: str) -> str:
    """What a log may keep of a query: a hash, never its text (日志只记摘要)."""
    return hashlib.blake2b(fold_text(text).encode(), digest_size=8).hexdigest()


# ---------------------------------------------------------------------------------------------- learning
def teach(
    store: Store,
    text: str,
    standard: str,
    point: Sequence[float],
    *,
    by: str,
    at: datetime,
    accepted: bool = False,
) -> str:
    """Keep what an operator confirmed as an alias, with a line in the audit log; its key (学习别名)."""
    row = teach_.taught(text, standard, float(point[0]), float(point[1]), by=by, at=at, accepted=accepted)
    row = row.set_crs(store.city().lonlat_crs)
    key = str(row.index[0])
    with store.transaction() as change:
        change.upsert("aliases", schema.checked("aliases", row))
        change.audit(by, "alias.accept" if accepted else "alias.propose", key, f"{text}→{standard}")
    return key


def review(store: Store, key: str, step: teach_.Step, *, by: str, at: datetime) -> None:
    """Accept or withdraw an alias, with a line in the audit log; both can be taken back by the other."""
    row = teach_.reviewed(store.city().degrees("aliases"), key, step, by=by, at=at)
    with store.transaction() as change:
        change.upsert("aliases", schema.checked("aliases", row))
        change.audit(by, f"alias.{'accept' if step == 'accepted' else 'withdraw'}", key)
