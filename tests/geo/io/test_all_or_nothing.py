"""An import that fails in the middle, for whatever reason, leaves the store as it was."""

import os
import resource
import signal
import sqlite3

import pytest
from refusals import INSIDE, cameras, good, state

from geo.errors import (
    ImportRefusedError,
    StoreError,
    StoreVersionError,
)
from geo.io import ImportOptions, import_files
from geo.store import create_store, open_store


class TestAllOrNothing:
    def test_a_fault_in_the_last_chunk_undoes_the_first(self, store, tmp_path, monkeypatch):
        path = cameras(tmp_path, [f"c{i},名,{INSIDE[i % 18][0]},{INSIDE[i % 18][1]}" for i in range(40)])
        before = state(store)
        from geo.io import rows

        real, calls = rows.process, []

        def failing(*args):
            calls.append(1)
            if len(calls) == 4:
                raise ImportRefusedError("the fourth chunk breaks")
            return real(*args)

        monkeypatch.setattr(rows, "process", failing)
        with pytest.raises(ImportRefusedError, match="fourth"):
            import_files("cameras", [path], store, options=ImportOptions(chunk_rows=10))
        assert len(calls) == 4
        assert state(store) == before

    def test_a_dry_run_says_the_same_and_changes_nothing(self, store, tmp_path):
        path = cameras(tmp_path, [*good(), "bad,坏,0,0"])
        before = state(store)
        dry = import_files("cameras", [path], store, options=ImportOptions(dry_run=True))
        assert state(store) == before
        real = import_files("cameras", [path], store)
        assert {**dry.as_json(), "dry_run": False} == real.as_json()

    def test_the_same_file_twice_is_nothing_new(self, store, tmp_path):
        for rows in (good(), [r.split(",", 1)[1] for r in good()]):
            header = "设备编码,名称,经度,纬度" if len(rows[0].split(",")) == 4 else "名称,经度,纬度"
            path = cameras(tmp_path, rows, header)
            assert import_files("cameras", [path], store).imported == 4
            again = import_files("cameras", [path], store)
            assert (again.imported, again.updated, again.unchanged) == (0, 0, 4)

    def test_replace_removes_what_the_file_does_not_have(self, store, tmp_path):
        import_files("cameras", [cameras(tmp_path, good(4))], store)
        report = import_files(
            "cameras", [cameras(tmp_path, good(3))], store, options=ImportOptions(mode="replace")
        )
        assert store.city().degrees("cameras").index.tolist() == ["cam0", "cam1", "cam2"]
        assert report.removed == 1

    def test_a_store_of_a_newer_version(self, tmp_path):
        create_store(tmp_path / "new").close()
        with sqlite3.connect(tmp_path / "new" / "santu.gpkg") as connection:
            connection.execute("UPDATE santu_meta SET value='999' WHERE key='schema_version'")
        with pytest.raises(StoreVersionError, match=r"999.*newer Santu"):
            open_store(tmp_path / "new")

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and RLIMIT_FSIZE")
    def test_a_full_disk(self, store, tmp_path):
        """A process that may write no file beyond a size: SQLite meets the limit as it would meet a full disk."""
        rows = [f"c{i},{'长' * 200},{INSIDE[i % 18][0]},{INSIDE[i % 18][1]}" for i in range(6000)]
        path = cameras(tmp_path, rows)
        before = state(store)
        child = os.fork()
        if child == 0:
            code = 2
            try:
                signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
                resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
                import_files("cameras", [path], open_store(tmp_path / "city"))
            except StoreError as error:
                (tmp_path / "said.txt").write_text(str(error), "utf-8")
                code = 1
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
        assert "santu.gpkg" in (tmp_path / "said.txt").read_text("utf-8")
        assert state(store) == before

    def test_the_disk_of_a_busy_store_says_so(self, store, tmp_path, monkeypatch):
        path = cameras(tmp_path, good())

        def full(*_args, **_kwargs):
            raise sqlite3.OperationalError("database or disk is full")

        from geo.store import gpkg_sql

        before = state(store)
        monkeypatch.setattr(gpkg_sql, "to_cells", full)
        with pytest.raises(StoreError, match="full"):
            import_files("cameras", [path], store)
        assert state(store) == before
