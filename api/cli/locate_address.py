"""The address part of `santu locate`: one text, a batch of them, or a labelled file to score."""

from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.progress import TaskID

from api.cli.base import err, out, print_json, progress
from geo.address import evaluate
from geo.address.answer import Answer
from geo.address.fallback import Kind
from geo.city import City
from geo.errors import BadInputError
from geo.store.addresses import LONGEST_TEXT, engine_of, locate_address

LABELS = {
    "text": ("text", "q", "query", "address", "地址", "文本"),
    "class": ("class", "cls", "类别"),
    "lon": ("lon", "longitude", "经度"),
    "lat": ("lat", "latitude", "纬度"),
    "grid_id": ("grid_id", "grid", "网格编码"),
}


def show_address(
    city: City,
    text: str,
    *,
    near: tuple[float, float] | None,
    district: str,
    as_of: date | None,
    fallback: Kind | None,
    as_json: bool,
) -> int:
    """Answer one address on stdout; the exit code: 0 found, 1 nothing."""
    answer = locate_address(city, text, near=near, district=district, as_of=as_of, fallback=fallback)
    if as_json:
        print_json(answer)
    else:
        for one in (answer, *answer.get("others", [])):
            _print(one)
    return 0 if answer["candidates"] and answer["status"] != "none" else 1


def _print(answer: dict[str, Any]) -> None:
    out.print(f"status: {answer['status']}", markup=False)
    for i, c in enumerate(answer["candidates"], 1):
        chain = " > ".join(f"{g['name'] or g['grid_id']}" for g in c["grids"]) or "-"
        faults = ", ".join(f"{code} {detail}".strip() for code, detail in c["faults"]) or "-"
        out.print(
            f"{i}. {c['standard']}  {c['lon']:.6f},{c['lat']:.6f}  {c['precision']} ±{c['radius_m']:.0f} m  "
            f"confidence {c['confidence']:.2f}\n   grid {c['grid_id'] or '-'} ({chain})\n   faults: {faults}",
            markup=False,
        )
        if len(c["also"]) > 1:
            also = ", ".join(f"{a['grid_id']} {a['share']:.0%}" for a in c["also"][:5])
            out.print(f"   within ±{c['radius_m']:.0f} m: {also}", markup=False)


def locate_texts(
    city: City, texts: pd.Series, *, as_of: date | None = None, fallback: Kind | None = "fts5"
) -> pd.DataFrame:
    """Answer many addresses: columns `santu_*` on the index of `texts`; an empty text has status none."""
    engine = engine_of(city, as_of=as_of, fallback=fallback)
    rows = []
    with progress("addresses", len(texts)) as (bar, task):
        for at, text in enumerate(texts):
            written = str(text) if isinstance(text, str) else ""
            answer = engine.locate(written[:LONGEST_TEXT], limit=2)
            first = answer.candidates[0] if answer.candidates else None
            rows.append((
                answer.status,
                first.x if first else np.nan,
                first.y if first else np.nan,
                first.precision if first else "",
                round(first.confidence, 4) if first else 0.0,
                first.grid_id if first else "",
                " ".join(f"{code}({detail})" if detail else code for code, detail in first.faults) if first else "",
            ))  # fmt: skip
            if at % 256 == 0:
                bar.update(TaskID(task), completed=at)
        bar.update(TaskID(task), completed=len(texts))
    names = [
        "santu_status",
        "santu_lon",
        "santu_lat",
        "santu_precision",
        "santu_confidence",
        "santu_grid_id",
        "santu_faults",
    ]
    table = pd.DataFrame(rows, columns=names, index=texts.index)
    lon, lat = city.to_degrees(table["santu_lon"].to_numpy(float), table["santu_lat"].to_numpy(float))
    good = np.isfinite(table["santu_lon"].to_numpy(float))
    table["santu_lon"] = np.where(good, np.round(lon, 7), np.nan)
    table["santu_lat"] = np.where(good, np.round(lat, 7), np.nan)
    return table


def batch_summary(table: pd.DataFrame) -> dict[str, Any]:
    """What a dispatch log came to: rows, auto-assigned share, statuses, and how often each class of fault occurs."""
    faults = Counter(
        fault.split("(")[0] for text in table["santu_faults"] for fault in str(text).split(" ") if fault
    )
    count = len(table)
    return {
        "rows": count,
        "auto_assigned_share": round(float((table["santu_status"] == "unique").mean()), 4) if count else 0.0,
        "status": {k: int(v) for k, v in table["santu_status"].value_counts().items()},
        "precision": {k: int(v) for k, v in table["santu_precision"].value_counts().items() if k},
        "faults": dict(faults.most_common()),
    }


