"""Bringing results, failures and gold together."""

from __future__ import annotations

import gzip
import io
from collections import Counter
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl import Workbook

from inference_forge.app.taxonomy_file import load_taxonomy
from inference_forge.core.evaluation import Share
from inference_forge.errors import InputError, UsageError
from inference_forge.jobs.evaluation import (
    CountAs,
    Evaluation,
    EvaluationJob,
    Figure,
    Match,
    Minimum,
    evaluate,
)
from inference_forge.jobs.evaluation.as_json import as_json

if TYPE_CHECKING:
    from inference_forge.core.evaluation_report import FieldReport

RUN = "complexity,cache_hit,tokens,cost,currency,model"
RAN = "simple,false,10,0.5,USD,m"


def table(name: str, *lines: str) -> str:
    """Write a table and return its name."""
    Path(name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return name


def results(*rows: str, name: str = "t.results.csv", columns: str = "category") -> str:
    """Write results, given as ids and labels."""
    return table(name, f"id,{columns},{RUN}", *(f"{row},{RAN}" for row in rows))


def gold(*rows: str, columns: str = "category") -> str:
    """Write a gold file, given as ids and labels."""
    return table("gold.csv", f"id,{columns}", *rows)


def measured(*, results: str, gold: str, **job: Any) -> Evaluation:
    """Return an evaluation."""
    return evaluate(EvaluationJob(results=results, gold=gold, **job))


def only(found: Evaluation) -> FieldReport:
    """Return the one field that was compared."""
    (report,) = found.first.fields
    return report


def test_rows_are_matched_by_id() -> None:
    """In any order; what one side lacks is counted."""
    found = measured(results=results("1,a", "2,b", "9,a"), gold=gold("2,b", "1,b", "3,a"))
    assert only(found).figures.accuracy == Share(1, 2)
    assert (found.first.matched, found.first.missing, found.first.side.alone) == (2, 1, 1)
    assert (found.match, found.gold.key, found.exit_code) == (Match.ID, "id", 0)


def test_missing_rows_can_count_as_wrong() -> None:
    """Else they are left out, and counted all the same."""
    files = {"results": results("1,a"), "gold": gold("1,a", "2,a")}
    assert only(measured(**files)).figures.accuracy == Share(1, 1)
    strict = measured(**files, missing=CountAs.WRONG)
    assert only(strict).figures.accuracy == Share(1, 2)
    assert strict.first.missing == 1


def test_failed_rows_are_wrong_unless_left_out() -> None:
    """The failures file lies beside the results; a row that is in both is no failure."""
    failures = table(
        "t.failures.csv", "id,error,error_detail,attempts,tokens", "2,x,y,1,2", "1,,,,"
    )
    files = {"results": results("1,a"), "gold": gold("1,a", "2,a")}
    found = measured(**files)
    assert only(found).figures.accuracy == Share(1, 2)
    assert (found.first.failed, found.first.missing, only(found).lacking) == (1, 0, {"failed": 1})
    assert found.first.failures is not None
    assert (found.first.failures.name, found.first.failures.repeated) == (failures, 1)
    skipped = measured(**files, failed=CountAs.SKIP)
    assert only(skipped).figures.accuracy == Share(1, 1)
    assert skipped.first.failed == 1


def test_a_failures_file_can_be_named() -> None:
    """One that lies elsewhere, of another format."""
    Path("elsewhere.jsonl").write_text(
        '{"id":"2","error":"x","error_detail":"y","attempts":1,"tokens":2}\n', encoding="utf-8"
    )
    found = measured(
        results=results("1,a", name="out.csv"), gold=gold("1,a", "2,a"), failures="elsewhere.jsonl"
    )
    assert found.first.failed == 1


def test_the_first_row_of_an_id_counts() -> None:
    """Later ones are left out on both sides, and other labels among them are told."""
    found = measured(
        results=results("1,a", "1,b", "2,b", ",a"), gold=gold("1,a", "1,b", "1,a", "2,b", " ,a")
    )
    assert only(found).figures.accuracy == Share(2, 2)
    assert (found.gold.repeated, found.gold.differing, found.gold.without_key) == (2, 1, 1)
    assert (found.first.side.repeated, found.first.side.without_key) == (1, 1)


keys = st.lists(
    st.tuples(st.sampled_from("pqrstu"), st.sampled_from("abc")), min_size=1, max_size=9
)


@given(keys, keys, keys, st.sampled_from(CountAs), st.sampled_from(CountAs))
@settings(max_examples=60, deadline=None)
def test_it_does_not_matter_which_side_is_held(
    gold_rows: list[tuple[str, str]],
    result_rows: list[tuple[str, str]],
    failed_rows: list[tuple[str, str]],
    failed: CountAs,
    missing: CountAs,
) -> None:
    """The same figures and counts either way, and those that a naive reading gives."""
    with TemporaryDirectory() as directory:
        found = []
        for pads in (("", "x" * 900), ("x" * 900, "")):
            names = [f"{directory}/{name}.csv" for name in ("g", "r", "f")]
            # A column of no importance makes one file the larger.
            table(names[0], "id,category,pad", *(f"{k},{v},{pads[0]}" for k, v in gold_rows))
            table(
                names[1],
                f"id,pad,category,{RUN}",
                *(f"{k},{pads[1]},{v},{RAN}" for k, v in result_rows),
            )
            table(
                names[2],
                "id,error,error_detail,attempts,tokens",
                *(f"{k},,,," for k, _ in failed_rows),
            )
            job = EvaluationJob(
                results=names[1], gold=names[0], failures=names[2], failed=failed, missing=missing
            )
            try:
                found.append(as_json(evaluate(job)))
            except UsageError as error:
                found.append({"error": str(error)})
    assert found[0] == found[1]
    expected = naive(gold_rows, result_rows, failed_rows, failed=failed, missing=missing)
    if "error" not in found[0]:
        data: Any = found[0]
        accuracy = data["fields"]["category"]["accuracy"]
        assert Share(accuracy["part"], accuracy["whole"]) == expected
    else:
        assert not expected.whole or missing is CountAs.WRONG


def naive(
    gold_rows: list[tuple[str, str]],
    result_rows: list[tuple[str, str]],
    failed_rows: list[tuple[str, str]],
    *,
    failed: CountAs,
    missing: CountAs,
) -> Share:
    """Return the accuracy, worked out simply."""
    wanted, given_, broken = (
        dict(reversed(rows)) for rows in (gold_rows, result_rows, failed_rows)
    )
    counted = Counter[bool]()
    for key, label in wanted.items():
        if key in given_:
            counted[given_[key] == label] += 1
        elif key in broken:
            counted[False] += failed is CountAs.WRONG
    if missing is CountAs.WRONG:
        counted[False] += sum(key not in given_ and key not in broken for key, _ in gold_rows)
    return Share(counted[True], counted.total())


def test_without_ids_rows_are_matched_by_position() -> None:
    """When both have as many, and their texts are the same."""
    found = measured(
        results=table("r.csv", f"text,category,{RUN}", f"one,a,{RAN}", f"one,b,{RAN}"),
        gold=table("g.csv", "category,text", "a,one", "b,one"),
    )
    assert (found.match, only(found).figures.accuracy) == (Match.ROW, Share(2, 2))
    assert found.notes == (
        "there is no id column in both files: rows are matched by their position",
    )


def test_labels_alone_are_matched_by_position() -> None:
    """There is nothing else to go by."""
    found = measured(
        results=table("r.csv", "category,x", "a,1", "b,1"),
        gold=table("g.csv", "category", "a", "a"),
    )
    assert (found.match, only(found).figures.accuracy) == (Match.ROW, Share(1, 2))


def test_rows_in_another_order_are_matched_by_text() -> None:
    """A difference in texts shows it, and so does one in numbers."""
    for lines in (["b,two", "a,one"], ["a,one", "b,two", "b,three"]):
        found = measured(
            results=table("r.csv", f"text,category,{RUN}", f"one,a,{RAN}", f"two,a,{RAN}"),
            gold=table("g.csv", "category,text", *lines),
        )
        assert (found.match, only(found).figures.accuracy) == (Match.TEXT, Share(1, 2))
        assert "rows are matched by text" in found.notes[0]


def test_numbers_that_differ_are_an_error_without_texts() -> None:
    """Nothing is guessed."""
    files = {
        "results": table("r.csv", f"text,category,{RUN}", f"one,a,{RAN}"),
        "gold": table("g.csv", "category", "a", "b"),
    }
    with pytest.raises(
        UsageError, match=r"by position: r.csv ends with row 1, and another file goes on"
    ):
        measured(**files)
    with pytest.raises(UsageError, match=r"g.csv: no text column was recognised"):
        measured(**files, match=Match.TEXT)
    with pytest.raises(UsageError, match=r"r.csv: no id column was recognised"):
        measured(**files, match=Match.ID)


def test_position_can_be_asked_for() -> None:
    """Then ids do not count, but texts that differ are an error."""
    found = measured(results=results("1,a", "2,b"), gold=gold("8,a", "9,b"), match=Match.ROW)
    assert (only(found).figures.accuracy, found.notes) == (Share(2, 2), ())
    files = {
        "results": table("r.csv", f"text,category,{RUN}", f"one,a,{RAN}"),
        "gold": table("g.csv", "text,category", "two,a"),
    }
    with pytest.raises(UsageError, match="the texts of row 1 differ"):
        measured(**files, match=Match.ROW)
    with pytest.raises(UsageError, match=r"gold.csv ends with row 1, and another file goes on"):
        measured(results=results("1,a", "2,b"), gold=gold("1,a"), match=Match.ROW)


def test_an_unreadable_row_keeps_its_position() -> None:
    """Rows behind it are not shifted; it counts as a row without a label."""
    found = measured(
        results=table("r.jsonl", '{"category":"a"}', "{oops", '{"category":"b"}'),
        gold=table("g.csv", "category", "a", "a", "b"),
    )
    assert only(found).figures.accuracy == Share(2, 3)
    assert (found.first.side.unreadable, only(found).lacking) == (1, {"blank": 1})


def test_an_unreadable_row_has_no_id() -> None:
    """It is left out and counted."""
    found = measured(results=table("r.jsonl", '{"id":1,"category":"a"}', "{oops"), gold=gold("1,a"))
    assert (found.first.side.unreadable, only(found).figures.accuracy) == (1, Share(1, 1))


def test_fields_are_those_of_both() -> None:
    """Texts, ids, the run's columns and what only one file has are none."""
    columns = "category,priority,summary,needs_human"
    found = measured(
        results=results("1,a,low,one line,true", columns=columns),
        gold=gold("1,a,low,one line,m", columns="category,priority,summary,model"),
    )
    assert [report.name for report in found.first.fields] == ["category", "priority"]
    assert found.first.all_right == Share(1, 1)
    assert found.notes == (
        "not compared, because they hold no labels: summary (--field compares them all the same)",
    )


def test_fields_can_be_named() -> None:
    """Only those are compared, once each."""
    columns = "category,priority"
    files = {
        "results": results("1,a,low", columns=columns),
        "gold": gold("1,a,low", columns=columns),
    }
    found = measured(**files, fields=("priority", "priority"))
    assert ([report.name for report in found.first.fields], found.first.all_right) == (
        ["priority"],
        None,
    )
    with pytest.raises(UsageError, match=r"t.results.csv: there is no field 'mood'"):
        measured(**files, fields=("mood",))
    with pytest.raises(UsageError, match=r"gold.csv: there is no column 'model'; name the one"):
        measured(**files, fields=("model",))


def test_the_gold_may_call_it_otherwise() -> None:
    """A field, and the id."""
    files = {
        "results": results("1,a", "2,b"),
        "gold": table("g.csv", "ref,id,Intent", "1,7,a", "2,8,a"),
    }
    found = measured(**files, gold_columns={"category": "intent", "id": "ref"})
    assert (only(found).figures.accuracy, found.columns) == (Share(1, 2), {"category": "intent"})
    with pytest.raises(UsageError, match=r"no field 'mood' \(--gold-column mood=x\)"):
        measured(**files, gold_columns={"mood": "x"})
    with pytest.raises(UsageError, match=r"have no labels in common: name the column"):
        measured(**files)
    with pytest.raises(UsageError, match=r"g.csv: there is no column 'nothing'; name the one"):
        measured(**files, gold_columns={"category": "nothing"})


def test_a_field_of_the_input_can_be_mapped() -> None:
    """What the user names is compared, whoever added it."""
    found = measured(
        results=results("1,x,a", columns="team,category"),
        gold=table("g.csv", "id,group,category", "1,x,a"),
        gold_columns={"team": "group"},
    )
    assert [report.name for report in found.first.fields] == ["category", "team"]


RUN_PREFIXED = ",".join(f"forge_{name}" for name in RUN.split(","))


def test_a_prefix_is_seen_through() -> None:
    """The labels of forge are compared with the export's own."""
    found = measured(
        results=table("r.csv", f"id,category,forge_category,{RUN_PREFIXED}", f"1,old,a,{RAN}"),
        gold=gold("1,a"),
    )
    assert (only(found).name, only(found).figures.accuracy) == ("category", Share(1, 1))
    assert only(found).bill.amounts == {"USD": pytest.approx(0.5)}


@pytest.mark.parametrize(
    "header", [f"id,category,forge_category,{RUN_PREFIXED}", "id,forge_category"]
)
def test_a_gold_made_of_results_has_its_labels_where_they_have(header: str) -> None:
    """A copy that was corrected by hand, with all columns or without what is not needed."""
    row = f"1,old,a,{RAN}" if "model" in header else "1,a"
    found = measured(
        results=table("r.csv", f"id,category,forge_category,{RUN_PREFIXED}", f"1,old,a,{RAN}"),
        gold=table("g.csv", header, row),
    )
    assert (only(found).figures.accuracy, found.columns) == (
        Share(1, 1),
        {"category": "forge_category"},
    )


def test_results_against_their_own_input() -> None:
    """In one file: forge's column against the one that came in, never against itself."""
    name = table(
        "r.csv", f"id,category,forge_category,{RUN_PREFIXED}", f"1,a,b,{RAN}", f"2,b,b,{RAN}"
    )
    found = measured(results=name, gold=name)
    assert only(found).figures.accuracy == Share(1, 2)
    with pytest.raises(UsageError, match=r"t.results.csv would be compared with itself"):
        measured(results=results("1,a"), gold="t.results.csv")


def test_results_of_another_tool() -> None:
    """Every column that is in both and holds no text; sentences are text."""
    words = [f"{n} words of text" for n in range(9)]
    found = measured(
        results=table("r.csv", "id,label,note", *(f"{n},a,{words[n]}" for n in range(9))),
        gold=table("g.csv", "id,label,note", *(f"{n},a,{words[n]}" for n in range(9))),
    )
    assert only(found).name == "label"
    assert found.first.fields[0].bill.rows == 0
    assert "note" in found.notes[0]


@pytest.mark.parametrize(
    ("column", "job"),
    [
        ("text", {}),
        ("Body", {}),
        ("said", {"text_columns": ("said",)}),
        ("Description", {"match": Match.TEXT}),
    ],
)
def test_the_text_that_rows_are_matched_by_is_no_field(column: str, job: dict[str, Any]) -> None:
    """Short texts that repeat look like labels, and would all be right."""
    rows = ["no wifi,b", "no wifi,b", "printer,a", "printer,b"]
    found = measured(
        results=table("theirs.csv", f"{column},category", *rows),
        gold=table("gold.csv", f"{column},category", *rows),
        **job,
    )
    assert only(found).name == "category"
    assert any(note.startswith(f"not compared, because they hold no labels: {column} ")
               for note in found.notes)  # fmt: skip
    named = measured(results="theirs.csv", gold="gold.csv", fields=(column,), **job)
    assert only(named).name == column


def test_the_gold_may_call_id_and_text_otherwise() -> None:
    """In any spelling of the results' column, and neither is a field."""
    rows = ["1,one thing,a", "2,another,b"]
    files = {
        "results": table("theirs.csv", "Ticket ID,said,category", *rows),
        "gold": table("gold.csv", "Key,words,category", *reversed(rows)),
    }
    by_text = measured(
        **files, text_columns=("said",), gold_columns={"SAID": "words"}, match=Match.TEXT
    )
    by_id = measured(**files, gold_columns={"ticket_id": "Key", "said": "words"},
                     text_columns=("said",))  # fmt: skip
    for found in (by_text, by_id):
        assert (only(found).name, only(found).figures.accuracy) == ("category", Share(2, 2))
    assert (by_id.match, by_id.gold.key) == (Match.ID, "Key")


@pytest.mark.parametrize("name", ["gold.csv", "gold.tsv"])
def test_a_gold_without_header(name: str) -> None:
    """Its columns are numbers; the results have names, or such as forge made up."""
    comma = "\t" if name.endswith(".tsv") else ","
    table(name, *(comma.join(row) for row in (("2", "b"), ("1", "a"), ("3", "a"))))
    named = measured(
        results=results("1,a", "2,b", "3,b"),
        gold=name,
        gold_columns={"id": "1", "category": "2"},
        has_header=False,
    )
    table("t.results.csv", f"column_1,column_2,category,{RUN}",
          *(f"{n},x,{label},{RAN}" for n, label in enumerate("abb", 1)))  # fmt: skip
    numbered = measured(
        results="t.results.csv",
        gold=name,
        id_column="1",
        gold_columns={"category": "2"},
        has_header=False,
    )
    for found in (named, numbered):
        assert (only(found).figures.accuracy, found.gold.rows) == (Share(2, 3), 3)
        assert found.match is Match.ID
    assert named.columns == {"category": "column_2"}


def test_texts_of_a_gold_without_header() -> None:
    """Rows are matched by them."""
    found = measured(
        results=table("t.results.csv", f"column_1,category,{RUN}",
                      *(f"{text},a,{RAN}" for text in ("one", "two"))),
        gold=table("gold.csv", "a,two", "b,one"),
        text_columns=("1",),
        gold_columns={"1": "2", "category": "1"},
        match=Match.TEXT,
        has_header=False,
    )  # fmt: skip
    assert only(found).figures.accuracy == Share(1, 2)


def test_a_gold_without_header_has_no_names_in_common() -> None:
    """What to add is said, with the columns by number."""
    results("1,a")
    table("gold.csv", "1,a")
    with pytest.raises(UsageError, match=r"--gold-column FIELD=COLUMN; .* 'column_1', 'column_2'"):
        measured(results="t.results.csv", gold="gold.csv", has_header=False)
    with pytest.raises(UsageError, match=r"; 'a' is a label: without a header add --no-header$"):
        measured(results="t.results.csv", gold="gold.csv")


def test_what_differs_in_every_row_is_no_label() -> None:
    """Dates and numbers of orders, as in an export that came back with labels."""
    lines = ["id,label,created", *(f"{n},{'ab'[n % 2]},2026-11-{n}T10:00" for n in range(60))]
    found = measured(
        results=table("r.csv", *lines), gold=table("g.csv", lines[0].upper(), *lines[1:])
    )
    assert [report.name for report in found.first.fields] == ["label"]
    assert found.first.side.key == "id"
    assert found.notes[0].startswith("not compared, because they hold no labels: created")


def test_only_texts_in_common() -> None:
    """They are named in the error."""
    files = {
        "results": results("1,one two three", columns="summary"),
        "gold": gold("1,one two four", columns="summary"),
    }
    with pytest.raises(UsageError, match=r"no labels in common \(summary in both hold text\)"):
        measured(**files)


def test_blank_gold_is_left_out() -> None:
    """Field by field; without any label there is nothing to measure."""
    columns = "category,priority"
    found = measured(
        results=results("1,a,low", "2,a,low", columns=columns),
        gold=gold("1,a,", "2,,", columns=columns),
    )
    category, priority = found.first.fields
    assert (category.figures.accuracy, category.blank_gold) == (Share(1, 1), 1)
    assert (priority.figures.accuracy, priority.blank_gold) == (Share(0, 0), 2)
    with pytest.raises(UsageError, match="the gold has no label for any row"):
        measured(results=results("1,a"), gold=gold("1,"))


def test_files_without_a_row() -> None:
    """Each is named."""
    with pytest.raises(UsageError, match=r"gold.csv has no rows: there is nothing to compare"):
        measured(results=results("1,a"), gold=gold())
    with pytest.raises(UsageError, match=r"t.results.csv has no rows"):
        measured(results=results(), gold=gold("1,a"))
    with pytest.raises(InputError, match="is empty"):
        measured(results=results("1,a"), gold=table("empty.csv"))


def test_files_without_a_row_in_common() -> None:
    """The columns they were matched by are named."""
    with pytest.raises(UsageError, match=r"is in t.results.csv, matched by id \('id' and 'id'\)"):
        measured(results=results("1,a"), gold=gold("T-1,a"))
    files = {
        "results": table("r.csv", f"text,category,{RUN}", f"one,a,{RAN}"),
        "gold": table("g.csv", "text,category", "two,a"),
    }
    with pytest.raises(UsageError, match=r"matched by its text"):
        measured(**files, match=Match.TEXT)


def test_weighted_kappa_needs_an_order() -> None:
    """The taxonomy's priorities are one, and another can be given."""
    files = {
        "results": results("1,low,x", "2,high,y", "3,low,x", columns="priority,mood"),
        "gold": gold("1,low,x", "2,critical,y", "3,medium,y", columns="priority,mood"),
    }
    priority, mood = measured(**files).first.fields
    assert priority.figures.agreement is not None
    assert priority.figures.agreement.order == ("low", "medium", "high", "critical")
    assert mood.figures.agreement is not None
    assert mood.figures.agreement.order == ()
    _, mood = measured(**files, orders={"mood": ("x", "y")}).first.fields
    assert mood.figures.agreement is not None
    assert mood.figures.agreement.linear == mood.figures.agreement.plain
    with pytest.raises(UsageError, match="--order mood: these labels are missing: y"):
        measured(**files, orders={"mood": ("x", "z")})
    with pytest.raises(UsageError, match="--order: 'nothing' is no compared field"):
        measured(**files, orders={"nothing": ("x", "z")})


def test_the_taxonomy_says_which_fields_are_labels() -> None:
    """Long labels are no text when they are the taxonomy's, short texts are."""
    Path("t.toml").write_text(
        '[categories]\n"card not working" = "x"\n"money not there yet" = "y"\n'
        '[fields.product]\nkind = "text"\ndescription = "z"\n',
        encoding="utf-8",
    )
    taxonomy = load_taxonomy(Path("t.toml"))
    found = measured(
        results=results("1,card not working,x", columns="category,product"),
        gold=gold("1,Card not working,x", columns="category,product"),
        taxonomy=taxonomy,
    )
    assert only(found).name == "category"
    assert only(found).figures.accuracy == Share(1, 1)


def test_comparing_two_results() -> None:
    """Over the rows of the gold that both are judged by."""
    table("o.failures.csv", "id,error,error_detail,attempts,tokens", "3,,,,")
    files = {
        "results": results("1,a", "2,b", "3,a", "4,a"),
        "compare": results("1,b", "2,b", "1,a", name="o.results.csv"),
        "gold": gold("1,a", "2,b", "3,a", "4,a", "4,b", "5,a"),
    }
    found = measured(**files)
    test = found.tests["category"]
    assert (test.only_first, test.only_second) == (2, 0)
    assert found.second is not None
    assert (found.second.failed, found.second.missing, found.second.side.repeated) == (1, 2, 1)
    assert found.second.fields[0].figures.accuracy == Share(1, 3)
    assert measured(**files, missing=CountAs.WRONG).tests["category"].only_first == 3
    with pytest.raises(UsageError, match=r"other.csv: there is no field 'category'"):
        measured(**(files | {"compare": table("other.csv", "id,mood", "1,x")}))
    with pytest.raises(UsageError, match=r"is in z.results.csv, matched by id"):
        measured(**(files | {"compare": results("x,a", name="z.results.csv")}))


def test_comparing_two_results_by_position() -> None:
    """All three side by side."""
    names = ("r.csv", "o.csv", "g.csv")
    one, other, right = (table(name, "category,x", "a,1", f"{name[0]},1") for name in names)
    found = measured(results=one, compare=other, gold=right)
    assert found.second is not None
    assert (found.match, found.second.matched, found.tests["category"].p_value) == (
        Match.ROW,
        2,
        1.0,
    )


def test_minimums() -> None:
    """Of one field or all; a figure that is not there is an error, one not defined fails."""
    columns = "category,priority"
    files = {
        "results": results("1,a,low", "2,a,low", columns=columns),
        "gold": gold("1,a,low", "2,a,high", columns=columns),
    }

    def code(*minimums: Minimum) -> int:
        return measured(**files, minimums=minimums).exit_code

    assert code(Minimum(Figure.ACCURACY, 0.5)) == 0
    assert code(Minimum(Figure.ACCURACY, 0.6)) == 3
    assert code(Minimum(Figure.ACCURACY, 1.0, "category")) == 0
    assert code(Minimum(Figure.MACRO_F1, 0.3, "priority")) == 0
    assert code(Minimum(Figure.MACRO_F1, 0.4, "priority")) == 3
    assert code(Minimum(Figure.KAPPA, 0.0, "priority")) == 0
    assert code(Minimum(Figure.KAPPA, 0.0, "category")) == 3  # one label only
    with pytest.raises(
        UsageError, match=r"--min-macro-f1: no compared field 'mood' has that figure"
    ):
        code(Minimum(Figure.MACRO_F1, 0.3, "mood"))


def test_several_labels_have_no_kappa() -> None:
    """Asking for one is an error."""
    files = {"results": results("1,a; b"), "gold": gold("1,b;a")}
    assert only(measured(**files)).figures.accuracy == Share(1, 1)
    with pytest.raises(UsageError, match=r"--min-kappa: no compared field has that figure .*none"):
        measured(**files, minimums=(Minimum(Figure.KAPPA, 0.1),))


ROWS = [
    {"id": "1", "category": "a", "needs_human": True},
    {"id": "2", "category": "b", "needs_human": False},
]


def write_gold(name: str) -> str:
    """Write the same gold in the format that its name shows."""
    lines = ["id,category,needs_human", "1,a,yes", "2,b,no"]
    match name.split(".", 1)[1]:
        case "csv" | "CSV" | "csv.gz":
            data = "".join(f"{line}\n" for line in lines).encode()
            Path(name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
        case "tsv":
            table(name, *(line.replace(",", "\t") for line in lines))
        case "jsonl":
            Path(name).write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in ROWS))
        case "json":
            Path(name).write_bytes(orjson.dumps({"tickets": ROWS}))
        case "parquet":
            pq.write_table(pa.Table.from_pylist(ROWS), name)
        case "xlsx":
            workbook = Workbook()
            sheet = workbook.active
            assert sheet is not None
            sheet.append(["Labelled in November"])
            sheet.append([])
            for row in [list(ROWS[0]), *(list(row.values()) for row in ROWS)]:
                sheet.append(row)
            workbook.save(name)
    return name


