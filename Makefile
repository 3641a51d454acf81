# Everything is done by .ci/bootstrap.py, so that Windows, which has no make, has the same commands.
# PYTHON=python3.12 make run    another Python;    ARGS="RUN" make run    options of vae-explorer
PYTHON ?= python3

.PHONY: run test test-slow bench

run test test-slow bench:
	@command -v $(PYTHON) >/dev/null 2>&1 || { echo "vae-explorer: there is no $(PYTHON); install it: sudo apt install python3 python3-venv" >&2; exit 1; }
	@$(PYTHON) .ci/bootstrap.py $@ $(ARGS)
