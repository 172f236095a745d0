"""Settings from flags, environment and files."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_forge.errors import SettingsError
from inference_forge.settings import (
    CsvGuard,
    Loaded,
    Order,
    Origin,
    ProgressStyle,
    Settings,
    load_settings,
    parse_duration,
    specs,
)


def _load(
    flags: dict[str, Any] | None = None,
    environ: dict[str, str] | None = None,
    project_file: Path | None = None,
    user_file: Path | None = None,
) -> Loaded:
    return load_settings(
        flags or {}, environ=environ or {}, project_file=project_file, user_file=user_file
    )


def _file(directory: Path, text: str, name: str = "forge.toml") -> Path:
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return path


# --- Merging


def test_without_sources_there_are_the_defaults() -> None:
    """And every origin says so."""
    loaded = _load()
    assert loaded.settings == Settings()
    assert {loaded.origin(spec.attribute) for spec in specs()} == {Origin.DEFAULT}


def test_flags_win_over_environment_over_project_over_user_over_default(tmp_path: Path) -> None:
    """Each layer is seen where none above it sets the value, and origins tell which it was."""
    user = _file(tmp_path, "model='u'\nprovider='u'\nattempts=1\nconcurrency=1\n", name="user.toml")
    project = _file(tmp_path, "model='p'\nprovider='p'\nattempts=2\n")
    loaded = _load(
        {"model": "f", "provider": None},
        {"FORGE_MODEL": "e", "FORGE_PROVIDER": "e"},
        project,
        user,
    )
    settings = loaded.settings
    assert (settings.model, settings.provider, settings.attempts, settings.concurrency) == (
        "f",
        "e",
        2,
        1,
    )
    assert [
        loaded.origin(name)
        for name in ("model", "provider", "attempts", "concurrency", "timeout_s")
    ] == [
        Origin.FLAG,
        Origin.ENVIRONMENT,
        Origin.PROJECT_FILE,
        Origin.USER_FILE,
        Origin.DEFAULT,
    ]


_LAYERS = st.fixed_dictionaries(
    {}, optional={origin: st.integers(1, 10_000) for origin in Origin if origin != "default"}
)


@given(_LAYERS)
def test_the_highest_layer_that_sets_a_value_wins(
    tmp_path_factory: pytest.TempPathFactory, layers: dict[Origin, int]
) -> None:
    """For every combination of layers."""
    directory = tmp_path_factory.mktemp("layers")
    files = {
        origin: _file(directory, f"concurrency = {layers[origin]}", name=origin.name)
        for origin in (Origin.PROJECT_FILE, Origin.USER_FILE)
        if origin in layers
    }
    environment = layers.get(Origin.ENVIRONMENT)
    loaded = _load(
        {"concurrency": layers.get(Origin.FLAG)},
        {} if environment is None else {"FORGE_CONCURRENCY": str(environment)},
        files.get(Origin.PROJECT_FILE),
        files.get(Origin.USER_FILE),
    )
    winner = next((origin for origin in Origin if origin in layers), Origin.DEFAULT)
    assert loaded.origin("concurrency") is winner
    assert loaded.settings.concurrency == layers.get(winner, 32)


def test_a_false_flag_is_given_and_none_is_not() -> None:
    """`--no-cache` overrides the environment."""
    loaded = _load({"cache": False, "quiet": None}, {"FORGE_CACHE": "1", "FORGE_QUIET": "1"})
    assert (loaded.settings.cache, loaded.settings.quiet) == (False, True)


def test_missing_files_are_no_error(tmp_path: Path) -> None:
    """Neither a missing file nor a missing directory, nor a file where a directory should be."""
    file = _file(tmp_path, "")
    for path in (tmp_path / "no.toml", tmp_path / "no" / "no.toml", file / "no.toml"):
        assert _load(project_file=path, user_file=path).settings == Settings()


# --- The environment


def test_environment_values_are_parsed_by_type() -> None:
    """Numbers, booleans, lists, choices, paths and durations."""
    settings = _load(
        environ={
            "FORGE_TEXT_COLUMN": "Subject, Body text,",
            "FORGE_CONCURRENCY": "64",
            "FORGE_MAX_FAILURE_RATE": "0.25",
            "FORGE_KEEP_REASONING": "yes",
            "FORGE_CACHE": "off",
            "FORGE_ORDER": "completion",
            "FORGE_CSV_GUARD": "all",
            "FORGE_PROGRESS": "plain",
            "FORGE_CACHE_DIR": "/var/cache/forge",
            "FORGE_TIMEOUT": "1m30s",
            "FORGE_CACHE_TTL": "30d",
            "FORGE_GRACE": "0",
        }
    ).settings
    assert settings == Settings(
        text_column=("Subject", "Body text"),
        concurrency=64,
        max_failure_rate=0.25,
        keep_reasoning=True,
        cache=False,
        order=Order.COMPLETION,
        csv_guard=CsvGuard.ALL,
        progress=ProgressStyle.PLAIN,
        cache_dir=Path("/var/cache/forge"),
        timeout_s=90.0,
        cache_ttl_s=30 * 86_400.0,
        grace_s=0.0,
    )


def test_an_empty_variable_counts_as_not_set() -> None:
    """`FORGE_MODEL= forge ...` is the shell's way of unsetting."""
    loaded = _load(environ={"FORGE_MODEL": "", "FORGE_TIMEOUT": ""})
    assert loaded.settings == Settings()
    assert loaded.origin("model") is Origin.DEFAULT


