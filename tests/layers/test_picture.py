import io
import re
import subprocess
import sys
import zlib
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from geo.errors import BadInputError, ForbiddenError, UnknownNameError
from geo.scope import Scope
from layers import folium_map, picture, shading
from layers.picture.furniture import nice_length

SCOPE = Scope()


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


@pytest.mark.parametrize("name", list(folium_map.MAPS))
def test_a_map_is_drawn_with_its_furniture(demo_small, name):
    view = picture.view_of(demo_small, name, width=900, height=640)
    image = pixels(picture.picture(demo_small, view, scope=SCOPE))
    assert image.shape == (640, 900, 3)
    dark = (image < 90).all(axis=2)
    assert dark[:44, :500].sum() > 200, "title"
    assert dark[-29:, :400].sum() > 100, "date and scope"
    assert dark[60:, 715:].sum() > 200, "legend"
    assert len(np.unique(image[50:600, 20:690].reshape(-1, 3), axis=0)) > 30, "map"


def test_the_pdf_is_vector_and_holds_no_picture(demo_tiny):
    data = picture.picture(demo_tiny, picture.view_of(demo_tiny, "hazards"), scope=SCOPE, form="pdf")
    assert data.startswith(b"%PDF")
    assert b"/Subtype /Image" not in data
    streams = [zlib.decompress(m) for m in re.findall(rb"stream\r?\n(x.+?)endstream", data, re.DOTALL)]
    assert sum(s.count(b" l\n") for s in streams) > 500, "lines"


def test_the_same_view_twice_is_the_same_bytes(demo_tiny):
    view = picture.view_of(demo_tiny, "people", width=500, height=400)
    assert picture.picture(demo_tiny, view, scope=SCOPE) == picture.picture(demo_tiny, view, scope=SCOPE)


def test_a_box_shows_that_place_larger(demo_small):
    west, south, east, north = demo_small.degrees("grids").total_bounds
    third = (east - west) / 3
    box = (west + third, south + third / 2, east - third, north - third / 2)
    whole = picture.view_of(demo_small, "facilities", width=700, height=500)
    near = picture.view_of(demo_small, "facilities", width=700, height=500, bbox=box)
    a, b = (pixels(picture.picture(demo_small, v, scope=SCOPE)) for v in (whole, near))
    assert (a != b).any(axis=2).mean() > 0.2


def test_what_a_scope_hides_is_not_on_the_sheet(demo_small):
    town = demo_small.degrees("grids").query("level == 1").index[0]
    west, south, east, north = demo_small.degrees("grids").total_bounds
    view = picture.View(("grids",), "open_hazards", (west, south, east, north), 600, 450)
    whole = pixels(picture.picture(demo_small, view, scope=SCOPE))
    part = pixels(picture.picture(demo_small, view, scope=Scope(roots=frozenset([town]))))
    ground = np.array([0xF4, 0xF3, 0xEF])
    drawn = [(p[60:420, 20:450] != ground).any(axis=2).sum() for p in (whole, part)]
    assert drawn[1] < drawn[0] / 2


def test_density_and_clusters_are_drawn(demo_small):
    for layers in (("towns", "incidents"), ("towns", "facilities"), ("towns", "cameras")):
        view = picture.View(layers, width=500, height=400, title="密度")
        plain = picture.View(layers[:1], width=500, height=400, title="密度")
        a, b = (pixels(picture.picture(demo_small, v, scope=SCOPE)) for v in (view, plain))
        assert (a != b).any(axis=2).mean() > 0.01, layers


def test_wrong_sizes_boxes_layers_and_maps_are_refused(demo_tiny):
    for view in (
        picture.View(("grids",), width=100),
        picture.View(("grids",), width=20_000, height=20_000),
        picture.View(("grids",), bbox=(118, 36, 117, 37)),
    ):
        with pytest.raises(BadInputError, match="allowed"):
            picture.picture(demo_tiny, view, scope=SCOPE)
    with pytest.raises(UnknownNameError):
        picture.picture(demo_tiny, picture.View(("nothing",)), scope=SCOPE)
    with pytest.raises(UnknownNameError):
        picture.view_of(demo_tiny, "nothing")


@pytest.mark.parametrize(
    ("most", "nice"), [(1, 1), (1.9, 1), (2.1, 2), (7, 5), (999, 500), (1000, 1000), (0.3, 0.2)]
)
def test_nice_lengths(most, nice):
    assert nice_length(most) == pytest.approx(nice)


