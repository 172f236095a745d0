"""The least that a cached re-run can take: a bare script without checks, stages or promises.

    python benchmarks/speed_floor.py INPUT OUTPUT DATABASE PREFIX

Reads, decodes, normalises, hashes, looks up in blocks and writes, and does nothing else: no
guard, no order, no progress, no damaged row. `cached_rerun.py` runs it beside forge.
"""

from __future__ import annotations

import csv
import hashlib
import sqlite3
import sys
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

BLOCK: Final = 500
FIELDS: Final = ("category", "priority", "summary")


def answers(
    rows: Iterator[Any], text_of: Callable[[Any], tuple[str, str]], database: str, prefix: bytes
) -> Iterator[tuple[Any, dict[str, str]]]:
    """Yield each row with the values that are stored for its text."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    marks = ",".join("?" * BLOCK)
    select = f"SELECT key, value FROM Cache WHERE raw = 1 AND key IN ({marks})"  # noqa: S608
    base = hashlib.sha256(prefix)
    while block := list(islice(rows, BLOCK)):
        keys = []
        for row in block:
            digest = base.copy()
            text = "\n".join([" ".join(part.split()) for part in text_of(row)])
            digest.update(text.encode())
            keys.append(digest.digest())
        found = dict(connection.execute(select, keys + [b""] * (BLOCK - len(keys))))
        for row, key in zip(block, keys, strict=True):
            yield row, orjson.loads(found[key])[2]


def rerun_lines(source: Path, target: Path, database: str, prefix: bytes) -> None:
    """Answer JSON lines."""
    with source.open("rb") as lines, target.open("wb") as out:
        rows = map(orjson.loads, lines)
        for row, values in answers(
            rows, lambda row: (row["subject"], row["description"]), database, prefix
        ):
            out.write(orjson.dumps({**row, **values}) + b"\n")


def rerun_table(source: Path, target: Path, database: str, prefix: bytes) -> None:
    """Answer a table."""
    with (
        source.open(encoding="utf-8", newline="") as table,
        target.open("w", encoding="utf-8", newline="") as out,
    ):
        rows = csv.reader(table)
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([*next(rows), *FIELDS])
        answered: Iterable[tuple[list[str], dict[str, str]]] = answers(
            rows, lambda row: (row[1], row[2]), database, prefix
        )
        writer.writerows([*row, *values.values()] for row, values in answered)


def main() -> None:
    """Answer one file."""
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    rerun = rerun_table if source.suffix == ".csv" else rerun_lines
    rerun(source, target, sys.argv[3], Path(sys.argv[4]).read_bytes())


if __name__ == "__main__":
    main()
