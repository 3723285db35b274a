# SPDX-License-Identifier: Apache-2.0
# Everything that one does with this tree, each by one command.  `make help` lists them.

VENV := .venv
BIN := $(VENV)/bin
# Passed on: to `nova-lite up`, to the benchmarks.
ARGS :=
# What pytest runs; `make test TESTS=tests/unit` for less.
TESTS :=
# These need no quiet machine, so each core takes a share of their files.
SHARED_TESTS := tests/unit tests/architecture tests/wire tests/contracts
# These kill processes and wait for others: one test after the other, as three files at a time failed on a machine that stalls.
WAITING_TESTS := tests/flows tests/live
# Guests of QEMU, of which each takes its seconds.
GUEST_TESTS := tests/contracts tests/guests
# How many requests `make fuzz` makes up for an operation, beside those at the edges of its schemas.
EXAMPLES := 20

.DEFAULT_GOAL := help
.SUFFIXES:

.PHONY: help
help: ## list what there is
	@sed -n 's/^\([a-z-]*\):.*## /  make \1 \t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

# One stamp for each set of extras: pip is asked again only when the requirements changed.
$(VENV)/.made-%: setup.cfg pyproject.toml
	@tools/make-venv.sh $(VENV) 'nova-lite[$(subst +,$(comma),$*)]' --editable '.[$(subst +,$(comma),$*)]'
	@touch $@
comma := ,

.PHONY: up
up: $(VENV)/.made-client+consoles libvirt ## run the service: all in one place, until Ctrl-C
	@exec $(BIN)/nova-lite up $(ARGS)

.PHONY: test
test: packages lint libvirt ## install what the tests need, then run lint and every test
ifeq ($(TESTS),)
	@echo '==> Testing $(SHARED_TESTS), then $(WAITING_TESTS)'
	@status=0; \
	$(BIN)/python -m pytest -m 'not guests' -n auto --dist loadfile $(SHARED_TESTS) || status=1; \
	$(BIN)/python -m pytest -m 'not guests' $(WAITING_TESTS) || status=1; \
	exit $$status
else
	@echo '==> Testing $(TESTS)'
	@exec $(BIN)/python -m pytest $(TESTS)
endif

.PHONY: guests
guests: packages $(VENV)/.made-test+lint libvirt ## run the tests with real guests; TESTS=tests/guests for a part
	@echo '==> Testing real guests in $(or $(TESTS),$(GUEST_TESTS))'
	@exec $(BIN)/python -m pytest -m guests $(or $(TESTS),$(GUEST_TESTS))

# Its bindings are compiled against the installed libvirt. Where that is not there, or cannot be compiled against,
# there are no real guests; whoever needs them says so.
.PHONY: libvirt
libvirt:
	@if pkg-config --exists libvirt 2>/dev/null; then \
	    $(MAKE) --no-print-directory $(VENV)/.made-libvirt || \
	    echo '==> libvirt-python could not be built, so there are no real guests'; fi

.PHONY: packages
packages:
	@tools/install-packages.sh packages.apt

.PHONY: lint
lint: $(VENV)/.made-test+lint ## ruff and mypy
	@echo '==> ruff'
	@$(BIN)/ruff check --quiet .
	@echo '==> mypy'
	@$(BIN)/mypy --no-error-summary

# The services have an environment of their own, beside ours; their requirements are not ours.
CLOUD_VENV := .venv-cloud
$(CLOUD_VENV)/.made: tests/cloud/requirements.txt tools/make-venv.sh
	@tools/make-venv.sh $(CLOUD_VENV) 'Keystone, Glance, Neutron, Cinder and Placement' --requirement tests/cloud/requirements.txt
	@touch $@

.PHONY: cloud
cloud: packages $(VENV)/.made-test+lint $(CLOUD_VENV)/.made ## run it among real Keystone, Glance, Neutron, Cinder and Placement
	@echo '==> Testing tests/cloud'
	@NOVA_LITE_CLOUD=1 NOVA_LITE_CLOUD_VENV=$(CURDIR)/$(CLOUD_VENV) exec $(BIN)/python -m pytest $(or $(TESTS),tests/cloud)

.PHONY: bench
bench: packages $(VENV)/.made-test+lint ## measure the service against a bare application
	@exec $(BIN)/python -m benchmarks $(ARGS)

.PHONY: kill-matrix
kill-matrix: packages $(VENV)/.made-test+lint ## kill -9 at every step of every operation; writes the page in docs/
	@exec $(BIN)/python -m tests.chaos.kill_matrix --page docs/operator/kill-matrix.rst $(ARGS)

.PHONY: storm
storm: packages $(VENV)/.made-test+lint ## 1000 random operations while processes are killed every 3 seconds
	@exec $(BIN)/python -m tests.chaos.storm $(ARGS)

.PHONY: partition
partition: packages $(VENV)/.made-test+lint ## cut a compute host and a conductor off for a minute under load; as root
	@exec $(BIN)/python -m tests.chaos.partition $(ARGS)

.PHONY: docs
docs: $(VENV)/.made-docs ## build docs/_build/html; a warning is an error
	@echo '==> sphinx'
	@$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html

.PHONY: genconfig
genconfig: $(VENV)/.made-test+lint ## write the samples in etc/ and the pages of the API anew
	@$(BIN)/python tools/generate_samples.py
	@$(BIN)/python -W ignore tools/generate_pages.py

.PHONY: fuzz
fuzz: $(VENV)/.made-test+lint ## thousands of made-up requests, EXAMPLES of each operation and version
	@NOVA_LITE_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest -q tests/wire/test_schemathesis.py

.PHONY: clean
clean: ## remove what these commands made
	rm -rf $(VENV) $(CLOUD_VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis docs/_build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
