"""Names of a city, found in a text exactly or nearly (名称索引).

Exact occurrences come from an Aho-Corasick automaton over all names. Near ones come from one sorted table of
64-bit hashes: every name, written in *sound classes* (模糊拼音: zh=z, n=ng, l=n, hu=f), and every form of it
with one sound left out. A window of the query, whole and with one sound left out, is looked up in it, so one
look-up finds homophones (any number), one wrong, one missing, one extra and two swapped characters at once.
All windows of a query are hashed and searched together, in arrays: no loop over names or windows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

import ahocorasick
import numpy as np

from geo.address.shapes import look_alike

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

PRIME = np.uint64(0x9E3779B97F4A7C15)
LONGEST = 12  # characters of the longest name that is matched nearly
WHOLE = 255  # "no sound left out"
MANY = 600  # names behind one key: more than this says nothing
SYLLABLE = 0xE000  # private-use code points stand for sounds


class Strings:
    """A list of texts in two arrays, so that it can be memory-mapped."""

    def __init__(self, blob: NDArray[np.uint8], ptr: NDArray[np.int64]) -> None:
        self.blob, self.ptr = blob, ptr

    @classmethod
    def pack(cls, texts: Iterable[str]) -> Self:
        """Pack texts into one array of bytes and one of positions."""
        coded = [t.encode() for t in texts]
        ptr = np.zeros(len(coded) + 1, np.int64)
        np.cumsum([len(c) for c in coded], out=ptr[1:])
        return cls(np.frombuffer(b"".join(coded), np.uint8), ptr)

    def __len__(self) -> int:
        return len(self.ptr) - 1

    def __getitem__(self, at: int) -> str:
        return self.blob[self.ptr[at] : self.ptr[at + 1]].tobytes().decode()

    def tolist(self) -> list[str]:
        """All texts."""
        return [self[i] for i in range(len(self))]


@dataclass(frozen=True, slots=True)
class Near:
    """Names that nearly occur in a text: arrays of one length, one row a match.

    The name `name[i]` nearly is `text[start[i]:end[i]]` at `cost[i]` (0 none, 1.2 one wrong character);
    `how[i]` indexes `HOW`.
    """

    start: NDArray[np.intp]
    end: NDArray[np.intp]
    name: NDArray[np.int32]
    cost: NDArray[np.float64]
    how: NDArray[np.int8]


HOW = ("exact", "homophone", "look_alike", "typo", "missing", "extra", "swapped", "variant")
# A road that differs by one of these is more often another road than a slip of the pen.
TELLING = "东西南北中上下前后内外新老旧大小顶头尾左右甲乙丙丁一二三四五六七八九十0123456789"


def _merge(syllable: str) -> str:
    """Sounds that dialects and speech recognition confuse are one (模糊音)."""
    for given, kept in (("zh", "z"), ("ch", "c"), ("sh", "s")):
        if syllable.startswith(given):
            syllable = kept + syllable[2:]
    syllable = re.sub("ng$", "n", syllable)
    if syllable.startswith("l") and len(syllable) > 1:
        syllable = "n" + syllable[1:]
    if syllable.startswith("hu") and len(syllable) > 2:
        syllable = "f" + syllable[2:]
    return syllable


@lru_cache(maxsize=1)
def sound_classes() -> NDArray[np.uint16]:
    """Sound class of every code point of the basic plane; a digit sounds as its Chinese numeral.

    Made once from pypinyin at build time and kept in the gazetteer: nothing at query time needs pypinyin.
    """
    from pypinyin import Style, pinyin  # noqa: PLC0415 - a build-time dictionary, slow to load

    classes = np.arange(65536, dtype=np.uint16)
    classes[SYLLABLE:0xF900] = 1  # characters of private use have no sound
    seen: dict[str, int] = {}
    chars = [chr(c) for c in range(0x4E00, 0x9FA6)]
    sounds = pinyin(chars, style=Style.NORMAL, heteronym=False, errors=lambda x: [[c] for c in x])
    for char, sound in zip(chars, sounds, strict=True):
        if sound[0] != char:
            classes[ord(char)] = SYLLABLE + seen.setdefault(_merge(sound[0]), len(seen))
    for digit, char in enumerate("零一二三四五六七八九"):
        classes[ord("0") + digit] = classes[ord(char)]
    return classes


def _codes(text: str) -> NDArray[np.uint16]:
    return np.array([ord(c) & 0xFFFF for c in text], np.uint16)


def _powers(length: int) -> NDArray[np.uint64]:
    powers = np.ones(length + 1, np.uint64)
    np.multiply.accumulate(np.full(length, PRIME, np.uint64), out=powers[1:])
    return powers


_POWERS = _powers(4 * LONGEST)


@lru_cache(maxsize=256)
def _windows(length: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int16]]:
    """(start, end, left-out position or WHOLE) of every window of a text of this length."""
    rows = []
    for start in range(length - 1):
        for end in range(start + 2, min(length, start + LONGEST) + 1):
            rows.append((start, end, WHOLE))
            rows.extend((start, end, out) for out in range(end - start))
    table = np.array(rows, np.int64).reshape(-1, 3)
    return table[:, 0].copy(), table[:, 1].copy(), table[:, 2].astype(np.int16)


def _hashes(
    prefix: NDArray[np.uint64], start: NDArray[np.intp], end: NDArray[np.intp], out: NDArray[np.int16]
) -> NDArray[np.uint64]:
    """Polynomial hash of the windows of a text, from its prefix hashes."""
    whole = prefix[end] - prefix[start] * _POWERS[end - start]
    gone = out != WHOLE
    s, e, o = start[gone], end[gone], out[gone].astype(np.intp)
    left = prefix[s + o] - prefix[s] * _POWERS[o]
    right = prefix[e] - prefix[s + o + 1] * _POWERS[e - s - o - 1]
    whole[gone] = left * _POWERS[e - s - o - 1] + right
    return whole


def _prefix(sounds: NDArray[np.uint16]) -> NDArray[np.uint64]:
    total = np.zeros(len(sounds) + 1, np.uint64)
    h = 0
    for i, c in enumerate(sounds.tolist(), 1):
        h = (h * 0x9E3779B97F4A7C15 + c) & 0xFFFFFFFFFFFFFFFF
        total[i] = h
    return total


class NameIndex:
    """All names of a city; see the module's text. Made by `build`, or from `arrays` and an automaton."""

    def __init__(self, arrays: dict[str, NDArray[Any]], automaton: ahocorasick.Automaton) -> None:
        self.arrays, self.automaton = arrays, automaton
        self.texts = Strings(arrays["name_blob"], arrays["name_ptr"])
        self.sounds = arrays["sound"]
        self._key, self._name, self._out = arrays["near_key"], arrays["near_name"], arrays["near_out"]

    @classmethod
    def build(cls, names: Sequence[str], near: NDArray[np.bool_]) -> Self:
        """Index distinct folded names; only those flagged in `near` are also matched nearly."""
        texts = Strings.pack(names)
        key, name, out = _near_table(names, near)
        arrays: dict[str, NDArray[Any]] = {
            "name_blob": texts.blob,
            "name_ptr": texts.ptr,
            **char_arrays(names),
            "sound": sound_classes(),
            "near_key": key,
            "near_name": name,
            "near_out": out,
        }
        return cls(arrays, automaton_of(names))

    def exact(self, text: str) -> list[tuple[int, int, int]]:
        """(start, end, name) of every name that occurs; a name never splits a run of digits."""
        found: list[tuple[int, int, int]] = []
        if not len(self.texts):
            return found
        n = len(text)
        ptr = self._lengths
        for last, name in self.automaton.iter(text):
            start, end = last + 1 - int(ptr[name]), last + 1
            if text[start].isdigit() and start and text[start - 1].isdigit():
                continue
            if end < n and text[last].isdigit() and text[end].isdigit():
                continue
            found.append((start, end, name))
        return found

    @property
    def _lengths(self) -> NDArray[np.uint8]:
        return self.arrays["name_length"]

    def near(self, text: str, *, limit: float = 2.05) -> Near:
        """Names that nearly occur in `text` (first 64 characters), at a cost of at most `limit`."""
        text = text[:64]
        codes = _codes(text)
        start, end, out = _windows(len(text))
        keep = _whole_numbers(text)[start] & _whole_numbers_end(text)[end]
        start, end, out = start[keep], end[keep], out[keep]
        key = _hashes(_prefix(self.sounds[codes]), start, end, out)
        low = np.searchsorted(self._key, key, "left")
        hit = low < len(self._key)
        hit[hit] = self._key[low[hit]] == key[hit]
        start, end, out, key, low = start[hit], end[hit], out[hit], key[hit], low[hit]
        count = np.searchsorted(self._key, key, "right") - low
        few = count <= MANY
        start, end, out, low, count = start[few], end[few], out[few], low[few], count[few]
        row = np.repeat(np.arange(len(start)), count)
        at = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(low, count)
        found = _Pairs(start[row], end[row], out[row], self._name[at], self._out[at].astype(np.int16))
        return self._priced(codes, found, limit)

    def _priced(self, codes: NDArray[np.uint16], pairs: _Pairs, limit: float) -> Near:
        """Cost of every candidate pair; the cheapest of each (window, name) within the limit."""
        width = pairs.end - pairs.start
        length = self._lengths[pairs.name].astype(np.intp)
        same = width == length
        both_out = (pairs.out != WHOLE) & (pairs.name_out != WHOLE)
        whole = (pairs.out == WHOLE) & (pairs.name_out == WHOLE)
        shift = np.abs(pairs.out - pairs.name_out)
        substitute = same & both_out & (shift == 0)
        swapped = same & both_out & (shift == 1) & (width >= 3)
        missing = (pairs.out == WHOLE) & (length == width + 1) & (width >= 3)
        extra = (pairs.name_out == WHOLE) & (width == length + 1)
        good = (whole & same) | substitute | swapped | missing | extra
        pairs = pairs.take(good)
        kind = np.select([g[good] for g in (substitute, swapped, missing, extra)], [3, 6, 4, 5], 1)
        cost, how = self._costs(codes, pairs, kind)
        fine = (cost <= limit) & (cost > 0)
        pairs, cost, how = pairs.take(fine), cost[fine], how[fine]
        order = np.lexsort((cost, pairs.name, pairs.end, pairs.start))
        pairs, cost, how = pairs.take(order), cost[order], how[order]
        new = np.ones(len(order), bool)
        new[1:] = (np.diff(pairs.start) != 0) | (np.diff(pairs.end) != 0) | (np.diff(pairs.name) != 0)
        pairs = pairs.take(new)
        return Near(pairs.start, pairs.end, pairs.name, cost[new], how[new].astype(np.int8))

    def _costs(
        self, codes: NDArray[np.uint16], pairs: _Pairs, kind: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Cost and manner of each pair: aligned characters are compared, the left-out one is judged."""
        width, length = pairs.end - pairs.start, self._lengths[pairs.name].astype(np.intp)
        place = np.arange(LONGEST)[None, :]
        gone = np.where(pairs.out == WHOLE, 99, pairs.out)[:, None]
        name_gone = np.where(pairs.name_out == WHOLE, 99, pairs.name_out)[:, None]
        mine = np.minimum(pairs.start[:, None] + place + (place >= gone), len(codes) - 1)
        first = self.arrays["name_char_ptr"][pairs.name][:, None]
        chars = self.arrays["name_char"]
        theirs = np.minimum(first + place + (place >= name_gone), len(chars) - 1)
        aligned = place < (width - (pairs.out != WHOLE))[:, None]
        given, wanted = codes[mine], chars[theirs]
        differ = (aligned & (given != wanted)).sum(axis=1)
        digits = (aligned & (given != wanted) & (_is_digit(given) | _is_digit(wanted))).sum(axis=1)
        sounds_differ = (aligned & (self.sounds[given] != self.sounds[wanted])).any(axis=1)
        last = len(codes) - 1
        wrong = codes[np.minimum(pairs.start + np.minimum(pairs.out, width - 1), last)]
        right = chars[self.arrays["name_char_ptr"][pairs.name] + np.minimum(pairs.name_out, length - 1)]
        alike = look_alike(_as_numeral(wrong), _as_numeral(right))
        figure = _is_digit(wrong) | _is_digit(right)
        at_end = np.minimum(pairs.out, pairs.name_out) >= np.minimum(width, length) - 1
        doubled = _doubled(codes, pairs, wrong)
        gone_astray = ((kind == 3) & (wrong == right)) | (
            (kind == 6) & (self.sounds[wrong] != self.sounds[right])
        )
        one_off = np.select(
            [kind == 1, kind == 3, kind == 5, kind == 4],
            [
                0.35 + 0.0 * differ,
                np.where(alike, 0.7, np.where(figure, 1.8, 1.2)) + 0.3 * (at_end & ~alike),
                np.where(doubled, 0.8, 1.1) + np.where(_is_digit(wrong), np.where(doubled, 0.6, 1.4), 0.0),
                np.where(_is_digit(right), 1.6, 1.1),
            ],
            1.3,
        )
        size = np.select([length <= 2, length == 3, length >= 5], [0.5, 0.25, -0.2], 0.0) * (kind != 1)
        cost = one_off + size + 0.15 * differ + 0.3 * digits
        cost[(kind == 1) & (length <= 2)] += 0.4
        cost[sounds_differ | gone_astray | ((kind == 1) & (differ == 0))] = np.inf
        how = np.where((kind == 3) & alike, 2, kind)
        said, meant = np.isin(wrong, _TELLING), np.isin(right, _TELLING)
        telling = ((kind == 3) & said & meant) | ((kind == 5) & said) | ((kind == 4) & meant)
        how = np.where(telling & ~doubled, 7, how)
        return cost, how


_TELLING = np.array([ord(c) for c in TELLING], np.uint16)


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Candidate pairs of a window and a name, with what was left out of each."""

    start: NDArray[np.intp]
    end: NDArray[np.intp]
    out: NDArray[np.int16]
    name: NDArray[np.int32]
    name_out: NDArray[np.int16]

    def take(self, at: NDArray[Any]) -> _Pairs:
        return _Pairs(self.start[at], self.end[at], self.out[at], self.name[at], self.name_out[at])


def _is_digit(codes: NDArray[np.uint16]) -> NDArray[np.bool_]:
    return (codes >= 48) & (codes <= 57)


_NUMERAL = np.array([ord(c) for c in "零一二三四五六七八九"], np.uint16)


def _as_numeral(codes: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Digits as the Chinese numerals they stand for in names: 三 looks like 兰, 3 does not."""
    return np.where(_is_digit(codes), _NUMERAL[np.clip(codes.astype(np.int32) - 48, 0, 9)], codes)


def _doubled(codes: NDArray[np.uint16], pairs: _Pairs, wrong: NDArray[np.uint16]) -> NDArray[np.bool_]:
    """Whether the extra character repeats its neighbour inside the window."""
    at = pairs.start + np.minimum(pairs.out, pairs.end - pairs.start - 1)
    before = codes[np.maximum(at - 1, pairs.start)]
    after = codes[np.minimum(at + 1, pairs.end - 1)]
    return ((before == wrong) & (at > pairs.start)) | ((after == wrong) & (at < pairs.end - 1))


def _whole_numbers(text: str) -> NDArray[np.bool_]:
    """Positions where a window may begin: not inside a run of digits."""
    ok = [not (i and text[i].isdigit() and text[i - 1].isdigit()) for i in range(len(text))]
    return np.array([*ok, True])


def _whole_numbers_end(text: str) -> NDArray[np.bool_]:
    """Positions where a window may end: not inside a run of digits."""
    n = len(text)
    return np.array([not (0 < i < n and text[i].isdigit() and text[i - 1].isdigit()) for i in range(n + 1)])


def automaton_of(names: Iterable[str]) -> ahocorasick.Automaton:
    """Aho-Corasick automaton of names; its values are their positions."""
    automaton = ahocorasick.Automaton(ahocorasick.STORE_INTS)
    for i, name in enumerate(names):
        automaton.add_word(name, i)
    if len(automaton):
        automaton.make_automaton()
    return automaton


def char_arrays(names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Characters of all names in one array, where each begins, and how long each is."""
    lengths = np.array([len(n) for n in names], np.int64)
    ptr = np.zeros(len(names) + 1, np.int64)
    np.cumsum(lengths, out=ptr[1:])
    return {
        "name_char": _codes("".join(names)),
        "name_char_ptr": ptr[:-1].copy(),
        "name_length": np.minimum(lengths, 255).astype(np.uint8),
    }


def _near_table(
    names: Sequence[str], near: NDArray[np.bool_]
) -> tuple[NDArray[np.uint64], NDArray[np.int32], NDArray[np.uint8]]:
    """Sorted (hash, name, left-out position) of every flagged name, whole and with one sound left out."""
    chars = char_arrays(names)
    length = chars["name_length"].astype(np.intp)
    sounds = sound_classes()[chars["name_char"]].astype(np.uint64)
    keys, ids, outs = [], [], []
    for size in range(2, LONGEST + 1):
        rows = np.flatnonzero(near & (length == size))
        if not len(rows):
            continue
        matrix = sounds[chars["name_char_ptr"][rows][:, None] + np.arange(size)]
        for out in [WHOLE, *range(size)]:
            kept = np.delete(matrix, out, axis=1) if out != WHOLE else matrix
            powers = _POWERS[: kept.shape[1]][::-1]
            keys.append((kept * powers).sum(axis=1, dtype=np.uint64))
            ids.append(rows.astype(np.int32))
            outs.append(np.full(len(rows), out, np.uint8))
    if not keys:
        return np.zeros(0, np.uint64), np.zeros(0, np.int32), np.zeros(0, np.uint8)
    key = np.concatenate(keys)
    order = np.argsort(key, kind="stable")
    return key[order], np.concatenate(ids)[order], np.concatenate(outs)[order]
