import gzip
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import mapbox_vector_tile
import numpy as np
import pandas as pd
import pytest
import shapely
from shapely.geometry import shape

from geo import schema
from geo.errors import BadInputError, ForbiddenError, NotFoundError, UnknownNameError
from geo.indicators import INDICATORS, located
from geo.scope import EVERYTHING, Scope
from layers import catalog, style, tiles, values
from layers.tiles import mvt
from layers.tiles.cache import compress
from layers.tiles.source import Areas, mercator, source

PUBLIC = Scope(role="operator")


@pytest.fixture(scope="module")
def city(demo_small):
    return demo_small


def cover(city, z):
    """Every tile of a zoom that the city's grids touch."""
    west, south, east, north = city.degrees("grids").total_bounds
    (x0, y0), (x1, y1) = mercator(np.array([[west, south], [east, north]]))
    left, low = mvt.tile_of(x0, y0, z)
    right, high = mvt.tile_of(x1, y1, z)
    return [(z, x, y) for x in range(left, right + 1) for y in range(high, low + 1)]


def features(city, name, z, *, scope=PUBLIC, **asked):
    entry = catalog.layer(name)
    selection = tiles.parse(entry, asked, timezone=city.timezone)
    found = []
    for place in cover(city, z):
        data = tiles.tile(city, entry, place, scope=scope, selection=selection)
        decoded = mapbox_vector_tile.decode(data, default_options={"y_coord_down": True}) if data else {}
        found += decoded.get(name, {}).get("features", [])
    return found


def properties(city, name, z, **asked):
    return [f["properties"] for f in features(city, name, z, **asked)]


@pytest.mark.parametrize("name", list(catalog.LAYERS))
def test_every_layer_draws_its_rows_at_its_deepest_zoom(city, name):
    entry = catalog.layer(name)
    if name == "waterways":
        assert features(city, name, 15) == []
        return
    z = max(entry.min_zoom, 15, getattr(source(city, entry), "points_from", 0))
    if name in ("grid_labels", "roads"):
        z = 17
    ids = {f["id"] for f in features(city, name, z)}
    rows = catalog.entry_rows(city, entry)
    assert len(rows) > 0
    cameras = city.degrees("cameras")
    secret = (
        rows["camera_id"].isin(cameras.index[cameras["secrecy"] == 1]).sum() if entry.cut == "camera" else 0
    )
    hidden = (rows["zoom_to"] < 17).sum() if name == "grid_labels" else 0
    assert len(ids) == len(rows) - secret - hidden


@pytest.mark.parametrize("name", list(catalog.LAYERS))
def test_only_the_fields_of_the_catalog_travel(city, name):
    entry = catalog.layer(name)
    allowed = {*entry.fields, *entry.sums, "count", "rank", "value"}
    for z in (max(entry.min_zoom, 11), 15):
        assert {k for p in properties(city, name, z) for k in p} <= allowed
    assert set(catalog.field_names(entry)) == set(entry.fields)


def test_areas_of_grids_fill_the_city_at_every_zoom(city):
    whole = shapely.union_all(shapely.transform(city.degrees("boundary").geometry.to_numpy(), mercator)).area
    for z in (9, 11, 13, 15):
        west, _, east, _ = mvt.tile_bounds(z, 0, 0)
        unit = ((east - west) / mvt.EXTENT) ** 2
        total = 0.0
        for place in cover(city, z):
            data = tiles.tile(city, catalog.layer("grids"), place, scope=PUBLIC)
            window = shapely.box(0, 0, 4096, 4096)
            decoded = mapbox_vector_tile.decode(data) if data else {"grids": {"features": []}}
            for f in decoded["grids"]["features"]:
                area = shapely.make_valid(shape(f["geometry"]), method="structure")
                total += area.intersection(window).area
        assert total * unit == pytest.approx(whole, rel=0.03 if z < 12 else 0.004)


