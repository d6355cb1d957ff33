# The same commands for those who have make.
.PHONY: demo test soak bench format
demo:
	python3 tools/run.py demo
test:
	python3 tools/run.py test
soak:
	python3 tools/run.py soak
bench:
	python3 tools/run.py bench
format:
	.venv/bin/ruff check --fix . && .venv/bin/ruff format .
