# Two commands matter: `make run` starts a box, `make test` runs everything that CI runs.
# Both make the environment if it is not there; a second run takes seconds.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

VENV := .venv
BIN := $(VENV)/bin
STAMPS := .stamps
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	if command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then command -v $$p; break; fi; done)

COMPUTING := tests/unit tests/store tests/forgeries tests/foreign tests/test_docs.py tests/test_house.py tests/test_order.py

.PHONY: help run test style lint format lock soak fuzz bench clean-env

help:
	@echo "make run     start the box on http://127.0.0.1:8080"
	@echo "make test    install what tests need, and run them all"
	@echo "make style   ruff and mypy alone"
	@echo "make lint    the same, and the import contracts"
	@echo "make format  put the code into its form"
	@echo "make soak    the long runs of the tests (about half an hour more, and hours for what can befall keeping)"
	@echo "make fuzz    a million inputs for each thing that takes bytes from a camera (about an hour and a half)"
	@echo "make bench   what recording costs on this machine, beside other recorders (up to 45 minutes),"
	@echo "             and what its log, verifying, exporting and the rows of years cost (some ten minutes more)"
	@echo "make lock    resolve the dependencies anew"

$(STAMPS)/run: requirements.lock pyproject.toml setup.py recorder/capture/rtp/_whole.c
	@[ -n "$(PYTHON)" ] || { echo "Custos needs Python 3.11 or newer: install it (Debian: apt-get install python3 python3-venv)."; exit 1; }
	@echo "== environment: $(VENV), with $$($(PYTHON) --version)"
	@[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV) || { echo "Python cannot make environments: on Debian, apt-get install python3-venv."; exit 1; }
	@echo "== locked dependencies (about 300 MB the first time)"
	@$(BIN)/python -m pip install --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@$(BIN)/python -m pip install --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .
	@echo "== whole pictures are taken by $$($(BIN)/python -m recorder.capture.rtp.whole) code"
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/test: $(STAMPS)/run requirements-dev.lock requirements-peers.lock scripts/system_packages.sh \
		scripts/live555.sh tests/whole/live555_camera.cpp
	@echo "== what tests need"
	@$(BIN)/python -m pip install --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.lock
	@bash scripts/system_packages.sh
	@bash scripts/live555.sh $(BIN)/python $(STAMPS)/live555_camera
	@mkdir -p $(STAMPS) && touch $@

run: $(STAMPS)/run
	@exec $(BIN)/custos run

style: $(STAMPS)/test
	@echo "== ruff"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo "== mypy"
	@$(BIN)/mypy

lint: style
	@echo "== import contracts"
	@$(BIN)/lint-imports --no-cache

# The import contracts are among the tests of the order.
test: style
	@echo "== tests, three at a time: some wait for the disk or a process; and those of the order itself"
	@$(BIN)/python -m pytest --numprocesses 3 $(COMPUTING)
	@echo "== tests that start whole boxes, which mostly wait too"
	@$(BIN)/python -m pytest --numprocesses 3 --dist loadfile tests/whole
	@echo "== the rest, one at a time: some of it measures"
	@$(BIN)/python -m pytest $(addprefix --ignore=,$(COMPUTING) tests/whole)

soak: $(STAMPS)/test
	@CUSTOS_LONG=1 $(BIN)/python -m pytest tests/whole --timeout 3600 -s
	@CUSTOS_LONG=1 $(BIN)/python -m pytest tests/store/test_power_cut.py tests/store/test_machine.py --numprocesses 2 -rP

$(STAMPS)/fuzz: $(STAMPS)/run requirements-fuzz.lock
	@$(BIN)/python -m pip install --disable-pip-version-check --require-hashes --no-deps -r requirements-fuzz.lock
	@mkdir -p $(STAMPS) && touch $@

fuzz: $(STAMPS)/fuzz
	@$(BIN)/python -m tests.fuzz

$(STAMPS)/bench: $(STAMPS)/run scripts/system_packages.sh
	@bash scripts/system_packages.sh ffmpeg
	@mkdir -p $(STAMPS) && touch $@

# Options by way of BENCH and PROOF, for example: make bench BENCH="--cameras 1,20 --seconds 30 --only custos,ffmpeg"
# or PROOF="--leaves 33000000", which takes 22 GB of disk; and of ROWS: ROWS="--rows 33177600" takes 25 GB.
# `python -m bench.proof` and `python -m bench.rows` are the second and the third part alone.
bench: $(STAMPS)/bench
	@$(BIN)/python -m bench $(BENCH)
	@$(BIN)/python -m bench.proof $(PROOF)
	@$(BIN)/python -m bench.rows $(ROWS)

format: $(STAMPS)/test
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

# Needs uv (https://docs.astral.sh/uv). Hashes are checked at every installation; no index is named.
lock:
	uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 \
		--universal --output-file requirements.lock pyproject.toml --extra build
	uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 \
		--universal --constraint requirements.lock --output-file requirements-dev.lock --group dev
	uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 \
		--universal --constraint requirements.lock --output-file requirements-fuzz.lock --group fuzz
	uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 \
		--universal --output-file requirements-peers.lock --group peers

clean-env:
	rm -rf $(VENV) $(STAMPS)
