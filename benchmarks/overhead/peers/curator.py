"""Bespoke Curator, with its cache in a fresh directory."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Literal

sys.path.insert(0, str(Path(__file__).parent.parent))

from workload import CATEGORIES, MODEL, PRIORITIES, messages, task, texts, write_rows

asked = task()
os.environ["CURATOR_CACHE_DIR"] = str(asked.state or asked.out.with_suffix(".cache"))
os.environ["TELEMETRY_ENABLED"] = "false"
os.environ["CURATOR_DISABLE_RICH_DISPLAY"] = "1"

import tiktoken  # noqa: E402 - reads the environment
from bespokelabs import curator  # noqa: E402
from pydantic import BaseModel, ConfigDict  # noqa: E402


class Words:
    """Stands in for a tokenizer that cannot be downloaded here; it costs less than one."""

    def encode(self, text: str, **_: object) -> list[str]:
        """Return the words."""
        return text.split()


try:
    tiktoken.get_encoding("cl100k_base")
except OSError:
    tiktoken.get_encoding = lambda _: Words()
    tiktoken.encoding_for_model = lambda _: Words()


class Label(BaseModel):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid")
    category: Literal[CATEGORIES]  # type: ignore[valid-type]
    priority: Literal[PRIORITIES]  # type: ignore[valid-type]
    summary: str


class Labeller(curator.LLM):  # type: ignore[misc]
    """Asks about one row."""

    def prompt(self, row: dict[str, str]) -> list[dict[str, str]]:
        """Return what is asked."""
        return messages(row["text"])

    def parse(self, row: dict[str, str], answer: Label | str) -> dict[str, Any]:
        """Return the row with its label."""
        if isinstance(answer, str):
            return {"id": row["id"], **json.loads(answer)}
        return {"id": row["id"], **answer.model_dump()}


def main() -> None:
    """Ask about every ticket of a file."""
    labeller = Labeller(
        model_name=MODEL,
        response_format=Label if asked.is_checked else None,
        backend="openai",
        backend_params={
            "base_url": asked.address,
            "api_key": asked.key,
            "max_concurrent_requests": asked.in_flight,
            "max_requests_per_minute": 1_000_000_000,
            "max_tokens_per_minute": 1_000_000_000_000,
        },
    )
    answered = labeller([{"id": id_, "text": text} for id_, text in texts(asked.tickets)])
    write_rows(asked.out, answered.dataset.to_list())


if __name__ == "__main__":
    main()
