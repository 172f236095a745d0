"""Tokens per ticket: one request per ticket, packs of several sizes, and the usual prompt.

    python benchmarks/packing.py                                   # the examples
    python benchmarks/packing.py TICKETS.csv --text-column text    # any export

Category and priority only, built-in taxonomy. Requests are built by the code that a run uses;
answers are the shortest good ones. Tokens are counted with o200k_base (tiktoken), and frames by
the rule of OpenAI's cookbook: 3 tokens a message and 3 before the answer. Needs `tiktoken`; where
its file cannot be had from its own server, it is taken out of the litellm wheel, which ships it.
The exit code is 1 when a target is missed: packs of 20 at most 0.45 of one request per ticket, and
at most 0.30 of the usual prompt (a system prompt of about 90 tokens, JSON with a summary of twenty
words).
"""

from __future__ import annotations

import argparse
import csv
import os
import random
import subprocess
import sys
import tempfile
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from inference_forge.core.complexity import complexity_of
from inference_forge.core.packing.codes import CodeBook
from inference_forge.core.packing.plan import PackPlan, pack_plan
from inference_forge.core.packing.prompt import build_pack_prompt, pack_names
from inference_forge.core.prompt import build_prompt
from inference_forge.core.taxonomy import BUILT_IN, SUMMARY_FIELD
from inference_forge.models import Complexity, Message

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

EXAMPLES = Path(__file__).parents[1] / "examples/tickets.csv"
TAXONOMY = replace(
    BUILT_IN, fields=tuple(field for field in BUILT_IN.fields if field != SUMMARY_FIELD)
)
O200K = "fb374d419588a4632f3f557e76b4b70aebbca790"
"""The name under which tiktoken keeps o200k_base: the SHA-1 of its address."""

USUAL_SYSTEM = (
    "You are a support ticket classifier. Read the ticket and answer with a JSON object with the "
    "keys category, priority and summary. category is one of hardware_issue, software_issue, "
    "model_quality, billing, other. priority is one of low, medium, high, critical. summary is one "
    "line of at most 20 words that says what the customer wants. Do not add any other text, and do "
    "not explain your answer."
)
USUAL_ANSWER = (
    '{"category": "software_issue", "priority": "medium", "summary": "Customer reports that the '
    "mobile application closes itself after the last update and asks when this will be repaired, "
    'please"}'
)
SINGLE_ANSWER = '{"category":"software_issue","priority":"medium"}'
PRIMING = 3
PER_MESSAGE = 3
PACK_20, SINGLE_SHARE, USUAL_SHARE = 20, 0.45, 0.30


def load_counter() -> Callable[[str], int]:
    """Return a function that counts tokens with o200k_base."""
    import tiktoken  # noqa: PLC0415 - a benchmark's dependency

    try:
        encoding = tiktoken.get_encoding("o200k_base")
    except OSError:
        directory = Path(tempfile.mkdtemp(prefix="forge-o200k-"))
        fetch_tokenizer(directory)
        os.environ["TIKTOKEN_CACHE_DIR"] = str(directory)
        encoding = tiktoken.get_encoding("o200k_base")
    return lambda text: len(encoding.encode(text, disallowed_special=()))


def fetch_tokenizer(directory: Path) -> None:
    """Put the tokenizer's file from the litellm wheel into `directory`."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "litellm"]
    subprocess.run([*command, "--dest", str(directory)], check=True)
    wheel = next(directory.glob("litellm-*.whl"))
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(O200K))
        (directory / O200K).write_bytes(archive.read(name))


def read_texts(path: Path, columns: Sequence[str]) -> list[str]:
    """Return the text of every row."""
    with path.open(newline="", encoding="utf-8") as file:
        return ["\n".join(row[name] for name in columns).strip() for row in csv.DictReader(file)]


def framed(messages: Iterable[Message], answer: str, count: Callable[[str], int]) -> int:
    """Return the tokens of one request and its answer."""
    sent = sum(PER_MESSAGE + count(message.role) + count(message.content) for message in messages)
    return sent + PRIMING + count(answer)


def usual(texts: Sequence[str], count: Callable[[str], int]) -> int:
    """Return the tokens of a request per ticket with the usual prompt."""
    return sum(
        framed([Message("system", USUAL_SYSTEM), Message("user", text)], USUAL_ANSWER, count)
        for text in texts
    )


def single(texts: Sequence[str], count: Callable[[str], int]) -> int:
    """Return the tokens of a request per ticket as `forge classify` asks."""
    prompt = build_prompt(TAXONOMY, max_output_tokens=512)
    return sum(
        framed(prompt.request(text, "4f2a9c1e").messages, SINGLE_ANSWER, count) for text in texts
    )


def packed(texts: Sequence[str], plan: PackPlan, count: Callable[[str], int]) -> int:
    """Return the tokens of packed requests as `forge classify --pack` asks."""
    codes = CodeBook(TAXONOMY)
    prompt = build_pack_prompt(TAXONOMY, codes, max_output_tokens=512)
    one = build_prompt(TAXONOMY, max_output_tokens=512)
    said = f"{codes.code('category', 'software_issue')} {codes.code('priority', 'medium')}"
    by_complexity: dict[Complexity, list[str]] = defaultdict(list)
    for text in texts:
        by_complexity[complexity_of(text)].append(text)
    tokens = 0
    for complexity, waiting in by_complexity.items():
        size = plan.sizes[complexity]
        batches = [waiting[start : start + size] for start in range(0, len(waiting), size)]
        for group in (group for batch in batches for group in plan.groups(batch, complexity, str)):
            if len(group) == 1:
                tokens += framed(one.request(group[0], "4f2a9c1e").messages, SINGLE_ANSWER, count)
                continue
            names = pack_names(len(group), random.Random(len(group)).sample)
            answer = "\n".join(f"{name} {said}" for name in names.ids)
            tokens += framed(prompt.request(group, names).messages, answer, count)
    return tokens


def measure(texts: Sequence[str], count: Callable[[str], int]) -> bool:
    """Print the table; tell whether the targets are met."""
    rows: dict[str, int] = {"usual prompt, one a request": usual(texts, count)}
    rows["forge, one a request"] = one = single(texts, count)
    for size in (5, 10, PACK_20, 50):
        plan = PackPlan(dict.fromkeys(Complexity, size))
        rows[f"forge --pack --pack-size {size}"] = packed(texts, plan, count)
    rows["forge --pack"] = packed(texts, pack_plan(None), count)
    first = next(iter(rows.values()))
    print(f"{len(texts):,} tickets, {sum(map(count, texts)) / len(texts):.1f} tokens of text each")
    print(f"{'':32}{'tokens a ticket':>16}{'x one a request':>17}{'x usual':>9}")
    for name, tokens in rows.items():
        per_ticket = tokens / len(texts)
        print(f"{name:32}{per_ticket:16.1f}{tokens / one:17.3f}{tokens / first:9.3f}")
    twenty = rows[f"forge --pack --pack-size {PACK_20}"]
    return twenty <= SINGLE_SHARE * one and twenty <= USUAL_SHARE * first


def main() -> int:
    """Count for one export."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tickets", nargs="?", type=Path, default=EXAMPLES)
    parser.add_argument("--text-column", action="append")
    told: Any = parser.parse_args()
    columns = told.text_column or ["Subject", "Description"]
    is_met = measure(read_texts(told.tickets, columns), load_counter())
    print("targets met" if is_met else "a target is missed")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
