"""Names of a city, found in a text exactly or nearly (名称索引).

Exact occurrences come from an Aho-Corasick automaton over all names. Near ones come from one sorted table of
64-bit hashes: every name, written in *sound classes* (模糊拼音: zh=z, n=ng, l=n, hu=f), and every form of it
with one sound left out. A window of the query, whole and with one sound left out, is looked up in it, so one
look-up finds homophones (any number), one wrong, one missing, one extra and two swapped characters at once.
All windows of a query are hashed, looked up and priced in one compiled loop (`near_kernel`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

import ahocorasick
import numpy as np

from geo.address import near_kernel
from geo.address.near_kernel import LONGEST, PRIME, WHOLE
from geo.address.shapes import look_alike_pairs as _pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

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


HOW = ("exact", "homophone", "look_alike", "typo", "missing", "extra", "swapped", "variant", "fallback")
ROAD_ENDS = "路街道巷弄里村庄段区大"  # what follows the place where directions and serials stand
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


class NameIndex:
    """All names of a city; see the module's text. Made by `build`, or from `arrays` and an automaton."""

    def __init__(self, arrays: dict[str, NDArray[Any]], automaton: ahocorasick.Automaton) -> None:
        self.arrays, self.automaton = arrays, automaton
        self.texts = Strings(arrays["name_blob"], arrays["name_ptr"])
        self.sounds = arrays["sound"]
        self._bucket = arrays["near_bucket"]
        self._shift = np.uint64(64 - (len(self._bucket) - 2).bit_length())
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
            "near_bucket": _buckets(key),
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

    def near(self, text: str, *, limit: float = 2.05) -> list[tuple[int, int, int, float, int]]:
        """Names that nearly occur in `text` (first 64 characters), at a cost of at most `limit`.

        Returns
        -------
        list of tuple
            (start, end, name, cost, manner): the name nearly is `text[start:end]`; the cost is 1.2 for one wrong
            character, the manner indexes `HOW`. Each window and name once, the cheapest reading.
        """
        if not len(self._key):
            return []
        a = self.arrays
        rows, costs = near_kernel.near(
            _codes(text[:64]), self.sounds, self._key, self._bucket, self._shift, self._name, self._out,
            a["name_length"], a["name_char_ptr"], a["name_char"], _NUMERALS, _pairs(), _TELLING, _ENDS, limit,
        )  # fmt: skip
        return [(s, e, n, c, h) for (s, e, n, h), c in zip(rows.tolist(), costs.tolist(), strict=True)]


_NUMERALS = np.array([ord(c) for c in "零一二三四五六七八九"], np.uint16)


def _flags(chars: str) -> NDArray[np.bool_]:
    """Which code points of the basic plane are among some characters."""
    flags = np.zeros(65536, bool)
    flags[[ord(c) for c in chars]] = True
    return flags


_TELLING, _ENDS = _flags(TELLING), _flags(ROAD_ENDS)


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


def char_told(names: Sequence[str]) -> NDArray[np.float32]:
    """Nats that each code point of the basic plane tells about a name: minus the log of the share of names with it.

    A character of no name tells as much as one of a single name.
    """
    count = np.zeros(65536)
    for name in names:
        count[[ord(c) & 0xFFFF for c in set(name)]] += 1
    return np.log(max(len(names), 2) / np.maximum(count, 1)).astype(np.float32)


def _buckets(key: NDArray[np.uint64]) -> NDArray[np.int32]:
    """Where in a sorted table the hashes of each value of their upper bits begin; at least two bits."""
    bits = max(2, len(key).bit_length())
    return np.searchsorted(key >> np.uint64(64 - bits), np.arange((1 << bits) + 1, dtype=np.uint64)).astype(
        np.int32
    )


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