def test_foreign_variables_are_ignored() -> None:
    """Other prefixes, and names that are near to no setting."""
    environ = {"HOME": "/", "XFORGE_MODEL": "x", "forge_model": "x", "FORGE_HOME": "/opt/forge"}
    assert _load(environ=environ).settings == Settings()


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("FORGE_CONCURENCY", "FORGE_CONCURRENCY"),
        ("FORGE_CACHE_TTL_S", "FORGE_CACHE_TTL"),
        ("FORGE_TIMEOUT_S", "FORGE_TIMEOUT"),
        ("FORGE_BASEURL", "FORGE_BASE_URL"),
    ],
)
def test_a_misspelt_variable_is_an_error_with_the_nearest_name(variable: str, nearest: str) -> None:
    """Even when it is empty: it was meant."""
    for value in ("1", ""):
        with pytest.raises(SettingsError) as caught:
            _load(environ={variable: value})
        message = f"environment: unknown setting {variable}; did you mean {nearest}?"
        assert str(caught.value) == message


# --- Files


def test_a_file_may_write_names_with_dashes_or_underscores(tmp_path: Path) -> None:
    """As the flags or as the fields are written."""
    text = "ticket-deadline = '5m'\nmax_output_tokens = 99\ntext-column = ['A', 'B, C']\n"
    settings = _load(project_file=_file(tmp_path, text)).settings
    assert (settings.ticket_deadline_s, settings.max_output_tokens) == (300.0, 99)
    assert settings.text_column == ("A", "B, C")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modle = 'x'", "unknown setting 'modle'; did you mean 'model'?"),
        ("timeout_s = 3", "unknown setting 'timeout_s'; did you mean 'timeout'?"),
        ("cache-dri = 'x'", "unknown setting 'cache-dri'; did you mean 'cache_dir'?"),
        ("zzz = 1", "unknown setting 'zzz'; known: "),
        ("providrs = 1", "unknown setting 'providrs'; did you mean 'providers'?"),
        ("[provider.x]", "provider is who answers, by name: did you mean [providers.x]?"),
        ("providers = 1", "providers must hold a table for each provider: write [providers.NAME]"),
        ("[[providers]]", "providers must hold a table for each provider: write [providers.NAME]"),
        ("providers.x = 1", "providers.x must be a table, [providers.NAME]"),
        ("[providers.'a/b']", "'a/b' cannot be a provider's name: use letters, digits, - and _"),
        ("[providers.x]\n[providers.X]", "[providers.X] is there twice: join the two"),
        ("allow_models = []", "allow_models: the list is empty: name the models that may be asked"),
        ("allow_models = [' ']", "allow_models: the list is empty"),
        ("allow_models = 3", "allow_models: 3 cannot be used: it must be a list of texts"),
        ("allow_models = [3]", "allow_models: [3] cannot be used: it must be a list of texts"),
        ("model = ", "is not valid TOML: Invalid value"),
        ("a = " + "[" * 5000, "is not valid TOML: "),
        ("concurrency = 0", "concurrency: 0 cannot be used: it must be at least 1"),
        ("attempts = 11", "attempts: 11 cannot be used: it must be at most 10"),
        ("max_failure_rate = 1.5", "max_failure_rate: 1.5 cannot be used"),
        ("max_failure_rate = nan", "max_failure_rate: nan cannot be used"),
        ("provider = 3", "provider: 3 cannot be used: it must be text in quotes"),
        ("text_column = 1", "text_column: 1 cannot be used: it must be a list of texts"),
        ("timeout = 0", "timeout: 0 cannot be used: it must be above 0"),
        ("timeout = inf", "timeout: inf cannot be used"),
        ("timeout = 'soon'", "timeout: 'soon' is no duration: use seconds, or a text such as 90s"),
        ("order = 'random'", "order: 'random' cannot be used: choose 'input' or 'completion'"),
        ("cache_dir = 3", "cache_dir: 3 cannot be used"),
        ("taxonomy = '~nobody-of-that-name/t.toml'", "names a home directory that is not known"),
    ],
)
def test_faulty_files_are_refused_naming_file_and_key(
    tmp_path: Path, text: str, message: str
) -> None:
    """Each error says where, what, and what would do."""
    path = _file(tmp_path, text)
    for project_file, user_file in ((path, None), (None, path)):
        with pytest.raises(SettingsError) as caught:
            load_settings({}, environ={}, project_file=project_file, user_file=user_file)
        assert str(caught.value).startswith(f"{path}: ")
        assert message in str(caught.value)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    """A directory, and bytes that are no UTF-8."""
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        _load(project_file=tmp_path)
    path = tmp_path / "latin.toml"
    path.write_bytes(b"model = 'gr\xf6\xdfe'")
    with pytest.raises(SettingsError, match=r"latin\.toml: is not valid TOML: 'utf-8' codec"):
        _load(project_file=path)