def test_simplified_borders_have_fewer_points_and_the_same_grids(city):
    made = source(city, catalog.layer("grids"))
    assert isinstance(made, Areas)
    sizes = [len(made.geometry(z)[1].xy) for z in (15, 13, 11, 9)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0] / 2
    assert made.geometry(13)[1] is made.geometry(12)[1]


def test_clusters_and_cells_count_every_row_once(city):
    for name, z in (("facilities", 11), ("incidents", 12)):
        found = properties(city, name, z)
        assert sum(p["count"] for p in found) == len(catalog.entry_rows(city, catalog.layer(name)))
    facilities = city.degrees("facilities")
    found = properties(city, "facilities", 11)
    assert sum(p.get("n_hydrant", 0) for p in found) == (facilities["kind"] == "hydrant").sum()
    bad = facilities["state"].isin(["alarm", "fault", "offline"])
    assert sum(p.get("bad", 0) for p in found) == bad.sum()


def test_density_ranks_follow_the_legend(city):
    for p in properties(city, "incidents", 11):
        rank = p["rank"]
        assert style.DENSITY_EDGES[rank] <= p["count"]
        assert rank == 7 or p["count"] < style.DENSITY_EDGES[rank + 1]
    assert [e.value for e in style.DENSITY] == list(range(8))


def test_filters_of_value_and_time_count_what_the_table_holds(city):
    incidents = city.degrees("incidents")
    category = incidents["category"].value_counts().index[0]
    since = incidents["occurred_at"].quantile(0.5)
    wanted = (incidents["category"] == category) & (incidents["occurred_at"] >= since)
    found = properties(city, "incidents", 11, category=category, since=since.isoformat())
    assert sum(p["count"] for p in found) == wanted.sum() > 0
    before = properties(city, "incidents", 11, category=category, until=since.isoformat())
    both = sum(p["count"] for p in found + before)
    assert both == (incidents["category"] == category).sum()
    two = ",".join(incidents["category"].value_counts().index[:2])
    assert sum(p["count"] for p in properties(city, "incidents", 11, category=two)) > both


def test_a_time_without_zone_is_in_the_citys_zone(city):
    entry = catalog.layer("incidents")
    selection = tiles.parse(entry, {"since": "2026-01-01T00:00"}, timezone=city.timezone)
    assert selection.since == pd.Timestamp("2025-12-31T16:00Z")


def test_a_grid_selects_what_lies_below_it(city):
    town = city.degrees("grids").query("level == 1").index[1]
    base = properties(city, "grids", 13, grid=town)
    assert base
    assert all(p["grid_id"].startswith(town) for p in base)
    cells = properties(city, "incidents", 11, grid=town)
    assert sum(p["count"] for p in cells) == (located(city, "incidents")["town"] == town).sum() > 0


def test_a_scope_cuts_before_encoding(city):
    town = city.degrees("grids").query("level == 1").index[0]
    scope = Scope(roots=frozenset([town]))
    inside = located(city, "incidents")["town"] == town
    assert sum(p["count"] for p in properties(city, "incidents", 11, scope=scope)) == inside.sum() > 0
    assert {p["grid_id"] for p in properties(city, "towns", 11, scope=scope)} == {town}
    assert {p["grid_id"][:9] for p in properties(city, "grids", 13, scope=scope)} == {town}
    labels = properties(city, "grid_labels", 15, scope=scope)
    assert len(labels) < len(properties(city, "grid_labels", 15))
    other = city.degrees("grids").query("level == 1").index[1]
    with pytest.raises(ForbiddenError, match="outside your scope"):
        features(city, "grids", 13, scope=scope, grid=other)


def test_secret_cameras_leave_no_trace_below_their_role(city):
    cameras = city.degrees("cameras")
    secret = set(cameras.index[cameras["secrecy"] == 1])
    assert secret
    seen = {p["camera_id"] for p in properties(city, "cameras", 16)}
    assert not seen & secret
    assert sum(p["count"] for p in properties(city, "cameras", 9)) == len(cameras) - len(secret)
    assert secret <= {p["camera_id"] for p in properties(city, "cameras", 16, scope=EVERYTHING)}


