"""Where keys may come from, and where they may go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from running import CANARY

from inference_forge.adapters.providers.presets import find_preset
from inference_forge.app.answering import open_answering, open_fallback
from inference_forge.app.endpoints import find_addresses
from inference_forge.app.keys import KeyFinder
from inference_forge.app.wiring import pacing_limits
from inference_forge.core.pacing import PacingLimits
from inference_forge.core.taxonomy import BUILT_IN
from inference_forge.errors import SettingsError
from inference_forge.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from inference_forge.app.answering import Answering
    from inference_forge.app.keys import Keys
    from inference_forge.settings import Loaded

OPENAI = find_preset("openai")
HOSTED: dict[str, Any] = {"provider": "openai", "model": "m"}
A, B, C = (f"http://gpu{n}:8000/v1" for n in (1, 2, 3))


@dataclass
class Found:
    """A finder and what it told."""

    environ: dict[str, str] = field(default_factory=dict)
    learned: list[str] = field(default_factory=list)
    warned: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the finder."""
        self.finder = KeyFinder(
            self.environ,
            self.learned.append,
            warn=lambda code, message: self.warned.append((code, message)),
        )

    def find(self, loaded: Loaded) -> Keys:
        """Return the keys for OpenAI."""
        return self.finder.find(OPENAI, loaded, find_addresses(loaded, OPENAI))


def loaded(
    tmp_path: Path,
    project: str = "",
    user: str = "",
    environ: dict[str, str] | None = None,
    **flags: Any,
) -> Loaded:
    """Return settings from two files, variables and flags."""
    (tmp_path / "forge.toml").write_text(project)
    (tmp_path / "user").mkdir(exist_ok=True)
    (tmp_path / "user" / "forge.toml").write_text(user)
    return load_settings(
        flags,
        environ=environ or {},
        project_file=tmp_path / "forge.toml",
        user_file=tmp_path / "user" / "forge.toml",
    )


def test_a_flag_wins_over_a_variable_over_a_file_over_the_providers_variable(
    tmp_path: Path,
) -> None:
    """Each by another kind of place."""
    (tmp_path / "user").mkdir()
    (tmp_path / "user" / "key").write_text("from-user-file")
    (tmp_path / "user" / "key").chmod(0o600)
    user = 'api_key_file = "key"'  # beside the file that names it
    environ = {"FORGE_API_KEY_COMMAND": "echo from-variable"}
    own = {"OPENAI_API_KEY": "from-provider-variable"}
    for settings, expected in (
        (loaded(tmp_path, "", user, environ, **HOSTED, api_key_command="echo from-flag"), "flag"),
        (loaded(tmp_path, "", user, environ, **HOSTED), "variable"),
        (loaded(tmp_path, "", user, **HOSTED), "user-file"),
        (loaded(tmp_path, **HOSTED), "provider-variable"),
    ):
        found = Found(own)
        keys = found.find(settings).keys
        assert [key.headers("bearer") for key in keys] == [
            {"authorization": f"Bearer from-{expected}"}
        ]
        assert found.warned == []
        assert found.learned == ([] if expected == "provider-variable" else [f"from-{expected}"])


def test_two_places_of_one_rank_are_a_mistake(tmp_path: Path) -> None:
    """Nobody knows which was meant."""
    settings = loaded(tmp_path, **HOSTED, api_key_command="echo x", api_key_file="x")
    with pytest.raises(SettingsError, match="api_key_file and api_key_command are both set"):
        Found().find(settings)


