"""How accurate the local model is: cross-validated on its corpus, or on a labelled file.

    python benchmarks/accuracy.py                                     # 5-fold cross-validation
    python benchmarks/accuracy.py --gold examples/tickets.gold.csv    # a file it never saw
    python benchmarks/accuracy.py --gold FILE --near-duplicates       # is FILE really unseen?

A labelled file is a CSV with the columns Subject, Description, category and priority, and a
Ticket ID to name rows by. Cross-validation flatters the model in one way: the lexicon was
written by people who had read a part of the corpus. The labelled file has no such excuse.
"""

from __future__ import annotations

import argparse
import csv
import random
import re
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inference_forge.adapters.local import LocalModel
from inference_forge.adapters.local.corpus import CATEGORIES, PRIORITIES, load_corpus
from inference_forge.adapters.local.features import features_of, tokens_of
from inference_forge.adapters.local.lexicon import Lexicon, lexicon_bytes, parse_lexicon
from inference_forge.adapters.local.scorer import Scorer
from inference_forge.adapters.local.shipped import COLUMNS
from inference_forge.adapters.local.train import weights_of
from inference_forge.core.taxonomy import BUILT_IN
from inference_forge.core.text import join_parts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

FOLDS = 5
SEED = 20_240_601
GRAM = 5
SIMILAR = 0.5
MIN_GRAMS = 15  # shorter texts share most of their grams with any long one

_SMALL_WORDS = {
    "es": "el la los las de del que en un una por con para no se me mi es lo al",
    "hinglish": "hai hain ka ki ke ko se nahi me mein kar ho raha rahi mera meri bhi aur kya toh",
    "en": "the a an to of is in and for it on with our we my i not this be are",
}


@dataclass(frozen=True, slots=True)
class Labelled:
    """A ticket whose labels people decided."""

    name: str
    text: str
    category: str
    priority: str
    lang: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A labelled ticket with what the model answered."""

    ticket: Labelled
    category: str
    priority: str


def corpus_tickets() -> list[Labelled]:
    """Return the corpus, named by line."""
    return [
        Labelled(f"corpus line {line}", row.text, row.category, row.priority, row.lang)
        for line, row in enumerate(load_corpus(), start=1)
    ]


def read_gold(path: Path) -> list[Labelled]:
    """Return the labelled tickets of a CSV file, languages guessed."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    tickets = []
    for number, row in enumerate(rows, start=1):
        text = join_parts([row.get("Subject") or "", row.get("Description") or ""])
        name = row.get("Ticket ID") or f"row {number}"
        tickets.append(Labelled(name, text, row["category"], row["priority"], guess_lang(text)))
    return tickets


def guess_lang(text: str) -> str:
    """Return the likeliest of the four languages, by script, then by small words."""
    if len(re.findall("[\u0900-\u097f]", text)) > len(text) / 5:
        return "hi"
    words = Counter(tokens_of(text))
    return max(
        ("en", "es", "hinglish"),
        key=lambda lang: sum(words[word] for word in _SMALL_WORDS[lang].split()),
    )


def cross_validate(tickets: Sequence[Labelled]) -> list[Answered]:
    """Answer every ticket with a model trained on the other folds."""
    lexicon = Lexicon(parse_lexicon(lexicon_bytes().decode().splitlines()))
    examples = load_corpus()
    fold_of = stratified_folds(tickets)
    answered = []
    for fold in range(FOLDS):
        kept = [row for row, its in zip(examples, fold_of, strict=True) if its != fold]
        scorer = Scorer(weights_of(kept, lexicon), COLUMNS, lexicon)
        for ticket, its in zip(tickets, fold_of, strict=True):
            if its == fold:
                scores = scorer.scores(features_of(ticket.text, lexicon))
                of_category, of_priority = scores[: len(CATEGORIES)], scores[len(CATEGORIES) :]
                answered.append(
                    Answered(
                        ticket,
                        CATEGORIES[of_category.index(max(of_category))],
                        PRIORITIES[of_priority.index(max(of_priority))],
                    )
                )
    return answered


def stratified_folds(tickets: Sequence[Labelled]) -> list[int]:
    """Return each ticket's fold; category, priority and language are spread evenly."""
    groups: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for index, ticket in enumerate(tickets):
        groups[ticket.category, ticket.priority, ticket.lang].append(index)
    chance = random.Random(SEED)
    order: list[int] = []
    for key in sorted(groups):
        chance.shuffle(groups[key])
        order += groups[key]
    folds = [0] * len(tickets)
    for position, index in enumerate(order):
        folds[index] = position % FOLDS
    return folds


def answer_all(tickets: Sequence[Labelled]) -> list[Answered]:
    """Answer every ticket with the shipped model."""
    model = LocalModel.from_taxonomy(BUILT_IN)
    answers = [(ticket, model.answer(ticket.text)) for ticket in tickets]
    return [Answered(ticket, got["category"], got["priority"]) for ticket, got in answers]


