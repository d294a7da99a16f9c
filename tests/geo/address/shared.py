"""Adapters: the shared files of real door plates as an `addresses` table and as labelled texts."""

from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

CRS = "EPSG:32651"


def _points(lon, lat):
    x, y = pyproj.Transformer.from_crs(4326, CRS, always_xy=True).transform(lon, lat)
    return gpd.GeoSeries(shapely.points(x, y), crs=CRS)


def plates(path: Path, *, only_text: bool = False) -> gpd.GeoDataFrame:
    """`idx_*.parquet` as the table `addresses`; with `only_text` the elements must be read from the text."""
    raw = pd.read_parquet(path)
    text = raw.astype(dict.fromkeys(("district", "village", "road", "lane", "alley"), "str"))
    table = pd.DataFrame({"standard": text["addr"], "district": text["district"], "village": text["village"]})
    if not only_text:
        table["road"] = text["road"]
        table["lane"] = text["lane"] + text["alley"]
        table["number"] = text["numstr"]
    table["grid_id"] = text["district"] + text["village"] + raw["nb"].astype("str")
    table.index = pd.Index([f"A{i:06d}" for i in range(len(table))], name="address_id")
    points = _points(raw["lon"].to_numpy(), raw["lat"].to_numpy())
    return gpd.GeoDataFrame(table, geometry=points.to_numpy(), crs=CRS)


def labelled(path: Path) -> pd.DataFrame:
    """`q_*.parquet` as labelled texts."""
    raw = pd.read_parquet(path)
    points = _points(raw["lon"].to_numpy(), raw["lat"].to_numpy())
    return pd.DataFrame({
        "text": raw["q"],
        "class": raw["cls"].astype("str"),
        "x": points.x.to_numpy(),
        "y": points.y.to_numpy(),
        "grid_id": raw["district"].astype("str") + raw["village"].astype("str") + raw["nb"].astype("str"),
        "standard": raw["addr"],
    })  # fmt: skip


def official_plates(folder: Path, city: str) -> gpd.GeoDataFrame:
    """`taiwan_addresses/<city>_addresses.parquet` as the table `addresses`."""
    raw = pd.read_parquet(folder / f"{city}_addresses.parquet")
    text = {c: raw[c].astype("object").where(raw[c].notna(), "").astype("str").to_numpy() for c in
            ("district_code", "village", "neighbor", "street", "area", "lane", "alley", "number", "address")}  # fmt: skip
    whole = raw["address"].notna().to_numpy() & (text["number"] == "")
    villages = gpd.read_file(folder / f"{city}_villages.gpkg", ignore_geometry=True)
    codes = villages["VILLCODE"].astype(str).str[:7].str.lstrip("0")
    names = dict(zip(codes, villages["TOWNNAME"], strict=True))
    district = pd.Series(text["district_code"])
    road = np.where(text["street"] != "", text["street"], text["area"])
    table = pd.DataFrame({
        "standard": np.where(whole, text["address"], ""),
        "district": district.map(names).fillna("").to_numpy(),
        "village": text["village"],
        "road": np.where(whole, "", road),
        "lane": np.char.add(text["lane"].astype(str), text["alley"].astype(str)),
        "number": text["number"],
    })  # fmt: skip
    table["grid_id"] = table["district"] + table["village"] + pd.Series(text["neighbor"])
    table.index = pd.Index([f"A{i:06d}" for i in range(len(table))], name="address_id")
    crs = "EPSG:3826" if city.startswith("hsinchu") else "EPSG:3825"
    return gpd.GeoDataFrame(table, geometry=gpd.points_from_xy(raw["x"], raw["y"]), crs=crs)