@pytest.mark.parametrize("line", ["file = 'key'", "command = 'touch ran'", "keyring = 'github'"])
def test_a_project_file_names_no_place_of_keys(
    tmp_path: Path, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither is it read nor run; what does it right is said."""
    monkeypatch.chdir(tmp_path)
    settings = loaded(tmp_path, f"api_key_{line}", 'api_key_command = "echo mine"', **HOSTED)
    found = Found()
    if "command" not in line:
        # The user's own file comes after the project's, which must not count.
        assert settings.settings.api_key_command == "echo mine"
    with pytest.raises(SettingsError, match="a project's file must not") as caught:
        found.find(settings)
    assert "or your own settings file" in str(caught.value)
    assert not (tmp_path / "ran").exists()
    assert found.learned == []


def test_a_flag_wins_over_a_project_file_that_must_not(tmp_path: Path) -> None:
    """What is not used does no harm."""
    project = "api_key_command = 'false'"
    found = Found()
    assert found.find(loaded(tmp_path, project, **HOSTED, api_key_command="echo mine")).keys
    assert found.learned == ["mine"]


@pytest.mark.parametrize("source", ["user", "variable", "flag", "provider flag"])
def test_a_project_file_does_not_choose_who_gets_a_key(tmp_path: Path, source: str) -> None:
    """A key that is meant for one provider goes to no other, unless a flag says so."""
    project, user, environ = 'provider = "openai"\nmodel = "m"', "", {}
    flags: dict[str, Any] = {}
    match source:
        case "user":
            user = 'api_key_command = "echo mine"'
        case "variable":
            environ = {"FORGE_API_KEY_COMMAND": "echo mine"}
        case "provider flag":
            user, flags = 'api_key_command = "echo mine"', {"provider": "openai"}
        case _:
            flags = {"api_key_command": "echo mine"}
    settings = loaded(tmp_path, project, user, environ, **flags)
    found = Found()
    if "flag" in source:
        assert found.find(settings).keys
    else:
        with pytest.raises(SettingsError, match="say so with --provider or --api-key-command"):
            found.find(settings)
        assert found.learned == []


@pytest.mark.parametrize("setting", ["base_url", "base_urls"])
def test_a_project_file_sends_no_key_elsewhere(tmp_path: Path, setting: str) -> None:
    """Whatever kind of key, and however many addresses."""
    value = f'"{A}"' if setting == "base_url" else f'["https://api.openai.com/v1", "{A}"]'
    flags = {**HOSTED, "api_key_command": f"echo {CANARY}"}
    settings = loaded(tmp_path, f"{setting} = {value}", **flags)
    found = Found()
    with pytest.raises(SettingsError, match=rf"^\./forge\.toml sets {setting} to '{A[:-3]}'"):
        found.find(settings)
    assert found.learned == []
    for environ in ({"OPENAI_API_KEY": CANARY}, {}):
        settings = loaded(tmp_path, f"{setting} = {value}", **HOSTED)
        if environ:
            with pytest.raises(SettingsError, match="OPENAI_API_KEY would be sent"):
                Found(environ).find(settings)
        else:
            assert Found().find(settings).keys == ()


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (f'[providers.openai]\nbase_url = "{A}"', "changes base_url of openai"),
        ('[providers.openai]\nheaders = {x = "y"}', "changes headers of openai"),
        (f'[providers.gpu]\nbase_url = "{A}"\nrequires_key = false', "says where gpu is"),
        (f'[providers.ollama]\nbase_url = "{A}"', "of ollama"),
    ],
)
def test_a_project_files_table_sends_no_key_elsewhere(
    tmp_path: Path, table: str, said: str
) -> None:
    """Not even for a provider that a flag names; with the address by a flag it is the user's."""
    name = table[len("[providers.") : table.index("]")]
    flags: dict[str, Any] = {**HOSTED, "provider": name, "api_key_command": f"echo {CANARY}"}
    settings = loaded(tmp_path, table, **flags)
    found = Found()
    with pytest.raises(SettingsError, match=said) as caught:
        open_answering(settings, BUILT_IN, {}, keys=found.finder)
    assert found.learned == []
    assert "your own" in str(caught.value) or "user" in str(caught.value)
    if name == "gpu":
        settings = loaded(tmp_path, table, **flags, base_url=A)
        open_answering(settings, BUILT_IN, {}, keys=found.finder)
        assert found.learned == [CANARY]


def test_a_file_open_to_all_is_warned_of(tmp_path: Path) -> None:
    """Once, with what to do."""
    path = tmp_path / "key"
    path.write_text("sk-1")
    path.chmod(0o644)
    found = Found()
    settings = loaded(tmp_path, **HOSTED, api_key_file=path)
    found.find(settings)
    found.find(settings)
    assert found.warned == [
        (
            "key_file_open",
            f"the key file {path} can be read by every user of this machine: chmod 600 {path}",
        )
    ]


def test_a_place_is_read_once_for_all(tmp_path: Path) -> None:
    """The fallback at the same provider has the first one's keys, and its pool."""
    command = f"sh -c 'echo >> {tmp_path}/runs; echo sk-1'"
    settings = loaded(tmp_path, **HOSTED, fallback_model="n", api_key_command=command)
    found = Found()
    first = open_answering(settings, BUILT_IN, {}, keys=found.finder)
    spare = open_fallback(settings, BUILT_IN, {}, keys=found.finder)
    assert spare is not None
    assert (first.provider.model, spare.provider.model) == ("m", "n")
    assert (tmp_path / "runs").read_text() == "\n"


def test_another_provider_gets_none_of_it(tmp_path: Path) -> None:
    """Addresses and keys that are named belong to `--provider`."""
    settings = loaded(
        tmp_path, **HOSTED, api_key_command="echo sk-1", base_urls=[A, B],
        fallback_provider="anthropic", fallback_model="n",
    )  # fmt: skip
    with pytest.raises(SettingsError, match="anthropic needs an API key: set ANTHROPIC_API_KEY"):
        open_fallback(settings, BUILT_IN, {}, keys=Found().finder)
    environ = {"ANTHROPIC_API_KEY": "sk-ant"}
    spare = open_fallback(settings, BUILT_IN, environ, keys=Found(environ).finder)
    assert spare is not None
    assert spare.endpoints == ()
    assert "api.anthropic.com" in spare.address


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("sk-1\nsk-1\n", "holds a key twice"),
        ("sk-1\nsk 2\n", r"line 2, has a space at position 3"),
        ("sk-1\nsk-\u201c\n", r"line 2, has a typographic quote"),
        ("sk-1\nsk-2\nsk-3\n", "has 3 keys for 2 addresses"),
    ],
)
def test_keys_that_cannot_be_used(tmp_path: Path, content: str, said: str) -> None:
    """The place is named, and none of the keys."""
    (tmp_path / "key").write_text(content)
    settings = loaded(tmp_path, **HOSTED, base_urls=[A, B], api_key_file=tmp_path / "key")
    with pytest.raises(SettingsError, match=said) as caught:
        Found().find(settings)
    assert "sk-" not in str(caught.value)


