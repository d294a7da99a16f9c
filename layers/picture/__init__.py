"""A map view on paper (地图打印): PNG or PDF with title, legend, scale bar, north arrow, date and scope.

Drawn from the same sources, styles and scope as the tiles, by matplotlib without any browser. PDF is vector.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from geo.errors import BadInputError
from layers.picture.view import DAILY, Shade, View, view_of

if TYPE_CHECKING:
    from geo.city import City
    from geo.scope import Scope

__all__ = ["DAILY", "Shade", "View", "picture", "view_of"]

MOST_PIXELS = 40_000_000


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
    from layers.picture.draw import draw  # noqa: PLC0415  (matplotlib; a server starts without it)

    return draw(city, view, scope=scope, form=form)


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
