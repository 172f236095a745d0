"""Settings, the user's directories, and the taxonomy, as a run would read them."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from inference_forge.adapters.providers.presets import load_presets
from inference_forge.app.places import user_places
from inference_forge.app.taxonomy_file import load_asked
from inference_forge.errors import SettingsError, TaxonomyError
from inference_forge.jobs.doctor.findings import CONFIGURATION, LOCAL_IO, fail, ok, warn
from inference_forge.settings import PROJECT_FILE, Origin, load_settings, specs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference_forge.app.places import Places
    from inference_forge.core.taxonomy import Taxonomy
    from inference_forge.jobs.doctor.findings import Finding
    from inference_forge.settings import Loaded, Settings

_PREFIX = "FORGE_"


class Configuration(Struct, frozen=True):
    """What could be read.

    Attributes:
        findings: what was found on the way.
        places: the user's directories; None when there are none to be had.
        loaded: the settings; None when they cannot be read.
        taxonomy: None when it cannot be read.
    """

    findings: tuple[Finding, ...]
    places: Places | None
    loaded: Loaded | None
    taxonomy: Taxonomy | None


def read_configuration(flags: Mapping[str, Any], environ: Mapping[str, str]) -> Configuration:
    """Read everything that configures a run.

    Arguments:
        flags: settings given on the command line, by attribute.
        environ: the environment.
    """
    findings: list[Finding] = []
    places = _read_places(environ, findings)
    loaded = _read_settings(flags, environ, places, findings)
    taxonomy = None if loaded is None else _read_taxonomy(loaded.settings, findings)
    return Configuration(tuple(findings), places, loaded, taxonomy)


def _read_places(environ: Mapping[str, str], findings: list[Finding]) -> Places | None:
    def note(_code: str, message: str) -> None:
        found, _, fix = message.partition("; ")
        findings.append(warn("home", found, fix))

    try:
        return user_places(environ, note)
    except OSError as exc:
        found = f"HOME is not set, and no temporary directory can be made: {exc.strerror}"
        findings.append(fail("home", found, "set HOME", LOCAL_IO))
        return None


def _read_settings(
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    places: Places | None,
    findings: list[Finding],
) -> Loaded | None:
    files = [Path(PROJECT_FILE)]
    user_file = None if places is None else places.config / PROJECT_FILE
    if user_file is not None:
        files.append(user_file)
    try:
        loaded = load_settings(flags, environ=environ, project_file=files[0], user_file=user_file)
        load_presets(loaded.providers)
    except SettingsError as error:
        found, _, hint = str(error).partition("; ")
        fix = f"correct or remove it ({hint})" if hint else "correct or remove it"
        findings.append(fail("settings", found, fix, CONFIGURATION))
        return None
    files_read = ", ".join(f"{path} {'read' if path.is_file() else 'absent'}" for path in files)
    findings.append(ok("settings", f"{files_read}{_origins(loaded)}"))
    findings.extend(_ignored_variables(environ))
    return loaded


def _origins(loaded: Loaded) -> str:
    """Say which settings were set where; never their values, among which may be a secret."""
    keys: dict[Origin, list[str]] = defaultdict(list)
    for spec in specs():
        keys[loaded.origin(spec.attribute)].append(spec.key)
    keys.pop(Origin.DEFAULT, None)
    by_origin = "".join(
        f"; by {origin}: {', '.join(keys[origin])}" for origin in Origin if origin in keys
    )
    tables = "".join(f"; {table.title}" for table in loaded.providers.tables)
    return by_origin + tables


def _ignored_variables(environ: Mapping[str, str]) -> list[Finding]:
    """Name variables that look like settings and are none; far from any name, nobody else does."""
    known = {spec.variable for spec in specs()}
    names = sorted(name for name in environ if name.startswith(_PREFIX) and name not in known)
    if not names:
        return []
    found = f"{', '.join(names)} in the environment: no such setting, ignored"
    return [warn("settings", found, "correct the name, or unset it")]


def _read_taxonomy(settings: Settings, findings: list[Finding]) -> Taxonomy | None:
    try:
        taxonomy = load_asked(settings).taxonomy
    except (SettingsError, TaxonomyError, ValueError) as error:  # ValueError: a NUL in the path
        findings.append(
            fail(
                "taxonomy", str(error), "correct it, or name another with --taxonomy", CONFIGURATION
            )
        )
        return None
    fields = ", ".join(taxonomy.field_names)
    findings.append(ok("taxonomy", f"{settings.taxonomy or 'built in'}: {fields}"))
    return taxonomy
