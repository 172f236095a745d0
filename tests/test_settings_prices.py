"""`[prices."PROVIDER"."MODEL"]` tables in settings files."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from inference_forge.errors import SettingsError
from inference_forge.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from inference_forge.settings import Loaded

WHOLE = '[prices."openai"."gpt-5.1"]\ncurrency = "usd"\nprompt = 0.25\ncompletion = "2"\n'


def loaded(tmp_path: Path, user: str = "", project: str = "") -> Loaded:
    """Return the settings of two files."""
    for name, text in (("user.toml", user), ("forge.toml", project)):
        (tmp_path / name).write_text(text)
    return load_settings(
        {}, environ={}, project_file=tmp_path / "forge.toml", user_file=tmp_path / "user.toml"
    )


def test_both_files_may_say_what_a_model_costs(tmp_path: Path) -> None:
    """The project's tables come last, and so win."""
    found = loaded(tmp_path, WHOLE, WHOLE.replace("0.25", "0.5").replace("openai", "OpenAI")).prices
    assert [(table.provider, table.models) for table in found] == [("openai", ("gpt-5.1",))] * 2
    assert [table.prompt for table in found] == [Decimal("0.25"), Decimal("0.5")]
    assert [table.cached for table in found] == [Decimal("0.25"), Decimal("0.5")]
    assert found[0].currency == "USD"
    assert loaded(tmp_path).prices == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prices = 1", "prices must hold a table for each model"),
        ("[prices]\nopenai = 1", 'prices."openai" must hold a table for each model'),
        ("[prices.openai]\ngpt = 1", "must be a table; a name that holds a dot stands in quotes"),
        (WHOLE + "promt = 1", "unknown key 'promt'; did you mean 'prompt'?"),
        (WHOLE + "zzz = 1", "unknown key 'zzz'; known: currency, prompt"),
        (WHOLE.replace("prompt = 0.25", ""), "prompt is missing"),
        (WHOLE.replace("0.25", "-1"), "prompt must be money for a million tokens"),
        (WHOLE.replace("0.25", "nan"), "prompt must be money for a million tokens"),
        (WHOLE.replace("0.25", "true"), "prompt must be money for a million tokens"),
        (WHOLE.replace("0.25", '"much"'), "prompt must be money for a million tokens"),
        (WHOLE.replace('"usd"', "1"), "currency must be a text, not 1"),
        (WHOLE.replace('"usd"', '"rupees"'), "currency must be a code such as USD, not 'RUPEES'"),
        (WHOLE + 'also = "x"', "also must be a list of names"),
        (WHOLE + "also = [1]", "also must be a list of names"),
        (WHOLE + "max_prompt_tokens = 0", "max_prompt_tokens must be a number above 0, not 0"),
        (WHOLE + "max_prompt_tokens = true", "max_prompt_tokens must be a number above 0"),
        (WHOLE + "source = 1", "source must be a text, not 1"),
        ("price = 1", "did you mean 'prices'?"),
    ],
)
def test_what_cannot_be_a_price_is_refused(tmp_path: Path, text: str, says: str) -> None:
    """The message names file and table."""
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, project=text)
    assert says in str(caught.value)
    assert str(tmp_path / "forge.toml") in str(caught.value)
