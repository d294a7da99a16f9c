"""The table audit: clean tables are clean, each planted fault is found."""

import geopandas as gpd
import pandas as pd
import shapely

from geo.address.around import BaseGrids
from geo.address.audit import CODES, audit, summary
from geo.address.compile import compile_gazetteer


def street(name, numbers, *, y=0.0, step=10.0, district="甲区", grid="G1"):
    return [
        {
            "district": district,
            "road": name,
            "number": f"{n}号",
            "grid_id": grid,
            "geometry": shapely.Point(n * step, y),
        }
        for n in numbers
    ]


def table(rows):
    frame = gpd.GeoDataFrame(rows, geometry="geometry", crs="EPSG:4548")
    frame.index = pd.Index([f"R{i}" for i in range(len(frame))], name="address_id")
    return frame


def grids():
    return gpd.GeoDataFrame(
        {"level": [3, 3], "kind": ["base", "base"], "name": ["一", "二"], "parent_id": [None, None]},
        geometry=[shapely.box(-100, -100, 5000, 100), shapely.box(-100, 100, 5000, 1000)],
        index=pd.Index(["G1", "G2"], name="grid_id"), crs="EPSG:4548",
    )  # fmt: skip


def codes(rows):
    return summary(audit(compile_gazetteer(table(rows)), BaseGrids(grids())))


def test_a_clean_table_has_no_faults():
    assert codes(street("柳泉路", range(1, 40))) == dict.fromkeys(CODES, 0)


def test_every_planted_fault_is_found():
    rows = street("柳泉路", range(1, 40))
    rows[20]["geometry"] = shapely.Point(3000, 0)
    rows += [{**rows[4], "geometry": shapely.Point(900, 0)}]
    rows += street("刘泉路", range(1, 10), y=50)
    rows += street("孤路", [5], y=80)
    rows += [{**r, "grid_id": "G2"} for r in street("远路", range(1, 5), y=-50)]
    rows += street("外路", range(1, 5), y=-5000)
    rows += [
        {"district": d, "road": "柳泉路", "number": "2号", "compound": "同名花园", "building": "1号楼", "grid_id": "G1",
         "geometry": shapely.Point(x, 0)}
        for d, x in (("甲区", 20), ("乙区", 2000))
    ]  # fmt: skip
    found = codes(rows)
    assert found["address.number-jump"] >= 1
    assert found["address.two-points"] == 1
    assert found["address.similar-names"] == 1
    assert found["address.few-plates"] >= 1
    assert found["address.outside-grid"] == 4
    assert found["address.no-grid"] == 4
    assert found["address.name-twice"] == 1


def test_the_demo_city_is_audited(demo_tiny):
    faults = audit(compile_gazetteer(demo_tiny.addresses), BaseGrids(demo_tiny.grids))
    assert list(faults.columns) == ["code", "id", "value", "message"]
    assert set(faults["code"]) <= set(CODES)
