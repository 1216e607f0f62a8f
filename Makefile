# Two commands do everything on a fresh machine: `make demo` and `make test`.
.PHONY: setup demo test unit integration check bench bench-quick bench-cold bench-push bench-serve bench-lint system-libraries architectures equals-pip docs clean

# The first Python of 3.11 or later that is here; uv could bring one, but a machine for ML has one.
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v $$p; break; }; done)
BIN := .venv/bin
WORKERS ?= 2

setup: .venv/.ready

.venv/.ready: pyproject.toml serve/pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: Python 3.11 or later is needed" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable . --editable ./serve
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --compile-bytecode --group dev
	@touch $@

demo: setup
	$(BIN)/python examples/demo.py

test: setup
	tests/engines/install.sh
	$(MAKE) --no-print-directory check
	$(BIN)/python -m pytest -q -n $(WORKERS) tests -m "not docker and not podman and not runc and not network and not serving"
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadscope tests -m "(docker or podman or runc or network) and not serving"
	$(BIN)/python -m pytest -q tests -m serving

unit: setup
	$(BIN)/python -m pytest -q -n auto tests/unit tests/property -m "not docker and not podman and not runc and not network and not slow"

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: setup
	tests/engines/install.sh
	$(BIN)/python benchmarks/build.py

bench-quick: setup
	tests/engines/install.sh
	$(BIN)/python benchmarks/build.py --quick

bench-cold: setup
	tests/engines/install.sh
	$(BIN)/python benchmarks/cold_runner.py

bench-push: setup
	tests/engines/install.sh
	$(BIN)/python benchmarks/push.py

bench-serve: setup
	$(BIN)/python benchmarks/serve.py --json .work/bench-serve.json

bench-lint: setup
	$(BIN)/python benchmarks/lint.py

system-libraries: setup
	tests/engines/install.sh
	$(BIN)/python benchmarks/system_libraries.py

architectures: setup
	$(BIN)/python benchmarks/architectures.py

equals-pip: setup
	$(BIN)/python tests/equals_pip/compare.py
	PYTHONPATH=tests $(BIN)/python -m equals_pip.arm64

docs: setup
	$(BIN)/python docs/generate.py

clean:
	rm -rf .venv .work dist build .pytest_cache .mypy_cache .ruff_cache .hypothesis
