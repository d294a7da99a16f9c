"""The engine on the demo city: mainland addresses, bad input, aliases, the artefact on disk."""

import dataclasses
import time
from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
import shapely

from geo.address.aliases import Aliases
from geo.address.compile import compile_gazetteer
from geo.address.engine import AddressEngine
from geo.address.resolve import Resolver
from geo.errors import BadInputError
from geo.store import addresses
from geo.store.addresses import engine_of, gazetteer_of, locate_address, open_gazetteer, write_gazetteer

BAD = ["", " ", "\x00\x01\x02", "号", "51号", "岚塘区", "北京市海淀区中关村大街27号", "'; DROP TABLE addresses; --",
       "<script>alert(1)</script>", "))))((((", "路" * 400, "5" * 400, "\ud800", "🚓🚓", "%00%0a"]  # fmt: skip


@pytest.fixture(scope="module")
def city(demo_small):
    return demo_small


@pytest.fixture(scope="module")
def homes(city):
    table = city.addresses
    rooms = table[table["room"].notna() & table["road"].notna() & table["compound"].notna()]
    return rooms.sample(150, random_state=3)


def distance(candidate, point, city):
    x, y = city.to_metres([candidate["lon"]], [candidate["lat"]])
    return float(np.hypot(x[0] - point.x, y[0] - point.y))


def hits(city, texts, points):
    near = []
    for text, point in zip(texts, points, strict=True):
        found = locate_address(city, text)["candidates"]
        near.append(bool(found) and distance(found[0], point, city) <= 50)
    return float(np.mean(near))


def test_full_standard_text_is_found_to_the_room(city, homes):
    assert hits(city, homes["standard"], homes.geometry) >= 0.98
    first = locate_address(city, homes["standard"].iloc[0])
    assert first["status"] == "unique"
    assert first["candidates"][0]["precision"] == "room"
    assert first["candidates"][0]["grid_id"] == homes["grid_id"].iloc[0]


@pytest.mark.parametrize(
    "style",
    [
        "{c}{b}号楼{u}单元{r}",
        "{c}{b}栋{u}门{r}室",
        "{c}{b}-{u}-{r}",
        "{c}{b}#{u}单元{r}",
        "{p}{b}号楼{u}单元{r}",
    ],
)
def test_every_style_of_building_and_room(city, homes, style):
    digits = homes[["building", "unit", "room"]].apply(lambda s: s.str.extract(r"(\d+)", expand=False))
    texts = [
        style.format(c=row.compound, p=row.road + row.number, b=d.building, u=d.unit, r=d.room)
        for row, d in zip(homes.itertuples(), digits.itertuples(), strict=True)
    ]
    assert hits(city, texts, homes.geometry) >= 0.95


@pytest.mark.parametrize("text", BAD)
def test_bad_input_gives_a_clear_none_in_bounded_time(city, text):
    engine_of(city)
    begin = time.perf_counter()
    answer = locate_address(city, text)
    assert time.perf_counter() - begin < 2.0
    assert answer["status"] == "none"


def test_a_text_too_long_is_refused(city):
    with pytest.raises(BadInputError, match="500"):
        locate_address(city, "柳泉路" * 4000)


def test_an_unknown_road_is_never_taken_for_certain(city):
    table = city.addresses
    row = table[table["level"] == 62].iloc[0]
    answer = locate_address(city, f"{row.district}魁蟠路{row.number}")
    assert answer["status"] != "unique"


def test_two_addresses_in_one_text_are_two_answers(city):
    doors = city.addresses[city.addresses["road"].notna()].drop_duplicates("road")
    a, b = doors.iloc[0], doors.iloc[-1]
    answer = locate_address(city, f"{a.road}{a.number}和{b.road}{b.number}")
    assert answer["status"] == "ambiguous"
    assert len(answer["others"]) == 1
    assert any(code == "TEXT.several" for code, _ in answer["candidates"][0]["faults"])


