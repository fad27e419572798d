# Custody. `make run` and `make test` need Python 3.11 or newer with pip, make, a shell and a package index.
PYTHON ?= python3
VENV_RUN = exec $(PYTHON) scripts/bootstrap.py run
VENV_DEV = exec $(PYTHON) scripts/bootstrap.py dev
SCALE ?= small
FAULTS ?= 100
KIND ?= faults
TRIALS ?= 100000
SEED ?= 1
WORKERS ?= auto
LOGIN ?= app
ARGS ?=

.PHONY: run test check bench chaos smoke accident demo psql

# Starts everything and stays in the foreground; Ctrl-C stops it. PORT=8000, CUSTODY_HOME=var.
run:
	@$(VENV_RUN) -m console.embedded.run

# All tests. ARGS is handed to pytest: make test ARGS="tests/audit -k capture".
test:
	@$(VENV_DEV) -m pytest -n $(WORKERS) --dist worksteal $(ARGS)

# Format, lint, types, layers, templates, migrations, governance, translations, documents.
check:
	@$(VENV_DEV) scripts/check.py

# Figures, into var/bench/latest.json.
bench:
	@$(VENV_DEV) -m bench $(KEYS) $(ARGS)

# Kills workers, backends and the server at random and checks what must hold. KIND=races: two at once, TRIALS times each.
chaos:
	@$(VENV_DEV) -m chaos --kind $(KIND) --trials $(TRIALS) --faults $(FAULTS) --seed $(SEED) $(ARGS)

# A fresh clone of the current commit, started, used with a real browser and through the API, stopped.
smoke:
	@$(VENV_DEV) scripts/smoke.py

# The article's accident, replayed on demo data.
accident:
	@$(VENV_RUN) -m console.embedded.command accident $(ARGS)

# psql as the application's login (LOGIN=owner: the owner's). Without a tenant there are no rows: SET custody.tenant = '1'.
psql:
	@CUSTODY_DB_LOGIN=$(LOGIN) $(VENV_RUN) -m console.embedded.command dbshell $(ARGS)

# Demo data: SCALE=small|medium|accident.
demo:
	@$(VENV_RUN) -m console.embedded.command demo --scale $(SCALE) $(ARGS)
