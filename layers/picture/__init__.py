"""A map view on paper (地图打印): PNG or PDF with title, legend, scale bar, north arrow, date and scope.

Drawn from the same sources, styles and scope as the tiles, by matplotlib without any browser. PDF is vector.
"""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING, Any, Literal

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure

from geo import watch
from geo.errors import BadInputError
from layers import catalog, folium_map
from layers.picture.furniture import furnish, nice_length
from layers.picture.sheet import FONTS, Sheet, View, chinese_font

if TYPE_CHECKING:
    from geo.city import City
    from geo.scope import Scope

__all__ = ["DAILY", "FONTS", "View", "chinese_font", "nice_length", "parse_box", "picture", "view_of"]

DPI = 100
MOST_PIXELS = 40_000_000
_LOCK = threading.Lock()  # matplotlib's font and glyph caches are not safe between threads


DAILY = "daily"


def view_of(city: City, name: str, **more: Any) -> View:  # noqa: ANN401
    """Return the view of one of the three maps, or `daily`: the wall's picture of the last complete day (每日态势)."""
    if name == DAILY:
        day = watch.last_day(city)
        names = ("basemap", "hotspots", "borders", "incidents", "grid_labels")
        return View(names, **{"title": f"{city.name}每日态势　{day or ''}", "day": day, **more})
    theme = folium_map.theme(name)
    points = (theme.points,) if theme.points else ()
    names = ("basemap", catalog.deepest_grids(city), "borders", *points, "grid_labels")
    return View(names, theme.indicator, **{"title": f"{city.name}{theme.zh}", **more})


def parse_box(text: str) -> tuple[float, float, float, float] | None:
    """Parse `west,south,east,north`; empty gives None, `BadInputError` says what was wrong."""
    if not text:
        return None
    try:
        west, south, east, north = (float(v) for v in text.split(","))
    except ValueError:
        raise BadInputError(
            f"bbox {text!r}; allowed: four numbers west,south,east,north in degrees"
        ) from None
    return west, south, east, north


def picture(city: City, view: View, *, scope: Scope, form: Literal["png", "pdf"] = "png") -> bytes:
    """Draw a view.

    Parameters
    ----------
    city
        Snapshot.
    view
        What is on the sheet.
    scope
        Whose view: what it hides is not drawn; what it sees is said on the sheet.
    form
        `png` or `pdf`.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    BadInputError
        A size or box that cannot be drawn, or no Chinese font on this machine.
    UnknownNameError
        A layer or indicator that does not exist.
    """
    _check(view)
    members = [entry for name in view.layers for entry in catalog.members(name)]
    with _LOCK:
        figure = Figure(figsize=(view.width / DPI, view.height / DPI), dpi=DPI, facecolor="white")
        sheet = Sheet(city, view, scope, figure)
        for n, entry in enumerate(members):
            sheet.draw(entry, z=n + 2)
        furnish(sheet)
        canvas = FigureCanvasPdf(figure) if form == "pdf" else FigureCanvasAgg(figure)
        out = io.BytesIO()
        if form == "pdf":
            with rc_context({"pdf.compression": 1}):  # half the time for a third more bytes
                canvas.print_figure(out, format="pdf", metadata={"CreationDate": None, "Title": view.title})
        else:
            canvas.print_figure(out, format="png", pil_kwargs={"compress_level": 3})
    return out.getvalue()


def _check(view: View) -> None:
    if not (view.width >= 200 and view.height >= 200 and view.width * view.height <= MOST_PIXELS):
        raise BadInputError(
            f"size {view.width} x {view.height}; allowed: 200 and more each way, {MOST_PIXELS:,} pixels in all"
        )
    if view.bbox is not None:
        west, south, east, north = view.bbox
        if not (-180 <= west < east <= 180 and -85 <= south < north <= 85):
            raise BadInputError(
                f"bbox {view.bbox}; allowed: west,south,east,north in degrees, west < east, south < north"
            )
