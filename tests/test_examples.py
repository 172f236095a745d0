"""Every file in examples/ does what it says; all of it runs in a copy."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from running import Done, forge, isolated, read_csv, read_jsonl

from inference_forge.settings import load_settings

__all__ = ["isolated"]

EXAMPLES = Path(__file__).parent.parent / "examples"
EXPORTS = {
    "freshdesk": (7, "text = Subject + Description; id = Ticket ID"),
    "hubspot": (7, "text = Ticket name + Ticket description; id = Ticket ID"),
    "intercom": (7, "text = Ticket title; id = Conversation ID"),
    "jira": (7, "text = Summary + Description; id = Issue key"),
    "linear": (7, "text = Title + Description; id = ID"),
    "servicenow": (7, "text = short_description + description; id = number"),
    "zendesk": (8, "text = Subject; id = Id"),
}
MONITORING = ("README.md", "alerts.test.yml", "alerts.yml", "grafana.json", "prometheus.yml")
"""Tested in test_monitoring.py."""

LABELS = {"hardware_issue", "software_issue", "model_quality", "billing", "other"}


@pytest.fixture
def examples(isolated: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of the folder, which is also the current directory."""
    copy = isolated / "examples"
    shutil.copytree(EXAMPLES, copy)
    monkeypatch.chdir(copy)
    return copy


def test_every_file_has_a_test() -> None:
    """What is added to the folder must be added here."""
    names = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*") if path.is_file()}
    assert names == {
        "README.md",
        "exports/README.md",
        *(f"exports/{name}.csv" for name in EXPORTS),
        "forge.toml",
        "kubernetes/cronjob.yaml",
        "kubernetes/volumes.yaml",
        *(f"monitoring/{name}" for name in MONITORING),
        "nightly.sh",
        "shop.csv",
        "systemd/forge-classify.service",
        "systemd/forge-classify.timer",
        "taxonomy.toml",
        "tickets.csv",
        "tickets.gold.csv",
        "tickets.jsonl",
    }


def test_tickets_csv(examples: Path) -> None:
    """320 tickets, 20 of them repeated; the second run asks nothing."""
    first = forge("classify", "tickets.csv")
    assert (first.code, first.summary["rows"], first.summary["coalesced"]) == (0, "320", "20")
    assert "text = Subject + Description; id = Ticket ID" in first.lines
    rows = read_csv(examples / "tickets.results.csv")
    assert {row["category"] for row in rows} <= LABELS
    assert all(row["summary"] for row in rows)
    second = forge("classify", "tickets.csv")
    assert second.summary["cache hits"] == "320"
    assert {row["cache_hit"] for row in read_csv(examples / "tickets.results.csv")} == {"true"}


def test_tickets_gold_csv(examples: Path) -> None:
    """300 distinct tickets with labels of the built-in taxonomy."""
    rows = read_csv(examples / "tickets.gold.csv")
    assert (len(rows), {row["category"] for row in rows}) == (300, LABELS)
    assert {row["priority"] for row in rows} == {"low", "medium", "high", "critical"}
    texts = {(row["Subject"], row["Description"]) for row in rows}
    assert len(texts) == 300
    everything = {(r["Subject"], r["Description"]) for r in read_csv(examples / "tickets.csv")}
    assert texts == everything


def test_tickets_jsonl(examples: Path) -> None:
    """60 lines come out with their 30-digit ids byte for byte."""
    done = forge("classify", "tickets.jsonl")
    assert (done.code, done.summary["rows"]) == (0, "60")
    out = (examples / "tickets.results.jsonl").read_bytes()
    ids = re.findall(rb"\b\d{30}\b", (examples / "tickets.jsonl").read_bytes())
    assert len(ids) > 0
    assert re.findall(rb"\b\d{30}\b", out) == ids
    assert len(read_jsonl(out)) == 60


def test_shop_csv_with_its_taxonomy(examples: Path) -> None:
    """The taxonomy's labels, learnt from its examples without a warning."""
    done = forge("classify", "shop.csv", "--taxonomy", "taxonomy.toml")
    assert (done.code, "warning" in done.err) == (0, False)
    assert "text = Subject + Message; id = Message ID" in done.lines
    rows = read_csv(examples / "shop.results.csv")
    assert len(rows) == 25
    assert {row["priority"] for row in rows} == {"normal", "fast", "now"}
    assert "delivery" in {row["category"] for row in rows}


