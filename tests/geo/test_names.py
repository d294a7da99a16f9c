"""The names that programs use: all of them from `import geo`, none loaded before it is asked for."""

import subprocess
import sys

import pytest

NAMES = """
open_city City.locate crs.convert coverage.field_of_view hotspot.gi_star hotspot.contiguity hotspot.scan demo.demo_city
""".split()


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_every_name_comes_from_geo_alone():
    done = run("import geo\n" + "\n".join(f"assert callable(geo.{name})" for name in NAMES))
    assert done.returncode == 0, done.stderr


def test_nothing_is_loaded_before_it_is_asked_for():
    assert run("import geo, sys\nassert 'geopandas' not in sys.modules").returncode == 0


@pytest.mark.parametrize("name", ["nothing", "__path_of_nothing__"])
def test_an_unknown_name_is_an_attribute_error(name):
    done = run(f"import geo\ngeo.{name}")
    assert f"AttributeError: module 'geo' has no attribute '{name}'" in done.stderr
