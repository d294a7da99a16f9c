import inspect
import pkgutil
import re

import folium
import folium.plugins
import pytest
from branca.element import Element, JavascriptLink

from layers import assets


def folium_classes():
    for module in [folium, *(m for _, m in inspect.getmembers(folium, inspect.ismodule))]:
        yield from (c for _, c in inspect.getmembers(module, inspect.isclass))
    for info in pkgutil.iter_modules(folium.plugins.__path__):
        module = getattr(folium.plugins, info.name, None) or __import__(
            f"folium.plugins.{info.name}", fromlist=["x"]
        )
        if inspect.ismodule(module):
            yield from (c for _, c in inspect.getmembers(module, inspect.isclass))


def test_every_script_and_style_of_folium_and_its_plugins_is_installed():
    wanted = {
        url
        for c in set(folium_classes())
        for attribute in ("default_js", "default_css")
        for _, url in getattr(c, attribute, [])
    }
    assert len(wanted) > 60
    assert {url for url in wanted if url not in assets.third_party()} == set()


def test_names_hold_the_hash_of_what_they_name():
    names = [a.name for a in assets.third_party().values()]
    assert len(set(names)) >= len({a.body for a in assets.third_party().values()})
    one = assets.named("x", ".js", "a")
    assert one.name != assets.named("x", ".js", "b").name
    assert one.name == assets.named("x", ".js", "a").name


def test_no_style_reaches_outside_itself():
    for asset in assets.by_name().values():
        if not asset.name.endswith(".css"):
            continue
        text = asset.body.decode()
        outside = [
            u
            for u in re.findall(r"url\(\s*[\"']?([^\"')]{1,60})", text)
            if not u.startswith(("data:", "#", "%23"))
        ]
        assert outside == [], asset.name
        assert "@import" not in text


def test_no_source_map_is_asked_for():
    for asset in assets.by_name().values():
        assert not re.search(rb"^\s*(//|/\*)# sourceMappingURL=(?!data:)", asset.body, re.MULTILINE), (
            asset.name
        )


def test_compressed_is_smaller_and_the_same():
    import gzip

    asset = assets.resolve(dict(folium.Map.default_js)["leaflet"])
    assert gzip.decompress(asset.compressed) == asset.body
    assert len(asset.compressed) < len(asset.body) / 2


def test_a_page_with_many_plugins_loads_only_our_assets():
    m = folium.Map(tiles=None)
    for plugin in (
        folium.plugins.MarkerCluster(),
        folium.plugins.Draw(),
        folium.plugins.MiniMap(folium.TileLayer("/x/{z}/{x}/{y}.png", attr="x")),
        folium.plugins.Fullscreen(),
        folium.plugins.MeasureControl(),
        folium.plugins.MousePosition(),
        folium.plugins.VectorGridProtobuf("/tiles/{z}/{x}/{y}.mvt"),
        folium.plugins.HeatMap([(36, 117)]),
    ):
        plugin.add_to(m)
    figure = assets.offline(m, title="x")
    html = figure.render()
    links = re.findall(r"<(?:script src|link rel=\"stylesheet\" href)=\"([^\"]+)\"", html)
    assert len(links) > 15
    assert all(u.startswith(assets.URL_BASE) and u[len(assets.URL_BASE) :] in assets.by_name() for u in links)
    assert set(figure.used) == {u[len(assets.URL_BASE) :] for u in links}
    assert '<html lang="zh-CN">' in html
    assert figure.render().count("<script src") == html.count("<script src")


def test_an_unknown_address_stops_the_page():
    m = folium.Map(tiles=None)
    figure = assets.offline(m, title="x")
    figure.header.add_child(JavascriptLink("https://cdn.example.org/new-plugin.js"))
    with pytest.raises(assets.MissingAssetError, match=r"new-plugin\.js"):
        figure.render()


def test_a_raw_tag_that_loads_from_elsewhere_stops_the_page():
    figure = assets.offline(folium.Map(tiles=None), title="x")
    figure.html.add_child(Element('<img src="//example.org/logo.png">'))
    with pytest.raises(assets.MissingAssetError, match="example"):
        figure.render()


def test_a_link_for_people_is_no_loading():
    figure = assets.offline(folium.Map(tiles=None), title="x")
    figure.html.add_child(Element('<a href="https://example.org">x</a>'))
    assert "example.org" in figure.render()


def test_written_files_are_the_assets(tmp_path):
    name = assets.resolve(dict(folium.Map.default_js)["leaflet"]).name
    assets.write([name], tmp_path / "assets")
    assert (tmp_path / "assets" / name).read_bytes() == assets.by_name()[name].body