@pytest.mark.parametrize("name", EXPORTS)
def test_exports_are_read_as_they_are(examples: Path, name: str) -> None:
    """The columns are found by name, as exports/README.md says; no row is lost."""
    rows, reading = EXPORTS[name]
    done = forge("classify", f"exports/{name}.csv", "-o", "out.csv")
    assert reading in done.lines
    assert done.summary["rows"] == str(rows)
    text, _, id_column = reading.removeprefix("text = ").partition("; id = ")
    added = "with `forge_`" if name != "intercom" else "plain"
    table = (examples / "exports/README.md").read_text(encoding="utf-8")
    assert f"| `{name}.csv` | {rows} | {text} | {id_column} | {added} |" in table
    with (examples / "out.csv").open(newline="", encoding="utf-8") as file:
        header = next(csv.reader(file))
    with (examples / f"exports/{name}.csv").open(newline="", encoding="utf-8-sig") as file:
        original = next(csv.reader(file))
    first = "category" if name == "intercom" else "forge_category"
    assert (header[: len(original)], header[len(original)]) == (original, first)
    assert done.code == (3 if name == "intercom" else 0)
    if name == "intercom":
        assert [r["error"] for r in read_csv(examples / "out.failures.csv")] == ["empty_text"]


@pytest.mark.usefixtures("examples")
def test_the_command_in_the_exports_readme() -> None:
    """Intercom with an attribute of one's own as text."""
    columns = ("--text-column", "Ticket title", "--text-column", "Steps to reproduce")
    done = forge("classify", "exports/intercom.csv", "-o", "out.csv", *columns)
    assert "text = Ticket title + Steps to reproduce; id = Conversation ID" in done.lines


def test_forge_toml_states_defaults(examples: Path) -> None:
    """It loads; with every line that is commented out put in force, it still does."""
    path = examples / "forge.toml"
    assert load_settings({}, environ={}, project_file=path).settings == (
        load_settings({}, environ={}).settings
    )
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r"^# (?=[a-z_]+ = )", "", text, flags=re.MULTILINE), encoding="utf-8")
    settings = load_settings({}, environ={}, project_file=path).settings
    assert (settings.provider, settings.cache_ttl_s) == ("sarvam", 30 * 86_400)
    assert settings.taxonomy == examples / "taxonomy.toml"


def nightly(examples: Path, *arguments: str, **environ: str) -> Done:
    """Run nightly.sh with the environment that cron gives, and `environ`."""
    variables = [f"{name}={value}" for name, value in environ.items()]
    done = subprocess.run(
        ["env", "-i", "PATH=/usr/bin:/bin", *variables, examples / "nightly.sh", *arguments],
        capture_output=True,
        check=False,
        timeout=60,
        cwd="/",
    )
    return Done(done.returncode, done.stdout, done.stderr.decode())


def program(path: Path, body: str) -> str:
    """Write an executable script and return its path."""
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_nightly_with_the_real_forge(examples: Path, tmp_path: Path) -> None:
    """`env -i`: results, log and nobody called; a second run takes all from the cache."""
    real = program(tmp_path / "forge", f'exec {sys.executable} -m inference_forge "$@"')
    outdir = tmp_path / "out"
    environ = {"FORGE": real, "OUTDIR": str(outdir), "DAY": "2026-11-20", "HOME": str(tmp_path)}
    done = nightly(examples, NOTIFY="/bin/false", **environ)
    results = outdir / "tickets-2026-11-20.results.csv"
    assert (done.code, done.err) == (0, "")
    assert done.out.decode() == f"forge nightly 2026-11-20: done: {results}\n"
    assert "forge_category" in read_csv(results)[0]
    assert results.stat().st_mode & 0o777 == 0o600
    nightly(examples, INPUT=str(examples / "tickets.csv"), **environ)
    log = (outdir / "tickets-2026-11-20.log").read_text(encoding="utf-8")
    assert log.count("forge: rows        320") == 2
    assert "forge: cache hits  320" in log


@pytest.mark.parametrize(
    ("code", "is_told", "said"),
    [
        (0, False, "done: "),
        (1, True, "ended unexpectedly with code 1"),
        (2, True, "a setting, a flag or the input is wrong"),
        (3, True, "done, but some tickets failed"),
        (4, True, "the provider refuses"),
        (5, True, "cannot write"),
        (6, True, "budget or deadline"),
        (75, False, "not now"),
        (130, False, "stopped by a signal"),
    ],
)
def test_nightly_passes_the_exit_code_on(
    examples: Path, tmp_path: Path, code: int, is_told: bool, said: str
) -> None:
    """Somebody is called when somebody can do something, and not otherwise."""
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    program(bin_dir / "forge", f'echo "$@"; exit {code}')
    notify = program(tmp_path / "notify", f'echo "$1" >{tmp_path}/told')
    environ = {"PATH": f"{bin_dir}:/usr/bin:/bin", "OUTDIR": str(tmp_path / "o"), "NOTIFY": notify}
    done = nightly(examples, "--provider", "sarvam", DAY="d", **environ)
    assert done.code == code
    assert done.out.decode().startswith(f"forge nightly d: {said}")
    told = tmp_path / "told"
    assert told.exists() == is_told
    assert not is_told or told.read_text() == done.out.decode()
    logged = (tmp_path / "o/tickets-d.log").read_text()
    assert f"classify {examples}/tickets.csv -o {tmp_path}/o/tickets-d.results.csv" in logged
    assert logged.rstrip().endswith("--prefix forge_ --provider sarvam")


