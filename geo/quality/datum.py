"""The datum verdict (坐标基准判定): what system are the coordinates of a file in, and how sure is that.

Every reading of the numbers (`geo.quality.frames`) times every Chinese offset is a trial position of the points.
A trial is named only if it fits what the city holds better than every other trial, and better than shifts of
the same size in sixteen directions that no system would give: a wrong trial lies on a slope or on a plain of
that surface, the right one on its peak. Fits are compared point by point (paired), with the points of one place
counted as one. Where that does not hold the verdict is ``unknown``: it is never a guess.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely
from pyproj import CRS

from geo.crs import convert, in_gcj_bounds
from geo.quality.evidence import Evidence, Reference, gather
from geo.quality.frames import Frame, readings
from geo.quality.mixture import two_systems
from geo.quality.result import Verdict, spoken
from geo.quality.stated import Stated
from geo.quality.surface import (
    MOST_SIGMA,
    NAMED_SIGMA,
    Surface,
    Trial,
    best_shift,
    conflict,
    places_of,
)

if TYPE_CHECKING:
    import geopandas as gpd
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

MIN_POINTS = 10
MIN_PLACES = 8
WITHIN = 0.8  # where no trial puts this share inside the city, its outline says nothing about the file
IN_CITY = 0.5  # a reading must put this share of the points in the city
PART = 0.05  # a second reading that explains this share of the points makes the file mixed
SAMPLE = 500
LARGE_SAMPLE = 2500  # where the first sample does not decide
UNIT_SAMPLE = 200
CHUNKS = 8
BORDER_M = 1500.0  # points so near the border of their declared area can tell offsets apart
# (content of the file, content of the city's own data)
_RELATIONS = (
    ("wgs84", "wgs84"), ("gcj02", "wgs84"), ("bd09", "wgs84"), ("wgs84", "gcj02"), ("wgs84", "bd09"),
    ("gcj02", "bd09"), ("bd09", "gcj02"),
)  # fmt: skip


def verdict(
    x: ArrayLike,
    y: ArrayLike,
    *,
    reference: Reference,
    table: str = "",
    area: ArrayLike | None = None,
    text: ArrayLike | None = None,
    unit: ArrayLike | None = None,
    declared: str = "",
    seed: int = 0,
) -> Verdict:
    """Say in which system the coordinates of points are (坐标基准判定).

    Parameters
    ----------
    x, y
        The two columns as they stand in the file, of one length.
    reference
        What the city holds.
    table
        Name of the table that the rows are for: it says whether they stand beside roads, in or out of buildings.
    area
        The grid, district or village that each row declares, by a code or name of `reference.areas`.
    text
        Words of each row, such as its address: the areas and roads of the city that they name count too.
    unit
        The source of each row (management unit, file): units are judged one by one, and where two named verdicts
        differ the file is `mixed`. Without it, a file that is not named as a whole is tried in eight runs of
        rows, as files are often put together one behind the other.
    declared
        CRS that the file itself states, as `EPSG:n`: preferred where several systems agree within 300 m.
    seed
        For the sample of points.

    Returns
    -------
    Verdict
        `unknown` for fewer than 10 usable points or 8 places (200 m apart), and wherever the evidence does not
        single out one system. Missing coordinates and 0,0 are left out.
    """
    first, second = (
        np.asarray(pd.to_numeric(pd.Series(np.ravel(v)), errors="coerce"), float) for v in (x, y)
    )
    usable = np.isfinite(first) & np.isfinite(second) & ~((first == 0) & (second == 0))
    stated = Stated.read(reference, area, text, len(usable), seed=seed)[usable]
    units = None if unit is None else np.ravel(np.asarray(unit, dtype=object))[usable]
    points = (first[usable], second[usable])
    judge = _Judge(reference, table, (declared, *reference.hints), seed)
    whole = judge.decide(*points, stated)
    if whole.verdict == "unknown" and whole.candidates and len(points[0]) > SAMPLE:
        whole = replace(judge, sample=LARGE_SAMPLE).decide(*points, stated)
    if units is None:
        if whole.verdict not in ("unknown", "mixed") or len(points[0]) < CHUNKS * MIN_POINTS:
            return whole
        units = _chunks(np.flatnonzero(usable))
    return _by_unit(judge, points, stated, units, whole)


def areas_verdict(
    areas: gpd.GeoSeries,
    lon: ArrayLike,
    lat: ArrayLike,
    area: ArrayLike,
    *,
    crs: CRS | str,
    seed: int = 0,
) -> Verdict:
    """Say in which datum polygons are, from points of known datum that declare their polygon (面数据坐标判定).

    Parameters
    ----------
    areas
        Polygons by code, as they stand in the file, in degrees.
    lon, lat
        Degrees of the points, CGCS2000 or WGS-84.
    area
        Code of the polygon in which each point is said to lie.
    crs
        Metric CRS of the city, for distances.
    seed
        For the sample of points.

    Returns
    -------
    Verdict
        About the polygons; `reference` is then the datum in which the *points* appear to be.
    """
    shapes = areas.set_crs(4326, allow_override=True).to_crs(crs)
    shapes.index = shapes.index.astype("str")
    given = Reference(
        crs=CRS.from_user_input(crs), areas=shapes, cover=np.asarray(shapes.to_numpy(), dtype=object)
    )
    points = verdict(lon, lat, reference=given, area=area, seed=seed)
    if points.verdict not in ("wgs84", "gcj02", "bd09"):
        return points
    found = points.reference
    return spoken(replace(points, verdict=found, source=found, content=found, reference=points.verdict))


# --- one part -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Judge:
    reference: Reference
    table: str
    hints: tuple[str, ...]
    seed: int
    sample: int = SAMPLE

    def decide(self, x: Floats, y: Floats, stated: Stated) -> Verdict:
        """Verdict of points that are finite."""
        extent = self.reference.extent()
        if extent is None:
            return _unknown("the city holds nothing to compare with", "城市中没有可供比对的数据")
        if len(x) < MIN_POINTS:
            return _unknown(
                f"{len(x)} points; at least {MIN_POINTS} are needed",
                f"仅 {len(x)} 个点，至少需要 {MIN_POINTS} 个",
            )
        frames = readings(x, y, extent, hints=[h for h in self.hints if h])
        gross = tuple(
            {"system": f.name, "evidence": "near the city", "figure": "share", "value": round(f.share, 4)}
            for f in frames
        )
        mixed = _mixed_readings(frames, gross)
        if mixed is not None:
            return mixed
        likely = [f for f in frames if f.share >= max(IN_CITY, frames[0].share - PART)]
        if not likely:
            return _unknown(
                f"no system puts the points in the city: the best, {frames[0].name}, {frames[0].share:.0%}",
                f"任何坐标系都不能把点放进本市（最好的 {frames[0].name} 为 {frames[0].share:.0%}）",
                evidence=gross,
            )
        return self._weigh(likely, stated, gross)

    def _weigh(self, frames: list[Frame], stated: Stated, gross: tuple[Any, ...]) -> Verdict:
        rows = self._sample(frames[0], np.logical_and.reduce([f.inside for f in frames]), stated.area)
        trials = self._trials(frames, rows)
        evidence = gather(self.table, self.reference, stated[rows])
        # of a wider region: every trial that moves points towards the city would look better
        evidence = [e for e in evidence if e.name != "city" or _share(e, trials) >= WITHIN]
        surface = Surface(evidence, places_of(trials[0].xy), trials[0].xy)
        return _conclude(surface, trials, gross + surface.figures(trials))

    def _sample(self, frame: Frame, inside: NDArray[np.bool_], at: NDArray[np.intp]) -> NDArray[np.intp]:
        """Rows to look at: half at random, half where the declared area can tell, near its border."""
        rows = np.flatnonzero(inside)
        if len(rows) <= self.sample:
            return rows
        rng = np.random.default_rng(self.seed)
        some = np.sort(rng.choice(rows, min(len(rows), 20 * self.sample), replace=False))
        known = some[at[some] >= 0]
        telling = known
        if len(known):
            xy = self._metres(frame.lon[known], frame.lat[known])
            telling = known[shapely.dwithin(self.reference.borders[at[known]], shapely.points(xy), BORDER_M)]
            telling = rng.choice(telling, min(len(telling), self.sample // 2), replace=False)
        rest = np.setdiff1d(rows, telling)
        return np.sort(
            np.r_[telling, rng.choice(rest, min(len(rest), self.sample - len(telling)), replace=False)]
        )

    def _metres(self, lon: Floats, lat: Floats) -> Floats:
        return np.column_stack(convert(lon, lat, source="wgs84", target=self.reference.crs))

    def _trials(self, frames: list[Frame], rows: NDArray[np.intp]) -> list[Trial]:
        found = []
        for frame in frames:
            lon, lat = frame.lon[rows], frame.lat[rows]
            shifted = bool(in_gcj_bounds(lon, lat).all())
            for content, reference in _RELATIONS if shifted else _RELATIONS[:1]:
                moved = convert(lon, lat, source=content, target=reference)
                found.append(Trial(frame, content, reference, self._metres(*moved)))
        return found


def _share(city: Evidence, trials: list[Trial]) -> float:
    """Largest share of the points inside the city at any trial."""
    return max(city.value(city.metres(t.xy)) for t in trials)


# --- the conclusion -------------------------------------------------------------------------------


def _conclude(surface: Surface, trials: list[Trial], tried: tuple[Any, ...]) -> Verdict:
    if parts := two_systems(surface, trials):
        return _mixed(parts, tried)
    own = [surface.learn(t.xy).sum() for t in trials]
    order = np.argsort([-value for value in own], kind="stable")
    best = trials[order[0]]
    fit = surface.learn(best.xy)
    rivals = [(trials[k], surface.sigma(fit, surface.total(trials[k].xy))) for k in order[1:]]
    doubt = _doubt(surface, best, fit, rivals)
    if doubt is not None:
        return _open(trials, [best, *_close(rivals)], tried, doubt)
    return _name(best, min((s for _, s in rivals), default=MOST_SIGMA), tried)


def _close(rivals: list[tuple[Trial, float]]) -> list[Trial]:
    """Trials that are not clearly behind the best, the closest first."""
    return [t for t, s in sorted(rivals, key=lambda pair: pair[1]) if s < NAMED_SIGMA]


def _doubt(
    surface: Surface, best: Trial, fit: Floats, rivals: list[tuple[Trial, float]]
) -> tuple[str, str] | None:
    """Why the best trial must not be named, in English and Chinese; None: it may."""
    name = best.name
    if surface.count < MIN_PLACES:
        return f"only {surface.count} different places", f"仅 {surface.count} 个不同位置"
    others = [t for t, _ in rivals]
    if close := _close(rivals):
        margin = min(s for _, s in rivals)
        return (
            f"{name} fits best, but {close[0].name} is only {margin:.1f} standard deviations behind",
            f"{name} 最吻合，但与 {close[0].name} 仅差 {margin:.1f} 个标准差",
        )
    against = conflict(surface, best, others)
    if against:
        return (
            f"the evidence disagrees: all together {name}, but {against[0]} alone says {against[1]}",
            f"证据互相矛盾：综合为 {name}，而 {against[0]} 指向 {against[1]}",
        )
    shift, lead = best_shift(surface, best, fit, others)
    if lead < 0:
        return (
            f"a shift of about {shift} fits better than {name}: none of the systems tried",
            f"平移约 {shift} 比 {name} 更吻合：不是已知坐标系",
        )
    if lead < 1:
        return (
            f"{name} fits best of the systems tried, but a shift of about {shift} fits nearly as well",
            f"{name} 最吻合，但平移约 {shift} 几乎同样吻合",
        )
    return None


def _mixed_readings(frames: list[Frame], gross: tuple[Any, ...]) -> Verdict | None:
    """Mixed, if a second reading explains a good part of the rows that the first one does not."""
    first = frames[0]
    for other in frames[1:]:
        share = float((other.inside & ~first.inside).mean())
        if share >= PART and first.share >= PART:
            parts = {
                first.name: int(first.inside.sum()),
                other.name: int((other.inside & ~first.inside).sum()),
            }
            return _mixed(parts, gross)
    return None


def _mixed(parts: dict[str, int], tried: tuple[Any, ...]) -> Verdict:
    text = ", ".join(f"{n} rows {name}" for name, n in parts.items())
    zh = "，".join(f"{name} {n} 行" for name, n in parts.items())
    return Verdict(
        "mixed", evidence=tried, parts=parts, message=f"mixed: {text}", message_zh=f"混合坐标：{zh}"
    )


def _chunks(rows: NDArray[np.intp]) -> NDArray[np.object_]:
    """Name eight runs of rows, counted from 1."""
    pieces = np.array_split(rows, CHUNKS)
    names = [f"rows {piece[0] + 1}-{piece[-1] + 1}" for piece in pieces]
    return np.repeat(np.asarray(names, dtype=object), [len(piece) for piece in pieces])


def _by_unit(
    judge: _Judge,
    points: tuple[Floats, Floats],
    stated: Stated,
    units: NDArray[np.object_],
    whole: Verdict,
) -> Verdict:
    """Judge each source unit; two that are named differently make the file mixed."""
    judge = replace(judge, sample=UNIT_SAMPLE)
    names = pd.Series(units).fillna("").astype("str")
    parts: dict[str, Verdict] = {}
    for name, rows in names.groupby(names, sort=False).indices.items():
        if len(rows) >= MIN_POINTS and len(rows) < len(names):
            parts[str(name)] = judge.decide(points[0][rows], points[1][rows], stated[rows])
    named = {k: v for k, v in parts.items() if v.verdict not in ("unknown", "mixed")}
    kinds = {(v.verdict, v.source, v.swapped, v.reference) for v in named.values()}
    if len(kinds) <= 1:
        return whole
    shown = list(named.items())
    return Verdict(
        "mixed", evidence=whole.evidence, parts=parts,
        message="mixed: " + ", ".join(f"{k} {v.verdict}" for k, v in shown),
        message_zh="混合坐标：" + "，".join(f"{k} 为 {v.verdict}" for k, v in shown),
    )  # fmt: skip


def _unknown(text: str, zh: str, **given: Any) -> Verdict:  # noqa: ANN401
    return Verdict("unknown", message=f"unknown: {text}", message_zh=f"无法判定：{zh}", **given)


def _open(trials: list[Trial], close: list[Trial], tried: tuple[Any, ...], doubt: tuple[str, str]) -> Verdict:
    """Say what is certain when the offset is not: swapped axes, or the one projection that fits."""
    frames = {id(t.frame): t.frame for t in trials}
    candidates = tuple(dict.fromkeys(t.name for t in close))
    frame = close[0].frame
    if len(frames) > 1 or (frame.geographic and not frame.swapped):
        unit = frame.unit if len({f.unit for f in frames.values()}) == 1 else ""
        return _unknown(*doubt, evidence=tried, candidates=candidates, unit=unit)
    if not frame.geographic:
        plain = next(t for t in trials if (t.content, t.reference) == ("wgs84", "wgs84"))
        return _name(plain, 0.0, tried)
    return Verdict(
        "swapped", swapped=True, unit="degree", evidence=tried, candidates=candidates,
        message=f"longitude and latitude are swapped; the datum is open: {doubt[0]}",
        message_zh=f"经纬度颠倒；基准未定：{doubt[1]}",
    )  # fmt: skip


def _name(trial: Trial, margin: float, tried: tuple[Any, ...]) -> Verdict:
    frame, content = trial.frame, trial.content
    if frame.geographic:
        kind, source = ("swapped" if frame.swapped else content), content
    else:
        kind, source = frame.source, (frame.source if content == "wgs84" else "")
    return spoken(
        Verdict(
            kind, source=source, swapped=frame.swapped, unit=frame.unit, margin=margin, evidence=tried,
            reference=trial.reference, content=content, equivalents=frame.equivalents,
        )
    )  # fmt: skip
