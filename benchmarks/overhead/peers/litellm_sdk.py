"""LiteLLM's asynchronous call, with a semaphore."""

from __future__ import annotations

import asyncio  # noqa: TID251 - as its users do
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import litellm
from workload import KEY, body_of, task, texts

litellm.suppress_debug_info = True


async def main() -> None:
    """Ask about every ticket of a file."""
    asked = task()
    slots = asyncio.Semaphore(asked.in_flight)

    async def ask(id_: str, text: str) -> str:
        body = body_of(text)
        model = f"openai/{body.pop('model')}"
        async with slots:
            answer = await litellm.acompletion(model, api_key=KEY, base_url=asked.address, **body)
        return json.dumps({"id": id_, **json.loads(answer.choices[0].message.content or "")})

    rows = await asyncio.gather(*(ask(*each) for each in texts(asked.tickets)))
    asked.out.write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