def show_summary(table: pd.DataFrame, *, as_json: bool) -> None:
    """Print `batch_summary`: JSON on stdout, words on stderr."""
    found = batch_summary(table)
    if as_json:
        print_json(found)
        return
    err.print(
        f"{found['rows']} addresses, {found['auto_assigned_share']:.1%} assigned automatically", markup=False
    )
    for name in ("status", "precision", "faults"):
        err.print(f"  {name}: " + ", ".join(f"{k} {v}" for k, v in found[name].items()), markup=False)


def labelled_file(city: City, path: Path) -> pd.DataFrame:
    """Read a labelled file (CSV, TSV, XLSX or Parquet) for `evaluate`.

    A text, and its true longitude and latitude (degrees) or grid code or both; a class is optional. Raises
    BadInputError if there is no text column, or neither kind of truth.
    """
    raw = _read(path)
    names = {
        key: next((c for c in raw.columns if str(c).lower() in options), None)
        for key, options in LABELS.items()
    }
    if names["text"] is None or (names["grid_id"] is None and (names["lon"] is None or names["lat"] is None)):
        raise BadInputError(
            f"{path.name} has columns {', '.join(map(str, raw.columns))}; needed: a text "
            f"({', '.join(LABELS['text'])}) and lon + lat in degrees, or grid_id"
        )
    table = pd.DataFrame({"text": raw[names["text"]].astype("str")})
    table["class"] = raw[names["class"]].astype("str") if names["class"] else "all texts"
    table["x"], table["y"] = np.nan, np.nan
    if names["lon"] and names["lat"]:
        lon, lat = (pd.to_numeric(raw[names[c]], errors="coerce").to_numpy(float) for c in ("lon", "lat"))
        table["x"], table["y"] = city.to_metres(lon, lat)
    if names["grid_id"]:
        table["grid_id"] = raw[names["grid_id"]].astype("object").where(raw[names["grid_id"]].notna(), None)
    else:
        found = city.locate(*city.to_degrees(table["x"].to_numpy(), table["y"].to_numpy()))
        table["grid_id"] = found["base"].astype("object").where(found["base"].notna(), None).to_numpy()
    return table


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise BadInputError(f"{path} is not there")
    kind = path.suffix.lower()
    if kind == ".parquet":
        return pd.read_parquet(path)
    if kind in (".xlsx", ".xls"):
        return pd.read_excel(path, dtype=str)
    try:
        return pd.read_csv(path, dtype=str, sep="\t" if kind == ".tsv" else ",", encoding="utf-8-sig")
    except UnicodeDecodeError:
        return pd.read_csv(path, dtype=str, sep="\t" if kind == ".tsv" else ",", encoding="gb18030")


def show_evaluation(city: City, path: Path, *, fallback: Kind | None, as_json: bool) -> None:
    """Score the engine on a labelled file, per class: `santu locate --evaluate FILE`."""
    labelled = labelled_file(city, path)
    engine = engine_of(city, fallback=fallback)
    with progress("texts", len(labelled)) as (bar, task):

        def ask(text: str) -> Answer:
            bar.advance(TaskID(task))
            return engine.locate(text[:LONGEST_TEXT])

        results = evaluate.evaluate(labelled, ask)
    table = evaluate.summary(_with_village(city, labelled, results))
    if as_json:
        print_json(
            {name: {k: _plain(v) for k, v in row.items()} for name, row in table.to_dict("index").items()}
        )
        return
    out.print(table.round(4).to_string(), markup=False)


def _plain(value: float) -> float | int | None:
    return None if pd.isna(value) else round(value, 4) if isinstance(value, float) else int(value)


def _with_village(city: City, labelled: pd.DataFrame, results: pd.DataFrame) -> pd.DataFrame:
    """Whether the village above the answer's base grid is the true one; missing where the truth is unknown."""
    parent = city.degrees("grids")["parent_id"]
    above = {str(k): v for k, v in parent.items() if isinstance(v, str)}
    truth = [above.get(g) if isinstance(g, str) else None for g in labelled["grid_id"]]
    said = [above.get(g) for g in results["answered_grid"]]
    return results.assign(village=[None if t is None else s == t for t, s in zip(truth, said, strict=True)])