def test_crossings_corners_and_offsets(city):
    lines = gazetteer_of(city).lines
    key = int(lines.arrays["crossing_key"][0])
    one, other = lines.text[key >> 32], lines.text[key & 0xFFFFFFFF]
    x, y = lines.arrays["crossing_x"][0], lines.arrays["crossing_y"][0]
    at = locate_address(city, f"{one}与{other}路口")["candidates"][0]
    corner = locate_address(city, f"{one}{other}交叉口东南角")["candidates"][0]
    assert at["precision"] == "intersection"
    ax, ay = city.to_metres([at["lon"]], [at["lat"]])
    cx, cy = city.to_metres([corner["lon"]], [corner["lat"]])
    assert np.hypot(ax[0] - x, ay[0] - y) < 1 or any(c == "CROSSING.several" for c, _ in at["faults"])
    assert cx[0] > ax[0]
    assert cy[0] < ay[0]


CROSSINGS = (
    "{a}与{b}", "{a}和{b}", "{a}、{b}", "{a}{b}", "{a}/{b}", "{a}与{b}路口", "{a}{b}交叉口", "{a}和{b}交口", "{a}{b}十字",
    "{a}与{b}十字路口", "{a}和{b}丁字路口", "{a}、{b}交汇处", "{a}（{b}路口）", "{a}的{b}路口", "{a}靠近{b}路口",
    "{a}路口（{b}）", "你好，{a}和{b}那个路口有人打架", "{a}以及{b}交叉口红绿灯", "{a}与{b}路口南侧", "{a}和{b}交叉口的东南角",
)  # fmt: skip


def crossing_pairs(city, count):
    """(name, name, x, y) of roads that meet once, by the road table itself."""
    lines = gazetteer_of(city).lines
    keys, times = np.unique(lines.arrays["crossing_key"], return_counts=True)
    for key in keys[times == 1][:count].tolist():
        one, other = lines.text[key >> 32], lines.text[key & 0xFFFFFFFF]
        roads = city.roads
        a, b = (shapely.union_all(roads.geometry[(roads["name"] == n).to_numpy(bool)]) for n in (one, other))
        assert a.distance(b) <= 30
        yield one, other, shapely.shortest_line(a, b).centroid


@pytest.mark.parametrize("form", CROSSINGS)
def test_a_crossing_is_found_however_its_roads_are_joined(city, form):
    for one, other, place in crossing_pairs(city, 12):
        first = locate_address(city, form.format(a=one, b=other))["candidates"][0]
        assert first["precision"] in ("intersection", "offset")
        assert distance(first, place, city) <= 60
        turned = locate_address(city, form.format(a=other, b=one))["candidates"][0]
        assert distance(turned, place, city) <= 60


def test_roads_that_do_not_meet_are_said_so(city):
    lines = gazetteer_of(city).lines
    met = set(lines.arrays["crossing_key"].tolist())
    apart = [(i, j) for i in range(12) for j in range(i + 1, 12) if (i << 32 | j) not in met]
    assert apart
    for i, j in apart[:10]:
        answer = locate_address(city, f"{lines.text[i]}与{lines.text[j]}路口")
        assert answer["status"] in ("low", "ambiguous")
        code, detail = answer["candidates"][0]["faults"][0]
        assert code == "CROSSING.absent"
        away = shapely.distance(*(shapely.MultiLineString(lines.parts(k)) for k in (i, j)))
        assert detail == f"{lines.text[i]}×{lines.text[j]} {away:.0f} m"


def test_a_road_and_a_house_number_on_the_next_are_no_crossing(city):
    for one, other, _ in crossing_pairs(city, 12):
        number = city.addresses.loc[(city.addresses["road"] == other).to_numpy(bool), "number"].dropna()
        if len(number):
            first = locate_address(city, f"{one}{other}{number.iloc[0]}")["candidates"][0]
            assert first["precision"] != "intersection"


