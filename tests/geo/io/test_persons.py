"""No person gets in: refused by column, by category, by what stands in a note."""

import json

import pytest
from refusals import INSIDE, cameras, csv, good, refused

from geo.errors import (
    PrivacyError,
)
from geo.io import import_files


class TestPersons:
    @pytest.mark.parametrize(
        "header",
        [
            "姓名",
            "身份证号",
            "联系电话",
            "手机号码",
            "照片",
            "车牌号",
            "户主姓名",
            "出生日期",
            "民族",
            "联系人",
            "idcard",
            "Phone",
        ],
    )
    def test_headers_about_persons_stop_a_people_file(self, store, tmp_path, header):
        path = csv(tmp_path / "p.csv", f"网格编码,类别,{header}\n370303001001001,独居老人,x\n")
        refused(store, "people", path, header, error=PrivacyError)

    @pytest.mark.parametrize(
        "values",
        [
            ["张伟", "王芳", "李娜", "刘洋", "陈静"],
            ["110105194912310021"] * 5,
            ["13800138000", "13900139000"] * 2,
            ["鲁C12345", "鲁CD12345", "京A88888"],
            ["王某，13800138000，住3号楼", "李某 13900139000", "张某，电话13700137000"],
        ],
    )
    def test_values_about_persons_stop_it_under_any_header(self, store, tmp_path, values):
        path = csv(
            tmp_path / "p.csv",
            "网格编码,类别,备注\n" + "".join(f"370303001001001,独居老人,{v}\n" for v in values),
        )
        message = refused(store, "people", path, "备注", error=PrivacyError)
        assert not any(v in message for v in values)  # the message does not spread them

    @pytest.mark.parametrize("category", ["高龄老人", "单亲家庭", "康复训练", "独居老人", "慢病随访", "留守儿童", "失独家庭", "孕产妇",
                                          "退役军人", "优抚对象", "高血压", "严重精神障碍", "安置帮教", "白内障"])  # fmt: skip
    def test_service_categories_are_no_names(self, store, tmp_path, category):
        path = csv(tmp_path / "p.csv", f"网格编码,类别,人数\n370303001001001,{category},9\n")
        assert import_files("people", [path], store).imported == 1

    @pytest.mark.parametrize(
        "category",
        [
            "上访人员",
            "信访重点",
            "宗教人士",
            "维吾尔族",
            "少数民族",
            "政治敏感人员",
            "涉稳人员",
            "张三",
            "王小明",
        ],
    )
    def test_categories_that_are_no_service_stop_it(self, store, tmp_path, category):
        path = csv(
            tmp_path / "p.csv",
            f"网格编码,类别,人数\n370303001001001,独居老人,12\n370303001001002,{category},3\n",
        )
        refused(store, "people", path, category, "row 3", "类别", error=PrivacyError)

    def test_rows_are_counted_at_once_and_thrown_away(self, store, tmp_path):
        rows = ["370303001001001,独居老人"] * 7 + ["370303001001002,残疾人"] * 3
        path = csv(tmp_path / "p.csv", "网格编码,类别\n" + "\n".join(rows) + "\n")
        assert import_files("people", [path], store).imported == 2
        table = store.city().degrees("people")
        assert sorted(zip(table["grid_id"], table["category"], table["count"], strict=True)) == [
            ("370303001001001", "独居老人", 7),
            ("370303001001002", "残疾人", 3),
        ]
        again = import_files("people", [path], store)
        assert (again.imported, again.unchanged) == (0, 2)

    def test_rows_with_a_place_are_counted_in_their_grid(self, store, tmp_path):
        rows = [f"独居老人,{lon},{lat}" for lon, lat in INSIDE[:4]]
        import_files("people", [csv(tmp_path / "p.csv", "类别,经度,纬度\n" + "\n".join(rows) + "\n")], store)
        table = store.city().degrees("people")
        assert table["count"].sum() == 4
        assert set(table["grid_id"]) == {"370303001001001"}
        assert list(table.columns) == ["grid_id", "category", "count", "as_of"]

    def test_names_of_grids_are_no_names_of_persons(self, store, tmp_path):
        path = csv(
            tmp_path / "p.csv",
            "网格编码,网格名称,类别,人数\n370303001001001,张店一,独居老人,7\n370303001001002,马尚,独居老人,8\n370303001002001,石桥东,独居老人,9\n",
        )
        assert import_files("people", [path], store).imported == 3

    def test_counts_are_taken_as_they_are(self, store, tmp_path):
        path = csv(
            tmp_path / "p.csv",
            "网格编码,服务类别,人数,统计日期\n370303001001001,独居老人,１２,2024年3月1日\n370303001001002,残疾人,三,2024-03-01\n370303001001002,困境儿童,4,\n",
        )
        report = import_files("people", [path], store)
        assert (report.imported, report.quarantined) == (2, 1)
        assert store.city().degrees("people")["count"].sum() == 16
        assert json.loads(store.quarantined().iloc[0]["content"]) == {}

    def test_other_tables_drop_personal_columns_and_list_them(self, store, tmp_path):
        path = cameras(
            tmp_path,
            ["c1,东门,118.01,36.805,张三,13800138000", "c2,西门,118.02,36.805,李四,"],
            "设备编码,名称,经度,纬度,负责人,联系电话",
        )
        report = import_files("cameras", [path], store)
        assert {p.split(" ")[0] for p in report.private} == {"负责人", "联系电话"}
        table = store.city().degrees("cameras")
        assert table["has_contact"].tolist() == [True, False]
        raw = (tmp_path / "city" / "santu.gpkg").read_bytes() + b"".join(
            p.read_bytes() for p in (tmp_path / "city").glob("*-wal")
        )
        assert "张三".encode() not in raw
        assert b"13800138000" not in raw

    def test_numbers_of_persons_inside_a_text_are_blanked(self, store, tmp_path):
        path = csv(
            tmp_path / "i.csv",
            "警情编号,警情类别,案发时间,经度,纬度,发生地点\n1a,盗窃,2024-01-01 08:00,118.01,36.805,中心路1号 联系13800138000\n",
        )
        report = import_files("incidents", [path], store)
        assert store.city().degrees("incidents")["address"].iloc[0] == "中心路1号 联系***"
        assert report.repairs["privacy.blanked"] == 1

    def test_the_quarantine_holds_no_person_either(self, store, tmp_path):
        path = cameras(
            tmp_path, [*[g + ",张三" for g in good()], "bad,坏,0,0,李四"], "设备编码,名称,经度,纬度,负责人"
        )
        import_files("cameras", [path], store)
        assert "李四" not in store.quarantined().iloc[0]["content"]
