# Slipway's front door: `make` lists the targets.
STACK ?= dev
PYTHON ?= python3
export PULUMI_BACKEND_URL ?= file://$(CURDIR)/.slipway/state
export PULUMI_SKIP_UPDATE_CHECK ?= true
ifeq ($(STACK),dev)
# Fixed and no secret: the dev stack holds none. Every other stack chooses its own.
export PULUMI_CONFIG_PASSPHRASE ?= slipway-dev
# The dev stack is local: without this the engine would fetch the plugin of every cloud SDK in the virtualenv.
export PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION ?= true
endif
export PATH := $(CURDIR)/.slipway/bin:$(CURDIR)/.venv/bin:$(PATH)
export PYTHONPATH := $(CURDIR)
SLIPWAY := .venv/bin/python -m slipway.cli
# Levels and exceptions of policies; a stack may have its own.
POLICY = --policy-pack policy --policy-pack-config $(firstword $(wildcard policy/config.$(STACK).json) policy/config.json)
# SERVICES="digits linear": only these change, the others keep what they serve.
KEEP = $(if $(SERVICES),SLIPWAY_KEEP="$$($(SLIPWAY) stack keep --stack $(STACK) $(SERVICES))" && export SLIPWAY_KEEP &&)

.DEFAULT_GOAL := help
.PHONY: help setup install engine plugins select up preview down test test-cluster test-cluster-full test-page test-faults simulate bench variants check audit lock

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: engine ## the virtualenv and the Pulumi engine; prints the settings for plain `pulumi` commands
	@echo
	@echo "For plain pulumi, pytest and slipway commands in this shell:"
	@echo "  export PATH=$(CURDIR)/.slipway/bin:$(CURDIR)/.venv/bin:\$$PATH"
	@echo "  export PULUMI_BACKEND_URL=$(PULUMI_BACKEND_URL)"
	@echo "  export PULUMI_SKIP_UPDATE_CHECK=true PULUMI_CONFIG_PASSPHRASE=$(or $(filter slipway-dev,$(PULUMI_CONFIG_PASSPHRASE)),<the stack's own>)"
ifeq ($(STACK),dev)
	@echo "  export PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true"
endif

install: .venv/bin/slipway

