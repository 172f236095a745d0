"""The cache key: a hash of exactly what decides an answer."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from inference_forge.core.prompt import PROMPT_VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inference_forge.core.taxonomy import Taxonomy


class Fingerprinter:
    """Hashes tickets for one taxonomy, model and set of generation parameters.

    Arguments:
        taxonomy: its labels' order does not matter.
        model: the model asked for.
        generation: parameters that change answers, JSON-ready.
    """

    def __init__(self, *, taxonomy: Taxonomy, model: str, generation: Mapping[str, object]) -> None:
        context = [PROMPT_VERSION, taxonomy.canonical(), model, sorted(generation.items())]
        self._base = hashlib.sha256(json.dumps(context, sort_keys=True).encode())
        self._by_tenant: dict[str, hashlib._Hash] = {}

    def of(self, text: str, tenant: str) -> bytes:
        """Return the 32-byte fingerprint of `text` as asked for `tenant`."""
        prefix = self._by_tenant.get(tenant)
        if prefix is None:
            prefix = self._base.copy()
            # The length keeps ("ab", "c") and ("a", "bc") apart.
            name = tenant.encode()
            prefix.update(b"%d:%b:" % (len(name), name))
            if len(self._by_tenant) < 10_000:  # noqa: PLR2004 - a bound on memory, nothing more
                self._by_tenant[tenant] = prefix
        digest = prefix.copy()
        digest.update(text.encode())
        return digest.digest()
