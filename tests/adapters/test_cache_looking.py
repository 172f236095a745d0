"""Looking into a cache without a trace."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from fakes_cache import NOW_S, Clock, Warnings, answer, change, filled, fingerprint

from inference_forge.adapters.cache import look_into_cache
from inference_forge.errors import CacheError

if TYPE_CHECKING:
    from pathlib import Path

    from inference_forge.adapters.cache import LookingCache


def looked_into(
    directory: Path | None, *, warnings: Warnings | None = None, ttl_s: float | None = None
) -> LookingCache:
    """Look into a cache an hour after its answers were stored."""
    return look_into_cache(
        directory,
        clock=Clock(NOW_S + 3600),
        ttl_s=ttl_s,
        on_warning=warnings if warnings is not None else Warnings(),
    )


def test_what_is_there_is_found(tmp_path: Path) -> None:
    """The rest is left out; closing twice is harmless, and then nothing is found."""
    stored = filled(tmp_path)
    cache = looked_into(tmp_path)
    assert cache.get_many([*stored, fingerprint(99)]) == stored
    assert cache.get_many([]) == {}
    cache.close()
    cache.close()
    assert cache.get_many(list(stored)) == {}


def test_nothing_is_created_where_nothing_is(tmp_path: Path) -> None:
    """Neither a directory nor a file."""
    with closing(looked_into(tmp_path / "cache")) as cache:
        assert cache.get_many([fingerprint(1)]) == {}
    with closing(looked_into(tmp_path)) as cache:
        assert cache.get_many([fingerprint(1)]) == {}
    with closing(looked_into(None)) as cache:
        assert cache.get_many([fingerprint(1)]) == {}
    assert list(tmp_path.iterdir()) == []


def test_the_database_stays_as_it_was(tmp_path: Path) -> None:
    """To the byte; and nothing can be stored."""
    filled(tmp_path)
    before = (tmp_path / "cache.db").read_bytes()
    with closing(looked_into(tmp_path)) as cache:
        cache.get_many([fingerprint(1)])
        with pytest.raises(CacheError, match="1 answers cannot be stored"):
            cache.put_many({fingerprint(1): answer()})
    assert (tmp_path / "cache.db").read_bytes() == before


def test_old_answers_and_damaged_rows_are_left_out(tmp_path: Path) -> None:
    """As in a run."""
    stored = filled(tmp_path)
    with closing(looked_into(tmp_path, ttl_s=3600)) as cache:
        assert cache.get_many(list(stored)) == {}
    with closing(looked_into(tmp_path, ttl_s=3601)) as cache:
        assert cache.get_many(list(stored)) == stored
    change(tmp_path, "UPDATE Cache SET value = x'00'")
    with closing(looked_into(tmp_path)) as cache:
        assert cache.get_many(list(stored)) == {}


def test_a_database_of_somebody_else_is_a_warning(tmp_path: Path) -> None:
    """And stays where it is."""
    (tmp_path / "cache.db").write_bytes(b"not a database" * 100)
    warnings = Warnings()
    with closing(looked_into(tmp_path, warnings=warnings)) as cache:
        assert cache.get_many([fingerprint(1)]) == {}
    assert warnings.codes == ["cache_unreadable"]
    assert [path.name for path in tmp_path.iterdir()] == ["cache.db"]
