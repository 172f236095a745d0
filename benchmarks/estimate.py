"""How far the tokens foretold by `--dry-run` are from those then used.

    python benchmarks/estimate.py                                   # the examples
    python benchmarks/estimate.py TICKETS.csv --text-column text    # any export

Requests are built by the code that a run uses, the built-in taxonomy with all fields; tokens are
counted with o200k_base (tiktoken) with and without a schema in the prompt, frames by the rule of
OpenAI's cookbook. Answers are good ones; summaries have 6 to 20 words. Once nothing is known of
the model, once 50 requests were answered before, ten times by chance and once the first of the
file. The exit code is 1 when an estimate is off by more than 25 % before, or 5 % after.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packing import EXAMPLES, PER_MESSAGE, PRIMING, load_counter, read_texts

from inference_forge.core.calibration import Calibration, UsageLearner
from inference_forge.core.calls import Calls
from inference_forge.core.complexity import complexity_of
from inference_forge.core.forecast import Forecast, Models
from inference_forge.core.packing.codes import CodeBook, values_of
from inference_forge.core.packing.plan import pack_plan
from inference_forge.core.packing.prompt import build_pack_prompt, pack_names
from inference_forge.core.prompt import build_prompt
from inference_forge.core.request_form import pack_form, single_form
from inference_forge.core.taxonomy import BUILT_IN, FieldKind
from inference_forge.models import JsonRecord, Ticket, Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from inference_forge.core.packing.plan import PackPlan
    from inference_forge.models import Complexity, ModelRequest

CALIBRATED, BEFORE, AFTER = 50, 0.25, 0.05
CODES = CodeBook(BUILT_IN)
SINGLE = build_prompt(BUILT_IN, max_output_tokens=512)
PACKED = build_pack_prompt(BUILT_IN, CODES, max_output_tokens=512)
GENERATION = {"structured": "json_schema"}
FORMS = (single_form(SINGLE, BUILT_IN, GENERATION), pack_form(PACKED, BUILT_IN, GENERATION))
WORDS = "the customer reports that a payment for the last invoice was declined twice and asks why"


@dataclass(frozen=True, slots=True)
class Server:
    """Counts as a provider does; `shows_schema` when it puts schemas into the prompt."""

    count: Callable[[str], int]
    shows_schema: bool

    def usage(self, request: ModelRequest, answer: str) -> Usage:
        """Return what a provider reports."""
        sent = sum(PER_MESSAGE + self.count(m.role + m.content) for m in request.messages)
        if self.shows_schema and request.schema is not None:
            sent += self.count(json.dumps(request.schema))
        return Usage(sent + PRIMING, self.count(answer))


def foreseen(texts: Sequence[str], plan: PackPlan | None) -> Calls:
    """Return the load that texts make, as `--dry-run` sees it."""
    counted = Calls(plan)
    for index, text in enumerate(texts):
        counted.add(Ticket(index, text, JsonRecord(b"{}")), complexity_of(text))
    counted.finish()
    return counted


def groups_of(texts: Sequence[str], plan: PackPlan | None) -> list[list[str]]:
    """Return the texts that share a request."""
    if plan is None:
        return [[text] for text in texts]
    waiting: dict[Complexity, list[str]] = defaultdict(list)
    for text in texts:
        waiting[complexity_of(text)].append(text)
    return [
        group
        for complexity, queue in waiting.items()
        for start in range(0, len(queue), plan.sizes[complexity])
        for group in plan.groups(queue[start : start + plan.sizes[complexity]], complexity, str)
    ]


def request_of(group: Sequence[str], chance: random.Random) -> tuple[ModelRequest, str]:
    """Return the request about `group`, and a good answer."""
    said = [answer_of(chance) for _ in group]
    if len(group) == 1:
        return SINGLE.request(group[0], f"{chance.getrandbits(32):08x}"), json.dumps(
            said[0], separators=(",", ":")
        )
    names = pack_names(len(group), chance.sample)
    lines = [
        f"{name} {CODES.code('category', one['category'])} "
        f"{CODES.code('priority', one['priority'])} | {one['summary']}"
        for name, one in zip(names.ids, said, strict=True)
    ]
    return PACKED.request(group, names), "\n".join(lines)


def answer_of(chance: random.Random) -> dict[str, str]:
    """Return the values of a ticket."""
    words = WORDS.split() * 2
    return {
        field.name: " ".join(words[: chance.randint(6, 20)])
        if field.kind is FieldKind.TEXT
        else chance.choice(values_of(field))
        for field in BUILT_IN.fields
    }


def foretold(counted: Calls, learned: UsageLearner) -> int:
    """Return the tokens that `--dry-run` would name."""
    known = Calibration(learned.fits)
    models = Models(known.model(FORMS[0]), known.model(FORMS[1]))
    return sum(models.forecast(counted).values(), Forecast()).usage.total_tokens


def measure(name: str, texts: Sequence[str], server: Server, *, packs: bool) -> bool:
    """Print how far the estimates are off; tell whether the targets are met."""
    chance = random.Random(7)
    plan = pack_plan(None) if packs else None
    counted, groups = foreseen(texts, plan), groups_of(texts, plan)
    asked = [request_of(group, chance) for group in groups]
    usages = [server.usage(*one) for one in asked]
    used = sum(usage.total_tokens for usage in usages)
    before = foretold(counted, UsageLearner(())) / used - 1
    after = []
    for round_ in range(11):
        sample = range(len(asked))
        chosen = chance.sample(sample, min(CALIBRATED, len(asked))) if round_ else list(sample)
        learned = UsageLearner(FORMS)
        for number in chosen[:CALIBRATED]:
            learned.on_answer(asked[number][0], usages[number], 1.0, is_again=False)
        after.append(foretold(counted, learned) / used - 1)
    worst = max(map(abs, after))
    print(
        f"{name:34}{len(groups):7,} requests {used:11,} tokens   before {before:+7.1%}   after "
        f"{CALIBRATED}: first {after[0]:+6.1%}, by chance {min(after[1:]):+6.1%} to "
        f"{max(after[1:]):+6.1%}"
    )
    return abs(before) <= BEFORE and worst <= AFTER


def main() -> int:
    """Measure one export."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tickets", nargs="?", type=Path, default=EXAMPLES)
    parser.add_argument("--text-column", action="append")
    told: Any = parser.parse_args()
    texts = read_texts(told.tickets, told.text_column or ["Subject", "Description"])
    count = load_counter()
    are_met = [
        measure(f"{kind}, {schema}", texts, Server(count, shows), packs=packs)
        for packs, kind in ((False, "one a request"), (True, "--pack"))
        for shows, schema in ((False, "schema not counted"), (True, "schema counted"))
        if not (packs and shows)
    ]
    print("targets met" if all(are_met) else "a target is missed")
    return 0 if all(are_met) else 1


if __name__ == "__main__":
    sys.exit(main())