def test_small_counts_of_persons_are_not_in_the_tile(city):
    scope = Scope(k=20)
    shown = values.ranked(city, INDICATORS["service_workload"], scope=scope)
    hidden = set(shown.value.index[shown.value.isna()])
    assert hidden
    for name in ("grids", "villages", "towns"):
        for p in properties(city, name, 13, scope=scope, indicator="service_workload"):
            if p["grid_id"] in hidden:
                assert "value" not in p
                assert p["rank"] == values.HIDDEN_RANK
            parts = [v for k, v in p.items() if k.startswith("w_")]
            assert all(v == "*" or v >= scope.k for v in parts)
    few = properties(city, "grids", 13, scope=Scope(k=0), indicator="service_workload")
    assert any(0 < p["value"] < 20 for p in few)


@pytest.mark.parametrize("name", list(INDICATORS))
def test_every_indicator_travels_with_a_rank_of_the_legend(city, name):
    entry = catalog.layer("grids")
    selection = tiles.parse(entry, {"indicator": name}, timezone=city.timezone)
    legend = tiles.legend(city, entry, scope=PUBLIC, selection=selection)
    known = {e.value for e in legend.entries}
    found = properties(city, "grids", 12, indicator=name)
    assert {p["rank"] for p in found} <= known
    assert {p["rank"] for p in found} != {-1}
    value = INDICATORS[name].of(city)
    for p in found:
        if "value" in p:
            assert p["value"] == pytest.approx(float(value[p["grid_id"]]))


def test_unknown_layers_parameters_indicators_and_times_are_named(city):
    with pytest.raises(UnknownNameError, match=r"allowed: .*boundary"):
        catalog.layer("nowhere")
    entry = catalog.layer("incidents")
    for asked, message in (
        ({"colour": "red"}, "allowed: category"),
        ({"indicator": "cameras"}, "parameter of layer"),
    ):
        with pytest.raises(UnknownNameError, match=message):
            tiles.parse(entry, asked, timezone="UTC")
    with pytest.raises(UnknownNameError, match="service_workload"):
        tiles.parse(catalog.layer("grids"), {"indicator": "nothing"}, timezone="UTC")
    for asked in ({"since": "yesterday"}, {"since": ""}, {"since": "2026-02-01", "until": "2026-01-01"}):
        with pytest.raises(BadInputError):
            tiles.parse(entry, asked, timezone="UTC")
    with pytest.raises(NotFoundError, match="no grid"):
        features(city, "incidents", 11, grid="nowhere")
    with pytest.raises(BadInputError, match="no tile"):
        tiles.tile(city, entry, (3, 9, 9), scope=PUBLIC)


def test_etag_names_data_scope_and_selection(city):
    entry = catalog.layer("facilities")
    one = tiles.etag(city, entry, PUBLIC, tiles.NOTHING)
    assert one == tiles.etag(city, entry, Scope(who="someone else"), tiles.NOTHING)
    assert one != tiles.etag(city, entry, Scope(k=9), tiles.NOTHING)
    picked = tiles.parse(entry, {"kind": "hydrant"}, timezone="UTC")
    assert one != tiles.etag(city, entry, PUBLIC, picked)
    edited = city.with_table("facilities", city.facilities.iloc[:1].assign(name="新名"))
    assert one != tiles.etag(edited, entry, PUBLIC, tiles.NOTHING)
    roads = catalog.layer("roads")
    assert tiles.etag(edited, roads, PUBLIC, tiles.NOTHING) == tiles.etag(city, roads, PUBLIC, tiles.NOTHING)


def test_an_edit_is_in_the_next_tile(city):
    facility = city.facilities.iloc[:1]
    edited = city.with_table("facilities", facility.assign(name="改名后的设施"))
    names = {p.get("name") for p in properties(edited, "facilities", 16)}
    assert "改名后的设施" in names
    assert "改名后的设施" not in {p.get("name") for p in properties(city, "facilities", 16)}


