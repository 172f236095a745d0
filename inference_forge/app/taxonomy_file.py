"""Reading a taxonomy file, and choosing what is asked of it."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

from inference_forge.core.asked import Asked, choose_fields_asked
from inference_forge.core.taxonomy import BUILT_IN, Taxonomy
from inference_forge.core.taxonomy_reading import taxonomy_from_data
from inference_forge.errors import TaxonomyError

if TYPE_CHECKING:
    from pathlib import Path

    from inference_forge.settings import Settings


def load_asked(settings: Settings) -> Asked:
    """Return what the settings ask for: of which taxonomy, and which of its fields.

    Raises:
        TaxonomyError: as `load_taxonomy`.
        SettingsError: a field is named that the taxonomy does not have, or none is left.
    """
    return choose_fields_asked(load_taxonomy(settings.taxonomy), settings.fields, settings.summary)


def load_taxonomy(path: Path | None) -> Taxonomy:
    """Return the taxonomy in `path`, the built-in one for None.

    Raises:
        TaxonomyError: the file is missing, unreadable, no TOML, or no taxonomy.
    """
    if path is None:
        return BUILT_IN
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise TaxonomyError(f"{path}: cannot be read: {exc.strerror}") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise TaxonomyError(f"{path}: is not valid TOML: {exc}") from exc
    return taxonomy_from_data(data, source=str(path))
