"""Speed and memory of imports: a year of incidents of a large city from one CSV, in bounded memory."""

import subprocess
import sys
import textwrap
import time

import numpy as np
import pandas as pd
import pytest

from geo.io import ImportOptions, import_files
from geo.store import create_store

CATEGORIES = np.array(["盗窃", "纠纷", "噪音扰民", "交通事故", "占道经营", "火情", "求助", "诈骗"])


def write_csv(path, rows: int, *, encoding: str = "gb18030", seed: int = 0) -> None:
    """A register as a command centre exports it: Chinese headers, GB18030, local times, addresses."""
    rng = np.random.default_rng(seed)
    with path.open("w", encoding=encoding, newline="") as file:
        file.write("警情编号,警情类别,案发时间,经度,纬度,事发地址,状态,备注\r\n")
        for start in range(0, rows, 250_000):
            n = min(250_000, rows - start)
            when = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 365 * 86_400, n), unit="s")
            pd.DataFrame(
                {
                    "id": [f"JQ2024{i:09d}" for i in range(start, start + n)],
                    "kind": CATEGORIES[rng.integers(0, len(CATEGORIES), n)],
                    "when": when.strftime("%Y-%m-%d %H:%M:%S"),
                    "lon": np.round(rng.uniform(117.5, 118.5, n), 6),
                    "lat": np.round(rng.uniform(36.3, 37.2, n), 6),
                    "where": [f"中心路{i}号" for i in rng.integers(1, 3000, n)],
                    "stage": np.array(["办结", "处置中", "已派单"])[rng.integers(0, 3, n)],
                    "note": "无",
                }
            ).to_csv(file, header=False, index=False, lineterminator="\r\n")


def peer(path) -> int:
    """What a user would write: read the whole file, make points, write a GeoPackage."""
    import geopandas as gpd

    frame = pd.read_csv(path, encoding="gb18030", dtype={"警情编号": str})
    frame["案发时间"] = pd.to_datetime(frame["案发时间"]).dt.tz_localize("Asia/Shanghai")
    table = gpd.GeoDataFrame(frame, geometry=gpd.points_from_xy(frame["经度"], frame["纬度"]), crs=4326)
    table.to_file(path.with_suffix(".gpkg"), layer="incidents")
    return len(table)


def test_rows_per_second_against_geopandas(benchmark, tmp_path):
    """Checked, cleaned, keyed and transacted, at no more than a few times the cost of the unchecked way."""
    rows = 20_000
    write_csv(tmp_path / "jq.csv", rows)
    store = create_store(tmp_path / "city")
    start = time.process_time()
    assert peer(tmp_path / "jq.csv") == rows
    unchecked = time.process_time() - start

    def run():
        return import_files("incidents", [tmp_path / "jq.csv"], store, options=ImportOptions(mode="replace"))

    start = time.process_time()
    report = benchmark.pedantic(run, rounds=1)
    checked = time.process_time() - start
    assert (report.imported + report.unchanged, report.quarantined) == (rows, 0)
    stored = store.city().degrees("incidents")
    assert stored["stage"].isin(["closed", "handling", "assigned"]).all()
    assert stored["occurred_at"].dt.tz_convert("Asia/Shanghai").dt.year.eq(2024).all()
    benchmark.extra_info["times_unchecked"] = checked / unchecked
    if sys.gettrace() is None:  # coverage slows our Python and not GDAL's C
        assert checked < 8 * unchecked + 1


@pytest.mark.scale
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("rows", [250_000, 2_500_000])
def test_a_year_of_incidents_in_bounded_memory(tmp_path, rows):
    """Ten times the rows, about the same memory: a process of its own, its peak read from the kernel."""
    path = tmp_path / "jq.csv"
    write_csv(path, rows)
    program = textwrap.dedent(f"""
        import resource, time
        from geo.io import import_files
        from geo.store import create_store
        store = create_store({str(tmp_path / "city")!r})
        base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        t, c = time.perf_counter(), time.process_time()
        first = import_files("incidents", [{str(path)!r}], store)
        t1, c1 = time.perf_counter() - t, time.process_time() - c
        c = time.process_time()
        again = import_files("incidents", [{str(path)!r}], store)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(first.imported, first.quarantined, again.imported, again.unchanged, base // 1024, peak // 1024, t1, c1,
              time.process_time() - c)
    """)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=3500, check=True
    )
    imported, bad, new, same, base, peak, wall, cpu, again = map(float, done.stdout.split())
    print(f"\n{rows:,} rows, {path.stat().st_size / 1e6:.0f} MB: {wall:.0f} s wall, {cpu:.0f} s CPU "
          f"({rows / cpu:,.0f} rows a CPU second), again {again:.0f} s CPU, memory {base:.0f} -> {peak:.0f} MB")  # fmt: skip
    assert (imported, bad, new, same) == (rows, 0, 0, rows)
    assert wall < 420
    assert peak - base < 900, "memory must not grow with the file"
