"""What a person reads after a mistake: exit code and exact last line, and nothing was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from running import CANARY, always_good, forge, tickets
from servers import ScriptedServer

if TYPE_CHECKING:
    from pathlib import Path

PROVIDERS = (
    "local, simulated, sarvam, openai, anthropic, groq, together, mistral, openrouter, friendli, "
    "ollama, vllm, llamacpp"
)
DURATION = "use seconds, or a text such as 90s, 15m, 1h30m or 30d"


@pytest.fixture(autouse=True)
def _input(isolated: Path) -> None:
    tickets(isolated / "in.csv", "hello")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--provider", "sarvm"),
            f"unknown provider 'sarvm': did you mean 'sarvam'? Known: {PROVIDERS}",
        ),
        (("--provider", "sarvam"), "sarvam needs an API key: set SARVAM_API_KEY"),
        (("--provider", "openai"), "openai has no default model: choose one with --model"),
        (
            ("--model", "m"),
            "--model needs a provider: add --provider openai (or any other; local has one model)",
        ),
        (
            ("--base-url", "http://127.0.0.1:1/v1"),
            (
                "--base-url needs a provider: add --provider openai (or any other; local has one "
                "model)"
            ),
        ),
        (("--taxonomy", "no.toml"), "no.toml: cannot be read: No such file or directory"),
        (("--timeout", "soon"), f"--timeout: 'soon' is no duration: {DURATION}"),
        (
            ("--concurrency", "0"),
            "--concurrency: '0' cannot be used: it must be at least 1",
        ),
        (
            ("--order", "random"),
            "--order: 'random' cannot be used: choose 'input' or 'completion'",
        ),
        (
            ("-o", "in.csv"),
            "in.csv: this would overwrite the input in.csv; choose another output.",
        ),
        (
            ("--failures", "in.csv"),
            "in.csv: this would overwrite the input in.csv; choose another output.",
        ),
        (
            ("-o", "x.csv", "--failures", "x.csv"),
            "x.csv: results and failures cannot be the same file; choose another with --failures.",
        ),
        (
            ("b.csv", "--failures", "x.csv"),
            (
                "several inputs get two files each, and --failures names one (x.csv): leave it "
                "out, or add -o for one results file"
            ),
        ),
        (("missing.csv",), "missing.csv: there is no such file; check the name"),
        (
            ("--text-column", "Body"),
            "in.csv, line 1: there is no column 'Body'. The input has: 'id', 'text'.",
        ),
    ],
)
def test_a_mistake_is_named_with_what_to_do(
    isolated: Path, arguments: tuple[str, ...], message: str
) -> None:
    """Exit 2; the message is the only thing said; nothing was written."""
    done = forge("classify", "in.csv", *arguments)
    assert (done.code, done.err) == (2, f"forge: error: {message}\n")
    assert [path.name for path in isolated.iterdir()] == ["in.csv"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no.csv", "no.csv: there is no such file; check the name"),
        (
            "folder.csv",
            "folder.csv: is a directory: name the files in it, for example folder.csv/*.csv",
        ),
        ("empty.csv", "empty.csv: is empty: the first line must name the columns"),
        (
            "in.results.csv",
            (
                "in.results.csv: looks like a file that forge wrote; give the original export, or "
                "choose the results file with -o"
            ),
        ),
    ],
)
def test_an_unreadable_input_is_named(isolated: Path, name: str, message: str) -> None:
    """Exit 2 with the file's name and what is the matter with it."""
    (isolated / "folder.csv").mkdir()
    (isolated / "empty.csv").touch()
    tickets(isolated / "in.results.csv", "x")
    done = forge("classify", name)
    assert (done.code, done.err) == (2, f"forge: error: {message}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("in.results.csv", "b.failures.csv"), "every input looks like a file that forge wrote"),
        (("-", "-"), "standard input (-) can be read only once"),
    ],
)
def test_several_inputs_are_looked_at_first(
    isolated: Path, arguments: tuple[str, ...], message: str
) -> None:
    """What cannot work is said before the first of them is classified."""
    for name in arguments:
        tickets(isolated / name, "x")
    done = forge("classify", *arguments)
    assert done.code == 2
    assert done.last.startswith(f"forge: error: {message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("concurency = 3", "unknown setting 'concurency'; did you mean 'concurrency'?"),
        ("cache_ttl = 'x'", f"cache_ttl: 'x' is no duration: {DURATION}"),
        (
            "max_failure_rate = 2",
            "max_failure_rate: 2 cannot be used: it must be at most 1",
        ),
    ],
)
def test_a_mistake_in_forge_toml_is_named(isolated: Path, text: str, message: str) -> None:
    """Every command that reads settings says which file and key."""
    (isolated / "forge.toml").write_text(text)
    done = forge("classify", "in.csv")
    assert (done.code, done.err) == (2, f"forge: error: forge.toml: {message}\n")


