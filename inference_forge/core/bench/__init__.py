"""Measuring what a model bears: figures, statistics, verdicts, charts."""
