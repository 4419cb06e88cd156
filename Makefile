# One command each for what is done often. `make demo` is the place to start.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
TORCH := $(shell grep '^torch==' requirements-torch.txt)
PIP := $(BIN)/python -m pip install --disable-pip-version-check
# What is in a lock arrives as it was when it was locked, and builds nothing here.
LOCKED := $(PIP) --require-hashes --only-binary :all: --requirement
# For every Python and system that we name; what is pinned stays without UPGRADE=--upgrade.
UPGRADE ?=
LOCK = UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet $(UPGRADE) \
	--universal --python-version 3.10 --generate-hashes --no-emit-package torch \
	--constraint requirements-torch.txt
# Two tests at a time, each on one core: more threads would only wait for each other.
SUITE := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist worksteal \
	-o console_output_style=count -p mutants.covering
FIRST := "Two processes find all the tests, which takes a minute; then each test is a dot."
DEMO_PROMPTS := "a scenic landscape" "a bowl of fruit" \
	"portrait photo of a smiling woman" "photo of a dog"

# How many faults `make mutants` puts into the code, and which.
MUTANTS ?= 300
SEED ?= 1
CHECKED ?=

# Which kinds of hostile files; all of them by default.
HOSTILE ?=

.PHONY: demo test nightly made-up check hostile kills mutants format bench assets \
	docs storybook storybook-report test-storybook lock audit dist smoke clean

demo: $(VENV)/package  ## install the package and draw four pictures with the bundled model
	$(BIN)/imagine $(DEMO_PROMPTS) --model storybook --seed 1
	@echo "The pictures are in $(CURDIR)/outputs"

test: $(VENV)/tools  ## install what tests need and run them all
	@echo $(FIRST)
	$(SUITE)

test-storybook: $(VENV)/tools  ## only those of what trains the bundled models
	$(SUITE) storybook/tests

nightly: $(VENV)/tools  ## all tests, with many more of the examples that they make up
	@echo $(FIRST)
	HYPOTHESIS_PROFILE=nightly $(SUITE)

made-up: $(VENV)/tools  ## 200,000 made-up values for all that is public; half an hour
	HYPOTHESIS_PROFILE=nightly $(SUITE) tests/made_up

check: $(VENV)/tools  ## format, lint, types, tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	@echo $(FIRST)
	$(SUITE)

hostile: $(VENV)/tools  ## hostile files through every door; a quarter of an hour
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.hostile $(HOSTILE)

kills: $(VENV)/tools  ## commands killed at random moments: is all that is there whole?
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.hostile.kills

mutants: $(VENV)/tools  ## put faults into the code; does a test fail? an hour, resumable
	$(BIN)/python -m mutants --number $(MUTANTS) --seed $(SEED) $(CHECKED)

format: $(VENV)/tools
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

bench: $(VENV)/tools  ## ours beside diffusers, in one run
	$(BIN)/python -m benchmarks

assets: $(VENV)/tools  ## draw the pictures of README and docs again
	$(BIN)/python docs/pictures.py

docs: $(VENV)/tools  ## fill in what the program knows, build the pages into site/
	$(BIN)/python docs/fill.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

storybook: $(VENV)/tools  ## draw the world and train the bundled models; takes hours
	$(BIN)/python -m storybook

storybook-report: $(VENV)/tools  ## measure the bundled drawing model again
	$(BIN)/python -m storybook cache judge report settings-report contact-sheet

lock: $(VENV)/tools  ## pin everything in requirements*.txt, with hashes, and install that
	$(LOCK) pyproject.toml requirements-dev.in --output-file requirements-dev.txt
	$(LOCK) --constraint requirements-dev.txt pyproject.toml --output-file requirements.txt
	$(LOCKED) requirements-dev.txt

audit: $(VENV)/tools  ## has anything that the locks pin a known hole?
	$(BIN)/python -m release.audit

dist: $(VENV)/tools  ## sdist, wheel and bill of materials of the last commit into dist/
	$(BIN)/python -m release.dist

smoke: dist  ## the wheel with Python 3.10 to 3.13, oldest and newest of what it needs
	$(BIN)/python -m release.smoke

$(VENV)/package: pyproject.toml requirements.txt requirements-torch.txt
	@echo "[1/3] An environment of its own in $(VENV), and in it what imaginairy needs"
	$(PYTHON) -m venv $(VENV)
	$(LOCKED) requirements.txt
	@echo "[2/3] $(TORCH), some hundred MB and by far the longest of the three"
	$(PIP) $(TORCH)
	@echo "[3/3] imaginairy"
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/tools: requirements-dev.txt $(VENV)/package
	@echo "What the tests need, some hundred MB"
	$(LOCKED) requirements-dev.txt
	@touch $@

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache
