"""Choosing columns by name."""

from __future__ import annotations

import pytest

from inference_forge.core.columns import (
    BODY_NAMES,
    TITLE_NAMES,
    choose_columns,
    has_failure_columns,
    list_names,
    reads_like_text,
    resolve_column,
)
from inference_forge.errors import UsageError

JIRA = (
    "Summary,Issue key,Issue id,Issue Type,Status,Project key,Project name,Project description,"
    "Labels,Labels,Description,Environment,Custom field (Comments),Comment,Comment,Parent,"
    "Parent key,Parent summary"
)
EXPORTS = {
    "zendesk": (
        "Summation column,Id,Requester,Requester id,Subject,Tags,Status,Ticket type,Created at",
        "text = Subject; id = Id",
    ),
    "jira": (JIRA, "text = Summary + Description; id = Issue key"),
    "freshdesk": (
        "Ticket ID,Subject,Description,Status,Type,Product,Full name,Title,Email,Contact ID",
        "text = Subject + Description; id = Ticket ID",
    ),
    "servicenow": (
        "number,opened_at,short_description,caller_id,description,comments_and_work_notes",
        "text = short_description + description; id = number",
    ),
    "servicenow labels": (
        "Number,Opened,Short description,Caller,Priority",
        "text = Short description; id = Number",
    ),
    "hubspot": (
        "Ticket ID,Ticket name,Pipeline,Ticket status,Ticket description,Category",
        "text = Ticket name + Ticket description; id = Ticket ID",
    ),
    "hubspot records": (
        "Record ID,Ticket name,Ticket description",
        "text = Ticket name + Ticket description; id = Record ID",
    ),
    "linear": (
        "ID,Team,Title,Description,Status,Project ID,Cycle Name,UUID",
        "text = Title + Description; id = ID",
    ),
    "intercom": (
        "Conversation ID,Channel,Ticket title,Ticket type,Ticket URL",
        "text = Ticket title; id = Conversation ID",
    ),
    "intercom messages": (
        "message_id,message_body,message_type,conversation_id,conversation_state",
        "text = message_body; id = message_id",
    ),
}


@pytest.mark.parametrize("vendor", EXPORTS)
def test_exports_of_the_usual_help_desks_are_read_without_options(vendor: str) -> None:
    """The header rows of real exports lead to their text and id columns."""
    header, reading = EXPORTS[vendor]
    choice = choose_columns(header.split(","))
    assert choice.reading == reading
    assert choice.has_title_only == ("+" not in reading and "body" not in reading)


@pytest.mark.parametrize("name", BODY_NAMES)
@pytest.mark.parametrize("spelling", ["{}", "Ticket {}", "CASE_{}", "issue-{}", "Conversation.{}"])
def test_every_body_name_is_found_in_every_spelling(name: str, spelling: str) -> None:
    """Names are compared without case, separators and the leading word."""
    choice = choose_columns(["when", spelling.format(name.upper())])
    assert choice.text == (1,)
    assert not choice.has_title_only


def test_names_rank_and_the_title_comes_first() -> None:
    """The best body and the best title are joined, title first, wherever they stand."""
    names = ["details", "summary", "description_text", "subject"]
    assert choose_columns(names).text == (3, 2)
    assert choose_columns([*reversed(BODY_NAMES), *reversed(TITLE_NAMES)]).text == (11, 7)


def test_a_text_column_at_position_zero_counts() -> None:
    """The first column is a column like any other."""
    assert choose_columns(["body", "ticket", "title"]).text == (2, 0)
    assert choose_columns(["subject", "ticket name"]).text == (0,)


def test_a_name_needs_a_prefix_to_be_a_title() -> None:
    """`name` is a person, `Ticket name` is a title."""
    assert choose_columns(["Ticket name"]).has_title_only
    with pytest.raises(UsageError, match="No text column"):
        choose_columns(["name"])


def test_a_column_ticket_must_read_like_text() -> None:
    """A column `ticket` may hold numbers; only sentences make it the text."""
    sentences = {0: ["The printer is broken", "Cannot log in since Monday"]}
    assert choose_columns(["ticket"], cells=sentences.__getitem__).text == (0,)
    with pytest.raises(UsageError):
        choose_columns(["ticket"], cells={0: ["T-1", "T-2"]}.__getitem__)
    choice = choose_columns(["ticket", "subject"], cells={0: ["T-1"]}.__getitem__)
    assert choice.text == (1,)


