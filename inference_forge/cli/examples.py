"""Command lines to begin with, shown by --help, in the manual and on the pages of the reference."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

EXAMPLES: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "": (
        (
            "Label a table with the embedded classifier, free and offline",
            "forge classify tickets.csv",
        ),
        ("Ask a model", "forge classify tickets.csv --provider openai --model gpt-5-mini"),
        ("See who is ready to answer", "forge providers"),
        ("See what ran, and how it ended", "forge runs"),
    ),
    "classify": (
        ("Write tickets.results.csv beside the table", "forge classify tickets.csv"),
        (
            "Ask a model about several tickets in each request, for 2.50 at most",
            "forge classify tickets.csv --provider sarvam --pack --max-cost 2.50",
        ),
        (
            "Say first what that would cost",
            "forge classify tickets.csv --provider sarvam --dry-run",
        ),
        (
            "Use labels of your own, and send no addresses and numbers",
            "forge classify tickets.csv --taxonomy shop.toml --redact email,phone",
        ),
        (
            "Work in a pipe, JSON lines in and out",
            "forge classify - < tickets.jsonl > results.jsonl",
        ),
    ),
    "doctor": (
        (
            "Check the settings of a run, and ask the provider once",
            "forge doctor --provider sarvam",
        ),
        ("Send nothing", "forge doctor --offline"),
        (
            "Look at a server of your own",
            "forge doctor --provider vllm --base-url http://gpu:8000/v1 --model qwen3",
        ),
    ),
    "eval": (
        (
            "Compare results with right labels",
            "forge eval tickets.results.csv --gold gold.csv",
        ),
        (
            "End with 3 when too few are right",
            "forge eval tickets.results.csv --gold gold.csv --min-accuracy 0.85",
        ),
        (
            "See whether other results are better by more than chance",
            "forge eval tickets.results.csv --gold gold.csv --compare other.csv",
        ),
    ),
    "providers": (
        ("See who is ready here and now", "forge providers"),
        ("Ask hosted ones, too, whether they accept the key", "forge providers --check"),
        ("See all that is known of two of them", "forge providers ollama openai"),
    ),
    "report": (
        ("Make a page of a file of --events", "forge report events.ndjson -o report.html"),
        ("Write each chart as a picture, too", "forge report events.ndjson --charts charts"),
    ),
    "runs": (
        ("List the newest 20", "forge runs"),
        ("Show one in full", "forge runs 20260901T0130"),
        ("List all, for a script", "forge runs --limit 0 --json"),
    ),
    "runs list": (
        ("List the newest 5", "forge runs list --limit 5"),
        ("List all, for a script", "forge runs list --limit 0 --json"),
    ),
    "runs show": (
        ("The beginning of the name will do", "forge runs show 20260901T0130"),
        ("For a script", "forge runs show 20260901T0130 --json"),
    ),
    "runs diff": (
        ("What changed from Monday to Tuesday", "forge runs diff 20260901T0130 20260902T0130"),
        ("For a script", "forge runs diff 20260901T0130 20260902T0130 --json"),
    ),
    "runs prune": (
        ("Forget those of more than three months ago", "forge runs prune --older-than 90d"),
        ("Keep the newest 100", "forge runs prune --keep 100"),
    ),
    "schema": (
        ("What a line of --events is", "forge schema events"),
        ("Keep the schema of --summary-json", "forge schema summary > summary.schema.json"),
    ),
    "simulate": (
        ("Serve a model that answers at once", "forge simulate --port 8000"),
        (
            "Let it be slow, limited and out for a while",
            "forge simulate --port 8000 --latency 0.5 --rpm 600 --outage 10s:30s",
        ),
        (
            "Let it make mistakes, the same each time",
            "forge simulate --malformed-rate 0.05 --error-rate 0.02 --seed 7",
        ),
    ),
    "tune": (
        (
            "Find the pack size that changes no labels",
            "forge tune tickets.csv --provider openai --model gpt-5-mini --sample 500",
        ),
        (
            "See also how many answers are right, and ask nothing first",
            "forge tune gold.csv --gold gold.csv --provider sarvam --yes",
        ),
    ),
    "bench": (
        ("Measure a simulation, in under a minute", "forge bench --tickets 40 --reps 2"),
        (
            "Ask a provider about your own tickets, and keep what was found",
            "forge bench --tickets tickets.csv --provider sarvam --save monday.json",
        ),
        ("Compare two models", "forge bench --provider openai --models gpt-5-mini,gpt-5"),
        ("Find how many requests at once still gain", "forge bench --shape ladder"),
    ),
    "bench compare": (
        ("See what changed", "forge bench compare monday.json friday.json"),
        ("For a script", "forge bench compare monday.json friday.json --json"),
    ),
    "cache": (
        ("See what is kept", "forge cache stats"),
        ("Delete what is older than a month", "forge cache prune --older-than 30d"),
    ),
    "cache stats": (
        ("Look at your own cache", "forge cache stats"),
        ("Look at another one", "forge cache stats --cache-dir /srv/forge/cache"),
    ),
    "cache clear": (
        ("Delete every answer, after a question", "forge cache clear"),
        ("Ask nothing", "forge cache clear --yes"),
    ),
    "cache prune": (
        ("Delete what is older than a month", "forge cache prune --older-than 30d"),
        (
            "Of another cache",
            "forge cache prune --older-than 12h --cache-dir /srv/forge/cache",
        ),
    ),
    "cache reparse": (
        ("Read answers without a label again", "forge cache reparse"),
        ("Those that were asked for other labels", "forge cache reparse --taxonomy shop.toml"),
    ),
    "taxonomy": (
        ("Begin with the built-in one", "forge taxonomy init -o shop.toml"),
        ("See what could be better", "forge taxonomy check shop.toml"),
    ),
    "taxonomy init": (
        ("Copy the built-in one, to be changed", "forge taxonomy init -o shop.toml"),
        (
            "Make one from tickets with labels",
            "forge taxonomy init gold.csv -o shop.toml --label-column category",
        ),
    ),
    "taxonomy check": (
        ("See what could be better, and what its prompt costs", "forge taxonomy check shop.toml"),
        ("End with 3 when there is something", "forge taxonomy check shop.toml --strict"),
    ),
    "taxonomy show": (
        ("Print the instructions as they are sent", "forge taxonomy show shop.toml"),
        (
            "With two fields only",
            "forge taxonomy show shop.toml --fields category,priority",
        ),
    ),
    "version": (
        ("Paste this into a report of a bug", "forge version"),
        ("For a script", "forge version --json"),
    ),
}
"""By the command's words without `forge`: what each line is for, and the line."""