def test_an_empty_city_has_no_layers_and_empty_tiles(tiny_city):
    empty = tiny_city.with_table("grids", schema.empty("grids", "EPSG:4490"), replace=True)
    assert catalog.present(empty) == ()
    for entry in catalog.LAYERS.values():
        assert tiles.tile(empty, entry, (14, 13567, 6380), scope=PUBLIC) == b""
        assert tiles.tilejson(empty, entry, scope=PUBLIC)["bounds"] == [-180.0, -85.0, 180.0, 85.0]


def test_tilejson_says_where_what_and_how(city):
    entry = catalog.layer("hazards")
    doc = tiles.tilejson(city, entry, scope=PUBLIC, base="http://x")
    assert doc["tiles"][0].startswith("http://x/tiles/hazards/{z}/{x}/{y}.mvt?v=")
    assert doc["vector_layers"][0]["fields"]["due_at"] == "整改时限"
    assert doc["santu"]["words"]["kind"]["fire"] == "消防隐患"
    west, south, east, north = doc["bounds"]
    assert west < east
    assert south < north


def test_cache_makes_a_tile_once_and_forgets_the_oldest():
    cache = tiles.TileCache(size_mb=0.01)
    made = []

    def make(n):
        made.append(n)
        return bytes(np.random.default_rng(n).integers(0, 256, 3000, dtype=np.uint8))

    first = cache.get("a", (1, 0, 0), lambda: make(0))
    assert cache.get("a", (1, 0, 0), lambda: make(0)) == first
    assert made == [0]
    assert gzip.decompress(first) == make(0)
    for n in range(1, 6):
        cache.get("a", (1, 0, n), lambda n=n: make(n))
    assert cache.used_bytes <= 10_000
    assert len(cache) == 3
    assert cache.find("a", (1, 0, 0)) is None
    assert cache.get("b", (0, 0, 0), lambda: b"") == b""
    assert compress(b"x" * 100)[:2] == b"\x1f\x8b"


def test_a_comma_may_stand_in_a_value():
    entry = catalog.layer("incidents")

    def parsed(text):
        return tiles.parse(entry, {"category": text}, timezone="UTC")

    assert parsed(r"a\,b,c").fields["category"] == ("a,b", "c")
    assert parsed("a\\\\,b").fields["category"] == ("a\\", "b")
    assert parsed("").fields["category"] == ("",)
    assert parsed(r"a\,b").key != parsed("a,b").key


def test_tiles_are_made_one_after_the_other_and_the_same_one_once():
    cache = tiles.TileCache(patience_s=30)
    running, most, made = [], [], []

    def make():
        running.append(1)
        most.append(len(running))
        time.sleep(0.02)
        made.append(running.pop())
        return b"tile"

    with ThreadPoolExecutor(6) as pool:
        asked = [("same" if i < 4 else f"other{i}", (1, 0, 0)) for i in range(6)]
        found = list(pool.map(lambda a: cache.get(*a, make), asked))
    assert {gzip.decompress(f) for f in found} == {b"tile"}
    assert max(most) == 1
    assert len(made) == 3


def test_a_slow_tile_holds_nobody_up_for_long():
    cache = tiles.TileCache(patience_s=0.05)
    begun, over = threading.Event(), threading.Event()

    def slow():
        begun.set()
        assert over.wait(20)
        return b"slow"

    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(cache.get, "slow", (1, 0, 0), slow)
        assert begun.wait(20)
        assert gzip.decompress(cache.get("quick", (1, 0, 0), lambda: b"quick")) == b"quick"
        assert not waiting.done()
        over.set()
        assert gzip.decompress(waiting.result(20)) == b"slow"
    with pytest.raises(RuntimeError):
        cache.get("bad", (1, 0, 0), _refuse)
    assert gzip.decompress(cache.get("after", (1, 0, 0), lambda: b"after")) == b"after"


def _refuse():
    raise RuntimeError
