"""Grids and cameras by code and name: nothing outside of a scope, no secret camera below its role."""

from geo.scope import Scope
from layers.search import find_cameras, find_grids


def test_a_camera_is_found_by_its_code_and_by_part_of_its_name(demo_tiny):
    cameras = demo_tiny.degrees("cameras").query("secrecy != 1")
    code, name = cameras.index[3], cameras["name"].iloc[3]
    assert find_cameras(demo_tiny, f" {code} ", scope=Scope())[0]["camera_id"] == code
    assert code in [c["camera_id"] for c in find_cameras(demo_tiny, name[:-2], scope=Scope(), limit=100)]
    first = find_cameras(demo_tiny, name, scope=Scope())[0]
    assert first["name"] == name
    assert first["lon"] == round(cameras.geometry.x[first["camera_id"]], 7)
    assert find_cameras(demo_tiny, "  ", scope=Scope()) == []
    assert find_cameras(demo_tiny, "no such camera", scope=Scope()) == []


def test_secret_cameras_are_found_by_their_role_alone(demo_tiny):
    secret = demo_tiny.degrees("cameras").query("secrecy == 1").index[0]
    assert find_cameras(demo_tiny, secret, scope=Scope()) == []
    assert [c["camera_id"] for c in find_cameras(demo_tiny, secret, scope=Scope(role="admin"))] == [secret]


def test_what_is_found_lies_in_the_scope(demo_tiny):
    town = demo_tiny.degrees("grids").query("level == 1").index[0]
    narrow = Scope(roots=frozenset([town]))
    cameras = demo_tiny.degrees("cameras")
    found = [c["camera_id"] for c in find_cameras(demo_tiny, "杆", scope=narrow, limit=10_000)]
    places = cameras.loc[found].geometry
    assert 0 < len(found) < len(cameras)
    assert set(demo_tiny.locate(places.x, places.y)["town"]) == {town}
    grids = find_grids(demo_tiny, town[:4], scope=narrow, limit=10_000)
    assert grids
    assert all(g["grid_id"].startswith(town) for g in grids)
