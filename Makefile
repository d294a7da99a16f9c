# Two commands: `make run` (demo city on this machine) and `make test` (everything). Needs Python >= 3.11 and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8321

.PHONY: run test test-all lint bench lock clean
export PYTHONDONTWRITEBYTECODE ?= 1

$(VENV)/run.stamp: requirements/run.txt pyproject.toml
	$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "Santu needs Python >= 3.11; this is %d.%d. Try: make PYTHON=python3.11" % v[:2])'
	@echo 'installing into $(VENV) (once, about a minute) … 正在安装'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install --quiet --no-deps -e .
	touch $@

$(VENV)/test.stamp: $(VENV)/run.stamp requirements/test.txt tests/system-packages
	tests/system-packages
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements/test.txt
	touch $@

run: $(VENV)/run.stamp  ## build, make the demo city if absent, serve it
	@test -e demo-city/santu.gpkg || $(BIN)/santu demo --scale small --city demo-city --no-serve
	$(BIN)/santu serve --city demo-city --port $(PORT)

lint: $(VENV)/test.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint  ## lint, types, contracts and all quick tests
	$(BIN)/python -m pytest -n 2 --dist loadgroup --nbmake --cov --cov-report=term:skip-covered tests notebooks

test-all: test  ## and the city-scale runs
	$(BIN)/python -m pytest -m scale

bench: $(VENV)/test.stamp  ## the figures of docs/benchmarks.md
	$(BIN)/python -m pytest tests/benchmarks --benchmark-enable --benchmark-only -m ""

lock: ## renew the lock files (needs uv)
	uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url -o requirements/run.txt
	uv pip compile pyproject.toml --extra test --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url -c requirements/run.txt -o requirements/test.txt

clean:
	rm -rf $(VENV) demo-city .pytest_cache .mypy_cache .ruff_cache
