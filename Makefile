# Tasks of the project; each installs what it needs into .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PYTHONSAFEPATH := 1
export NO_ALBUMENTATIONS_UPDATE := 1
# Python stores compiled modules then. Otherwise each start of the command compiles all of ours, a quarter of its time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help install dev quickstart check format test test-all test-lowest docs docs-links bench gpu clean
help:  ## list the tasks
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade "setuptools>=77"
	$(BIN)/python -m pip install -q -e ".[plots]"
	touch $@

# dependency groups need pip 25.1; reading them here keeps the pip that came with Python
$(VENV)/.dev: $(VENV)/.installed tests/oracles.txt
	$(BIN)/python -c "import tomllib; print('\n'.join(tomllib.load(open('pyproject.toml', 'rb'))['dependency-groups']['dev']))" > $(VENV)/dev.txt
	$(BIN)/python -m pip install -q -e ".[all]" -r $(VENV)/dev.txt
	$(BIN)/python -m pip install -q --no-deps -r tests/oracles.txt
	touch $@

# gradio wants an older Pillow: it lies in a folder of its own, which the tests of `foveate demo` put on PYTHONPATH
$(VENV)/.demo: $(VENV)/.installed
	$(BIN)/python -c "import tomllib; print('\n'.join(tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['demo']))" > $(VENV)/demo.txt
	$(BIN)/python -m pip install -q --upgrade --target $(VENV)/demo -r $(VENV)/demo.txt
	touch $@

install: $(VENV)/.installed  ## the command and what it needs, in .venv
dev: $(VENV)/.dev $(VENV)/.demo  ## install, and the tools of development

SCENES ?= data/scenes
SCENE_COUNTS ?= --train 256 --val 32
quickstart: $(VENV)/.installed  ## make scenes, train SegNeXt-T on them, validate, draw overlays
	$(BIN)/foveate data make $(SCENES) $(SCENE_COUNTS) --size 128x256
	$(BIN)/foveate fit --config synthetic_segnext_t --data.root $(SCENES) $(ARGS)
	$(BIN)/foveate predict --ckpt_path best --data.images $(SCENES)/leftImg8bit/val --out runs/latest/predictions

check: dev  ## lint and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: dev  ## rewrite in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# One thread a test process: two that wait for each other on two cores cost more than they save.
test test-all: export OMP_NUM_THREADS := 1

test: dev  ## the fast tests
	$(BIN)/pytest -m "not slow" -n 2 --dist worksteal

test-all: dev  ## every test
	$(BIN)/pytest -n 2 --dist worksteal

# An environment of its own, .venv-lowest. Old versions warn of what newer Pythons and NumPys deprecate.
LOWEST := .venv-lowest
OLD := -W ignore::DeprecationWarning -W ignore::PendingDeprecationWarning -W ignore::FutureWarning
$(LOWEST)/.installed: pyproject.toml tests/lowest.py tests/oracles.txt $(VENV)/.dev
	$(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install -q --upgrade "setuptools>=77"
	$(LOWEST)/bin/python tests/lowest.py > $(LOWEST)/lowest.txt
	$(LOWEST)/bin/python -m pip install -q -e . -r $(LOWEST)/lowest.txt -r $(VENV)/dev.txt
	$(LOWEST)/bin/python -m pip install -q --no-deps -r tests/oracles.txt
	touch $@

test-lowest: export OMP_NUM_THREADS := 1
test-lowest: $(LOWEST)/.installed  ## the fast tests with the lowest allowed version of every dependency but torch
	$(LOWEST)/bin/pytest -m "not slow" -n 2 --dist worksteal $(OLD) $(ARGS)

docs: dev  ## build the documentation site in build/docs/html; a warning is an error
	$(BIN)/python -m foveate.docs.site.build build/docs

docs-links: dev  ## open every link of the site to other sites
	$(BIN)/python -m foveate.docs.site.build build/docs linkcheck

# An environment of its own: the peers want another OpenCV, so they come without dependencies.
BENCH := .venv-bench
$(BENCH)/.installed: benchmarks/peers.txt pyproject.toml
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/python -m pip install -q --upgrade "setuptools>=77"
	$(BENCH)/bin/python -m pip install -q -e ".[plots,openvino,tiff]"
	$(BENCH)/bin/python -m pip install -q --no-deps -r benchmarks/peers.txt
	touch $@

bench: $(BENCH)/.installed  ## measure against the peers, and write benchmarks/RESULTS.md
	$(BENCH)/bin/python -m foveate.benchmarks.run run $(ARGS)

gpu: dev $(BENCH)/.installed  ## on a machine with a CUDA device: its tests, and benchmarks/RESULTS-gpu.md
	$(BIN)/pytest -m "gpu or multigpu" -n 4 --dist worksteal tests/devices
	$(BENCH)/bin/python -m foveate.benchmarks.run run --device cuda $(ARGS)

clean:
	rm -rf build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
