# `make` lists the targets. Only Python 3.11 or newer, git, make and a package registry are needed; which registry is the machine's affair.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --no-builtin-rules

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup-stamp
WORKERS ?= 2

SCRIPTS := $(if $(wildcard scripts/*.py),scripts)
BENCHMARKS := $(wildcard benchmarks/*.py)
FAST_TESTS := $(wildcard tests/unit tests/architecture)
# Every folder of tests that `check` has not run already.
SLOW_TESTS = $(shell find tests -name 'test_*.py' -not -path 'tests/unit/*' -not -path 'tests/architecture/*' | cut -d/ -f1,2 | sort -u)

# $(call group,NAME,COMMAND): run one group of checks, and say which one failed.
define group
	printf '%s\n' '── $(1)'
	$(2) || { printf '%s\n' 'check: the group "$(1)" failed' >&2; exit 1; }
endef

.PHONY: help setup up services test check bench chaos-quick chaos wheel lock

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## make .venv with everything pinned in requirements/, Pulse itself editable

$(STAMP): $(wildcard requirements/*.txt) pyproject.toml scripts/setup.sh
	@scripts/setup.sh $(VENV)
	touch $@

up: setup ## start Pulse, everything in one process
	@exec $(BIN)/pulse up

services: ## see to PostgreSQL, Redis, NATS and Chromium for the tests, as far as this machine allows
	@scripts/services.sh

test: services check ## everything: `check`, then all other tests
	@$(if $(SLOW_TESTS),$(BIN)/python -m pytest $(SLOW_TESTS) -n $(WORKERS) --dist worksteal,true)

check: setup ## about a minute: format, lint, types, imports, unit and architecture tests; stops at the first group that fails
	@$(call group,format,$(BIN)/ruff format --check .)
	$(call group,lint,$(BIN)/ruff check --quiet --output-format concise .)
	$(call group,types,$(BIN)/mypy --no-error-summary src tests $(SCRIPTS) $(BENCHMARKS))
	$(call group,imports,$(BIN)/lint-imports --no-logo > $(VENV)/imports.log || { cat $(VENV)/imports.log; false; })
	$(call group,unit and architecture tests,$(BIN)/python -m pytest $(FAST_TESTS) -n $(WORKERS) --dist worksteal)

bench: setup ## every benchmark that needs nothing but Pulse
	@exec $(BIN)/pulse bench all

chaos-quick: setup services ## six minutes of kill -9, frozen processes, lying networks
	@$(BIN)/python -m pytest tests/chaos -q -p no:randomly --chaos=quick

chaos: setup services ## the same for up to an hour
	@$(BIN)/python -m pytest tests/chaos tests/contract/engine/crashes -q -p no:randomly --chaos=full

wheel: setup ## dist/*.whl and dist/*.tar.gz
	@$(BIN)/uv build --quiet --wheel --out-dir dist
	$(BIN)/uv build --quiet --sdist --out-dir dist
	ls -l dist

lock: setup ## pin again from pyproject.toml; UPGRADE=--upgrade takes newer releases, none younger than seven days
	@UV=$(BIN)/uv scripts/lock.sh $(UPGRADE)
