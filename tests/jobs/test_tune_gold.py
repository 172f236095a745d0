"""Right labels beside a tune: which tickets they are of, and how many answers have them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from inference_forge.app import Notices, Places, Watcher
from inference_forge.core.evaluation import Share
from inference_forge.core.taxonomy_reading import taxonomy_from_data
from inference_forge.errors import InputError, UsageError
from inference_forge.events import Warned
from inference_forge.jobs.tune.gold import Gold, read_gold, right_answers
from inference_forge.jobs.tune.job import TuneJob
from inference_forge.models import JsonRecord, Ticket
from inference_forge.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference_forge.core.taxonomy import Field
    from inference_forge.events import Event
    from inference_forge.jobs.tune.forecast import Forecast
    from inference_forge.observe.tally import Tally

TAXONOMY = taxonomy_from_data(
    {
        "categories": {"card lost": "", "loan": "", "other": ""},
        "max_labels": 2,
        "priorities": False,
        "fields": {"urgent": {"kind": "boolean"}, "product": {"kind": "text"}},
    },
    source="t",
)
CATEGORY, URGENT = TAXONOMY.fields[:2]


class Notes:
    """An observer that keeps what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def on_event(self, event: Event) -> None:
        """Keep a notice."""
        if isinstance(event, Warned):
            self.said.append(event.message)


def job_of(gold: str | None, notices: Notices | None = None, **more: Any) -> TuneJob:
    """Return a job with a gold."""

    def watch(_name: str, _tally: Tally) -> Watcher:
        raise AssertionError

    def approve(_cost: Forecast) -> None:
        raise AssertionError

    columns: Mapping[str, str] = more.pop("gold_columns", {})
    return TuneJob(
        inputs=more.pop("inputs", ["in.csv"]),
        loaded=load_settings(more, environ={}),
        environ={},
        places=Places(Path("c"), Path("s"), Path("f")),
        stdin=None,
        watch=watch,
        approve=approve,
        notices=notices or Notices(),
        gold=gold,
        gold_columns=columns,
    )


def ticket(number: int, text: str, ticket_id: str | None = None, **more: Any) -> Ticket:
    """Return a ticket."""
    return Ticket(number, text, JsonRecord(b"{}"), ticket_id, **more)


