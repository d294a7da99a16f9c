"""One spelling for every way to write an address (地址规范化).

`fold` makes the key that the table and the query are both compared by: width, look-alike code points,
traditional forms, dashes, Chinese numerals. `canonical` goes further and makes one text of all styles
(3栋 / 3幢 / 3#楼 / 三号楼 → 3号楼), for people and for comparing whole addresses. Pure: text in, text out.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from geo.address.characters import RADICALS, RADICALS_PLAIN, SIMPLIFIED, TRADITIONAL

LIMIT = 400  # characters of a query that are read; a longer text is cut (bounded time)
BREAK = "|"  # in folded text: two numbers stand side by side here and must not run together

_VARIANTS = {
    **dict(zip(TRADITIONAL, SIMPLIFIED, strict=True)),
    **dict(zip(RADICALS, RADICALS_PLAIN, strict=True)),
    **dict(zip("壹贰叁弌弍弎〇○◯Ｏ", "一二三一二三零零零O", strict=True)),
    **dict.fromkeys("‐‑‒–—―−－﹣~～〜∼˗ー", "-"),
    "＃": "#",
    "№": "#",
}
_DIGITS = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"两": 2, "幺": 1}
_SCALE = {"十": 10, "百": 100, "千": 1000}
_TENS = {"廿": 20, "卅": 30}
_NUMERALS = "零一二三四五六七八九十百千两幺廿卅"
_RUN = re.compile(f"[{_NUMERALS}]+")
_UNITS = "号弄巷栋幢座楼单门室户院里段期区层组队"  # a lone 十 or 两 before these is a number


@dataclass(frozen=True, slots=True)
class Folded:
    """Folded text, and where each of its characters came from.

    `source[i]` is the position in the given text of character i; `breaks` are positions before which the
    given text had a space or punctuation; `cut` says the text was longer than `LIMIT`.
    """

    text: str
    source: tuple[int, ...]
    breaks: frozenset[int]
    cut: bool


@lru_cache(maxsize=8192)
def _plain(char: str) -> str:
    """One character in plain form: "" to drop it, " " for a separator."""
    if "0" <= char <= "9" or ("一" <= char <= "鿿" and char not in _VARIANTS):
        return char
    if char in _VARIANTS:
        return _VARIANTS[char]
    wide = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", char).upper())
    if wide != char:
        return "".join(_plain(c) for c in wide if c != char)
    kind = unicodedata.category(char)
    if kind in ("Cf", "Mn", "Me", "Cs"):
        return ""
    return " " if kind != "Co" and kind[0] in "CZSP" and char not in "#-+" else char


def number_of(run: str) -> str:
    """Arabic digits of a run of Chinese numerals (中文数字转阿拉伯数字).

    With 十, 百 or 千 it is read as a cardinal (一百一十三 → 113, 一百三 → 130), else digit by digit
    (一一三 and 幺幺三 → 113).
    """
    if not any(c in _SCALE or c in _TENS for c in run):
        return "".join(str(_DIGITS[c]) for c in run)
    total, current, last, zero = 0, -1, 0, False
    for char in run:
        if char in _SCALE:
            total += (current if current > 0 else 1) * _SCALE[char]
            current, last, zero = -1, _SCALE[char], False
        elif char in _TENS:
            total, current, last = total + _TENS[char], -1, 10
        elif char == "零":
            zero = True
        else:
            current = _DIGITS[char] if current < 0 or zero else current * 10 + _DIGITS[char]
    if current > 0:
        total += current * (last // 10 if last >= 100 and not zero and current < 10 else 1)
    return str(total)


def _is_number(run: str, after: str) -> bool:
    """Whether a run is a number here: 百合路 and 千山路 keep their names, 两湾 and 十字路口 too."""
    if all(c in "百千" for c in run):
        return False
    if run in ("两", "零") and after not in _UNITS:
        return False
    return not (run == "十" and after == "字")


def fold(text: str) -> Folded:
    """Fold a text to the form that names and numbers are compared in (匹配键).

    Parameters
    ----------
    text
        Anything; only the first `LIMIT` characters are read.

    Returns
    -------
    Folded
        Separators are dropped, except that `BREAK` is put between two numbers that would run together
        (北中一81巷 → 北中1|81巷). Empty or all separators: an empty text.
    """
    cut = len(text) > LIMIT
    chars: list[str] = []
    source: list[int] = []
    gaps: set[int] = set()
    for at, char in enumerate(text[:LIMIT]):
        for plain in _plain(char):
            if plain == " ":
                gaps.add(len(chars))
            else:
                chars.append(plain)
                source.append(at)
    return _numbers("".join(chars), source, gaps, cut=cut)


def _numbers(plain: str, source: list[int], gaps: set[int], *, cut: bool) -> Folded:
    """Numerals to digits, with a break where two numbers touch; a numeral run never crosses a gap."""
    out: list[str] = []
    origin: list[int] = []
    breaks: set[int] = set()
    last_kind = ""
    for start, end, kind in _pieces(plain, gaps):
        piece = plain[start:end]
        if start in gaps and out:
            breaks.add(len(out))
        number = kind == "digit" or (kind == "run" and _is_number(piece, plain[end : end + 1]))
        if number and last_kind == "number":
            out.append(BREAK)
            origin.append(source[start])
        if kind == "run" and number:
            digits = number_of(piece)
            out.extend(digits)
            origin.extend([source[start]] * len(digits))
        else:
            out.extend(piece)
            origin.extend(source[start:end])
        last_kind = "number" if number else ""
    return Folded("".join(out), tuple(origin), frozenset(breaks), cut)


_PIECE = re.compile(f"(?P<run>[{_NUMERALS}]+)|(?P<digit>[0-9]+)|(?P<text>[^0-9{_NUMERALS}]+)")


def _pieces(plain: str, gaps: set[int]) -> list[tuple[int, int, str]]:
    """Runs of numerals, digits and other text, cut at gaps."""
    pieces = []
    for match in _PIECE.finditer(plain):
        kind = match.lastgroup or "text"
        start, end = match.span()
        inside = sorted(g for g in gaps if start < g < end) if gaps else []
        for left, right in zip([start, *inside], [*inside, end], strict=True):
            pieces.append((left, right, kind))
    return pieces


@lru_cache(maxsize=200_000)
def fold_text(text: str) -> str:
    """Return only the text of `fold`; for names of the table, remembered."""
    return fold(text).text


_FILLER_START = re.compile(
    r"^(?:你好|您好|喂|哎|麻烦|请|帮忙|我要|我想|我们|我|这边|这里|现在|目前|是|在|住在|位于|家住|投诉|反映|举报|"
    r"报警|报案|求助|咨询|市民|群众|来电人|来电|当事人|反映人|报警人|派人|派车|到|去|来|称|说|地址|地点|位置|处理|"
    r"一下|的|有人|快|请求|事发|发生|案发|出警|小区里|附近的)+"
)
_STYLE = (
    (re.compile(r"(?<=\d)(?:栋|幢|座|#楼|号楼|#|楼座)(?!\d*米)(?:楼)?"), "号楼"),
    (re.compile(r"(?<=\d)(?:单元|门)(?=\d|$)"), "单元"),
    (re.compile(r"(?<=单元)(\d{2,5})(?:室|号|房|户)?(?=$|\D)"), r"\1室"),
    (re.compile(r"(?<=\d)号?(?:之|附)(?=\d)"), "-"),
)


def canonical(text: str) -> str:
    """One text for all styles of one address (规范写法).

    Numerals, width, dashes, 栋/幢/座/#/号楼, 单元/门, 室, 之/附 and the caller's opening words are made alike;
    what was said is not changed otherwise. `canonical(canonical(x)) == canonical(x)`.

    Examples
    --------
    >>> canonical("您好我在柳泉路一百一十三号三栋二门五零一")
    '柳泉路113号3号楼2单元501室'
    """
    previous, result = "", fold(text).text
    while result != previous:
        previous = result
        result = _FILLER_START.sub("", result)
        for pattern, plain in _STYLE:
            result = pattern.sub(plain, result)
        result = fold(result).text
    return result
