"""Lists of models that may be asked: patterns, and how several places narrow each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inference_forge.settings import AllowList, load_settings

if TYPE_CHECKING:
    from pathlib import Path

PROVIDERS = {"openai", "groq", "together", "local"}


@pytest.mark.parametrize(
    ("pattern", "provider", "model", "is_permitted"),
    [
        ("gpt-4.1-mini", "openai", "gpt-4.1-mini", True),
        ("gpt-4.1-mini", "groq", "gpt-4.1-mini", True),
        ("gpt-4.1-mini", "openai", "gpt-4.1-mini-2025-04-14", False),
        ("gpt-4.1*", "openai", "gpt-4.1-mini", True),
        ("gpt-4.?", "openai", "gpt-4.1", True),
        ("gpt-[45]", "openai", "gpt-6", False),
        ("GPT-4.1", "openai", "gpt-4.1", False),
        ("openai/gpt-4.1", "openai", "gpt-4.1", True),
        ("openai/*", "openai", "anything", True),
        ("openai/*", "groq", "llama", False),
        ("*/llama-*", "groq", "llama-3.1", True),
        ("*", "together", "meta-llama/Llama-3.3", True),
        ("meta-llama/*", "together", "meta-llama/Llama-3.3", True),
        ("together/meta-llama/*", "together", "meta-llama/Llama-3.3", True),
        ("together/meta-llama/*", "groq", "meta-llama/Llama-3.3", False),
        # A provider's name is also how others begin the names of its models.
        ("openai/gpt-oss-20b", "groq", "openai/gpt-oss-20b", False),
        ("groq/openai/gpt-oss-20b", "groq", "openai/gpt-oss-20b", True),
        ("openai", "openai", "gpt-4.1", False),
        ("local/*", "local", "local-baseline", True),
    ],
)
def test_patterns(pattern: str, provider: str, model: str, *, is_permitted: bool) -> None:
    """`provider/model` or `model`, with wildcards, letter by letter."""
    assert AllowList("here", (pattern,)).permits(provider, model, PROVIDERS) is is_permitted


def test_any_pattern_of_a_list_will_do() -> None:
    """A list is what may be asked, not what must fit."""
    assert AllowList("here", ("a", "b")).permits("openai", "b", PROVIDERS)


def test_every_place_with_a_list_counts(tmp_path: Path) -> None:
    """From the user's file to the flag; none replaces another."""
    user, project = tmp_path / "user.toml", tmp_path / "forge.toml"
    user.write_text("allow_models = ['a', 'b']")
    project.write_text("allow_models = 'c'")
    loaded = load_settings(
        {"allow_models": ["f"]},
        environ={"FORGE_ALLOW_MODELS": "d, e"},
        project_file=project,
        user_file=user,
    )
    assert loaded.allowed == (
        AllowList(f"{user}: allow_models", ("a", "b")),
        AllowList(f"{project}: allow_models", ("c",)),
        AllowList("FORGE_ALLOW_MODELS", ("d", "e")),
        AllowList("--allow-models", ("f",)),
    )
    assert load_settings({}, environ={}).allowed == ()
