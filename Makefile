# `make run` starts the clinic, `make test` tests it; both do their own set-up.
# Needs Python 3.11 or newer and the Python package index, nothing else.

SHELL := /bin/bash
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$p; break; fi; done)
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check install --quiet --require-hashes

.PHONY: run test faults bench-dispatch bench-dispatch-slow bench-databases bench-plan bench-scale bench-admin bench-web bench-ways-in check install install-dev lock format messages clean screenshots

run: install
	@[ -f .env ] || export STEPWISE_DEMO="$${STEPWISE_DEMO:-true}"; exec $(PY) manage.py run

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev

$(VENV)/.made:
	@[ -n "$(PYTHON)" ] || { echo "Stepwise needs Python 3.11 or newer: install one, or name it with PYTHON=."; exit 1; }
	@echo "Making a virtual environment in $(VENV) ..."
	@$(PYTHON) -m venv --clear $(VENV) || { echo "This Python cannot make one: install its venv module (Debian: python3-venv)."; exit 1; }
	@touch $@

# Packages that come as source are built with the locked tools, never with freshly fetched ones.
$(VENV)/.built: requirements-build.txt $(VENV)/.made
	@$(PIP) -r requirements-build.txt
	@touch $@

$(VENV)/.installed: requirements.txt $(VENV)/.built
	@echo "Installing the locked packages (a minute or two, the first time) ..."
	@$(PIP) --no-build-isolation -r requirements.txt
	@touch $@

$(VENV)/.installed-dev: requirements-dev.txt $(VENV)/.installed
	@echo "Installing what the tests and checks need ..."
	@$(PIP) --no-build-isolation -r requirements-dev.txt
	@touch $@

# Everything that can run: the checks, then the whole suite on both databases.
# ARGS goes to pytest; NO_SKIPS=1 fails when something could not run.
test: check
	@$(PY) tests/both_databases.py $(if $(NO_SKIPS),--no-skips) $(ARGS)

# Measurements, each beside a reference of the same run (docs/performance.md). ARGS goes to the program.
bench-dispatch bench-dispatch-slow bench-databases bench-plan bench-scale bench-admin bench-web bench-ways-in: install-dev
	@$(PY) -m benchmarks.$(subst -,_,$@) $(ARGS)

# The fault tests at full size: hours. FAULTS_MAILS=1000 FAULTS_KILLS=40 make faults is shorter.
# TEST_DATABASE=postgresql runs them there.
faults: install-dev
	@FAULTS=full $(PY) -m pytest tests/faults -m fault -p no:randomly -q $(ARGS)

# Set as a real deployment would be, and on nothing that exists.
CHECK_ENV = env -u DATABASE_URL -u REDIS_URL -u EMAIL_BACKEND STEPWISE_ENV_FILE=/dev/null STEPWISE_DEMO=false \
	BASE_URL=https://portal.clinic.example SECRET_KEY=yQ7rB2mX9tLc4VwZk6HsNd8pJfGa3uEoRi5TbYnKqWvM1xC0zP8sLd \
	EMAIL_URL=smtp+tls://mail.clinic.example:587 VAR_DIR="$$folder"

check: install-dev
	@echo "ruff ..."; $(PY) -m ruff check . && $(PY) -m ruff format --check --quiet .
	@folder=$$(mktemp -d); trap 'rm -rf "$$folder"' EXIT; set -e; \
	echo "mypy ..."; $(CHECK_ENV) $(PY) -m mypy; \
	echo "compilemessages ..."; $(CHECK_ENV) $(PY) manage.py compilemessages > /dev/null; \
	echo "makemigrations --check ..."; $(CHECK_ENV) $(PY) manage.py makemigrations --check --dry-run; \
	echo "check --deploy ..."; $(CHECK_ENV) $(PY) manage.py check --deploy --fail-level WARNING --database default
	@if [ -d templates ]; then echo "djlint ..."; $(PY) -m djlint --quiet --lint templates; fi

# Lays out the code as `make check` wants it.
format: install-dev
	@$(PY) -m ruff check --fix-only --quiet . ; $(PY) -m ruff format .

# Brings locale/*/LC_MESSAGES/django.po up to date with the code, and counts what is to translate.
messages: install-dev
	@SECRET_KEY=unused STEPWISE_DEMO=true $(PY) manage.py makemessages

# Pictures of every page, from a demo that `make run` serves in another terminal.
screenshots: install-dev
	@$(PY) docs/screenshots.py $(ARGS)

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

# The locks name packages, versions and hashes, and no address to fetch them from.
LOCK = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command "make lock"
lock:
	$(LOCK) pyproject.toml -o requirements.txt
	$(LOCK) pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt
	$(LOCK) --group build -c requirements.txt -o requirements-build.txt
