"""The drawing of a sheet by matplotlib (出图), loaded with the first picture: it takes half a second to import."""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING, Literal

from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.figure import Figure

from layers import catalog
from layers.picture.furniture import furnish
from layers.picture.sheet import Sheet

if TYPE_CHECKING:
    from geo.city import City
    from geo.scope import Scope
    from layers.picture.view import View

DPI = 100
_LOCK = threading.Lock()  # matplotlib's font and glyph caches are not safe between threads


def draw(city: City, view: View, *, scope: Scope, form: Literal["png", "pdf"]) -> bytes:
    """Draw a view that can be drawn (`layers.picture.picture` has checked it)."""
    members = [entry for name in view.layers for entry in catalog.members(name)]
    with _LOCK:
        figure = Figure(figsize=(view.width / DPI, view.height / DPI), dpi=DPI, facecolor="white")
        sheet = Sheet(city, view, scope, figure)
        for n, entry in enumerate(members):
            sheet.draw(entry, z=n + 2)
        sheet.draw_open(z=len(members) + 2)
        furnish(sheet)
        canvas = FigureCanvasPdf(figure) if form == "pdf" else FigureCanvasAgg(figure)
        out = io.BytesIO()
        if form == "pdf":
            with rc_context({"pdf.compression": 1}):  # half the time for a third more bytes
                canvas.print_figure(out, format="pdf", metadata={"CreationDate": None, "Title": view.title})
        else:
            canvas.print_figure(out, format="png", pil_kwargs={"compress_level": 3})
    return out.getvalue()
