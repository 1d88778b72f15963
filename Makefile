# Every target makes its own set-up first: .venv with what requirements.lock and .torch pin.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv/bin
PORT ?= 8000
SIZE ?= small
SERVE ?= 1
SUITE ?=
JOBS ?= 2
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.PHONY: setup demo test lint format bench screenshots lock image-steps sbom audit

setup: .venv/ready

.venv/ready: requirements.lock requirements.torch pyproject.toml
	@test -x $(VENV)/python || $(PYTHON) -m venv .venv
	@echo "Installing the pinned packages into .venv ..."
	@$(VENV)/pip install --quiet --no-deps --require-hashes --requirement requirements.lock
	@$(VENV)/pip install --quiet --requirement requirements.torch
	@$(VENV)/pip install --quiet --no-deps --no-build-isolation --editable .
	@touch .venv/ready

demo: setup ## import, reconstruct, read, analyse, then serve a study to read
	@READERSTUDY_DEMO=1 $(VENV)/python manage.py demo --size $(SIZE) --port $(PORT) \
		$(if $(CASES),--cases "$(CASES)") $(if $(filter 0,$(SERVE)),--no-serve)

test: setup ## everything that needs neither PostgreSQL nor Redis, in JOBS processes
	@$(VENV)/python -m pytest --numprocesses $(JOBS) --dist loadfile $(TESTS)

lint: setup
	@$(VENV)/ruff check .
	@$(VENV)/ruff format --check .
	@$(VENV)/mypy
	@$(VENV)/python manage.py makemigrations --check --dry-run --verbosity 1

format: setup
	@$(VENV)/ruff check --fix .
	@$(VENV)/ruff format .

bench: setup ## all suites, or one: make bench SUITE=inference
	@$(VENV)/python -m bench $(SUITE)

screenshots: setup ## the pictures in docs/screenshots, from the running demo
	@READERSTUDY_DEMO=1 $(VENV)/python -m docs.screenshots

image-steps: setup ## the image's steps by hand, where there is no container engine
	@rm -rf var/image && mkdir -p var/image/source
	@cp pyproject.toml requirements.lock README.md LICENSE NOTICE docker/check_hashes.py var/image/source
	@$(PYTHON) -m venv var/image/venv
	@echo "Collecting and installing the image's packages in var/image ..."
	@cd var/image/source && ../venv/bin/python check_hashes.py --pins requirements.lock > pins.txt \
		&& ../venv/bin/pip wheel --quiet --wheel-dir ../wheels --constraint pins.txt ".[postgres,redis,s3,fastmri]" \
		&& ../venv/bin/python check_hashes.py requirements.lock ../wheels
	@var/image/venv/bin/pip install --quiet --no-index --no-deps var/image/wheels/*.whl
	@var/image/venv/bin/python docker/check_device.py $$(var/image/venv/bin/python -c \
		"import torch; print('cuda' if torch.version.cuda else 'cpu')")
	@READERSTUDY_IMAGE_PYTHON=$(CURDIR)/var/image/venv/bin/python $(VENV)/python -m pytest tests/security/test_image.py \
		tests/security/test_image_starts.py

lock: ## pin again what pyproject.toml asks for
	@rm -rf var/lock && mkdir -p var/lock
	@$(PYTHON) -m venv var/lock/product && $(PYTHON) -m venv var/lock/tools
	@var/lock/tools/bin/pip install --quiet uv
	@var/lock/product/bin/pip install --quiet setuptools --editable ".[test]"
	@var/lock/product/bin/pip freeze --all --exclude-editable | grep -v '^pip=\|^torch=' > var/lock/pins
	@{ head -n 1 requirements.lock; var/lock/tools/bin/uv pip compile --quiet --no-deps --generate-hashes --no-header \
		--no-annotate var/lock/pins; } > var/lock/new && mv var/lock/new requirements.lock

var/audit/ready:
	@$(PYTHON) -m venv var/audit
	@var/audit/bin/pip install --quiet "cyclonedx-bom>=7" "pip-audit>=2.9"
	@touch var/audit/ready

sbom: setup var/audit/ready ## what is installed, with versions and licences: var/sbom.json (CycloneDX)
	@var/audit/bin/cyclonedx-py environment $(VENV)/python --pyproject pyproject.toml --output-file var/sbom.json
	@echo "var/sbom.json lists the installed packages."

audit: setup var/audit/ready ## known vulnerabilities of the pinned packages, as far as the index knows any
	@var/audit/bin/pip-audit --requirement requirements.lock --requirement requirements.torch --no-deps --disable-pip
