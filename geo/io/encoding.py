"""Which text encoding a file is in (字符编码识别): byte-order mark, strict UTF-8, else the likelier of the Chinese sets.

The whole file is read once in blocks: the first megabyte of a Chinese file is often plain ASCII.
"""

from __future__ import annotations

import codecs
import io
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import charset_normalizer

from geo.errors import BadInputError
from geo.io import headers

if TYPE_CHECKING:
    from pathlib import Path

BLOCK = 1 << 20
CHINESE = ("gb18030", "cp950")
_CELLS = re.compile(r"[,;|\t，；]")
_COMMON_SHARE = 0.15
_TITLE_LINES = 4  # a title and two rows of headers come before the first row at most

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Characters that make up most of any Chinese register: the commonest of the language and of addresses, in both
# scripts. A file read in the wrong one of GB18030 and Big5 gives other, rare characters.
_COMMON = frozenset(
    "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民得经"
    "十三之进着等部度家电力里如水化高自二理起小物现实加量都两体制机当使点从业本去把性好应开它合还因由其些然前外天政四日那社义事平形"
    "相全表间样与关各重新线内数正心反你明看原又么利比或但质气第向道命此变条只没结解问意建月公无系军很情者最立代想已通并提直题党程展"
    "五果料象员革位入常文总次品式活设及管特件长求老头基资边流路级少图山统接知较将组见计别她手角期根论运农指几九区强放决西被干做必战"
    "先回则任取据处队南给色光门即保治北造百规热领七海口东导器压志世金增争济阶油思术极交受联什认六共权收证改清己美再采转更单风切打白"
    "市县镇乡村街号巷弄楼栋室段园站桥派出所警情网格监控摄像编码名称类型状态正常线离序"
    "這為個國時來們於對會發動過說產種後學經進著電裡現實兩體機當點從業應開還兒義樣與關內數正質氣變條沒結問無軍題黨員設長頭資邊級"
    "圖統較將組見計別論運農區強決戰則據處隊給門熱領東導壓爭濟階術極聯認權證轉單風縣鎮鄉號樓棟園橋網監攝編碼稱類狀態線離"
    "里鄰臺台北高雄中正區路段巷弄號時分日月年案類竊盜車機自行住宅發生地點廳局署警察處理單位事故"
)


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoding and why it was chosen."""

    name: str
    evidence: str


_CONTROL = bytes(b for b in range(32) if b not in b"\t\n\r\x0b\x0c\x1a\x1b")
_CONTROL_SHARE = 0.02


def detect(path: Path, declared: str = "auto") -> Encoding:
    """Return the encoding of a text file.

    Parameters
    ----------
    path
        A readable file; read to its end in blocks of one megabyte.
    declared
        ``auto``, or an encoding that the user names; it is checked to exist, not to fit.

    Returns
    -------
    Encoding
        ``utf-8`` for an empty or ASCII file; else the byte-order mark's; else UTF-8 if every byte fits; else
        what `of_bytes` says.

    Raises
    ------
    BadInputError
        For an unknown encoding name, and for a file that is no text.
    """
    if declared != "auto":
        try:
            return Encoding(codecs.lookup(declared).name, "named by the user")
        except LookupError:
            raise BadInputError(
                f"unknown encoding {declared!r}; allowed: auto, utf-8, gb18030, big5, cp950, utf-16 or any "
                "encoding that Python knows"
            ) from None
    with path.open("rb") as file:
        head = file.read(BLOCK)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return Encoding(name, "byte-order mark")
    wide = _wide(head)
    if wide:
        return Encoding(wide, "zero bytes at every second place, no byte-order mark")
    if len(head.translate(None, _CONTROL)) < (1 - _CONTROL_SHARE) * len(head):
        raise BadInputError(
            f"{path}: is no text: it is full of control bytes (first bytes {head[:8]!r}); allowed: a text file"
        )
    sample = _not_utf8(path)
    if sample is None:
        return Encoding("utf-8", "every byte is valid UTF-8")
    return of_bytes(sample)


def of_bytes(sample: bytes) -> Encoding:
    """Return the encoding of bytes that are not UTF-8 (their beginning may be inside a character).

    The one of GB18030 and CP950 (Big5) in which more of the first lines' cells are known headers; else the one
    with the more common characters; else GB18030 if every character is one of GB 2312; else what
    `charset_normalizer` finds. It is asked last: a short Chinese file is also a faultless row of hangul.
    """
    known = {name: _known(sample, name) for name in CHINESE}
    best = max(CHINESE, key=lambda name: len(known[name]))
    if len(known[best]) > min(map(len, known.values())):
        return Encoding(best, f"known headers: {', '.join(known[best][:5])}")
    scores = {name: _score(sample, name) for name in CHINESE}
    best = max(CHINESE, key=lambda name: scores[name])
    if scores[best] > _COMMON_SHARE:
        others = ", ".join(f"{n} {s:.2f}" for n, s in scores.items() if n != best)
        return Encoding(best, f"common characters {scores[best]:.2f} (else {others})")
    if _gb2312(sample):
        return Encoding("gb18030", "every character is one of GB 2312")
    found = charset_normalizer.from_bytes(sample[:BLOCK]).best()
    if found is not None:
        return Encoding(codecs.lookup(found.encoding).name, "statistics of its bytes")
    return Encoding("latin-1", "no encoding fits; every byte kept")


def _gb2312(sample: bytes) -> bool:
    try:
        sample.decode("gb2312")
    except UnicodeDecodeError:
        return False
    return True


def _certain(characters: set[str]) -> bool:
    """Whether characters read as UTF-8 cannot be GB 2312 read wrongly: three bytes long, or Latin with accents."""
    return any(c > "\u07ff" for c in characters) or all(c < "\u0180" for c in characters)


def _known(sample: bytes, name: str) -> list[str]:
    """Cells of the first lines that are headers of the dictionary, written with other letters than ASCII."""
    lines = sample[: 64 << 10].decode(name, "replace").splitlines()[:_TITLE_LINES]
    cells = (cell.strip(' "\t') for line in lines for cell in _CELLS.split(line))
    return [cell for cell in cells if not cell.isascii() and headers.known(cell)]


def _wide(head: bytes) -> str:
    """UTF-16 without a mark: ASCII commas and digits leave zeros at odd (LE) or even (BE) places."""
    if len(head) < 4 or b"\0" not in head:
        return ""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > 4 * max(even, 1) or (odd and not even):
        return "utf-16-le"
    if even > 4 * max(odd, 1) or (even and not odd):
        return "utf-16-be"
    return ""


def _not_utf8(path: Path) -> bytes | None:
    """None if the file is UTF-8, else about a megabyte of its lines that hold something other than ASCII.

    A file of which under one character in a thousand breaks UTF-8 is UTF-8 with damaged rows; one that is UTF-8 by
    chance (诈骗 alone is also two Armenian letters) is not.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    odd: set[str] = set()
    with path.open("rb") as file:
        try:
            while block := file.read(BLOCK):
                text = decoder.decode(block)
                if not text.isascii() and max(odd, default="") < "\u0800":
                    odd.update(c for c in set(text) if c > "\x7f")
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            pass
        else:
            if _certain(odd) or not _gb2312("".join(odd).encode()):
                return None
        file.seek(0)
        kept = bytearray()
        while len(kept) < BLOCK and (block := file.read(BLOCK)):
            kept += b"\n".join(line for line in block.split(b"\n") if not line.isascii())
    sample = bytes(kept)
    if odd and not _certain(odd):
        return sample
    text = sample.decode("utf-8", "replace")
    wide = sum(c > "\x7f" for c in text)
    if text.count("\ufffd") < 0.001 * wide:
        return None
    return sample


