# Make owns the order of the stages; the command line owns the truth about what is stale. Every stage target therefore
# calls the command line, which answers at once when nothing changed.

DATASET   ?= synped_demo
DATA_ROOT ?= data
RUNS      ?= runs
ARGS      ?=
SEEDS     ?= 3

VENV      ?= .venv
PYTHON    ?= $(VENV)/bin/python

# A value as one word of the shell, whatever is in it, ~/ in front expanded. ARGS, GRID and FUZZ are words already.
quoted     = '$(subst ','\'',$(subst <start>,,$(subst <start>~/,$(HOME)/,<start>$(1))))'
option     = $(if $(2),$(1) $(call quoted,$(2)))
PY        := $(call quoted,$(PYTHON))
SORN      := $(PY) -m pipeline
PLACES     = --data-root $(call quoted,$(DATA_ROOT)) --runs $(call quoted,$(RUNS))
COMMON     = --dataset $(call quoted,$(DATASET)) $(PLACES) \
             $(call option,--labeler,$(LABELER)) $(call option,--config,$(CONFIG)) \
             $(call option,--trained-on,$(TRAINED_ON)) $(call option,--init,$(INIT)) \
             $(call option,--experiment,$(EXPERIMENT)) \
             $(if $(KEYPOINTS)$(POSE),--set $(call quoted,masks.keypoints=$(or $(KEYPOINTS),$(POSE)))) $(ARGS)

# Variables of the command line, apart from make's own; another name there is a mistake, such as DATSET=.
KNOWN     := DATASET LABELER CONFIG TRAINED_ON INIT EXPERIMENT KEYPOINTS POSE DATA_ROOT RUNS NPROC ARGS SEEDS GRID FUZZ PYTHON VENV LOCKED
GIVEN     := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
UNKNOWN   := $(firstword $(filter-out $(KNOWN) MAKE% SHELL -%,$(GIVEN)))
NEAREST    = import difflib, sys; print(*difflib.get_close_matches(sys.argv[1].upper(), sys.argv[2:], 1, 0.5))
ifneq ($(UNKNOWN),)
MEANT     := $(shell python3 -c $(call quoted,$(NEAREST)) $(call quoted,$(UNKNOWN)) $(KNOWN) 2> /dev/null)
$(error unknown variable '$(UNKNOWN)'. $(if $(MEANT),Did you mean $(MEANT)? )Known: $(KNOWN))
endif

# NPROC=n divides `masks`, `train` and `eval` between n processes, each with a GPU of its own where there are as many.
RANKS      = OMP_NUM_THREADS=1 $(PY) -m torch.distributed.run --standalone --nproc-per-node $(NPROC) -m pipeline

MINIMAL    = $(VENV)/minimal

# With PYTHON=... the user brings an environment; only our own is set up.
ENVIRONMENT := $(if $(filter $(VENV)/bin/python,$(PYTHON)),$(VENV)/.ready)

.DEFAULT_GOAL := help
.PHONY: help setup lock demo data labeler masks train eval tables weights weights-blazepose status verify test test-slow test-minimal fuzz audit bench gpu-check pictures lint clean

help: ## show this help
	@echo "SORN: occluded person re-identification. Stages run in order; only what is stale runs."
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'
	@echo
	@echo "Variables (defaults): DATASET=synped_demo  LABELER, CONFIG=the dataset's own  DATA_ROOT=data  RUNS=runs"
	@echo "  Without CONFIG, a run that is there keeps the options it was made with; ARGS=\"--set ...\" changes some"
	@echo "  ARGS=--retrain, ARGS=--relabel: replace a finished training, finished labels by those with other options"
	@echo "  TRAINED_ON=dataset whose checkpoint evaluates DATASET   ARGS=\"--set eval.tau=0.2\"   PYTHON=your interpreter"
	@echo "  INIT=what a training starts from: imagenet, none, or a file, such as runs/synped-danet/train/model.safetensors;"
	@echo "       sorn models lists the backbones, where their weights are, and networks that ship, which INIT and"
	@echo "       TRAINED_ON take by their names"
	@echo "  EXPERIMENT=name of a training and evaluation that is kept beside others on the same shards"
	@echo "  NPROC=processes that share the work of masks, train and eval, e.g. one per GPU"
	@echo "  KEYPOINTS=who finds joints for the row +P: joints, keypoint_rcnn, blazepose, none; make tables takes SynPed's own (POSE= is the same)"
	@echo "  VENV=.venv  folder of the environment that make setup creates and the other targets use"
	@echo "  LOCKED=1  make setup installs the exact versions of requirements.lock"
	@echo "  SEEDS=3  trainings of each row of make tables   GRID=\"--only sorn --part 1/4\": a share of them"
	@echo "  FUZZ=\"shard --runs 100000\": one reader, so many files"
	@echo "Examples: make demo | make masks DATASET=occluded_duke LABELER=import | make status DATASET=market1501"

setup: $(VENV)/.ready ## create .venv and install what everything needs

$(VENV)/.ready: requirements.txt requirements-dev.txt pyproject.toml $(if $(LOCKED),requirements.lock)
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "python3 is older than 3.11: install a newer one, or give your own environment with PYTHON=..."; exit 1; }
	@$(if $(LOCKED),python3 .ci/lock.py check)
	python3 -m venv $(VENV)
	$(VENV)/bin/python -m pip install --upgrade pip
	$(VENV)/bin/python -m pip install $(if $(LOCKED),-c requirements.lock) -r requirements-dev.txt
	$(VENV)/bin/python -m pip install --no-deps -e .
	touch $@

