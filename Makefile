# make help lists the targets. VENV=folder names another environment; VENV= (empty) uses the python that is active.
VENV    ?= .venv
PYTHON  ?= python3
WORKERS ?= 2
SEED    ?= 42

READY := $(if $(strip $(VENV)),$(VENV)/.ready,active-python)
PY    := $(if $(strip $(VENV)),$(VENV)/bin/python,$(PYTHON))
# In front of a command: run it from the environment.
IN     = PATH="$$($(PY) -c "import sysconfig; print(sysconfig.get_path('scripts'))"):$$PATH"

.PHONY: help lab test notebook record results stamp export bench lock workbook clean active-python

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' Makefile | awk -F '\t' '{ printf "make %-9s %s\n", $$1, $$2 }'

lab: $(READY) ## install, get Fashion-MNIST, open JupyterLab on nbs/
	@echo "== Fashion-MNIST: looking for it, else downloading 30 MB"
	@said=$$(MINIAI_TIER=quick $(PY) -c "from miniai.data import fashion_mnist; fashion_mnist()" 2>&1) && echo "   there" || \
		echo "   not to be had, so MINIAI_TIER=smoke and its sample must do: $$(echo "$$said" | tail -n 1)"
	@echo "== JupyterLab on nbs/ (stop it with Ctrl-C)"
	@[ "$$(uname)" = Linux ] && [ -z "$$DISPLAY$$WAYLAND_DISPLAY" ] && set -- --no-browser; \
		[ "$$(id -u)" -ne 0 ] || set -- "$$@" --allow-root; \
		$(IN) jupyter lab --notebook-dir nbs "$$@"

test: $(READY) ## run every notebook (smoke tier) and tests/
	@echo "== notebooks, smoke tier, $(WORKERS) at a time"
	@$(IN) MINIAI_TIER=smoke OMP_NUM_THREADS=1 nbdev-test --n-workers $(WORKERS) --do-print || \
		{ echo "FAILED: a notebook (its error is above)"; exit 1; }
	@echo "== tests/"
	@$(IN) MINIAI_TIER=smoke python -m pytest -q tests

notebook: $(READY) ## run one in full and save its outputs: make notebook NB=10 SEED=3
	@set -- nbs/$(NB)_*.ipynb; [ -n "$(NB)" ] && [ -e "$$1" ] || \
		{ echo "miniai: no notebook NB=$(NB): give the two digits that one in nbs/ begins with" >&2; exit 1; }
	@echo "== nbs/$(NB)_*.ipynb in full, seed $(SEED)"
	@$(IN) MINIAI_TIER=full MINIAI_SEED=$(SEED) jupyter nbconvert --to notebook --execute --inplace \
		--ExecutePreprocessor.store_widget_state=False --ExecutePreprocessor.timeout=-1 nbs/$(NB)_*.ipynb
	@$(IN) nbdev-clean

record: $(READY) ## train an entry of notebook 16 in full: make record EPOCHS=5 SEED=3
	@case "$(EPOCHS)" in 5|20|50) ;; \
		*) echo "miniai: no recipe for EPOCHS=$(EPOCHS): give 5, 20 or 50" >&2; exit 1;; esac
	@echo "== $(EPOCHS) epochs in full, seed $(SEED)"
	@MINIAI_TIER=full $(PY) -c "from miniai.challenge import record; record($(EPOCHS), seed=$(SEED))"

results: $(READY) ## fill in what README and notebooks quote from results/
	@echo "== README.md and nbs/ from results/"
	@$(PY) -c "from miniai.core import update_readme; update_readme()"

stamp: $(READY) ## write the Colab badge and install cell into every notebook
	@echo "== badges and install cells from settings.ini"
	@$(PY) -c "from miniai.core import stamp_notebooks; stamp_notebooks()"

export: $(READY) ## write miniai/ from the notebooks, and clean them
	@echo "== nbs/ to miniai/"
	@$(IN) nbdev-export && $(IN) nbdev-clean

bench: $(READY) ## time miniai beside others, about 35 minutes on 2 cores, into benchmarks/README.md (QUICK=1: try it, 3 minutes)
	@echo "== what benchmarks/ compares with"
	@$(PY) -m pip install -q -c requirements.lock -e '.[bench]'
	@$(PY) benchmarks/run.py $(if $(QUICK),--quick)

lock: $(READY) ## write requirements.lock anew
	@echo "== requirements.lock from settings.ini"
	@$(PY) -m pip install -q uv
	@$(IN) uv pip compile -q --universal --python-version $$(sed -n 's/^min_python *= *//p' settings.ini) --upgrade \
		--extra dev --extra bench --no-annotate --no-header --no-emit-index-url --no-emit-find-links pyproject.toml -o requirements.lock

workbook: $(READY) ## write the spreadsheet of notebook 04, with LibreOffice its pictures too
	@echo "== nbs/workbook/"
	@$(PY) nbs/workbook/make.py

clean: ## remove caches and builds (the environment and the notebooks' outputs stay)
	@echo "== removing caches and builds"
	@rm -rf build dist *.egg-info .pytest_cache .hypothesis
	@find . -path ./.venv -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -type d -prune -exec rm -rf {} +

$(VENV)/.ready: requirements.lock settings.ini setup.py pyproject.toml
	@sh .ci/setup.sh "$(VENV)" "$(PYTHON)"

active-python:
	@sh .ci/setup.sh "" "$(PYTHON)"