def test_paths_in_a_file_are_meant_from_where_the_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative to the file, absolute as they are, ~ expanded; flags and variables untouched."""
    monkeypatch.setenv("HOME", "/home/someone")
    path = _file(tmp_path, "taxonomy = 'sub/t.toml'\ncache_dir = '~/cache'\noutput = 'out.csv'")
    settings = _load(project_file=path).settings
    assert settings.taxonomy == tmp_path / "sub" / "t.toml"
    assert settings.cache_dir == Path("/home/someone/cache")
    assert settings.output == "out.csv"
    absolute = _file(tmp_path, "taxonomy = '/etc/t.toml'")
    assert _load(project_file=absolute).settings.taxonomy == Path("/etc/t.toml")
    by_hand = _load({"taxonomy": "t.toml"}, {"FORGE_CACHE_DIR": "c"}, path).settings
    assert (by_hand.taxonomy, by_hand.cache_dir) == (Path("t.toml"), Path("c"))


# --- Errors from flags and variables


@pytest.mark.parametrize(
    ("flags", "environ", "message"),
    [
        ({"concurrency": 0}, {}, "--concurrency: 0 cannot be used"),
        ({"max_output_tokens": 1}, {}, "--max-output-tokens: 1 cannot be used"),
        ({"output": 3}, {}, "--output: 3 cannot be used"),
        ({"timeout_s": "1 fortnight"}, {}, "--timeout: '1 fortnight' is no duration"),
        ({"quiet": "perhaps"}, {}, "--quiet: 'perhaps' cannot be used"),
        ({}, {"FORGE_ATTEMPTS": "many"}, "FORGE_ATTEMPTS: 'many' cannot be used"),
        ({}, {"FORGE_GRACE": "-1s"}, "FORGE_GRACE: '-1s' is no duration"),
        ({}, {"FORGE_PROGRESS": "loud"}, "FORGE_PROGRESS: 'loud' cannot be used"),
    ],
)
def test_faulty_values_are_named_as_the_user_wrote_them(
    flags: dict[str, Any], environ: dict[str, str], message: str
) -> None:
    """By flag or by variable, not by the field's name."""
    with pytest.raises(SettingsError) as caught:
        _load(flags, environ)
    assert str(caught.value).startswith(message)
    assert caught.value.exit_code == 2