def test_nightly_without_forge_or_home(examples: Path, tmp_path: Path) -> None:
    """What is missing is named."""
    done = nightly(examples, OUTDIR=str(tmp_path / "o"), FORGE="/no/forge")
    assert (done.code, b"cannot start /no/forge" in done.out) == (127, True)
    done = nightly(examples)
    assert done.code != 0
    assert "set HOME or OUTDIR" in done.err


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_nightly_passes_shellcheck() -> None:
    """No quoting slip."""
    subprocess.run(["shellcheck", EXAMPLES / "nightly.sh"], check=True)


def documents(name: str) -> list[Any]:
    """Return the documents of a YAML file."""
    text = (EXAMPLES / "kubernetes" / name).read_text(encoding="utf-8")
    return list(yaml.safe_load_all(text))


def test_the_cronjob_retries_75_and_no_other_code_of_forge() -> None:
    """Codes that waiting does not mend fail the job; 75 counts as a retry."""
    (job,) = documents("cronjob.yaml")
    spec = job["spec"]["jobTemplate"]["spec"]
    rules = {
        rule["action"]: rule["onExitCodes"]
        for rule in spec["podFailurePolicy"]["rules"]
        if "onExitCodes" in rule
    }
    assert (rules["FailJob"]["operator"], rules["FailJob"]["values"]) == ("In", [1, 2, 3, 4, 5, 6])
    assert (rules["Count"]["operator"], rules["Count"]["values"]) == ("In", [75])
    pod = spec["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    assert pod["terminationGracePeriodSeconds"] > 20
    assert spec["backoffLimit"] > 0
    assert job["spec"]["concurrencyPolicy"] == "Forbid"


def test_the_cronjobs_volumes_and_arguments_fit() -> None:
    """Claims exist, the container is the one of the rules, and forge takes its arguments."""
    (job,) = documents("cronjob.yaml")
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    claims = {volume["metadata"]["name"] for volume in documents("volumes.yaml")}
    used = {
        v["persistentVolumeClaim"]["claimName"]
        for v in pod["volumes"]
        if "persistentVolumeClaim" in v
    }
    assert used == claims
    (container,) = pod["containers"]
    assert {m["name"] for m in container["volumeMounts"]} <= {v["name"] for v in pod["volumes"]}
    done = forge(*container["args"], "--help")
    assert done.code == 0


@pytest.mark.usefixtures("isolated")
def test_the_units_command_is_one_that_forge_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's ExecStart parses: what fails is the input that is not there."""
    monkeypatch.setenv("FORGE_CACHE_DIR", "cache")
    text = (EXAMPLES / "systemd/forge-classify.service").read_text(encoding="utf-8")
    line = re.search(r"^ExecStart=\S+/forge (.*)$", text, re.MULTILINE)
    assert line is not None
    done = forge(*line[1].replace("%S", "state").split())
    assert done.last == (
        "forge: error: state/forge/tickets.csv: there is no such file; check the name"
    )
    prevented = re.search(r"^RestartPreventExitStatus=(.*)$", text, re.MULTILINE)
    assert prevented is not None
    assert prevented[1] == "1 2 3 4 5 6"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_units_verify(tmp_path: Path) -> None:
    """Systemd reads both without a complaint; forge itself need not be installed."""
    for path in (EXAMPLES / "systemd").iterdir():
        text = path.read_text(encoding="utf-8").replace("/usr/local/bin/forge", sys.executable)
        (tmp_path / path.name).write_text(text, encoding="utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", *sorted(tmp_path.glob("forge-classify.*"))],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    if "Failed to initialize manager" in done.stderr or "Read-only file system" in done.stderr:
        pytest.skip("systemd-analyze cannot run here")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.usefixtures("isolated")
def test_nothing_was_written_into_the_folder() -> None:
    """The tests above work on copies: no results lie beside the originals."""
    assert list(EXAMPLES.rglob("*.results.*")) + list(EXAMPLES.rglob("*.partial")) == []
