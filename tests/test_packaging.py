"""The package as installed: version, dependencies, layers, and what importing it costs."""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from inference_forge.version import DISTRIBUTION, version

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HEAVY = (
    "anyio",
    "asyncio",
    "diskcache",
    "httpx",
    "orjson",
    "prometheus_client",
    "pydantic",
    "rich",
    "typer",
)
PACKAGED = (
    "py.typed",
    "adapters/providers/presets.toml",
    "adapters/providers/prices.toml",
    "adapters/local/weights.json",
    "adapters/local/lexicon.txt",
    "adapters/local/corpus.jsonl",
)


def test_versions_agree() -> None:
    """pyproject, the installed package and the changelog's newest release say the same."""
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[([^\]]+)\](.*)$", changelog, re.MULTILINE)
    assert headings[0][0] == "Unreleased"
    newest, rest = headings[1]
    assert newest == PROJECT["version"] == version()
    assert re.fullmatch(r" - \d{4}-\d{2}-\d{2}", rest)


def test_the_cronjob_names_an_image_of_this_version() -> None:
    """An example that is copied should not start with an old version."""
    job = (ROOT / "examples/kubernetes/cronjob.yaml").read_text(encoding="utf-8")
    assert f"inference-forge:{version()}\n" in job


def test_every_dependency_is_justified_in_the_readme() -> None:
    """One row each under "What it is built on"."""
    section = (
        (ROOT / "README.md").read_text(encoding="utf-8").partition("## What it is built on")[2]
    )
    table = section.partition("## ")[0]
    named = {
        name
        for cell in re.findall(r"^\| ([a-z][^|]*) \|", table, re.MULTILINE)
        for name in cell.strip().split(", ")
    }
    wanted = {re.split(r"[<>=\[]", dependency)[0] for dependency in PROJECT["dependencies"]}
    assert wanted == named - {"dependency"}


def test_every_extra_is_in_the_readme() -> None:
    """One row each under "Extras"."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("### Extras")[2]
    rows = re.findall(r"^\| (`[^|]*) \|", section.partition("## ")[0], re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert named == set(PROJECT["optional-dependencies"])


def test_the_command_is_installed() -> None:
    """`forge` is the package's one script."""
    scripts = importlib.metadata.distribution(DISTRIBUTION).entry_points
    assert [(s.name, s.value) for s in scripts if s.group == "console_scripts"] == [
        ("forge", "inference_forge.__main__:main")
    ]


@pytest.mark.parametrize("name", PACKAGED)
def test_data_files_are_installed(name: str) -> None:
    """What is read at run time lies beside the code."""
    assert importlib.resources.files("inference_forge").joinpath(name).is_file()


def modules_after(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has after `statement`."""
    code = f"{statement}; import sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    # Coverage of subprocesses would import modules of its own.
    env = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    )
    return set(done.stdout.split())


def test_importing_the_package_is_cheap() -> None:
    """`import inference_forge` loads none of the dependencies."""
    assert modules_after("import inference_forge").isdisjoint(HEAVY)


def test_help_does_not_load_the_pipeline() -> None:
    """The command line loads typer and nothing else that is heavy."""
    loaded = modules_after("import inference_forge.cli.main")
    assert loaded & set(HEAVY) == {"typer"}


def test_help_loads_no_command() -> None:
    """Of the package only what `forge --help` prints and what closed streams need."""
    code = (
        "import sys; sys.argv = ['forge', '--help']; import inference_forge.cli.main as main;"
        " main._run(); print(*sys.modules)"
    )
    environ = {k: v for k, v in os.environ.items() if not k.startswith("COV")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environ
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    assert loaded & set(HEAVY) == {"typer"}
    assert {name for name in loaded if name.startswith("inference_forge")} == {
        "inference_forge",
        "inference_forge.cli",
        "inference_forge.cli.commands",
        "inference_forge.cli.examples",
        "inference_forge.cli.help_pages",
        "inference_forge.cli.main",
        "inference_forge.cli.streams",
        "inference_forge.core",
        "inference_forge.core.terminal",
        "inference_forge.errors",
        "inference_forge.levels",
    }


def test_the_layers_hold() -> None:
    """The import contracts in pyproject.toml are kept."""
    pytest.importorskip("importlinter")
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert re.search(r"Contracts: [1-9]\d* kept, 0 broken\.", done.stdout)


def test_the_wheel_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    """Code, data, manual and metadata; no tests, no examples."""
    pytest.importorskip("hatchling")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0] for name in names} == {
        "inference_forge",
        f"inference_forge-{version()}.dist-info",
        f"inference_forge-{version()}.data",
    }
    shared = {name.partition(".data/")[2] for name in names if ".data/" in name}
    manual = {path.name for path in (ROOT / "man").iterdir()}
    assert shared == {f"data/share/man/man1/{name}" for name in manual}
    assert {f"inference_forge/{name}" for name in PACKAGED} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names)
