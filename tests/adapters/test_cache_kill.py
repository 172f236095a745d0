"""Answers that were stored survive the death of the process."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from fakes_cache import answer, fingerprint, opened

PROGRAM = """
import sys; sys.path[:0] = sys.argv[2:]
from pathlib import Path
from fakes_cache import answer, fingerprint, opened
cache = opened(Path(sys.argv[1]))
for block in range(1_000_000):
    numbers = range(block * 20, block * 20 + 20)
    cache.put_many({fingerprint(number): answer(number) for number in numbers})
    sys.stdout.write(f"{block}\\n"); sys.stdout.flush()
"""


@pytest.mark.parametrize("blocks", [1, 3, 40, 150])
def test_acknowledged_answers_survive_a_kill(tmp_path: Path, blocks: int) -> None:
    """After SIGKILL, without any clean-up, every acknowledged answer is found, and no junk."""
    places = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path), *places], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(blocks)]
        process.kill()
        acknowledged += [int(line) for line in process.stdout if line.endswith("\n")]
    count = (acknowledged[-1] + 1) * 20
    assert count >= blocks * 20
    with closing(opened(tmp_path)) as cache:
        found = cache.get_many([fingerprint(number) for number in range(count + 20)])
        for number in range(count):
            assert found[fingerprint(number)] == answer(number)
        assert len(found) in (count, count + 20)
