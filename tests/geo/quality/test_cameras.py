"""Cameras in the doctor: every kind of fault is found, and only where it is."""

import geopandas as gpd
import pandas as pd
import shapely
from pyproj import CRS

from geo import schema
from geo.quality import CODES, Tables, find_faults

METRES = "EPSG:4548"


def test_camera_faults_reach_the_examination():
    cameras = gpd.GeoDataFrame(
        {
            "bearing_deg": [0.0, 0.0, None],
            "fov_deg": [60.0, 0.0, 60.0],
            "room_type": ["outdoor", "outdoor", "indoor"],
        },
        geometry=[shapely.Point(5, 5), shapely.Point(30, 30), shapely.Point(5, 6)],
        index=pd.Index([f"3402000000132000000{i}" for i in range(3)], name="camera_id"),
        crs=METRES,
    )
    buildings = gpd.GeoDataFrame(
        geometry=[shapely.box(0, 0, 10, 5), shapely.box(0, 5, 10, 12)],
        index=pd.Index(["a", "b"], name="building_id"),
        crs=METRES,
    )
    tables = {
        "cameras": schema.checked("cameras", cameras),
        "buildings": schema.checked("buildings", buildings),
    }
    found = find_faults(Tables(tables, CRS(METRES)))
    got = found[found["table"] == "cameras"].groupby("code")["id"].agg(list).to_dict()
    assert got["camera.inside"] == [cameras.index[0]], (
        "5 m deep in the joined block; the indoor camera may be there"
    )
    assert got["camera.optics"] == [cameras.index[1]]
    assert "camera.bearing" not in got, "an indoor camera needs no bearing"
    assert set(got) <= set(CODES)
