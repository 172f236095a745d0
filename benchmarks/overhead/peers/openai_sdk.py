"""OpenAI's own client, with a semaphore: what people write first."""

from __future__ import annotations

import asyncio  # noqa: TID251 - as its users do
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from openai import AsyncOpenAI
from workload import KEY, body_of, task, texts


async def main() -> None:
    """Ask about every ticket of a file."""
    asked = task()
    client = AsyncOpenAI(api_key=KEY, base_url=asked.address)
    slots = asyncio.Semaphore(asked.in_flight)

    async def ask(id_: str, text: str) -> str:
        async with slots:
            answer = await client.chat.completions.create(**body_of(text))
        return json.dumps({"id": id_, **json.loads(answer.choices[0].message.content or "")})

    rows = await asyncio.gather(*(ask(*each) for each in texts(asked.tickets)))
    asked.out.write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