.venv/ready: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "$(PYTHON) is older than 3.11: name a newer one, as in: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' || { echo "$(PYTHON) has no venv module: install it (Debian and Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@echo "Setting up .venv (about a minute, once)"
	@$(PYTHON) -m venv --clear .venv
	@.venv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r tools/uv.txt
	@UV_COMPILE_BYTECODE=1 .venv/bin/uv pip install --quiet --python .venv/bin/python --require-hashes -r requirements.txt
	@touch $@

.venv/bin/slipway: .venv/ready Makefile
	@printf '#!/bin/sh\nPYTHONPATH="%s" exec "%s/.venv/bin/python" -m slipway.cli "$$@"\n' "$(CURDIR)" "$(CURDIR)" > $@
	@chmod +x $@

engine: install
	@$(PYTHON) tools/engine.py --bin .slipway/bin --quiet
	@case "$(PULUMI_BACKEND_URL)" in file://*) mkdir -p "$(PULUMI_BACKEND_URL:file://%=%)";; esac

select: engine
	@pulumi stack select $(STACK) --create

up: select ## build, judge and serve the stack's models (STACK=dev SERVICES=all of them)
	@$(SLIPWAY) recover --stack $(STACK)
	@$(KEEP) $(SLIPWAY) stack build --stack $(STACK) && \
	$(SLIPWAY) preflight --stack $(STACK) && \
	pulumi up --stack $(STACK) --yes $(if $(filter dev,$(STACK)),--skip-preview) --suppress-outputs $(POLICY)
	@$(SLIPWAY) stack show --stack $(STACK)

preview: select ## what `make up` would change
	@$(SLIPWAY) recover --stack $(STACK)
	@$(KEEP) $(SLIPWAY) stack build --stack $(STACK) && \
	$(SLIPWAY) preflight --stack $(STACK) --advise && \
	pulumi preview --stack $(STACK) --diff --suppress-outputs $(POLICY)

down: select ## take the stack down, then look for anything left
	@$(SLIPWAY) recover --stack $(STACK)
	@$(SLIPWAY) stack removable --stack $(STACK)
	@identity="$$($(SLIPWAY) stack identity --stack $(STACK))" && \
	pulumi destroy --stack $(STACK) --yes --skip-preview --suppress-outputs && \
	pulumi stack rm $(STACK) --yes --preserve-config && \
	$(SLIPWAY) stack sweep --stack $(STACK) --identity "$$identity"

test: engine ## the tests, two files at a time
	@SLIPWAY_NEEDS_ENGINE=1 .venv/bin/python -m pytest -n 2 --dist loadfile

plugins: install ## the real Kubernetes plugin for the test cluster; builds it once where none is installed
	@$(PYTHON) tools/plugins.py

test-cluster: engine ## the tests on a real Kubernetes of one node: Linux and root; builds it once, see docs/cluster.md
	@SLIPWAY_NEEDS_ENGINE=1 .venv/bin/python -m pytest tests/cluster

test-cluster-full: engine ## the same, and what takes minutes more: every alert end to end
	@SLIPWAY_FULL=1 SLIPWAY_NEEDS_ENGINE=1 .venv/bin/python -m pytest tests/cluster

test-page: install ## the page in a real Chromium, which has to be there; and explanations of held-out digits
	@$$($(SLIPWAY) venv requirements.txt tests/page/requirements.txt) -m pytest tests/page

test-faults: engine ## faults and abuse in earnest, about two and a half hours; writes docs/faults, cluster and recovery
	@.venv/bin/python -m pytest tests/faults
	@.venv/bin/python -m tests.faults.fault_table
	@.venv/bin/python -m tests.faults.recovery_table --kills 50 --write
	@.venv/bin/python -m tests.cluster.earnest

simulate: engine ## a stack's whole life in a simulated cloud: make simulate STACK=... [PROGRAM=folder]
	@.venv/bin/python -m slipway.simulator.simulate --stack $(STACK) $(if $(PROGRAM),--program $(PROGRAM))

bench: install ## the service beside what others serve with; writes docs/benchmarks.md
	@.venv/bin/python -m bench

variants: install ## models beside OpenVINO and plain quantizing (6 GB for PyTorch); writes docs/models.md
	@.venv/bin/python -m bench.variants

# mypy reads folders, and no __path__: it gets the package as the interpreter sees it.
check: install ## format, lint and types
	@python="$$($(SLIPWAY) venv tools/checkers.txt)" && bin="$$(dirname "$$python")" && \
	"$$bin/ruff" format --check . && "$$bin/ruff" check . && "$$bin/hadolint" service/Dockerfile && \
	rm -rf .slipway/types && mkdir -p .slipway/types/slipway && \
	for room in slipway/*.py slipway/*/ infra service policy; do ln -s "$(CURDIR)/$${room%/}" .slipway/types/slipway/; done && \
	"$$bin/mypy" --python-executable .venv/bin/python -p slipway && \
	"$$bin/mypy" --python-executable .venv/bin/python tools __main__.py

audit: install ## what is pinned, against the known vulnerabilities of OSV (api.osv.dev)
	@.venv/bin/python tools/audit.py "$$($(SLIPWAY) venv tools/audit.txt)"

lock: install ## compile every requirements.in anew
	@for set in requirements service/requirements service/requirements-gpu service/requirements-gpu-12 bench/requirements bench/keras bench/variants bench/openvino \
	    tests/service/peers tests/page/requirements tests/pipeline/buckets slipway/ops/models/buckets slipway/ops/models/bills tools/audit tools/checkers tools/checkov \
	    tools/iam tools/kubernetes-validate tools/workflows tools/uv tools/grafana tests/cli/clouds; do \
	  .venv/bin/uv pip compile --quiet --generate-hashes --no-header --universal --python-version 3.11 $$set.in -o $$set.txt || exit 1; done
	@$(SLIPWAY) model lock
	@$(SLIPWAY) model lock $(patsubst %/,%,$(dir $(wildcard models/*/requirements.in tests/models/*/requirements.in)))
