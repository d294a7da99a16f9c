"""What tests of bad input share: a store, what an import may change in it, and the words of a refusal."""

from pathlib import Path

import pytest

from geo import schema
from geo.errors import ImportRefusedError
from geo.io import ImportOptions, import_files

INSIDE = [(118.002 + 0.002 * i, 36.802 + 0.0004 * i) for i in range(18)]


def state(store) -> tuple:
    """All that an import may change."""
    city = store.city()
    return (
        store.versions(),
        {t: len(city.degrees(t)) for t in schema.TABLES},
        len(store.quarantined()),
        len(store.audit_log()),
    )


def refused(store, table, path, *words, error=ImportRefusedError, **options) -> str:
    """The message of a refused import that names the file and the words, and has changed nothing."""
    before = state(store)
    with pytest.raises(error) as caught:
        import_files(table, [path], store, options=ImportOptions(**options))
    assert state(store) == before
    message = str(caught.value)
    for word in (Path(path).name, "allowed", *words):
        assert word in message, f"{word!r} is not in: {message}"
    return message


def csv(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def cameras(tmp_path, rows, header="设备编码,名称,经度,纬度") -> Path:
    return csv(tmp_path / "cameras.csv", "\n".join([header, *rows]) + "\n")


def good(n=4) -> list[str]:
    return [f"cam{i},点位{i},{INSIDE[i][0]},{INSIDE[i][1]}" for i in range(n)]
