# Make owns the order of the stages; the command line owns the truth about what is stale. Every stage target therefore
# calls the command line, which answers at once when nothing changed.

DATASET   ?= synped_demo
DATA_ROOT ?= data
RUNS      ?= runs
ARGS      ?=
SEEDS     ?= 3

VENV      ?= .venv
PYTHON    ?= $(VENV)/bin/python
SORN      := $(PYTHON) -m pipeline
COMMON     = --dataset $(DATASET) --data-root $(DATA_ROOT) --runs $(RUNS) \
             $(if $(LABELER),--labeler $(LABELER)) $(if $(CONFIG),--config $(CONFIG)) \
             $(if $(TRAINED_ON),--trained-on $(TRAINED_ON)) $(if $(INIT),--init $(INIT)) \
             $(if $(EXPERIMENT),--experiment $(EXPERIMENT)) \
             $(if $(KEYPOINTS)$(POSE),--set masks.keypoints=$(or $(KEYPOINTS),$(POSE))) $(ARGS)

# NPROC=n divides `masks`, `train` and `eval` between n processes, each with a GPU of its own where there are as many.
RANKS      = OMP_NUM_THREADS=1 $(PYTHON) -m torch.distributed.run --standalone --nproc-per-node $(NPROC) -m pipeline

# With PYTHON=... the user brings an environment; only our own is set up.
ENVIRONMENT := $(if $(filter $(VENV)/bin/python,$(PYTHON)),$(VENV)/.ready)

.DEFAULT_GOAL := help
.PHONY: help setup demo data labeler masks train eval tables status verify test test-slow fuzz audit bench pictures lint clean

help: ## show this help
	@echo "SORN: occluded person re-identification. Stages run in order; only what is stale runs."
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-16s %s\n", $$1, $$2}'
	@echo
	@echo "Variables (defaults): DATASET=synped_demo  LABELER, CONFIG=the dataset's own  DATA_ROOT=data  RUNS=runs"
	@echo "  TRAINED_ON=dataset whose checkpoint evaluates DATASET   ARGS=\"--set eval.tau=0.2\"   PYTHON=your interpreter"
	@echo "  INIT=what a training starts from: imagenet, none, or a file, such as runs/synped-danet/train/model.safetensors"
	@echo "  EXPERIMENT=name of a training and evaluation that is kept beside others on the same shards"
	@echo "  NPROC=processes that share the work of masks, train and eval, e.g. one per GPU"
	@echo "  KEYPOINTS=who finds joints for the row +P: joints, keypoint_rcnn, none; make tables takes SynPed's own (POSE= is the same)"
	@echo "  SEEDS=3  trainings of each row of make tables   GRID=\"--only sorn --part 1/4\": a share of them"
	@echo "  FUZZ=\"shard --runs 100000\": one reader, so many files"
	@echo "Examples: make demo | make masks DATASET=occluded_duke LABELER=import | make status DATASET=market1501"

setup: $(VENV)/.ready ## create .venv and install what everything needs

$(VENV)/.ready: requirements.txt requirements-dev.txt pyproject.toml
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "python3 is older than 3.11: install a newer one, or give your own environment with PYTHON=..."; exit 1; }
	python3 -m venv $(VENV)
	$(VENV)/bin/python -m pip install --upgrade pip
	$(VENV)/bin/python -m pip install -r requirements-dev.txt
	$(VENV)/bin/python -m pip install --no-deps -e .
	touch $@

demo: ## run the whole pipeline on the embedded dataset and leave a report with pictures
	@$(MAKE) --no-print-directory eval DATASET=synped_demo CONFIG=demo LABELER= TRAINED_ON= EXPERIMENT=

data: $(ENVIRONMENT) ## find the dataset's images (or render SynPed) -> runs/<dataset>/data
	@$(SORN) data prepare $(COMMON)

labeler: data ## train the labeler DANet on exact masks (split labeler) -> runs/<dataset>/labeler
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
	@$(SORN) tables run $(COMMON) --seeds $(SEEDS) $(GRID)

status: $(ENVIRONMENT) ## say which stages are stale, and why
	@$(SORN) status $(COMMON)

verify: $(ENVIRONMENT) ## read every file of a run; name what is broken, and the command that repairs it
	@$(SORN) verify $(COMMON)

test: $(ENVIRONMENT) ## run the tests, one process per core
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n auto --maxprocesses 8 --dist loadfile -m "not slow"

test-slow: $(ENVIRONMENT) ## run the tests that take minutes, such as the whole campaign of faults and the tables
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -m slow

fuzz: $(ENVIRONMENT) ## a million damaged and hostile files to every reader, with atheris; findings in runs/fuzz
	@$(PYTHON) -c "import atheris" 2> /dev/null || $(PYTHON) -m pip install --quiet atheris
	OMP_NUM_THREADS=1 $(PYTHON) tests/fuzz/fuzz.py $(FUZZ)

audit: $(ENVIRONMENT) ## do the installed packages fit together, and has any a known weakness (asks PyPI's advisories)
	$(PYTHON) -m pip check
	@test -x $(VENV)/audit/bin/pip-audit || { python3 -m venv $(VENV)/audit; $(VENV)/audit/bin/pip install --quiet pip-audit; }
	$(VENV)/audit/bin/pip-audit --strict --skip-editable --path $$($(PYTHON) -c 'import pip; print(*pip.__path__)')/..

bench: $(ENVIRONMENT) ## measure ours beside peers and the bare hardware
	@for file in benchmarks/bench_*.py; do echo "$$file"; $(PYTHON) $$file || exit 1; done

pictures: demo ## draw the README's pictures from what the demo left
	$(PYTHON) docs/pictures/draw.py --runs $(RUNS)

lint: $(ENVIRONMENT) ## ruff and mypy
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy

clean: $(ENVIRONMENT) ## remove the outputs of this DATASET and LABELER: nobody else's files, never the dataset
	@$(SORN) clean $(COMMON)