# --- Durations

_UNITS = {"w": 604_800.0, "d": 86_400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10_000) | st.decimals(0, 999, places=2), st.sampled_from([*_UNITS])
        ),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(["", " "]),
)
def test_a_duration_is_the_sum_of_its_parts(parts: list[tuple[Any, str]], space: str) -> None:
    """In any order and with any units, spaces and capitals aside."""
    text = space.join(f"{number}{space}{unit}" for number, unit in parts)
    expected = sum(float(number) * _UNITS[unit] for number, unit in parts)
    assert parse_duration(text) == pytest.approx(expected)
    assert parse_duration(f" {text.upper()} ") == pytest.approx(expected)


@given(st.floats(0, 1e9).map(lambda number: f"{number:.3f}") | st.integers(0).map(str))
def test_a_bare_number_is_seconds(text: str) -> None:
    """Whole or decimal."""
    assert parse_duration(text) == float(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("15m", 900),
        ("1h30m", 5400),
        ("30d", 2_592_000),
        ("250ms", 0.25),
        ("2 W", 1_209_600),
    ],
)
def test_documented_durations(text: str, seconds: float) -> None:
    """The examples of `--help`."""
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    ["", " ", "s", "-1", "-1s", "+1", "1x", "1h30", "h1", "1..5s", "1e3", "nan", "inf", "1,5h"],
)
def test_other_texts_are_no_durations(text: str) -> None:
    """The error says what is understood."""
    with pytest.raises(ValueError, match="use seconds, or a text such as 90s, 15m, 1h30m or 30d"):
        parse_duration(text)


@given(st.text())
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    """Never negative, never another error."""
    with contextlib.suppress(ValueError):
        assert parse_duration(text) >= 0


# --- The list of settings


def test_every_setting_has_a_doc_and_a_variable() -> None:
    """Help, flags, variables and file keys are made from one list."""
    assert [spec.attribute for spec in specs()] == [
        item.name for item in dataclasses.fields(Settings)
    ]
    by_attribute = {spec.attribute: spec for spec in specs()}
    assert by_attribute["timeout_s"].key == "timeout"
    assert by_attribute["timeout_s"].variable == "FORGE_TIMEOUT"
    assert by_attribute["max_output_tokens"].variable == "FORGE_MAX_OUTPUT_TOKENS"
    for spec in specs():
        assert spec.doc.text
        assert spec.doc.text.endswith(".")
        assert spec.doc.is_duration == spec.attribute.endswith("_s")
        assert spec.default == getattr(Settings(), spec.attribute)


def test_the_defaults_are_the_designs() -> None:
    """The numbers that are promised."""
    settings = Settings()
    assert (settings.concurrency, settings.attempts, settings.timeout_s) == (32, 3, 60)
    assert (settings.ticket_deadline_s, settings.outage_budget_s) == (600, 900)
    assert (settings.grace_s, settings.provider, settings.csv_guard) == (20, "local", "added")