def test_borders_of_small_shapes_are_thin(demo_small):
    from layers import catalog

    shares = [catalog.border_share(500, pixel) for pixel in (5, 10, 40, 80, 200)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == 1
    assert shares[-1] == 0
    sizes = [catalog.typical_size_m(demo_small, catalog.layer(n)) for n in ("towns", "villages", "grids")]
    assert sizes == sorted(sizes, reverse=True)


def test_the_daily_picture_is_of_the_last_complete_day(demo_small):
    from geo import watch

    day = watch.last_day(demo_small)
    view = picture.view_of(demo_small, "daily", width=500, height=400)
    assert view.day == day
    assert str(day) in view.title
    occurred = demo_small.degrees("incidents")["occurred_at"].dt.tz_convert(demo_small.timezone).dt.date
    that_day = demo_small.degrees("incidents")[(occurred == day).to_numpy()]
    assert 0 < len(that_day) < len(occurred)
    only = demo_small.with_table("incidents", that_day, replace=True)
    plain = picture.View(("incidents",), width=500, height=400, title="x", day=day)
    assert picture.picture(demo_small, plain, scope=SCOPE) == picture.picture(only, plain, scope=SCOPE)
    assert picture.picture(demo_small, view, scope=SCOPE)[:4] == b"\x89PNG"


def test_a_server_starts_without_what_draws_pictures():
    code = "import sys, api.app, api.cli; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("layer", "table", "column", "key"),
    [("incidents", "incidents", "category", "category"), ("cameras", "cameras", "state", "cameras.state")],
)
def test_what_a_filter_leaves_out_is_not_on_the_sheet(demo_small, layer, table, column, key):
    rows = demo_small.degrees(table)
    value = rows[column].value_counts().index[1]
    only = demo_small.with_table(table, rows[(rows[column] == value).to_numpy()], replace=True)
    x, y = rows.geometry.iloc[0].x, rows.geometry.iloc[0].y
    box = (x - 0.006, y - 0.006, x + 0.006, y + 0.006)  # near enough for single points
    view = picture.View(("towns", layer), "", box, 500, 400, "x")
    filtered = replace(view, asked={key: value})
    assert picture.picture(demo_small, filtered, scope=SCOPE) == picture.picture(only, view, scope=SCOPE)
    assert picture.picture(demo_small, filtered, scope=SCOPE) != picture.picture(
        demo_small, view, scope=SCOPE
    )


def test_a_grid_that_is_asked_for_is_drawn_alone_and_only_within_the_scope(demo_small):
    grids = demo_small.degrees("grids")
    town, other = grids.query("level == 1").index[:2]
    view = picture.View(("grids",), "open_hazards", tuple(grids.total_bounds), 600, 450, asked={"grid": town})
    whole = replace(view, asked={})
    ground = np.array([0xF4, 0xF3, 0xEF])
    drawn = [
        (pixels(picture.picture(demo_small, v, scope=SCOPE))[60:420, 20:450] != ground).any(axis=2).sum()
        for v in (view, whole)
    ]
    assert 0 < drawn[0] < drawn[1] / 2
    with pytest.raises(ForbiddenError, match="outside"):
        picture.picture(demo_small, view, scope=Scope(roots=frozenset([other])))


def test_an_analysis_colours_the_grids(demo_small):
    ids = demo_small.degrees("grids").query("level == 3").index
    look = shading.look("risk")
    red = picture.Shade("风险等级", "risk level", pd.Series(0, index=ids), look)
    view = picture.View(("grids",), width=500, height=400, shade=red)
    image = pixels(picture.picture(demo_small, view, scope=SCOPE)).reshape(-1, 3).astype(int)
    assert ((image[:, 0] - image[:, 2]) > 60).mean() > 0.1
    none = replace(view, shade=replace(red, ranks=red.ranks.iloc[:0]))
    image = pixels(picture.picture(demo_small, none, scope=SCOPE)).reshape(-1, 3).astype(int)
    assert ((image[:, 0] - image[:, 2]) > 60).mean() < 0.02, "only the legend"


def test_a_long_note_stays_on_the_sheet(demo_tiny):
    view = picture.view_of(demo_tiny, "hazards", width=500, height=400, note="类别：盗窃、" * 80)
    image = pixels(picture.picture(demo_tiny, view, scope=SCOPE))
    assert (image[8:28, 480:] > 200).all(), "nothing runs off the edge"
