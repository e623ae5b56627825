# make demo   converts the example clip with the shipped model
# make test   every check: lint, types, laws of the imports, tests
# make test-cluster   the tests that need Ray, which is large
# make test-clients   opens every export in the programs it is for; they are large (make clients gets them)
# make federated   trains a classifier in two made-up hospitals, in .venv-federated
# make docs   docs/tracks.md, from the code
# make bundle PLATFORM=linux PYTHON_VERSION=3.11   a folder that installs without a network
# make sbom   the bill of materials: dist/sbom.cdx.json
# All need nothing but Python 3.11 or later; everything lands in .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(VENV)/.installed
TEST := $(VENV)/.installed-test
CLIENTS := $(VENV)/.installed-clients
FEDERATED := .venv-federated
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
DEMO := out/demo

.DEFAULT_GOAL := help
.PHONY: help demo test test-cluster clients test-clients federated docs check bundle bundle-test \
  sbom format clean

help:
	@sed -n 's/^# //p' $(firstword $(MAKEFILE_LIST))

demo: $(RUN)
	$(BIN)/vid2kp convert examples/infant/video.mp4 -o $(DEMO)

test: check
	$(BIN)/python -m pytest

test-cluster: $(TEST)
	$(PIP) --editable '.[test,cluster]'
	$(BIN)/python -m pytest tests/test_cluster.py

clients: $(CLIENTS) $(FEDERATED)/.installed

test-clients: clients
	$(BIN)/python -m pytest tests/export tests/examples

federated: $(RUN) $(FEDERATED)/.installed
	$(BIN)/python examples/make_movements.py out/movements
	$(FEDERATED)/bin/python examples/federated_training.py out/movements/hospital_*

docs: $(TEST)
	$(BIN)/python docs/make_tracks.py

sbom: $(TEST)
	$(BIN)/python docs/make_sbom.py

check: $(TEST)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

## docs/install-offline.md explains the variables; bundle-test wants the bundle of this machine.
bundle: $(TEST)
	$(BIN)/python offline/make_bundle.py $(if $(PLATFORM),--platform $(PLATFORM)) \
	  $(if $(PYTHON_VERSION),--python-version $(PYTHON_VERSION)) \
	  $(if $(TORCH_INDEX),--torch-index '$(TORCH_INDEX)') \
	  $(if $(PYTHON_INSTALLER),--python-installer '$(PYTHON_INSTALLER)')

bundle-test: bundle
	$(BIN)/python offline/prove_bundle.py

format: $(TEST)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(DEMO) $(DEMO).private build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "vid2kp needs Python 3.11 or later; choose one with: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)

## The stamps are older than the pins whenever something has to be installed again.
$(RUN): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable .
	@touch $@

$(TEST): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[test]'
	@touch $@ $(RUN)

$(CLIENTS): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[test,clients]'
	@touch $@ $(TEST) $(RUN)

$(FEDERATED)/.installed: examples/federated_requirements.txt | $(BIN)/python
	$(BIN)/python -m venv $(FEDERATED)
	$(FEDERATED)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@