@pytest.mark.parametrize("word", ["附近", "旁边", "一带"])
def test_what_is_near_a_door_is_as_sure_as_its_circle_lies_in_one_grid(city, word):
    doors = city.addresses[city.addresses["road"].notna() & city.addresses["number"].notna()]
    seen = 0
    for row in doors.sample(60, random_state=6).itertuples():
        text = f"{row.district}{row.road}{row.lane if isinstance(row.lane, str) else ''}{row.number}"
        plain = locate_address(city, text)["candidates"][0]
        near = locate_address(city, text + word)
        first = near["candidates"][0]
        share = {a["grid_id"]: a["share"] for a in first["also"]}.get(first["grid_id"], 0.0)
        assert first["confidence"] <= share + 1e-4
        if plain["radius_m"] <= 15 and plain["precision"] == "door":
            assert first["confidence"] <= plain["confidence"] + 0.01
            seen += share < 0.9
        if share < 0.9:
            assert near["status"] != "unique"
    assert seen > 5


def test_at_the_door_is_the_door(city):
    row = city.addresses[city.addresses["room"].notna()].iloc[0]
    plain, door = (locate_address(city, row.standard + w) for w in ("", "门口"))
    assert door["status"] == plain["status"] == "unique"
    assert door["candidates"][0]["radius_m"] == plain["candidates"][0]["radius_m"]


def test_without_polygons_the_plates_around_say_how_sure_a_place_near_one_is(city):
    engine = AddressEngine(gazetteer_of(city))
    doors = city.addresses[city.addresses["road"].notna() & city.addresses["number"].notna()]
    asked = [
        engine.locate(f"{r.district}{r.road}{r.number}附近")
        for r in doors.sample(80, random_state=7).itertuples()
    ]
    for answer in asked:
        first = answer.candidates[0]
        assert first.confidence <= dict(first.also).get(first.grid_id, 0.0) + 1e-9
        if answer.status == "unique":
            assert first.also[0][1] >= 0.9
    assert any(len(a.candidates[0].also) > 1 for a in asked)
    across = engine.locate(f"{doors.iloc[0].district}{doors.iloc[0].road}{doors.iloc[0].number}对面")
    assert across.status != "unique"


def test_an_offset_moves_by_its_metres(city):
    door = city.addresses[city.addresses["road"].notna().to_numpy(bool)].iloc[0]
    plain = locate_address(city, door.district + door.road + door.number)["candidates"][0]
    west = locate_address(city, door.district + door.road + door.number + "西边一百米")["candidates"]
    moved = next(c for c in west if any(code == "OFFSET.compass" for code, _ in c["faults"]))
    px, py = city.to_metres([plain["lon"]], [plain["lat"]])
    wx, wy = city.to_metres([moved["lon"]], [moved["lat"]])
    assert px[0] - wx[0] == pytest.approx(100, abs=0.5)
    assert py[0] == pytest.approx(wy[0], abs=0.5)


def test_aliases_lead_to_their_place_on_their_days(city):
    row = city.degrees("aliases").iloc[0]
    said = locate_address(city, row.text)
    plain = locate_address(city, row.standard)
    assert said["candidates"][0]["standard"] == plain["candidates"][0]["standard"]
    assert said["candidates"][0]["faults"][0][0] == "NAME.alias"
    before = locate_address(city, row.text, as_of=date(2020, 1, 1))
    assert not any(code == "NAME.alias" for c in before["candidates"] for code, _ in c["faults"])


def test_shares_of_the_circle_add_up(city, homes):
    for text in homes["standard"].head(20):
        for c in locate_address(city, text + "附近")["candidates"]:
            if c["radius_m"] > 200:
                continue  # shares below 1 % are left out: many of them in a wide circle
            assert sum(a["share"] for a in c["also"]) == pytest.approx(1, abs=0.08)


def test_the_artefact_is_the_same_after_a_round_trip(city, homes, tmp_path):
    made = gazetteer_of(city)
    again = open_gazetteer(write_gazetteer(made, tmp_path))
    assert again is not None
    assert again.counts == made.counts
    assert all(np.array_equal(again.arrays[k], made.arrays[k]) for k in made.arrays)
    one, two = Resolver(made), Resolver(again)
    for text in homes["standard"].head(30):
        a, b = one.resolve(text), two.resolve(text)
        assert a.status == b.status
        assert [dataclasses.astuple(c) for c in a.candidates] == [
            dataclasses.astuple(c) for c in b.candidates
        ]