@pytest.mark.parametrize(
    "name", ["g.csv", "g.CSV", "g.csv.gz", "g.tsv", "g.jsonl", "g.json", "g.parquet", "g.xlsx"]
)
def test_gold_of_every_format(name: str) -> None:
    """Without any text, as people label it."""
    found = measured(
        results=results("1,a,true", "2,a,false", columns="category,needs_human"),
        gold=write_gold(name),
    )
    category, human = found.first.fields
    assert category.figures.accuracy == Share(1, 2)
    assert human.figures.accuracy == Share(2, 2)
    assert found.gold.rows == 2


def test_json_members() -> None:
    """Lists are several labels, null is blank, long ids are exact, members may be nested."""
    Path("g.jsonl").write_text(
        '{"ticket":{"id":202609011128470000000000001002},"labels":{"topic":["a","b"]},"n":null}\n'
        '{"ticket":{"id":202609011128470000000000001003},"labels":{"topic":["b"]},"n":1.5}\n',
        encoding="utf-8",
    )
    found = measured(
        results=results(
            "202609011128470000000000001002,b; a,1",
            "202609011128470000000000001003,a,1.5",
            columns="category,n",
        ),
        gold="g.jsonl",
        gold_columns={"category": "labels.topic"},
    )
    category, number = found.first.fields
    assert category.figures.accuracy == Share(1, 2)
    assert (number.figures.accuracy, number.blank_gold) == (Share(1, 1), 1)
    with pytest.raises(UsageError, match=r"g.jsonl: there is no column 'labels.tag'"):
        measured(results="t.results.csv", gold="g.jsonl", gold_columns={"category": "labels.tag"})


