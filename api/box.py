"""A box of the map as it stands in an address (地图范围): `west,south,east,north` in degrees."""

from geo.errors import BadInputError

Box = tuple[float, float, float, float]


def parse_box(text: str | None) -> Box | None:
    """Parse `west,south,east,north`, degrees; None and empty text give None.

    Raises
    ------
    BadInputError
        For anything but four numbers on the globe with west ≤ east and south ≤ north.
    """
    if not text:
        return None
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        west, south, east, north = (float("nan"),) * 4
    if not (-180 <= west <= east <= 180 and -90 <= south <= north <= 90):
        raise BadInputError(
            f"bbox {text[:100]!r}; allowed: west,south,east,north in degrees, west <= east, south <= north"
        )
    return west, south, east, north