def report(answered: Sequence[Answered]) -> Iterator[str]:
    """Yield the lines of the report."""
    yield f"tickets                {len(answered)}"
    yield f"category accuracy      {_share(r.category == r.ticket.category for r in answered)}"
    yield f"category macro-F1      {macro_f1(answered):.3f}"
    yield f"priority accuracy      {_share(r.priority == r.ticket.priority for r in answered)}"
    yield f"priority within one    {_share(_levels_off(r) <= 1 for r in answered)}"
    yield ""
    yield "by language            category  priority  within one"
    for lang in sorted({row.ticket.lang for row in answered}):
        rows = [row for row in answered if row.ticket.lang == lang]
        yield (
            f"  {lang:9} {len(rows):5}      {_share(r.category == r.ticket.category for r in rows)}"
            f"     {_share(r.priority == r.ticket.priority for r in rows)}"
            f"     {_share(_levels_off(r) <= 1 for r in rows)}"
        )
    yield ""
    categories = [(row.ticket.category, row.category) for row in answered]
    yield from confusion("category", CATEGORIES, categories)
    yield ""
    priorities = [(row.ticket.priority, row.priority) for row in answered]
    yield from confusion("priority", PRIORITIES, priorities)


def confusion(title: str, labels: Sequence[str], pairs: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Yield a confusion matrix: a row per true label, a column per answer."""
    counts = Counter(pairs)
    yield (
        f"{title + ' (true down)':24}" + "".join(f"{name[:10]:>11}" for name in labels) + "  recall"
    )
    for true in labels:
        row = [counts[true, answer] for answer in labels]
        recall = counts[true, true] / (sum(row) or 1)
        yield f"  {true:22}" + "".join(f"{count:11}" for count in row) + f"   {recall:.3f}"


def macro_f1(answered: Sequence[Answered]) -> float:
    """Return the unweighted mean of the categories' F1 scores."""
    pairs = Counter((row.ticket.category, row.category) for row in answered)
    scores = []
    for name in CATEGORIES:
        both = 2 * pairs[name, name]
        either = sum(
            count * ((true == name) + (answer == name)) for (true, answer), count in pairs.items()
        )
        scores.append(both / either if either else 0.0)
    return sum(scores) / len(scores)


def near_duplicates(
    tickets: Sequence[Labelled], corpus: Sequence[Labelled]
) -> Iterator[tuple[Labelled, Labelled, float]]:
    """Yield each ticket whose text is more than half some corpus text, or the other way round.

    The likeness is the shared part of the smaller text's distinct character 5-grams; it is
    never below their Jaccard index. Texts of fewer than 15 such grams must be equal.
    """
    grams_of = [_grams(row.text) for row in corpus]
    holders: dict[str, list[int]] = defaultdict(list)
    for index, grams in enumerate(grams_of):
        for gram in grams:
            holders[gram].append(index)
    for ticket in tickets:
        grams = _grams(ticket.text)
        shared = Counter(index for gram in grams for index in holders.get(gram, ()))
        found = [(_likeness(grams, grams_of[index], both), index) for index, both in shared.items()]
        if found and max(found)[0] > SIMILAR:
            likeness, index = max(found)
            yield ticket, corpus[index], likeness


def _grams(text: str) -> frozenset[str]:
    folded = " ".join(tokens_of(text))
    return frozenset(folded[at : at + GRAM] for at in range(max(1, len(folded) - GRAM + 1)))


def _likeness(one: frozenset[str], other: frozenset[str], shared: int) -> float:
    smaller = min(len(one), len(other))
    if smaller < MIN_GRAMS:
        return float(one == other)
    return shared / smaller


def speed(tickets: Sequence[Labelled]) -> tuple[float, float]:
    """Return tickets of 40 words per second: on first sight of them, and on the second."""
    words = [word for ticket in tickets for word in ticket.text.split()]
    texts = [" ".join(words[at : at + 40]) for at in range(0, len(words) - 40, 40)]
    model = LocalModel.from_taxonomy(BUILT_IN)
    rates = []
    for _ in range(2):
        started = time.process_time()
        for text in texts:
            model.answer(text)
        rates.append(len(texts) / (time.process_time() - started))
    return rates[0], rates[1]


def _levels_off(row: Answered) -> int:
    return abs(PRIORITIES.index(row.priority) - PRIORITIES.index(row.ticket.priority))


def _share(hits: Iterable[bool]) -> str:
    counted = list(hits)
    return f"{sum(counted) / (len(counted) or 1):.3f}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the arguments ask for; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--gold", type=Path, help="a labelled CSV file instead of the corpus")
    parser.add_argument(
        "--near-duplicates",
        action="store_true",
        help="only check that no ticket of --gold stands in the corpus; exit 1 if one does",
    )
    options = parser.parse_args(arguments)
    if options.near_duplicates:
        if options.gold is None:
            parser.error("--near-duplicates needs --gold FILE")
        return _print_near_duplicates(read_gold(options.gold))
    if options.gold is not None:
        tickets = read_gold(options.gold)
        answered = answer_all(tickets)
    else:
        tickets = corpus_tickets()
        answered = cross_validate(tickets)
    for line in report(answered):
        print(line)
    cold, warm = speed(corpus_tickets())
    print(f"\nspeed at 40 words      {cold:,.0f} tickets/s at first, {warm:,.0f} on known words")
    return 0


def _print_near_duplicates(tickets: Sequence[Labelled]) -> int:
    found = list(near_duplicates(tickets, corpus_tickets()))
    for ticket, original, likeness in found:
        print(f"{ticket.name} is {likeness:.0%} like {original.name}")
    print(f"{len(found)} of {len(tickets)} tickets have a near-duplicate in the corpus")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