def test_json_lines_that_are_strings_have_no_labels() -> None:
    """An input of texts is no gold."""
    Path("g.jsonl").write_text('"one"\n"two"\n', encoding="utf-8")
    with pytest.raises(UsageError, match="have no labels in common"):
        measured(results=results("1,a"), gold="g.jsonl")


def test_standard_input() -> None:
    """For one file, in the format that is named; two are one too many."""
    name = results("1,a")
    stdin = io.BytesIO(b"id,category\n1,a\n")
    found = measured(results=name, gold="-", stdin=stdin, input_format="csv")
    assert only(found).figures.accuracy == Share(1, 1)
    stdin = io.BytesIO(b'{"text":"one","category":"a"}\n{"text":"two","category":"a"}\n')
    pair = table("r.csv", f"text,category,{RUN}", f"two,a,{RAN}", f"one,b,{RAN}")
    found = measured(results=pair, gold="-", stdin=stdin)
    assert (found.match, only(found).figures.accuracy) == (Match.TEXT, Share(1, 2))
    with pytest.raises(UsageError, match="standard input"):
        measured(results="-", gold="-", stdin=stdin)


def test_a_name_without_extension() -> None:
    """The format that is named holds for it, and for no other file."""
    table("labels", "id,category", "1,a")
    found = measured(
        results=table("r.jsonl", '{"id":1,"category":"a"}'), gold="labels", input_format="csv"
    )
    assert only(found).figures.accuracy == Share(1, 1)