def read(*lines: str, tickets: list[Ticket], name: str = "gold.csv", **more: Any) -> Gold:
    """Write a gold and read it."""
    Path(name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    job = job_of(name, **more)
    found = read_gold(job, job.loaded.settings, TAXONOMY, tickets)
    assert found is not None
    return found


def names(fields: tuple[Field, ...]) -> list[str]:
    """Return the names of fields."""
    return [field.name for field in fields]


pytestmark = pytest.mark.usefixtures("isolated")

BOTH = [ticket(0, "one", "7"), ticket(1, "two", "8")]


def test_without_a_gold_there_is_none() -> None:
    """Nothing is read."""
    job = job_of(None)
    assert read_gold(job, job.loaded.settings, TAXONOMY, BOTH) is None


def test_labels_are_found_by_id() -> None:
    """The first row of an id counts; a blank label is none; texts are not compared."""
    gold = read(
        "id,category,urgent,product", "8,loan,yes,x", "8,other,no,", "9,loan,,", "7,,,kettle",
        tickets=BOTH,
    )  # fmt: skip
    assert names(gold.fields) == ["category", "urgent"]
    assert gold.cells == {1: ("loan", "yes")}


def test_labels_are_found_by_text() -> None:
    """Where tickets or gold have no id; what a context column adds is not of the text."""
    tickets = [ticket(0, "Product: Kettle\none", context_chars=16), ticket(1, "two")]
    for header in ("text,category", "id,text,category"):
        number = "1," if header.startswith("id") else ""
        gold = read(header, f"{number}two,loan", f"{number}one,other", tickets=tickets)
        assert gold.cells == {0: ("other",), 1: ("loan",)}
    assert read("text,category", "two,loan", tickets=BOTH).cells == {1: ("loan",)}


def test_the_gold_may_name_its_columns_otherwise() -> None:
    """Fields, and the id column where the inputs' was named."""
    gold = read(
        "Key,Topic", "8,loan", tickets=BOTH, id_column="id",
        gold_columns={"id": "Key", "category": "Topic"},
    )  # fmt: skip
    assert gold.cells == {1: ("loan",)}


def test_a_gold_without_header_is_read_by_number() -> None:
    """As the inputs are."""
    gold = read(
        "8,loan", tickets=BOTH, id_column="1", no_header=True, gold_columns={"category": "2"}
    )
    assert gold.cells == {1: ("loan",)}


@pytest.mark.parametrize(
    ("lines", "more", "says"),
    [
        (["id,category", "9,loan"], {}, "it has no label of the 2 sampled tickets, by id or text"),
        (["id,category", "8,"], {}, "forge tune gold.csv --gold gold.csv"),
        (["id,label", "8,loan"], {}, "there is no column 'category or urgent'; name those with"),
        (["id,category", "8,loan"], {"gold_columns": {"category": "x"}}, "is no column 'x'; name"),
        (["id,category", "8,loan"], {"gold_columns": {"Category": "x"}}, "'Category' is no field"),
        (["id,category", "8,loan"], {"gold_columns": {"product": "id"}}, "'product' is no field"),
        (["key2,category", "8,loan"], {}, "neither ids nor texts were recognised in it and in"),
    ],
)
def test_what_does_not_fit_is_told(lines: list[str], more: dict[str, Any], says: str) -> None:
    """Before anything is sent."""
    with pytest.raises(UsageError, match=says):
        read(*lines, tickets=BOTH, **more)


def test_a_gold_that_cannot_be_read() -> None:
    """It is not there, or standard input is read already."""
    with pytest.raises(InputError, match=r"none\.csv"):
        read_gold(job := job_of("none.csv"), job.loaded.settings, TAXONOMY, BOTH)
    job = job_of("-", inputs=["-"])
    with pytest.raises(UsageError, match="can be read only once"):
        read_gold(job, job.loaded.settings, TAXONOMY, BOTH)


def test_how_many_tickets_have_gold_is_said() -> None:
    """And which of their labels no answer can have."""
    notices, heard = Notices(), Notes()
    read("id,category,urgent", "7,Card-Lost; loans,ja", "8,other,no", tickets=BOTH, notices=notices)
    notices.pass_on(heard.on_event)
    lacks = "has labels that the taxonomy lacks, so no answer is right there"
    assert heard.said == [
        "gold: 2 of 2 sampled tickets (category, urgent)",
        f"gold.csv: category {lacks}: 'loans' (1)",
        f"gold.csv: urgent {lacks}: 'ja' (1)",
    ]
    few = [ticket(n, f"ticket {n}", str(n)) for n in range(31)]
    read("id,category", "7,loan", tickets=few, notices=(notices := Notices()))
    notices.pass_on(heard.on_event)
    assert heard.said[-1] == (
        "gold: 1 of 31 sampled tickets (category), which are few: tune the labelled tickets "
        "themselves: forge tune gold.csv --gold gold.csv"
    )


def test_answers_are_right_by_field_and_in_all() -> None:
    """In any spelling and order; a failed ticket is wrong, one without answer or gold is left."""
    gold = Gold(
        (CATEGORY, URGENT),
        {0: ("Loan; card lost", "yes"), 1: ("other", "no"), 2: ("loan", ""), 3: ("loan", "1"),
         4: ("loan", "1")},
    )  # fmt: skip
    right = right_answers(
        gold,
        {
            0: {"category": "card lost; loan", "urgent": "true"},
            1: {"category": "loan", "urgent": "false"},
            2: {"category": "loan", "urgent": "true"},
            3: None,
            9: {"category": "loan", "urgent": "true"},
        },
    )
    assert right.by_field == {"category": Share(2, 4), "urgent": Share(2, 3)}
    assert right.whole == Share(1, 3)