lock: $(ENVIRONMENT) ## resolve the newest versions that the ranges admit -> requirements.lock; installs nothing
	$(PYTHON) .ci/lock.py write

demo: ## run the whole pipeline on the embedded dataset and leave a report with pictures
	@$(MAKE) --no-print-directory eval DATASET=synped_demo CONFIG=demo LABELER= TRAINED_ON= EXPERIMENT=

data: $(ENVIRONMENT) ## find the dataset's images (or render SynPed) -> runs/<dataset>/data
	@$(SORN) data $(COMMON)

labeler: data ## train the labeler DANet on ground truth (split labeler) -> runs/<dataset>/labeler
	@$(SORN) labeler $(COMMON)

masks: data ## label body parts, write shards -> runs/<dataset>-<labeler>/masks
	@$(SORN) labeler --if-needed $(COMMON)
	@$(if $(NPROC),$(RANKS),$(SORN)) masks $(COMMON)

train: masks ## train SORN on the shards -> runs/<dataset>-<labeler>/train
	@$(if $(NPROC),$(RANKS),$(SORN)) train $(COMMON)

eval: $(if $(TRAINED_ON),masks,train) ## feature bank, metrics, report -> runs/<dataset>-<labeler>/eval
	@$(if $(NPROC),$(RANKS),$(SORN)) eval $(COMMON)

tables: POSE ?= $(if $(filter synped%,$(DATASET)),joints)
tables: masks ## all rows of the paper's tables, and Figure 8 -> runs/<dataset>-<labeler>/tables/tables.html
	@$(SORN) tables run $(COMMON) --seeds $(call quoted,$(SEEDS)) $(GRID)

# What ships: the commands by which its networks are trained and packed, in this one place. The command
# on a card has the same options; the name of its experiment may be another.
weights: ## train and pack the networks that ship (hours on a CPU) -> weights/
	@$(MAKE) --no-print-directory labeler DATASET=synped CONFIG=synped
	@$(SORN) weights pack synped --labeler --name starter-danet --replace $(PLACES)
	@$(MAKE) --no-print-directory eval DATASET=synped_large CONFIG=synped ARGS="--set model.part_branch=true --set schedule.epochs=6"
	@$(SORN) weights pack synped_large-ground_truth --name starter --replace $(PLACES)

weights-blazepose: $(ENVIRONMENT) ## fetch the networks of LABELER=blazepose from npm and PyPI -> ~/.cache/sorn/blazepose
	@$(SORN) weights blazepose

status: $(ENVIRONMENT) ## say which stages are stale, and why
	@$(SORN) status $(COMMON)

verify: $(ENVIRONMENT) ## read every file of a run; name what is broken, and the command that repairs it
	@$(SORN) verify $(COMMON)

test: $(ENVIRONMENT) ## run the tests, one process per core
	OMP_NUM_THREADS=1 $(PY) -m pytest -n auto --maxprocesses 8 --dist loadfile -m "not slow"

test-slow: $(ENVIRONMENT) ## run the tests that take minutes, such as the whole campaign of faults and the tables
	OMP_NUM_THREADS=1 $(PY) -m pytest -m slow

test-minimal: ## run tests of files, stages and the network with the lowest versions that requirements.txt admits
	test -x $(MINIMAL)/bin/python || python3 -m venv $(MINIMAL)
	sed -n 's/^\([a-z][a-z0-9_-]*\)[>=]=\([0-9.]*\).*/\1==\2/p' requirements.txt > $(MINIMAL)/lowest.txt
	$(MINIMAL)/bin/python -m pip install -c $(MINIMAL)/lowest.txt -r requirements.txt pytest pytest-xdist hypothesis
	$(MINIMAL)/bin/python -m pip install --no-deps -e .
	OMP_NUM_THREADS=1 $(MINIMAL)/bin/python -m pytest -n auto --maxprocesses 8 --dist loadfile -m "not slow" \
	  tests/sorn $(addprefix tests/pipeline/,io runs shards features stages)

fuzz: $(ENVIRONMENT) ## 50,000 damaged and hostile files to every reader, with atheris; findings in runs/fuzz
	@$(PY) -c "import atheris" 2> /dev/null || $(PY) -m pip install --quiet atheris
	OMP_NUM_THREADS=1 $(PY) tests/fuzz/fuzz.py $(FUZZ)

audit: $(ENVIRONMENT) ## do the installed packages fit together, and has any a known weakness (asks PyPI's advisories)
	$(PY) -m pip check
	@test -x $(VENV)/audit/bin/pip-audit || { python3 -m venv $(VENV)/audit; $(VENV)/audit/bin/pip install --quiet pip-audit; }
	$(VENV)/audit/bin/pip-audit --strict --skip-editable --path $$($(PY) -c 'import pip; print(*pip.__path__)')/..

bench: $(ENVIRONMENT) ## measure ours beside peers and the bare hardware
	@for file in benchmarks/bench_*.py; do echo "$$file"; $(PY) $$file || exit 1; done

gpu-check: $(ENVIRONMENT) ## check one GPU beside the CPU, in eight minutes, without a network -> runs/gpu-check.json
	@$(SORN) gpu-check --out $(call quoted,$(RUNS)/gpu-check.json) $(ARGS)

pictures: demo ## draw the README's pictures from what the demo left
	$(PY) docs/pictures/draw.py --runs $(call quoted,$(RUNS))

lint: $(ENVIRONMENT) ## style and types: ruff check, ruff format, mypy (strict)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy

clean: $(ENVIRONMENT) ## remove the outputs of this DATASET and LABELER: nobody else's files, never the dataset
	@$(SORN) clean $(COMMON)
