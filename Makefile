# make install, demo, test, check, docs, pipeline, wheel, bench, mutants, audit: each installs into .venv from constraints.txt; the second time that does nothing.
PYTHON ?= python3
BIN := .venv/bin
# In how many processes the tests run; each takes a core and 1.5 GB.
PROCESSES ?= 2

.PHONY: install demo test check docs pipeline wheel bench mutants audit

install: .venv/installed

.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch==$$(sed -n 's/^torch==//p' constraints.txt)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: install
	$(BIN)/trajvq fit --config configs/recon.yaml
	$(BIN)/trajvq test --config configs/recon.yaml
	$(BIN)/trajvq report runs/recon/latest --out runs/recon/latest/report.html
	@echo "pictures: runs/recon/latest/media; open runs/recon/latest/report.html"

test: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(PROCESSES) --dist worksteal

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

docs: install  # the site, in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "site: site/index.html"

pipeline: install  # all four phases on 200 clips and on the default data; CLIPS=PATH: on yours
	$(BIN)/python experiments/pipeline/pipeline.py $(if $(CLIPS),--clips $(CLIPS))

wheel: install
	$(BIN)/python -m build --wheel

bench: install
	$(BIN)/python experiments/bench/bench.py

mutants: install  # guards of metrics and tasks taken out, one at a time: does a test fail?
	OMP_NUM_THREADS=1 $(BIN)/python experiments/mutants/run.py

audit: install  # known vulnerabilities in what constraints.txt pins; needs the network
	$(BIN)/python -m pip install --quiet pip-audit
	$(BIN)/pip-audit --requirement constraints.txt --no-deps --disable-pip