def test_how_the_gold_is_read() -> None:
    """Encoding, delimiter and sheet are the gold's; results are what forge wrote."""
    Path("g.csv").write_bytes("id;category\n1;caf\u00e9\n".encode("cp1252"))
    found = measured(results=results("1,caf\u00e9"), gold="g.csv", encoding="cp1252", delimiter=";")
    assert only(found).figures.accuracy == Share(1, 1)
    workbook = Workbook()
    for title, label in (("one", "x"), ("two", "caf\u00e9")):
        sheet = workbook.create_sheet(title)
        sheet.append(["id", "category"])
        sheet.append([1, label])
    workbook.save("g.xlsx")
    found = measured(results="t.results.csv", gold="g.xlsx", sheet="two")
    assert only(found).figures.accuracy == Share(1, 1)
    found = measured(results="t.results.csv", gold="g.xlsx")
    assert "the workbook has 3 sheets" in found.notes[0]


def test_an_id_column_that_is_named() -> None:
    """By a flag it must be there; from a settings file it is used where it is."""
    files = {
        "results": results("1,7,a", columns="ref,category"),
        "gold": table("g.csv", "id,category", "7,a"),
    }
    for needs in (False, True):
        found = measured(
            **files, id_column="ref", needs_id_column=needs, gold_columns={"ref": "id"}
        )
        assert found.first.side.key == "ref"
    with pytest.raises(UsageError, match="no column 'nothing'"):
        measured(**files, id_column="nothing", needs_id_column=True)
    table("g.csv", "id,category", "1,a")
    assert measured(**files, id_column="nothing").first.side.key == "id"


