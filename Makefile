# The few commands of this project; `make` alone lists them. PYTHON=... names the interpreter .venv is made with.
.DEFAULT_GOAL := help
.PHONY: help install install-test run test prove check format bench
PYTHON ?=
export PYTHON

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1@/p' $(firstword $(MAKEFILE_LIST)) | column -t -s @ 2>/dev/null || grep '##' $(firstword $(MAKEFILE_LIST))

install: ## make .venv and the browser modules, and nothing else
	@tools/install.sh

run: install ## serve a seeded classroom on this machine; Ctrl-C stops it
	@exec .venv/bin/python -m server demo

test: install-test ## every test, in real databases and a real browser
	@tools/test.sh

prove: install-test ## the long proofs: kills, loss and load, repeated
	@.venv/bin/python -m pytest -s -m prove --timeout 1800

check: install-test ## format, lint and types
	@tools/check.sh

format: install-test ## repair what the formatter and linter can
	@.venv/bin/ruff check --fix --quiet . ; .venv/bin/ruff format .

bench: install-test ## measurements beside their peers, as ratios
	@.venv/bin/python -m bench

install-test:
	@tools/install.sh --test