def test_duplicate_names_found_by_name_are_all_read() -> None:
    """Never the last one only."""
    choice = choose_columns(["Description", "id", "Description"])
    assert choice.text == (0, 2)
    assert choice.reading == "text = Description (2 columns); id = id"


def test_named_columns_are_joined_in_the_given_order() -> None:
    """`--text-column` decides the order, each column once."""
    names = ["id", "a", "Comment", "b", "Comment"]
    choice = choose_columns(names, text_columns=["b", "Comment", "a", "b"], tenant_column="id")
    assert choice.text == (3, 2, 4, 1)
    assert choice.reading == "text = b + Comment (2 columns) + a; id = id; tenant = id"
    assert not choice.has_title_only


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("Comment", (1, 2)),
        ("Comment[1]", (1,)),
        ("Comment[2]", (2,)),
        ("COMMENT[2]", (2,)),
        ("user-name", (3,)),
        ("x[1]", (4,)),
        ("x[1][1]", (4,)),
    ],
)
def test_columns_are_resolved(wanted: str, expected: tuple[int, ...]) -> None:
    """A name means all of that name; an index picks one; a literal name goes first."""
    assert resolve_column(["id", "Comment", "Comment", "User Name", "x[1]"], wanted) == expected


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("Coment", "Did you mean 'Comment'"),
        ("Comment[3]", "the input has 2 named 'Comment'"),
        ("nothing[1]", "The input has: 'Comment', 'Comment'"),
    ],
)
def test_an_unknown_column_is_an_error_that_lists_the_columns(wanted: str, message: str) -> None:
    """The message says what there is."""
    with pytest.raises(UsageError) as caught:
        resolve_column(["Comment", "Comment"], wanted)
    assert message in str(caught.value)


def test_nothing_found_lists_columns_and_the_option() -> None:
    """The message tells what to do."""
    with pytest.raises(UsageError, match=r"--text-column.*'foo', 'bar'"):
        choose_columns(["foo", "bar"])
    assert list_names([]) == "no columns"
    assert list_names([str(i) for i in range(50)]).endswith("'39' and 10 more")


def test_unknown_id_and_tenant_are_errors() -> None:
    """What the user named must be there."""
    with pytest.raises(UsageError):
        choose_columns(["text"], id_column="nope")
    with pytest.raises(UsageError):
        choose_columns(["text"], tenant_column="nope")
    assert choose_columns(["text"]).ticket_id is None
    assert choose_columns(["text", "nr"], id_column="nr").ticket_id == 1


def test_only_compared_names_are_found_by_name() -> None:
    """Nested members are compared by another name than they are shown."""
    choice = choose_columns(["a.body", "b.body"], compared=["", "body"])
    assert choice.text == (1,)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["id", "error", "error_detail", "attempts", "tokens"], True),
        (["error", "forge_error", "forge_error_detail", "forge_attempts", "forge_tokens"], True),
        (["error", "error_detail", "attempts", "tokens", "id"], False),
        (["x_error", "error_detail", "attempts", "tokens"], False),
        (["error_detail", "attempts", "tokens"], False),
        ([], False),
    ],
)
def test_failure_columns_are_recognised_at_the_end_only(names: list[str], expected: bool) -> None:
    """All four, in order, with one prefix."""
    assert has_failure_columns(names) is expected


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["My card was declined"], True),
        (["プリンターが動きません"], True),
        (["4711", "4712"], False),
        (["INC 0010 12"], False),
        (["", "  "], True),
        (["ABC-1", "the app crashes daily", ""], True),
    ],
)
def test_text_is_told_from_codes(cells: list[str], expected: bool) -> None:
    """Sentences are text; numbers and codes are not."""
    assert reads_like_text(cells) is expected


def test_context_columns_are_named_like_text_columns() -> None:
    """All of a name, one of it, or misspelt; and they are told."""
    names = ["Subject", "Body", "Tag", "Tag", "Product Line"]
    choice = choose_columns(names, context_columns=["Tag", "product_line", "Tag[1]"])
    assert choice.context == (2, 3, 4)
    assert choice.reading == "text = Subject + Body; context = Tag (2 columns) + Product Line"
    assert choose_columns(names).context == ()
    with pytest.raises(UsageError, match="There is no column 'Prodct'"):
        choose_columns(names, context_columns=["Prodct"])