def test_of_several_ids_the_common_one_is_taken() -> None:
    """Exports have a key beside an id, and a gold only one of them."""
    both = table("r.csv", "id,key,category", "1,T-1,a")
    by_key, by_id = table("k.csv", "key,category", "T-1,a"), table("i.csv", "id,category", "1,b")
    assert measured(results=both, gold=by_id).first.side.key == "id"
    assert measured(results=by_id, gold=both).gold.key == "id"
    assert measured(results=by_key, gold=both).gold.key == "key"
    found = measured(results=both, gold=by_id, compare=both)
    assert found.second is not None
    assert found.second.side.key == "id"
    with pytest.raises(UsageError, match=r"matched by id \('key' and 'id'\)"):
        measured(results=by_id, gold=by_key)
    with pytest.raises(UsageError, match=r"no row of r.csv is in i.csv"):
        measured(results=by_id, gold=both, compare=by_key)


def test_costs_are_the_rows_that_are_compared() -> None:
    """Not those that the gold lacks; an export without the columns has none."""
    found = measured(results=results("1,a", "2,b", "3,c"), gold=gold("1,a", "2,a"))
    assert only(found).cost_per_right == {"USD": Decimal(1)}
    bare = measured(results=table("r.csv", "id,category,cost", "1,a,5"), gold=gold("1,a"))
    assert only(bare).bill.rows == 0


def test_many_rows_come_in_blocks() -> None:
    """More than one block on each side, and more than one slice."""
    number = 2_500
    found = measured(
        results=results(*(f"{n},{'ab'[n % 2]}" for n in range(number))),
        gold=gold(*(f"{n},a" for n in reversed(range(number)))),
    )
    assert only(found).figures.accuracy == Share(number // 2, number)


def test_a_file_that_is_not_there() -> None:
    """It is named, and what was opened before is closed."""
    with pytest.raises(InputError, match=r"nowhere.csv"):
        measured(results=results("1,a"), gold="nowhere.csv")
    with pytest.raises(InputError, match=r"nowhere.csv"):
        measured(results=results("1,a"), gold=gold("1,a"), failures="nowhere.csv")
