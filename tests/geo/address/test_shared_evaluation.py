"""The shared evaluation file: real door plates, fourteen ways to garble them. Nothing is tuned to it."""

import pandas as pd
import pytest

from geo.address import evaluate
from geo.address.compile import compile_gazetteer
from geo.address.engine import AddressEngine
from tests.geo.address.shared import labelled, plates

PER_CLASS = 60


@pytest.fixture(scope="module")
def results(shared_data):
    engine = AddressEngine(compile_gazetteer(plates(shared_data("address_eval/idx_t100k.parquet"))))
    queries = labelled(shared_data("address_eval/q_t100k.parquet")).groupby("class").head(PER_CLASS)
    return evaluate.evaluate(queries, engine.locate)


def test_in_table_addresses_are_found(results):
    inside = results[~results["class"].isin(["holdout", "wrongdist"])]
    assert inside["top1"].mean() >= 0.985
    assert inside["top5"].mean() >= 0.99


def test_unseen_numbers_are_interpolated(results):
    unseen = results[results["class"] == "holdout"]
    assert unseen["top1"].mean() >= 0.90
    assert unseen["faults"].str.contains("NUMBER").mean() >= 0.9


def test_wrong_district_is_named(results):
    wrong = results[results["class"] == "wrongdist"]
    assert wrong["top5"].mean() >= 0.95
    assert wrong.loc[wrong["top1"], "faults"].str.contains("DISTRICT.conflict").all()


def test_what_is_assigned_without_polygons_is_right(results):
    """Base grids by the rows of the table alone: the floor of automatic assignment, 80 % at 99 %."""
    auto = results["status"] == "unique"
    assert auto.mean() >= 0.80
    assert results.loc[auto, "grid"].astype(bool).mean() >= 0.99


def test_summary_has_every_class_and_counts_add_up(results):
    table = evaluate.summary(results)
    assert set(table.index) == {*results["class"].unique(), "all"}
    assert table.loc["all", "count"] == table.drop(index="all")["count"].sum() == len(results)
    assert isinstance(table, pd.DataFrame)
