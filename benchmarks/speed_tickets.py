"""Tickets for the speed benchmarks, and a cache that holds the answers to them.

    python benchmarks/speed_tickets.py DIRECTORY ROWS [--entries ENTRIES]

Writes `tickets.jsonl` and `tickets.csv` of ROWS different tickets, `cache/` with the answers to
the first ENTRIES tickets there could be (default: to all), and `prefix`, which is what the
floor hashes before a ticket's text. The benchmarks run this as a process of its own, so that
what it takes of memory is not counted.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from inference_forge.adapters.cache import open_cache
from inference_forge.app.answering import open_answering
from inference_forge.core.fingerprint import Fingerprinter
from inference_forge.core.prompt import PROMPT_VERSION
from inference_forge.core.taxonomy import BUILT_IN
from inference_forge.core.text import join_parts
from inference_forge.models import CacheEntry, Usage
from inference_forge.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED: Final = 8
NOW: Final = time.time  # noqa: TID251 - a script has no clock but this
BLOCK: Final = 5_000
TEXT: Final = (
    "the printer in our office shows an error after the last update and nobody can print since "
    "this morning please help because invoices are due today we tried to restart it twice but "
    "payment page answers with a blank screen when customers use their card account is charged"
)
WORDS: Final = TEXT.split(" ")
NAMES: Final = ("id", "subject", "description", "customer")


def tickets(rows: int) -> Iterator[dict[str, str]]:
    """Yield different tickets, of 11 to 60 words; the first are always the same."""
    chance = random.Random(SEED)
    for number in range(rows):
        words = chance.choices(WORDS, k=chance.randint(7, 50))
        yield {
            "id": f"T-{number:07}",
            "subject": " ".join((*words[:3], f"number {number}")),
            "description": " ".join(words[3:]),
            "customer": f"customer {number % 977}",
        }


def write_inputs(directory: Path, rows: int) -> None:
    """Write the tickets in both formats."""
    with (
        (directory / "tickets.jsonl").open("wb") as lines,
        (directory / "tickets.csv").open("w", encoding="utf-8", newline="") as table,
    ):
        writer = csv.DictWriter(table, NAMES, lineterminator="\n")
        writer.writeheader()
        for ticket in tickets(rows):
            lines.write(orjson.dumps(ticket) + b"\n")
            writer.writerow(ticket)


def fill_cache(directory: Path, entries: int) -> None:
    """Write the cache, as the simulated provider's answers, and the prefix of its keys."""
    loaded = load_settings({"provider": "simulated"}, environ={})
    provider = open_answering(loaded, BUILT_IN, {}).provider
    keys = Fingerprinter(taxonomy=BUILT_IN, model=provider.model, generation=provider.generation)
    context = [
        PROMPT_VERSION, BUILT_IN.canonical(), provider.model, sorted(provider.generation.items()),
    ]  # fmt: skip
    (directory / "prefix").write_bytes(json.dumps(context, sort_keys=True).encode() + b"0::")
    cache = open_cache(directory / "cache", clock=NOW, on_warning=print)
    values = {"category": "billing", "priority": "high", "summary": "A payment failed twice."}
    entry = CacheEntry(json.dumps(values), values, provider.model, Usage(410, 32), stored_at=NOW())
    block: dict[bytes, CacheEntry] = {}
    for ticket in tickets(entries):
        block[keys.of(join_parts((ticket["subject"], ticket["description"])), "")] = entry
        if len(block) >= BLOCK:
            cache.put_many(block)
            block = {}
    if block:
        cache.put_many(block)
    cache.close()


def main() -> None:
    """Write what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("rows", type=int)
    parser.add_argument("--entries", type=int)
    options = parser.parse_args()
    options.directory.mkdir(parents=True, exist_ok=True)
    write_inputs(options.directory, options.rows)
    fill_cache(options.directory, options.rows if options.entries is None else options.entries)


if __name__ == "__main__":
    main()
