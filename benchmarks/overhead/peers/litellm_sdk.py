"""LiteLLM's asynchronous call, with a semaphore."""

from __future__ import annotations

import asyncio  # noqa: TID251 - as its users do
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import litellm
from workload import body_of, row_of, task, texts, write_rows

litellm.suppress_debug_info = True


async def main() -> None:
    """Ask about every ticket of a file."""
    asked = task()
    slots = asyncio.Semaphore(asked.in_flight)

    async def ask(id_: str, text: str) -> dict[str, str]:
        body = body_of(text)
        model = f"openai/{body.pop('model')}"
        async with slots:
            answer = await litellm.acompletion(
                model, api_key=asked.key, base_url=asked.address, **body
            )
        return row_of(id_, answer.choices[0].message.content or "")

    write_rows(asked.out, await asyncio.gather(*(ask(*each) for each in texts(asked.tickets))))


if __name__ == "__main__":
    asyncio.run(main())
