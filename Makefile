# Everything this project does, one target a line: `make` alone prints this list.
PYTHON ?= python3
PIP_FLAGS ?=
VENV := .venv
BIN := $(VENV)/bin
BUILD := build
SIZE ?= small
SEED ?= 2026
# A real map of 1.1 MB is fetched for the book where there is a network (CC BY-NC-SA, its terms are
# shown); OPEN_DATA=no leaves it out.
OPEN_DATA ?= yes
# Data and caches stay inside the checkout unless you choose another place.
export DATKIT_DATA ?= $(CURDIR)/$(BUILD)/data

NOTEBOOKS := $(sort $(wildcard notebooks/*.ipynb))
# The notebook that makes the submission is known by what it does, whatever its number.
SUBMITS := $(wildcard notebooks/*make_a_valid_submission.ipynb)
SUBMITTED := $(BUILD)/notebooks/work/$(basename $(notdir $(SUBMITS)))/submission.zip
SUBMISSION := $(BUILD)/submission.zip
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
HTML := $(BUILD)/book/_build/html
DIST := $(BUILD)/dist
# `make test COVERAGE=1` measures which lines the tests run, and fails below pyproject.toml's floor.
COVERAGE ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install data open-data lab cohort warm notebooks submission book stick serve test fedbiomed federated published lint format dist constraints clean

help:  ## Show this help
	@echo "DaT SPECT: learn, measure, benchmark. For education and research, not for diagnosis."
	@echo
	@awk -F ':.*## ' '/^[a-z.]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "Start with 'make install', then 'make lab' (notebooks) or 'make book' (the whole path)."

# $(call check_python,VARIABLE,condition on v,its words,target)
define check_python
@$($(1)) -c 'import sys; v = sys.version_info; sys.exit(None if $(2) else f"Expected Python $(3), found {v[0]}.{v[1]}: call $(strip make $(4)) $(1)=/path/to/python3.11")'
endef
OURS := v[0] == 3 and v[1] > 10

$(VENV)/.ok: pyproject.toml constraints.txt
	$(call check_python,PYTHON,$(OURS),3.11 or newer)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(PIP_FLAGS) -e '.[book,dev]' -c constraints.txt
	@touch $@

install: $(VENV)/.ok  ## Make .venv and install the kit with everything it needs
	@echo "Installed. Next: 'make lab', 'make book' or '$(BIN)/datkit --help'."

data: $(VENV)/.ok  ## Download the open data of data_manifest.yaml, or fail (needs a network)
	$(BIN)/datkit data fetch fpcit-hc174

open-data: $(VENV)/.ok
	@test "$(OPEN_DATA)" = no || $(BIN)/python .ci/open_data.py

# Copies: whoever works in a notebook changes no tracked file, and finds their work again.
lab: $(VENV)/.ok  ## Open student notebooks in JupyterLab: your own copies, in lab/
	$(BIN)/python -m datkit.book.student --out lab --keep
	cd lab && ../$(BIN)/jupyter lab

cohort: $(VENV)/.ok  ## Simulate the cohort (SIZE=tiny|small|full, SEED=2026)
	$(BIN)/datkit simulate --size $(SIZE) --seed $(SEED)

warm: $(VENV)/.ok  ## Do what notebooks would wait for in a workshop: simulate, prepare, load
	$(BIN)/python -m datkit.book.workshop.warm --size $(SIZE) --seed $(SEED)

notebooks: cohort open-data  ## Run every notebook with papermill, into build/notebooks
	$(BIN)/python -m datkit.book.run $(NOTEBOOKS) --out $(BUILD)/notebooks --if-changed

submission: cohort  ## Train, pack, check and run a submission, and nothing else
	$(BIN)/python -m datkit.book.run $(SUBMITS) --out $(BUILD)/notebooks --if-changed
	@cp $(SUBMITTED) $(SUBMISSION)
	$(BIN)/datkit submit check $(SUBMISSION)
	@echo "Checked: $(CURDIR)/$(SUBMISSION)"

book: notebooks  ## Simulate, fetch the open map, run the notebooks, make and check a submission, build the book
	@cp $(SUBMITTED) $(SUBMISSION)
	$(BIN)/datkit submit check $(SUBMISSION)
	$(BIN)/datkit submit run $(SUBMISSION) --cohort $(DATKIT_DATA)/simulated/$(SIZE)-$(SEED) --exams 4 --isolation plain
	$(BIN)/python -m datkit.book.reading.pack --size $(SIZE) --seed $(SEED) --out $(BUILD)/reading
	$(BIN)/python -m datkit.book.atlas --out $(BUILD)/atlas
	$(BIN)/python -m datkit.book.network.pack --size $(SIZE) --seed $(SEED) --out $(BUILD)/network
	$(BIN)/python -m datkit.book.build --notebooks $(BUILD)/notebooks --reading $(BUILD)/reading --atlas $(BUILD)/atlas --network $(BUILD)/network --out $(BUILD)/book
	@echo "Submission, checked and run: $(CURDIR)/$(SUBMISSION)"

# Of these systems, with wheels for the Python of .venv; PIP_FLAGS goes to pip.
SYSTEMS ?= linux windows macos
stick: $(VENV)/.ok  ## Fill a memory stick's folder: installers that need no network (this does)
	$(BIN)/python -m datkit.book.workshop.stick --out $(BUILD)/stick --systems $(SYSTEMS) \
	  --size $(SIZE) --seed $(SEED) --pip='$(PIP_FLAGS)'

serve:  ## Serve the built book on http://127.0.0.1:8001
	@test -f $(HTML)/index.html || { echo "The book is not built yet: run 'make book' first."; exit 1; }
	$(PYTHON) -m http.server 8001 --bind 127.0.0.1 --directory $(HTML)

test: $(VENV)/.ok  ## Run the tests (those of the built book want 'make book' first)
	$(BIN)/python -m pytest -n 2 --dist loadfile $(if $(CI),--durations=15) $(if $(COVERAGE),--cov=datkit --cov-report=term:skip-covered)

# Fed-BioMed's pins (cryptography below 41, Python below 3.12) cannot share an environment with the
# kit's. It is installed without what trains nothing here: torchvision (stubbed in the test), itk,
# monai, a second PyTorch with CUDA. For the small PyTorch, see constraints.txt.
FEDBIOMED := .venv-fedbiomed
FEDBIOMED_PYTHON ?= $(PYTHON)
$(FEDBIOMED)/.ok: constraints-fedbiomed.txt
	$(call check_python,FEDBIOMED_PYTHON,v[0] == 3 and 9 < v[1] < 12,3.10 or 3.11,fedbiomed)
	$(FEDBIOMED_PYTHON) -m venv $(FEDBIOMED)
	$(FEDBIOMED)/bin/python -m pip install --quiet $(PIP_FLAGS) --no-deps -r constraints-fedbiomed.txt
	@touch $@

fedbiomed: $(FEDBIOMED)/.ok $(VENV)/.ok  ## Train the exported plan in Fed-BioMed's own classes (own .venv, optional)
	test -d $(BUILD)/fedbiomed/exams || $(BIN)/datkit simulate --size tiny --out $(BUILD)/fedbiomed/exams
	rm -rf $(BUILD)/fedbiomed/plan
	$(BIN)/datkit federated export fed-biomed --cohort $(BUILD)/fedbiomed/exams --out $(BUILD)/fedbiomed/plan
	$(BIN)/datkit federated check $(BUILD)/fedbiomed/plan/plan.py
	DATKIT_FEDBIOMED=$(BUILD)/fedbiomed/plan $(FEDBIOMED)/bin/python -m pytest --noconftest -c /dev/null \
	  --rootdir . -p no:cacheprovider -q -rP tests/federated/test_real_fedbiomed.py

# Flower's packaging<26 cannot share an environment with the kit's nilearn. This one holds datkit
# without its dependencies, and those that training over hospitals imports. No process calls home.
FEDERATED := .venv-federated
FEDERATED_PYTHON ?= $(PYTHON)
$(FEDERATED)/.ok: constraints-federated.txt
	$(call check_python,FEDERATED_PYTHON,$(OURS),3.11 or newer,federated)
	$(FEDERATED_PYTHON) -m venv $(FEDERATED)
	$(FEDERATED)/bin/python -m pip install --quiet $(PIP_FLAGS) --no-deps -r constraints-federated.txt
	$(FEDERATED)/bin/python -m pip install --quiet $(PIP_FLAGS) --no-deps -e .
	@touch $@

federated: export FLWR_TELEMETRY_ENABLED := 0
federated: export DATKIT_DATA := $(CURDIR)/$(BUILD)/federated/data
federated: $(FEDERATED)/.ok $(VENV)/.ok  ## Train over Flower's own processes with TLS, on this machine (own .venv, optional)
	test -d $(BUILD)/federated/exams || $(BIN)/datkit simulate --size tiny --out $(BUILD)/federated/exams
	DATKIT_FEDERATED=$(BUILD)/federated/exams $(FEDERATED)/bin/python -m pytest --noconftest -c /dev/null \
	  --rootdir . -p no:cacheprovider -q -rP tests/federated/test_real_flower.py

# What a model's folder asks for, in the challenge's versions, and no datkit: a stranger's machine.
# For the small PyTorch, see constraints.txt.
BARE := .venv-published
$(BARE)/.ok: constraints-published.txt
	$(PYTHON) -m venv $(BARE)
	$(BARE)/bin/python -m pip install --quiet $(PIP_FLAGS) -r constraints-published.txt
	@touch $@

published: $(BARE)/.ok $(VENV)/.ok  ## Publish models and check them where only the challenge's packages are (own .venv, optional)
	DATKIT_BARE=$(BARE)/bin/python $(BIN)/python -m pytest -p no:cacheprovider -q -rP tests/provenance/test_bare.py

lint: $(VENV)/.ok  ## Check style, types, direction of imports, lines of code, and the notebooks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python .ci/code_lines.py
	$(BIN)/nbstripout --keep-id --verify $(NOTEBOOKS)
	$(BIN)/python -m datkit.book.gate $(NOTEBOOKS)

format: $(VENV)/.ok  ## Format the code and strip the notebooks
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/nbstripout --keep-id $(NOTEBOOKS)

dist:  ## Build what a release holds: wheel, sdist, book and notes (needs a network)
	@test -f $(HTML)/index.html || { echo "The book is not built yet: run 'make book' first."; exit 1; }
	@rm -rf $(DIST) && mkdir -p $(DIST)
	$(PYTHON) -m venv $(BUILD)/packaging
	$(BUILD)/packaging/bin/python -m pip install --quiet $(PIP_FLAGS) 'build>=1.2'
	$(BUILD)/packaging/bin/pyproject-build --outdir $(DIST) .
	@tar -czf $(DIST)/book-$(VERSION).tar.gz -C $(BUILD)/book/_build html
	@awk -v version='[$(VERSION)]' '/^## / { on = index($$0, version) } on' CHANGELOG.md > $(DIST)/notes.md
	@echo "Built, in $(DIST). Next: 'git tag v$(VERSION)', then push the tag: it is released from there."

environment.yml: pyproject.toml .ci/environment.py  ## Write environment.yml (for conda) from pyproject.toml
	$(PYTHON) .ci/environment.py > $@

constraints:  ## Write constraints.txt from what is installed in .venv
	@{ sed -n '/^#/p' constraints.txt; $(BIN)/python -m pip freeze --exclude-editable \
	  | grep -v -i -E '^(pip|setuptools)==' | sed 's/^\(torch==[0-9.]*\)+.*/\1/'; } > constraints.new
	@mv constraints.new constraints.txt

clean:  ## Remove .venv and everything that was built or simulated
	rm -rf $(VENV) $(FEDBIOMED) $(FEDERATED) $(BARE) $(BUILD) notebooks/outputs
