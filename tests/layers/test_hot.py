"""The layer of hotspots says which marks are not stable, on the screen and on paper."""

from dataclasses import replace

import numpy as np

from geo import watch
from geo.scope import EVERYTHING
from layers import catalog, hot, picture
from layers.style import DARK


def test_unstable_is_what_sensitivity_says(demo_small):
    table = hot.hotspots(demo_small)
    assert len(table)
    for name, rows in table.groupby("category").groups.items():
        stable = watch.sensitivity_of(demo_small, category=None if name == "全部" else name)["stable"]
        np.testing.assert_array_equal(table.loc[rows, "unstable"] == 0, stable[rows])
    mark = catalog.LAYERS["hotspots"].style.mark
    assert (mark.by, mark.entries[0].shape, mark.entries[0].colour) == ("unstable", "hatch", DARK)


def test_a_print_hatches_what_is_not_stable(demo_tiny, monkeypatch):
    from layers.picture import sheet

    drawn = []
    real = sheet.PathPatch

    def patch(*args, **kwargs):
        drawn.append(kwargs.get("hatch"))
        return real(*args, **kwargs)

    monkeypatch.setattr(sheet, "PathPatch", patch)
    grids = watch.watched_grids(demo_tiny).index
    marked = demo_tiny.degrees("grids").loc[grids[:2], ["name", "geometry"]].assign(
        grid_id=grids[:2], category="全部", gi_bin=3, class_zh="", observed=9, expected=1.0, z=5.0, q=0.001,
        unstable=[0, 1],
    )  # fmt: skip
    entry = replace(catalog.LAYERS["hotspots"], name="marked", rows=lambda _: marked)
    monkeypatch.setitem(catalog.LAYERS, "marked", entry)
    image = picture.picture(demo_tiny, picture.View(("marked",), width=500, height=400), scope=EVERYTHING)
    assert image.startswith(b"\x89PNG")
    assert drawn.count(sheet.HATCH) == 1
