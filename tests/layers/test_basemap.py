"""A basemap by setting: XYZ or TileJSON, nothing but raster tiles, no markup from outside."""

import json

import pytest

from api.basemap import basemap_of
from geo.errors import BadInputError
from layers.basemap import NONE, parse

DOCUMENT = {
    "tilejson": "3.0.0", "tiles": ["tiles/{z}/{x}/{y}.png"], "minzoom": 5, "maxzoom": 16, "scheme": "tms",
    "attribution": "<a href='https://x'>测绘院</a> & <script>alert(1)</script>",
}  # fmt: skip


def packed(**more: object) -> bytes:
    return json.dumps({**DOCUMENT, **more}).encode()


def test_a_document_names_address_zooms_and_rows() -> None:
    base = parse(packed(), base="http://10.0.0.5/base/t.json")
    assert base.url == "http://10.0.0.5/base/tiles/{z}/{x}/{y}.png"
    assert (base.min_zoom, base.max_zoom, base.tms) == (5, 16, True)
    assert base.attribution == "测绘院 &amp; alert(1)"
    assert parse(packed(), attribution="我们").attribution == "我们"


@pytest.mark.parametrize(
    "text",
    [b"", b"<html>", b"[]", b"{}", packed(tiles=[]), packed(vector_layers=[{"id": "a"}]), packed(tiles=["a/{z}.pbf?k"])],
)  # fmt: skip
def test_what_is_no_raster_tilejson_is_refused(text: bytes) -> None:
    with pytest.raises(BadInputError):
        parse(text)


def test_a_setting_is_an_address_a_file_or_nothing(tmp_path) -> None:
    assert basemap_of("") == NONE
    assert basemap_of("http://10.0.0.5/{z}/{x}/{y}.png", "谁").attribution == "谁"
    file = tmp_path / "t.json"
    file.write_bytes(packed(tiles=["http://10.0.0.5/{z}/{x}/{y}.png"]))
    assert basemap_of(str(file)).url == "http://10.0.0.5/{z}/{x}/{y}.png"
    file.write_bytes(b"{}")
    assert basemap_of(str(file)) == NONE
    assert basemap_of(str(tmp_path / "absent.json")) == NONE
    assert basemap_of("http://127.0.0.1:9/t.json") == NONE
