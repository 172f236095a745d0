"""LOTUS: a semantic map over the rows of a data frame."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import litellm
import lotus
import pandas as pd
from lotus.cache import CacheConfig, CacheFactory, CacheType
from lotus.models import LM
from workload import MODEL, SYSTEM, body_of, row_of, task, texts, write_rows

litellm.suppress_debug_info = True


def main() -> None:
    """Ask about every ticket of a file."""
    asked = task()
    tickets = pd.DataFrame(texts(asked.tickets), columns=["id", "ticket"])
    cache = None
    if asked.state is not None:
        kept = CacheConfig(CacheType.SQLITE, max_size=100_000, cache_dir=str(asked.state))
        cache = CacheFactory.create_cache(kept)
    model = LM(
        model=f"openai/{MODEL}",
        api_base=asked.address,
        api_key=asked.key,
        max_batch_size=asked.in_flight,
        cache=cache,
    )
    lotus.settings.configure(lm=model, enable_cache=cache is not None)
    labelled = tickets.sem_map(
        "Label the {ticket}.",
        system_prompt=SYSTEM,
        suffix="label",
        response_format=body_of("")["response_format"],
    )
    pairs = zip(labelled["id"], labelled["label"], strict=True)
    write_rows(asked.out, (row_of(id_, label) for id_, label in pairs))


if __name__ == "__main__":
    main()
