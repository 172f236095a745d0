"""`forge cache stats`, `clear`, `prune` and `reparse`."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace
from running import forge, tickets

from inference_forge.adapters.cache.entry import decode_entry, encode_entry
from inference_forge.cli import cache as cache_command

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def cache(isolated: Path) -> Path:
    """Return the user's cache directory with two answers in it."""
    tickets(isolated / "in.csv", "one", "two")
    forge("classify", "in.csv")
    return isolated.parent / "home/.cache/inference-forge"


def test_stats_shows_what_is_there(cache: Path) -> None:
    """Path, answers, size, dates and models, on stdout."""
    done = forge("cache", "stats")
    lines = dict(line.split("  ", 1) for line in done.out.decode().splitlines())
    assert (done.code, done.err) == (0, "")
    assert {
        name: value.strip() for name, value in lines.items() if name in ("path", "answers")
    } == {
        "path": str(cache / "cache.db"),
        "answers": "2 (0 without a valid label)",
    }
    assert lines["model"].strip() == "local-baseline: 2"
    assert lines["stored"].endswith(" (UTC)")


def test_stats_of_nothing(isolated: Path) -> None:
    """A cache that does not exist is empty, and is not made by looking."""
    done = forge("cache", "stats", "--cache-dir", isolated / "none")
    assert (done.code, b"answers    0 " in done.out) == (0, True)
    assert not (isolated / "none").exists()


def test_the_cache_directory_is_a_setting_like_any_other(
    isolated: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flag, variable and forge.toml choose it, for `classify` and for `cache` alike."""
    (isolated / "forge.toml").write_text('cache_dir = "from-file"')
    assert str(isolated / "from-file") in forge("cache", "stats").out.decode()
    monkeypatch.setenv("FORGE_CACHE_DIR", str(isolated / "from-env"))
    assert str(isolated / "from-env") in forge("cache", "stats").out.decode()
    done = forge("cache", "stats", "--cache-dir", cache)
    assert b"answers    2 " in done.out
    forge("classify", "in.csv")
    assert (isolated / "from-env/cache.db").exists()


def test_clear_asks_first(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal nobody can say yes: nothing is deleted, and --yes is named."""
    done = forge("cache", "clear")
    assert (done.code, done.err) == (
        2,
        f"forge: error: nothing was deleted from {cache}; --yes deletes without asking\n",
    )
    assert b"answers    2 " in forge("cache", "stats").out
    monkeypatch.setattr(cache_command, "_is_sure", lambda _: True)
    done = forge("cache", "clear")
    assert (done.code, done.out.decode()) == (0, f"deleted 2 answers from {cache}\n")


def test_clear_without_asking(cache: Path) -> None:
    """--yes deletes; the next run pays again."""
    assert forge("cache", "clear", "--yes").out.decode() == f"deleted 2 answers from {cache}\n"
    assert forge("classify", "in.csv").summary["requests"] == "2"


def test_prune_deletes_what_is_older(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Younger answers stay."""
    assert forge("cache", "prune", "--older-than", "1h").out.startswith(b"deleted 0 answers")
    later = time.time() + 7200  # noqa: TID251 - what is patched below
    monkeypatch.setattr(time, "time", lambda: later)
    done = forge("cache", "prune", "--older-than", "1h")
    assert done.out.decode() == f"deleted 2 answers from {cache}\n"


def test_prune_names_a_time_it_does_not_understand() -> None:
    """Exit 2 with what is understood."""
    done = forge("cache", "prune", "--older-than", "yesterday")
    assert (done.code, done.err) == (
        2,
        (
            "forge: error: --older-than: 'yesterday' is no duration: use seconds, or a text "
            "such as 90s, 15m, 1h30m or 30d\n"
        ),
    )


def test_a_directory_that_is_no_cache_is_left_alone(isolated: Path) -> None:
    """Somebody's file in the place of the database is named and kept."""
    (isolated / "cache.db").write_bytes(b"not a database, and precious " * 50)
    for arguments in (("stats",), ("clear", "--yes"), ("prune", "--older-than", "1s")):
        done = forge("cache", *arguments, "--cache-dir", isolated)
        assert done.code == 5
        assert done.last.startswith("forge: error: ")
        assert "Traceback" not in done.err
    assert (isolated / "cache.db").read_bytes().startswith(b"not a database")


def test_a_damaged_cache_is_set_aside_and_shown(cache: Path) -> None:
    """A run starts anew with a warning; stats names the old file until it is deleted."""
    (cache / "cache.db").write_bytes(b"damaged " * 1000)
    done = forge("classify", "in.csv")
    assert (done.code, done.summary["requests"]) == (0, "2")
    assert "warning: " in done.err
    lines = forge("cache", "stats").out.decode().splitlines()
    (aside,) = (line for line in lines if line.startswith("set aside  "))
    assert aside.endswith(" (damaged; delete it when you do not need it)")


def test_reparse_turns_old_failures_into_results(cache: Path) -> None:
    """An answer that an earlier release could not read is a result, without a call."""
    with closing(sqlite3.connect(cache / "cache.db")) as connection, connection:
        rows = connection.execute("SELECT rowid, value FROM Cache ORDER BY rowid").fetchall()
        for (rowid, value), raw in zip(
            rows, ("category: billing\npriority: low", "?"), strict=True
        ):
            entry = decode_entry(value)
            assert entry is not None
            unparsed = encode_entry(replace(entry, raw=raw, values=None))
            connection.execute("UPDATE Cache SET value = ? WHERE rowid = ?", (unparsed, rowid))
    assert b"answers    2 (2 without a valid label)" in forge("cache", "stats").out
    for line in (
        "2 answers had no valid label; 1 of them have one now\n",
        "1 answers had no valid label; 0 of them have one now\n",
    ):
        done = forge("cache", "reparse")
        assert (done.code, done.out.decode(), done.err) == (0, line, "")
    assert b"answers    2 (1 without a valid label)" in forge("cache", "stats").out
    assert forge("classify", "in.csv").summary["requests"] == "1"


def test_reparse_reads_with_a_taxonomy(isolated: Path, cache: Path) -> None:
    """The flag, as in `classify`; a file that is missing is named."""
    done = forge("cache", "reparse", "--taxonomy", "none.toml")
    assert (done.code, done.last.startswith("forge: error: none.toml: cannot be read")) == (2, True)
    assert cache.exists()
    assert forge("cache", "reparse", "--cache-dir", isolated / "none").code == 0
    assert not (isolated / "none").exists()
