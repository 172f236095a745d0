# What CI runs.
check:
    .ci/run

# Mend what can be mended by a tool.
fix:
    .venv/bin/ruff check --fix .
    .venv/bin/ruff format .

# The slow tier: minutes.
slow:
    .venv/bin/pytest -m slow

# Accuracy of the embedded classifier.
bench:
    .venv/bin/python benchmarks/accuracy.py --gold examples/tickets.gold.csv --near-duplicates