def test_a_new_version_takes_the_place_of_the_old(city, tmp_path):
    made = gazetteer_of(city)
    first = write_gazetteer(made, tmp_path)
    newer = write_gazetteer(dataclasses.replace(made, version="newer"), tmp_path)
    assert newer.is_dir()
    assert not first.exists()
    assert open_gazetteer(first) is None


def test_order_of_the_rows_does_not_matter(city):
    table = city.addresses
    shuffled = compile_gazetteer(table.sample(frac=1, random_state=1))
    plain = compile_gazetteer(table)
    assert shuffled.counts == plain.counts
    for text in table["standard"].sample(20, random_state=2):
        a, b = Resolver(plain).best(text), Resolver(shuffled).best(text)
        assert (a.x, a.y) == pytest.approx((b.x, b.y), abs=1e-6)


def test_an_empty_table_finds_nothing(city):
    empty = compile_gazetteer(city.addresses.iloc[:0])
    assert Resolver(empty).resolve("柳泉路113号").status == "none"


def test_suggestions_begin_with_what_was_typed(city):
    road = city.addresses["road"].dropna().iloc[0]
    found = addresses.suggest(city, road[:2])
    assert found
    assert all(road[:2] in s["text"] for s in found)
    assert addresses.suggest(city, "") == []
    assert addresses.suggest(city, "﷽") == []


def test_teaching_is_reviewed_and_reversible(city, tmp_path):
    from geo.store import create_store

    store = create_store(tmp_path / "city", name="试")
    store.write("addresses", city.degrees("addresses").iloc[:3000])
    store.write("grids", city.degrees("grids"))
    target = city.addresses["standard"].iloc[0]
    point = city.degrees("addresses").geometry.iloc[0]
    now = datetime(2026, 3, 1, tzinfo=UTC)
    key = addresses.teach(store, "老电影院后院", target, (point.x, point.y), by="值班岗", at=now)
    assert locate_address(store.city(), "老电影院后院")["status"] == "none"
    addresses.review(store, key, "accepted", by="审核岗", at=now)
    known = locate_address(store.city(), "老电影院后院")
    assert known["candidates"][0]["faults"][0] == ["NAME.alias", known["candidates"][0]["faults"][0][1]]
    addresses.review(store, key, "withdrawn", by="审核岗", at=now)
    assert locate_address(store.city(), "老电影院后院")["status"] == "none"
    log = store.audit_log()
    assert log["action"].tolist() == ["alias.withdraw", "alias.accept", "alias.propose"]
    assert set(log["who"]) == {"值班岗", "审核岗"}
    assert (tmp_path / "city" / "cache" / "address").is_dir()


@pytest.mark.parametrize(
    ("text", "standard", "by"),
    [
        ("5", "甲路5号", "岗"),
        ("123", "甲路5号", "岗"),
        ("甲路", "", "岗"),
        ("甲路", "乙路", " "),
        ("甲路", "甲路", "岗"),
    ],
)
def test_nonsense_is_not_learned(text, standard, by):
    from geo.address.teach import taught

    with pytest.raises(BadInputError):
        taught(text, standard, 118.0, 36.8, by=by, at=datetime(2026, 1, 1, tzinfo=UTC))


def test_aliases_have_days_and_states():
    table = pd.DataFrame({
        "text": ["旧名", "新名", "未审", "无期"], "standard": ["甲路", "甲路", "甲路", "甲路"],
        "state": ["accepted", "accepted", "proposed", "accepted"],
        "valid_from": pd.to_datetime([None, "2024-01-01", None, None]),
        "valid_to": pd.to_datetime(["2024-01-01", None, None, None]),
    })  # fmt: skip
    assert Aliases.of(table, pd.Timestamp("2023-06-01")).names == ("旧名", "无期")
    assert Aliases.of(table, pd.Timestamp("2024-01-01")).names == ("新名", "无期")


def test_the_log_keeps_no_text():
    assert "柳泉路" not in addresses.query_hash("柳泉路113号")
    assert addresses.query_hash("柳泉路１１３號") == addresses.query_hash("柳泉路113号")
