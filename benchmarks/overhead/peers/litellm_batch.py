"""LiteLLM's `batch_completion`: all messages at once, answered by threads."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import litellm
from litellm.caching.caching import Cache
from workload import MODEL, body_of, row_of, task, texts, write_rows

litellm.suppress_debug_info = True


def main() -> None:
    """Ask about every ticket of a file."""
    asked = task()
    if asked.state is not None:
        litellm.cache = Cache(type="disk", disk_cache_dir=str(asked.state))
    litellm.enable_json_schema_validation = True
    tickets = list(texts(asked.tickets))
    bodies = [body_of(text) for _, text in tickets]
    answers = litellm.batch_completion(
        f"openai/{MODEL}",
        [body["messages"] for body in bodies],
        temperature=bodies[0]["temperature"],
        max_tokens=bodies[0]["max_tokens"],
        max_workers=asked.in_flight,
        api_key=asked.key,
        base_url=asked.address,
        response_format=bodies[0]["response_format"],
    )
    write_rows(
        asked.out,
        (
            {"id": id_, "error": str(answer)}
            if isinstance(answer, Exception)
            else row_of(id_, answer.choices[0].message.content or "")
            for (id_, _), answer in zip(tickets, answers, strict=True)
        ),
    )


if __name__ == "__main__":
    main()