def test_toml_that_is_none_is_named(isolated: Path) -> None:
    """The parser's own reason follows the file's name."""
    done = forge("classify", "in.csv", "--taxonomy", "in.csv")
    assert done.code == 2
    assert done.err.startswith("forge: error: in.csv: is not valid TOML: ")
    (isolated / "forge.toml").write_text("concurrency = ")
    assert forge("cache", "stats").err.startswith("forge: error: forge.toml: is not valid TOML: ")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "FORGE_CONCURENCY",
            "3",
            "environment: unknown setting FORGE_CONCURENCY; did you mean FORGE_CONCURRENCY?",
        ),
        (
            "FORGE_CONCURRENCY",
            "x",
            ("FORGE_CONCURRENCY: 'x' cannot be used: it must be a whole number"),
        ),
    ],
)
def test_a_mistake_in_a_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str
) -> None:
    """A typing error in a FORGE_* variable is not passed over."""
    monkeypatch.setenv(name, value)
    done = forge("classify", "in.csv")
    assert (done.code, done.err) == (2, f"forge: error: {message}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("classify", "in.csv", "--nope"), "No such option: --nope"),
        (("clasify",), "No such command 'clasify'. Did you mean 'classify'?"),
        (("cache", "prune"), "Missing option '--older-than'"),
    ],
)
def test_what_the_parser_refuses_comes_with_the_usage(
    arguments: tuple[str, ...], message: str
) -> None:
    """Exit 2; first how the command is used and where help is, last what was wrong."""
    done = forge(*arguments)
    assert (done.code, done.out) == (2, b"")
    assert done.err.startswith("Usage: forge ")
    assert "' for help." in done.err
    assert done.last.startswith(f"Error: {message}")


@pytest.mark.parametrize("arguments", [(), ("classify",), ("cache",)])
def test_without_arguments_help_is_shown(arguments: tuple[str, ...]) -> None:
    """A bare command says what it can do."""
    done = forge(*arguments)
    assert "Usage: forge" in done.out.decode() + done.err


def test_a_key_with_a_line_break_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the variable and the place, never the key."""
    monkeypatch.setenv("OPENAI_API_KEY", f"{CANARY}\n")
    done = forge("classify", "in.csv", "--provider", "openai", "--model", "m")
    assert done.code == 2
    assert done.last == (
        f"forge: error: the API key in OPENAI_API_KEY has a line break at position "
        f"{len(CANARY) + 1}: copy the key again, without quotes or line breaks"
    )


def test_an_unused_key_is_pointed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever has set a key probably wants the model; the baseline says so."""
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    done = forge("classify", "in.csv")
    assert done.lines[0] == (
        "labels come from the built-in baseline (local-baseline), not from a language model; "
        "OPENAI_API_KEY is set: add --provider openai"
    )


def test_nothing_is_sent_before_the_outputs_are_known_to_work(isolated: Path) -> None:
    """An output that cannot be written costs no request."""
    with ScriptedServer(always_good) as server:
        where = ("--provider", "openai", "--model", "m", "--base-url", server.url)
        done = forge("classify", "in.csv", *where, "-o", isolated / "no/where.csv")
        assert (done.code, server.connections) == (2, 0)
    assert done.last.endswith(f"there is no directory {isolated / 'no'}; create it first.")


def test_the_first_of_several_inputs_is_reported_when_a_later_one_fails(isolated: Path) -> None:
    """What is done is done, and its summary was printed."""
    (isolated / "second.csv").write_text("a,b\n1,2\n")
    done = forge("classify", "in.csv", "second.csv")
    assert done.code == 2
    assert done.summary["results"] == "in.results.csv"
    assert done.last.startswith("forge: error: ")
    assert (isolated / "in.results.csv").exists()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("-o", "x.xlsx"), "x.xlsx: the extension names no known format"),
        (("-o", ""), "-o is empty: name a results file, or - for standard output"),
        (("--encoding", "idna"), "Unknown encoding 'idna'"),
    ],
)
def test_outputs_and_encodings_that_cannot_be(
    isolated: Path, more: tuple[str, ...], message: str
) -> None:
    """Exit 2, before anything is written."""
    tickets(isolated / "in.csv", "hello")
    done = forge("classify", "in.csv", *more)
    assert done.code == 2
    assert message in done.last
    assert [path.name for path in isolated.iterdir() if path.name.startswith(("x", "in."))] == [
        "in.csv"
    ]


def test_a_failures_file_can_be_fed_in(isolated: Path) -> None:
    """It gets results and failures of its own."""
    tickets(isolated / "in.csv", "hello", "")
    assert forge("classify", "in.csv").code == 3
    assert forge("classify", "in.failures.csv").code == 3
    assert (isolated / "in.failures.failures.csv").exists()


@pytest.mark.parametrize("name", ["x" * 300 + ".csv", "x" * 240 + ".csv", "x" * 250 + ".csv"])
def test_a_name_that_is_too_long_is_no_bug(isolated: Path, name: str) -> None:
    """Results, failures or partial file: exit 5 before anything is sent, with the reason."""
    tickets(isolated / "in.csv", "hello", "")
    done = forge("classify", "in.csv", "-o", name)
    assert (done.code, "File name too long" in done.last) == (5, True)


def test_an_input_whose_name_is_too_long_is_no_bug() -> None:
    """Exit 2 with the operating system's reason."""
    done = forge("classify", "x" * 300 + ".csv")
    assert (done.code, "File name too long" in done.last) == (2, True)
