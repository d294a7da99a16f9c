"""The one table of words of the pages: every key in both languages, every key that the pages ask for."""

import json
import re
from pathlib import Path

WEB = Path(__file__).parents[2] / "api" / "web"
DYNAMIC = {
    "class": ["1", "2", "3"],
    "claim_": ["nominal", "geometric", "quality", "available", "night", "twice"],
    "spot_": ["road", "junction", "target", "cordon"],
    "register_": ["networked", "intact", "placed", "aimed"],
    "out_": ["no_place", "removed", "mobile", "indoor", "no_bearing", "inside_building"],
    "default_": [
        "fov_deg",
        "range_m",
        "range_from_pixels",
        "bearing_from_code",
        "height_unknown",
        "resolution_unknown",
        "absurd_values",
        "wall_cameras_moved",
    ],
    "todo_": ["", "nominal", "geometric", "resolution", "quality", "available", "inside"],
    "risk_": ["rate", "change", "neighbours", "overdue", "hazards"],
    "unit_": ["起/户·日", "起", "处", "σ"],
    "missing_": ["grids", "people", "hazards", "facilities", "incidents", "cameras"],
}


def table() -> dict[str, list[str]]:
    text = (WEB / "common" / "words.js").read_text("utf-8")
    return json.loads(text[text.index("WORDS = ") + 8 : text.rindex("}") + 1])


def sources() -> str:
    files = [f for f in WEB.rglob("*") if f.suffix in (".js", ".html") and f.name != "words.js"]
    assert len(files) > 20
    return "\n".join(f.read_text("utf-8") for f in files)


def test_every_word_is_there_in_both_languages():
    for key, (zh, en) in table().items():
        assert zh.strip(), key
        assert en.strip() or not zh.strip(), key
        assert set(re.findall(r"{\w+}", zh)) == set(re.findall(r"{\w+}", en)), key
        if key != "language":  # names the other one
            assert not re.search(r"[\u4e00-\u9fff]", en), key


def test_every_word_that_the_pages_ask_for_is_in_the_table():
    words, text = table(), sources()
    asked = set(re.findall(r"\bt\('([^']+)'", text)) | set(re.findall(r'data-(?:text|label)="(\w+)"', text))
    asked |= {prefix + end for prefix, ends in DYNAMIC.items() for end in ends}
    assert asked <= words.keys()
    prefixes = set(re.findall(r"\bt\(`(\w+)\$", text))
    assert prefixes == DYNAMIC.keys()


def test_no_chinese_word_stands_in_the_scripts_themselves():
    for file in WEB.rglob("*.js"):
        if file.name == "words.js":
            continue
        code = re.sub(r"//.*|/\*.*?\*/", "", file.read_text("utf-8"))
        found = re.findall(r"['`][^'`\n]*[\u4e00-\u9fff][^'`\n]*['`]", code)
        kept = [w for w in found if w not in ("'字'", "'黑'", "'白'") and "\\u" not in w and "号" not in w]
        assert not kept, (file.name, kept)


def test_words_of_the_domain_have_their_codes():
    from geo.coverage.ledger import ACTIONS
    from geo.coverage.watch import STEPS
    from geo.risk import FACTORS

    assert set(DYNAMIC["claim_"]) == set(STEPS)
    assert set(DYNAMIC["todo_"]) == set(ACTIONS)
    assert set(DYNAMIC["risk_"]) == set(FACTORS)
    assert set(DYNAMIC["unit_"]) == {f.unit for f in FACTORS.values()}