def _score(sample: bytes, name: str) -> float:
    """Share of the non-ASCII characters that are common, less ten times the share of faults.

    A character that comes n times weighs √n: one word in every row is not all that a file says.
    """
    counts = Counter(c for c in sample.decode(name, "replace") if c > "\x7f")
    weight = {c: n**0.5 for c, n in counts.items()}
    if not weight:
        return 0.0
    faults = sum(w for c, w in weight.items() if c == "\ufffd" or "\ue000" <= c <= "\uf8ff")
    common = sum(w for c, w in weight.items() if c in _COMMON)
    return (common - 10 * faults) / sum(weight.values())


class Utf8Stream(io.RawIOBase):
    """A file of any encoding read as UTF-8 bytes; what does not decode becomes U+FFFD (later: quarantine)."""

    def __init__(self, path: Path, encoding: str) -> None:
        super().__init__()
        self._file = path.open("rb")
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")
        self._rest = b""
        self._ended = False

    def readable(self) -> bool:
        """Yes."""
        return True

    def position(self) -> int:
        """Bytes of the file taken so far."""
        return self._file.tell()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill `buffer` with UTF-8; 0 at the end of the file."""
        while not self._rest and not self._ended:
            block = self._file.read(BLOCK)
            self._ended = not block
            self._rest = self._decoder.decode(block, final=self._ended).encode("utf-8", "replace")
        n = min(len(buffer), len(self._rest))
        buffer[:n] = self._rest[:n]
        self._rest = self._rest[n:]
        return n

    def close(self) -> None:
        """Close the file beneath too."""
        self._file.close()
        super().close()
