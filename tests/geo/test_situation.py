"""The card's answers agree with brute force over the whole table."""

import numpy as np
import pandas as pd
import pytest
import shapely

from geo import coverage, covered, situation
from geo.camera.pixels import pixels_per_m
from geo.city import City
from geo.coverage.watch import watch
from geo.scope import EVERYTHING, Scope
from geo.travel import Network

OPERATOR = Scope()


@pytest.fixture(scope="module")
def places(demo_small: City) -> np.ndarray:
    """Doors, and points in front of cameras."""
    rng = np.random.default_rng(5)
    doors = shapely.get_coordinates(demo_small.addresses.geometry.to_numpy())
    targets = shapely.get_coordinates(demo_small.targets.geometry.to_numpy())
    return np.concatenate([doors[rng.choice(len(doors), 25)], targets[rng.choice(len(targets), 60)]])


@pytest.fixture(scope="module")
def everywhere(demo_small: City) -> coverage.Fields:
    """Fields of view of all cameras among all buildings, swept at once."""
    scene = coverage.scene(demo_small.buildings, demo_small.occluders)
    return coverage.fields(demo_small.cameras, scene, indoors=False)


def test_cameras_that_see_a_place_are_those_of_the_coverage_map(
    demo_small: City, places: np.ndarray, everywhere: coverage.Fields
) -> None:
    seen = 0
    for x, y in places:
        card = situation.cameras_seeing(demo_small, x, y, scope=EVERYTHING)
        truth = demo_small.cameras.index[shapely.intersects_xy(everywhere.shapes, x, y)]
        assert set(card.index) == set(truth)
        assert card["distance_m"].is_monotonic_increasing
        seen += len(card)
    assert seen > 50


def test_image_level_follows_the_distance(demo_small: City, places: np.ndarray) -> None:
    for x, y in places[25:40]:
        card = situation.cameras_seeing(demo_small, x, y, scope=EVERYTHING)
        register = demo_small.cameras.loc[card.index]
        stated = register["resolution_px"].notna() & register["fov_deg"].notna()
        expected = pixels_per_m(
            np.hypot(
                card["distance_m"], register["height_m"].fillna(0.0).astype(float)
            ),  # along the line of sight
            resolution_px=register["resolution_px"].to_numpy(float, na_value=np.nan),
            fov_deg=register["fov_deg"],
        )
        np.testing.assert_allclose(card["px_per_m"].to_numpy(float)[stated], expected[stated], rtol=0.05)
    levels = situation.image_level(np.array([np.nan, 5, 12.5, 62.5, 124.9, 125, 9999]))
    assert levels.tolist() == ["", "", "monitor", "observe", "observe", "recognise", "identify"]


def test_secret_cameras_are_for_their_role_only(demo_small: City, places: np.ndarray) -> None:
    cameras = demo_small.degrees("cameras").copy()
    cameras["secrecy"] = 1
    city = demo_small.with_table("cameras", cameras)
    x, y = next(p for p in places if len(situation.cameras_seeing(city, *p, scope=EVERYTHING)))
    assert situation.cameras_seeing(city, x, y, scope=OPERATOR).empty
    assert situation.unjudged_cameras(city, x, y, scope=OPERATOR, radius_m=1000) == 0
    assert situation.unjudged_cameras(city, x, y, scope=EVERYTHING, radius_m=1000) > 0


def test_nearest_facilities_by_road_match_every_facility_asked_alone(
    demo_small: City, places: np.ndarray
) -> None:
    network = Network.build(demo_small.roads)
    table = demo_small.facilities
    xy = shapely.get_coordinates(table.geometry.to_numpy())
    node, walk = network.join(xy)
    for x, y in places[:8]:
        card = situation.nearest_facilities(demo_small, x, y)
        assert set(card["kind"]) == set(table["kind"])
        drive = network.seconds_to(x, y, within_s=situation.LIMIT_S)
        total = pd.Series(np.where(node >= 0, drive[node] + walk, np.inf), index=table.index)
        straight = pd.Series(np.hypot(*(xy - [x, y]).T), index=table.index)
        total = total.where(straight >= 30, np.minimum(total, straight / 1.4))
        best = total.groupby(table["kind"]).min()
        for row in card.itertuples():
            if np.isfinite(row.drive_s):
                assert row.drive_s == pytest.approx(best[row.kind], abs=0.51)
            else:
                assert best[row.kind] > situation.LIMIT_S
                assert row.distance_m == pytest.approx(straight[table["kind"] == row.kind].min(), abs=0.1)


@pytest.mark.parametrize(("ask", "table"), [("open_incidents", "incidents"), ("open_hazards", "hazards")])
def test_what_is_open_around_matches_a_scan(
    demo_small: City, places: np.ndarray, ask: str, table: str
) -> None:
    rows = getattr(demo_small, table)
    still = rows["stage"] != "closed" if table == "incidents" else rows["fixed_at"].isna()
    found = 0
    for x, y in places[:20]:
        card = getattr(situation, ask)(demo_small, x, y, radius_m=250.0)
        near = rows[still & (rows.distance(shapely.Point(x, y)) <= 250.0)]
        assert set(card.index) == set(near.index)
        assert card["distance_m"].is_monotonic_increasing
        found += len(card)
    assert found > 0


def test_an_empty_city_answers_with_nothing(tiny_city: City) -> None:
    x, y = tiny_city.to_metres(118.005, 36.805)
    situation.warm(tiny_city, scope=OPERATOR)
    assert situation.cameras_seeing(tiny_city, float(x), float(y), scope=OPERATOR).empty
    assert situation.nearest_facilities(tiny_city, float(x), float(y)).empty
    assert situation.open_incidents(tiny_city, float(x), float(y)).empty
    assert situation.open_hazards(tiny_city, float(x), float(y)).empty


def test_cameras_going_off_leave_what_is_seen_and_are_no_longer_in_order(demo_tiny: City) -> None:
    before = covered.watch_of(demo_tiny)
    table = demo_tiny.degrees("cameras")
    some = table.index[(table["state"] == "on").to_numpy(dtype=bool)][:3]

    def put(state: str) -> City:
        changed = table["state"].mask(table.index.isin(some), state)
        return demo_tiny.with_table("cameras", table.assign(state=changed), replace=True)

    dark = put("off")
    after, alone = covered.watch_of(dark), watch(covered.cameras_of(dark), covered.scene_of(dark))
    assert after.fields is before.fields
    assert (before.on & ~after.on).sum() == 3
    assert (after.on == alone.on).all()
    moved = covered.watch_of(
        demo_tiny.with_table("cameras", table.loc[some].assign(state="off"))
    )  # to the end
    order = moved.fields.cameras.get_indexer(before.fields.cameras)
    assert shapely.equals_exact(moved.fields.shapes[order], before.fields.shapes).all()
    assert (moved.on[order] == after.on).all()
    gone = covered.watch_of(put("removed")).fields
    assert shapely.is_empty(gone.shapes[gone.cameras.get_indexer(some)]).all()
