"""Times as files write them (时间规范): ISO, Chinese, Taiwan's years, spreadsheet serials, Unix seconds."""

from __future__ import annotations

import re

import pandas as pd

from geo import schema
from geo.io.cleaning import WIDE, by_word

_NAIVE = (
    # pattern of the text with every digit as 9, format
    ("9999-99-99 99:99:99", "%Y-%m-%d %H:%M:%S"),
    ("9999-99-99 99:99", "%Y-%m-%d %H:%M"),
    ("9999-99-99", "%Y-%m-%d"),
    ("9999-99", "%Y-%m"),
    ("99999999999999", "%Y%m%d%H%M%S"),
    ("999999999999", "%Y%m%d%H%M"),
    ("99999999", "%Y%m%d"),
)
_ISO_ZONE = re.compile(r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?\s*(Z|[+-]\d\d:?\d\d)$")
_CHINESE = re.compile(
    r"^(?P<roc>民国|民國)?\s*(?P<y>\d{2,4})\s*[年/.\-]\s*(?P<m>\d{1,2})\s*[月/.\-]\s*(?:(?P<d>\d{1,2})\s*[日号]?)?"
    r"[\sT]*(?P<half>上午|下午|凌晨|中午|晚上|早上|am|pm)?\s*"
    r"(?:(?P<H>\d{1,2})\s*[时時点點:]\s*(?:(?P<M>\d{1,2})\s*(?:[分:]\s*(?:(?P<S>\d{1,2})(?:\.\d+)?\s*秒?)?)?)?)?"
    r"\s*(?P<half2>am|pm)?$",
    re.IGNORECASE,
)
# 民国 years 100 and on have three digits; of two only those from 1971 on are believed
_ROC = re.compile(r"^(1\d\d|0?[6-9]\d)(\d\d)(\d\d)$")
_SERIAL = re.compile(r"^\d{5}(\.\d+)?$")
_EPOCH = re.compile(r"^\d{10}$|^\d{13}$")


def times(values: pd.Series, timezone: str) -> pd.Series:
    """Times in UTC from ISO, 2023年1月2日 3时, 2023/1/2, 20230102, ROC 1120102 (民国), Excel serials, epochs.

    Times without a zone are of `timezone`. A time that a change of clocks skips or doubles becomes the later.
    """
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        naive = values.dt.tz is None
        local = (
            values.dt.tz_localize(timezone, ambiguous=False, nonexistent="shift_forward") if naive else values
        )
        return local.dt.tz_convert("UTC").astype(schema.DTYPES["time"])
    text = values.astype("str")
    zoned = text.str.fullmatch(_ISO_ZONE.pattern).fillna(False).to_numpy(dtype=bool)
    epoch = text.str.fullmatch(_EPOCH.pattern).fillna(False).to_numpy(dtype=bool)
    local = _naive(text.mask(zoned | epoch))
    result = local.dt.tz_localize(timezone, ambiguous=False, nonexistent="shift_forward").dt.tz_convert("UTC")
    result = result.astype(schema.DTYPES["time"])
    if zoned.any():
        exact = pd.to_datetime(text[zoned], utc=True, errors="coerce", format="ISO8601")
        result[zoned] = exact.astype(schema.DTYPES["time"])
    if epoch.any():
        number = pd.to_numeric(text[epoch]).astype("int64")
        number = number.where(number > 10**11, number * 1000)
        result[epoch] = pd.to_datetime(number, unit="ms", utc=True).astype(schema.DTYPES["time"])
    return result


def dates(values: pd.Series, timezone: str) -> pd.Series:
    """Days; a time with a zone becomes the day in `timezone`."""
    if pd.api.types.is_datetime64_any_dtype(values.dtype):
        local = values if values.dt.tz is None else values.dt.tz_convert(timezone).dt.tz_localize(None)
        return local.dt.normalize().astype(schema.DTYPES["date"])
    text = values.astype("str")
    zoned = text.str.fullmatch(_ISO_ZONE.pattern).fillna(False).to_numpy(dtype=bool)
    result = _naive(text.mask(zoned)).dt.normalize()
    if zoned.any():
        exact = pd.to_datetime(text[zoned], utc=True, errors="coerce", format="ISO8601")
        result[zoned] = (
            exact.dt.tz_convert(timezone).dt.tz_localize(None).dt.normalize().astype(schema.DTYPES["date"])
        )
    return result.astype(schema.DTYPES["date"])


def joined(date: pd.Series, time: pd.Series) -> tuple[pd.Series, int]:
    """One text of a day and an hour from two columns: 20251201 + 002800, 1040101 + “16~18” (start of the span).

    Returns the text in ISO and how many hours were spans; an hour that cannot be read leaves nothing.
    """
    whole = time.astype("str").str.contains(r"\d{4}[-/年]\d", regex=True).fillna(False)
    if whole.mean() > 0.5:  # the second column holds the day too
        return time.astype("str"), 0
    if pd.api.types.is_datetime64_any_dtype(date.dtype):
        date = date.dt.strftime("%Y-%m-%d")
    day = _naive(date.astype("str"))
    spans = time.astype("str").str.contains(r"[~～至–—-]", regex=True).fillna(False)
    hour = by_word(time, _hour, "str")
    text = day.dt.strftime("%Y-%m-%d") + " " + hour
    return text.where(day.notna() & hour.notna()).astype("str"), int(spans.sum())


_HOUR = re.compile(r"^(\d{1,2})(?:[:时時点點](\d{1,2})?)?(?:[:分](\d{1,2})?)?(?:\.\d+)?秒?$")


def _hour(word: str) -> str | None:
    """“002800”, “0730”, “7:05”, “16~18” or 7时5分 as HH:MM:SS."""
    text = re.split(r"[~～至–—-]", word.translate(WIDE))[0].strip()
    if "t" in text:  # a spreadsheet's time with a date before it
        text = text.split("t")[1]
    digits = (
        {6: text, 5: f"0{text}", 4: f"{text}00", 3: f"0{text}00"}.get(len(text)) if text.isdigit() else None
    )
    if digits:
        parts = [int(digits[i : i + 2]) for i in (0, 2, 4)]
    else:
        found = _HOUR.match(text)
        if not found:
            return None
        parts = [int(g or 0) for g in found.groups()]
    if parts[0] > 23 or parts[1] > 59 or parts[2] > 59:
        return None
    return f"{parts[0]:02d}:{parts[1]:02d}:{parts[2]:02d}"


def _naive(text: pd.Series) -> pd.Series:
    """Times without a zone, read format by format over whole columns; the odd ones word by word."""
    result = pd.Series(pd.NaT, index=text.index, dtype="datetime64[us]")
    todo = text.notna()
    if not todo.any():
        return result
    flat = text.str.strip().str.replace("/", "-", regex=False).str.replace("T", " ", regex=False)
    shape = flat.str.replace(r"\d", "9", regex=True).str.replace(r"(:99)\.9+$", r"\1", regex=True)
    for pattern, form in _NAIVE:
        hit = (shape == pattern).fillna(False) & todo
        if hit.any():
            fractional = flat[hit].str.contains(".", regex=False).any()
            result[hit] = pd.to_datetime(
                flat[hit], format="ISO8601" if fractional else form, errors="coerce"
            ).astype("datetime64[us]")
    todo &= result.isna()
    if todo.any():
        result[todo] = by_word(text[todo], _odd_time, "datetime64[us]")
    return result


def _odd_time(word: str) -> pd.Timestamp | None:
    text = word.translate(WIDE).strip()
    found = _ROC.match(text)
    if found:
        return _stamp(int(found.group(1)) + 1911, int(found.group(2)), int(found.group(3)))
    if _SERIAL.match(text):  # days since 1899-12-30 (Excel's 1900 system)
        serial = float(text)
        if 20_000 <= serial < 80_000:
            return (pd.Timestamp("1899-12-30") + pd.Timedelta(days=serial)).round("s")
        return None
    found = _CHINESE.match(text)
    if not found:
        return None
    g = found.groupdict()
    year = int(g["y"])
    if g["roc"] or year < 200:
        year += 1911
    hour = int(g["H"] or 0)
    half = (g["half"] or g["half2"] or "").lower()
    if half in ("下午", "晚上", "pm") and hour < 12:
        hour += 12
    if half in ("am", "凌晨", "上午") and hour == 12:
        hour = 0
    return _stamp(year, int(g["m"]), int(g["d"] or 1), hour, int(g["M"] or 0), int(g["S"] or 0))


def _stamp(*parts: int) -> pd.Timestamp | None:
    try:
        return pd.Timestamp(*parts)
    except ValueError:
        return None
