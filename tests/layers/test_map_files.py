import gzip
import io

import mapbox_vector_tile
import pytest
from pmtiles.reader import MemorySource, Reader

from geo import schema
from geo.errors import BadInputError
from geo.scope import Scope
from layers import assets, catalog, folium_map, map_files, tiles

SCOPE = Scope()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, demo_tiny):
    out = tmp_path_factory.mktemp("maps")
    done = map_files.write_maps(demo_tiny, out, scope=SCOPE, max_zoom=15)
    assert done.max_zoom == 15
    assert done.files == len([p for p in out.rglob("*") if p.is_file()])
    assert done.tiles > 20
    return out


def test_the_folder_names_nothing_outside_itself(folder):
    for file in folder.rglob("*.html"):
        text = file.read_text("utf-8")
        assert "http://" not in text, file
        assert "https://" not in text
        assert 'src="/' not in text
        assert 'href="/' not in text


def test_the_licences_go_with_the_scripts(folder):
    """Every third-party file beside the pages is named in the notice, with its holder and its conditions."""
    notice = (folder / "assets" / "NOTICE.txt").read_text("utf-8")
    scripts = {p.name.split(".")[0] for p in (folder / "assets").iterdir() if p.suffix in (".js", ".css")}
    foreign = scripts - {name.split(".")[0] for name in assets.own()}
    assert foreign == {"leaflet", "Leaflet"}
    for stem in ("leaflet.*.js", "leaflet.*.css", "Leaflet.VectorGrid.bundled.*.js"):
        assert stem in notice
    assert "Vladimir Agafonkin" in notice
    assert "Redistributions in binary form must reproduce" in notice


@pytest.mark.browser
def test_a_town_that_is_searched_for_has_its_own_card(page, folder, demo_tiny):
    from browser import folder_url

    page.goto(f"{folder_url(folder)}/people.html")
    page.wait_for_selector("html[data-ready]", timeout=60_000)
    town = demo_tiny.degrees("grids").query("level == 1").iloc[0]
    page.get_by_role("combobox").fill(town.name)
    page.get_by_role("option").filter(has_text=town.name).first.dispatch_event("mousedown")
    page.locator(".santu-card").get_by_text(town.name, exact=True).wait_for()
    assert page.locator(".santu-card h2").first.inner_text() == town["name"]


@pytest.mark.browser
@pytest.mark.parametrize("name", list(folium_map.MAPS))
def test_a_map_opens_from_disk(page, folder, demo_tiny, name):
    from browser import Watch, folder_url

    watch = Watch(page, (folder_url(folder),))
    page.goto(f"{folder_url(folder)}/{name}.html")
    page.wait_for_selector("html[data-ready]", timeout=60_000)
    grid = demo_tiny.degrees("grids").query("kind == 'base'").index[5]
    page.get_by_role("combobox").fill(grid)
    page.get_by_role("option").filter(has_text=grid).dispatch_event("mousedown")
    page.locator(".santu-card").get_by_text(grid, exact=True).wait_for()
    watch.check()
    assert all(url.startswith("file://") for url in watch.requests)


def test_files_hold_what_the_scope_sees_and_no_more(tmp_path, demo_tiny):
    village = demo_tiny.degrees("grids").query("level == 2").index[0]
    map_files.write_maps(
        demo_tiny, tmp_path, scope=Scope(roots=frozenset([village])), names=("people",), max_zoom=12
    )
    other = demo_tiny.degrees("grids").query("level == 2").index[1]
    index = (tmp_path / "search.js").read_text("utf-8")
    assert village in index
    assert other not in index
    assert not (tmp_path / "hazards.html").exists()


def test_a_large_city_stops_at_a_zoom_that_fits():
    small, large = (117.9, 36.7, 118.0, 36.8), (117.0, 36.0, 119.0, 37.0)
    assert map_files.deepest_zoom(small) == map_files.DEEPEST
    z = map_files.deepest_zoom(large)
    assert len(map_files.places(large, z)) <= map_files.MOST_TILES < len(map_files.places(large, z + 1))


def test_points_themselves_are_shown_at_the_deepest_zoom(demo_small):
    entry = catalog.layer("facilities")
    assert tiles.points_from(demo_small, entry) > 12
    shown = map_files._points_by(demo_small, entry, 12)
    assert shown.points_from == 12
    assert map_files._points_by(demo_small, entry, 18) is entry


def test_a_city_without_grids_is_refused(tmp_path, tiny_city):
    empty = tiny_city.with_table("grids", schema.empty("grids", "EPSG:4490"), replace=True)
    with pytest.raises(BadInputError, match="import grids first"):
        map_files.write_maps(empty, tmp_path / "x", scope=SCOPE)
    assert not (tmp_path / "x").exists()


def test_pmtiles_holds_the_tiles_of_the_server(demo_tiny):
    entry = catalog.layer("grids")
    selection = tiles.Selection(indicator="open_hazards")
    file = io.BytesIO()
    count = map_files.write_pmtiles(demo_tiny, entry, file, scope=SCOPE, selection=selection, max_zoom=13)
    reader = Reader(MemorySource(file.getvalue()))
    assert reader.header()["addressed_tiles_count"] == count
    assert reader.header()["max_zoom"] == 13
    assert reader.metadata()["vector_layers"][0]["id"] == "grids"
    bounds = tiles.tilejson_bounds(demo_tiny, entry)
    found = 0
    for place in map_files.places(bounds, 13):
        data = reader.get(*place)
        wanted = tiles.tile(demo_tiny, entry, place, scope=SCOPE, selection=selection)
        assert (gzip.decompress(data) if data else b"") == wanted
        found += bool(data) and len(mapbox_vector_tile.decode(wanted)["grids"]["features"])
    assert found >= 24


def test_an_empty_layer_makes_no_archive(demo_tiny):
    with pytest.raises(BadInputError, match="nothing to draw"):
        map_files.write_pmtiles(demo_tiny, catalog.layer("waterways"), io.BytesIO(), scope=SCOPE, max_zoom=11)
