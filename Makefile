# make help lists the targets. VENV=folder names another environment; VENV= (empty) uses the python that is active.
# What is given on the command line is data: it is never expanded here, and reaches the commands through the environment.
VARIABLES := VENV PYTHON WORKERS NB SEED SEEDS ARGS QUICK
VENV    ?= .venv
PYTHON  ?= python3
WORKERS ?= 2
SEED    ?= 42
$(foreach v,$(VARIABLES),$(eval override $(v) := $$(value $(v))))
export $(VARIABLES)
MAKEOVERRIDES =

# In front of a command: make the environment if need be, then run the command from it.
IN := @sh .ci/in.sh

.PHONY: help lab test test-slow test-all check web notebook experiments results stamp export bench lock workbook site site-pdf site-links environment clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | awk -F '\t' '{ printf "make %-11s %s\n", $$1, $$2 }'

lab: ## install, get Fashion-MNIST, open JupyterLab at the table of lessons (ARGS='--port 8899' is handed on)
	$(IN) sh .ci/lab.sh

test: ## run every notebook (smoke tier) and the fast tests
	$(IN) sh .ci/test.sh

test-slow: ## run tests/slow: packaging, processes, benchmarks, spreadsheet engine, interactives in a browser
	$(IN) sh .ci/test.sh slow

test-all: test test-slow ## both

check: ## one lesson while you work on it: export, smoke, its exercises and tests: make check NB=07
	@sh .ci/lesson.sh check

notebook: ## run one lesson and save its outputs: make notebook NB=10 SEED=3
	@sh .ci/lesson.sh notebook

experiments: ## train what the ledger lacks of a lesson's experiments: make experiments NB=13 SEEDS=8
	@sh .ci/lesson.sh experiments

results: ## write RESULTS.md, and what README and notebooks quote, from results/
	$(IN) python tools/results.py

stamp: ## write badges, install cells and CITATION.cff from settings.ini, nbs/index.ipynb from the README's table
	$(IN) python tools/stamp.py

export: ## write miniai/ from the notebooks, and clean them
	$(IN) sh .ci/export.sh

bench: ## time miniai beside others, about 35 minutes on 2 cores, into benchmarks/README.md (QUICK=1: try it, 3 minutes)
	$(IN) sh .ci/bench.sh

web: ## bundle web/ into the package and picture how each interactive opens (needs Node.js 20 and Chromium)
	@cd web && npm ci --silent
	$(IN) python tools/stills.py

lock: ## write requirements.lock anew
	$(IN) sh .ci/lock.sh

workbook: ## write the spreadsheet of lesson 05, with LibreOffice its pictures too
	$(IN) python tools/make_workbook.py

site: ## build the pages from the saved notebooks into _site/, running nothing; open _site/index.html
	$(IN) sh .ci/site.sh

site-pdf: ## the lessons as one PDF, _site/miniai.pdf, out of the pages (needs Chromium)
	$(IN) sh .ci/site.sh pdf

site-links: ## ask every address that the pages lead to outside whether it still answers (needs a network)
	$(IN) sh .ci/site.sh links

environment: ## make the environment, and nothing else
	$(IN) true

clean: ## remove caches and builds (the environment and the notebooks' outputs stay)
	@echo "== removing caches and builds"
	@rm -rf _site build dist *.egg-info .pytest_cache .hypothesis
	@find . -path ./.venv -prune -o \( -name __pycache__ -o -name .ipynb_checkpoints \) -type d -prune -exec rm -rf {} +
