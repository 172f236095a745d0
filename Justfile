# What CI runs.
check:
    .ci/run

# Mend what can be mended by a tool.
fix:
    .venv/bin/ruff check --fix .
    .venv/bin/ruff format .

# Write the reference and the manual from the code, and build the site into site/.
docs:
    .venv/bin/python tools/reference.py
    .venv/bin/python tools/manual.py
    NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict

# The slow tier: minutes.
slow:
    .venv/bin/pytest -m slow

# Accuracy of the embedded classifier.
bench:
    .venv/bin/python benchmarks/accuracy.py --gold examples/tickets.gold.csv --near-duplicates

# Look for what no test has thought of: other examples in each run, ten times as many.
explore *tests:
    .venv/bin/pytest --hypothesis-profile=explore {{tests}}