def answering(tmp_path: Path, keys: str = "", **flags: Any) -> Answering:
    """Return who answers, with the keys of a file."""
    if keys:
        (tmp_path / "key").write_text(keys)
        flags["api_key_file"] = tmp_path / "key"
    return open_answering(loaded(tmp_path, **HOSTED, **flags), BUILT_IN, {})


def test_endpoints_of_several_addresses(tmp_path: Path) -> None:
    """Each is named by its server; one key is for all, several are one for each."""
    found = answering(tmp_path, base_urls=[A, B, C])
    assert [endpoint.name for endpoint in found.endpoints] == [
        "gpu1:8000",
        "gpu2:8000",
        "gpu3:8000",
    ]
    assert found.provider is found.endpoints[0].provider
    assert len(found.providers()) == 3
    assert found.endpoints[2].address == "POST gpu3:8000/v1/chat/completions"
    paired = answering(tmp_path, "sk-1\nsk-2\nsk-3\n", base_urls=[A, B, C])
    sent = [endpoint.provider._inner._headers["authorization"] for endpoint in paired.endpoints]  # type: ignore[attr-defined]
    assert sent == ["Bearer sk-1", "Bearer sk-2", "Bearer sk-3"]
    shared = answering(tmp_path, "sk-1\n", base_urls=[A, B])
    assert shared.sharers == 1


def test_endpoints_of_several_keys(tmp_path: Path) -> None:
    """They are numbered, and share what the one server allows."""
    found = answering(tmp_path, "sk-1\nsk-2\n")
    assert [endpoint.name for endpoint in found.endpoints] == ["key 1", "key 2"]
    limits = loaded(tmp_path, **HOSTED, rpm="60", tpm="9000", min_interval_ms="50").settings
    assert pacing_limits(limits, found) == PacingLimits(30, 4500, 0.1)
    by_server = answering(tmp_path, base_urls=[A, B])
    assert pacing_limits(limits, by_server) == PacingLimits(60, 9000, 0.05)


def test_one_address_is_no_fleet(tmp_path: Path) -> None:
    """However it is written."""
    for flags in ({"base_url": A}, {"base_urls": [A]}, {}):
        assert answering(tmp_path, "sk-1", **flags).endpoints == ()


def test_addresses_that_contradict_each_other(tmp_path: Path) -> None:
    """One twice is a mistake; so are both settings at one place, but a flag wins over a file."""
    with pytest.raises(SettingsError, match="base_urls names an address twice"):
        answering(tmp_path, base_urls=[A, A + "/"])
    with pytest.raises(SettingsError, match="base_url and base_urls are both set"):
        answering(tmp_path, base_url=A, base_urls=[B, C])
    settings = loaded(tmp_path, user=f"base_urls = ['{B}', '{C}']", base_url=A, **HOSTED)
    assert find_addresses(settings, OPENAI).urls == (A,)
    with pytest.raises(SettingsError, match="--base-url needs a provider"):
        open_answering(loaded(tmp_path, base_urls=[A]), BUILT_IN, {})
