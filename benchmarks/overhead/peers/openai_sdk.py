"""OpenAI's own client, with a semaphore: what people write first."""

from __future__ import annotations

import asyncio  # noqa: TID251 - as its users do
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from openai import AsyncOpenAI, OpenAIError
from workload import body_of, row_of, task, texts, write_rows


async def main() -> None:
    """Ask about every ticket of a file."""
    asked = task()
    client = AsyncOpenAI(api_key=asked.key, base_url=asked.address)
    slots = asyncio.Semaphore(asked.in_flight)

    async def ask(id_: str, text: str) -> dict[str, str]:
        async with slots:
            try:
                answer = await client.chat.completions.create(**body_of(text))
            except OpenAIError as error:
                return {"id": id_, "error": str(error)}
        return row_of(id_, answer.choices[0].message.content or "")

    write_rows(asked.out, await asyncio.gather(*(ask(*each) for each in texts(asked.tickets))))


if __name__ == "__main__":
    asyncio.run(main())
