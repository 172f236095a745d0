"""A bare loop over the HTTP client that forge uses: sending, receiving, and reading the label.

python benchmarks/overhead/bare.py ADDRESS TICKETS.csv OUT.jsonl --in-flight 64 --http plain
"""

from __future__ import annotations

import anyio
import httpx
import orjson
from workload import KEY, Task, body_of, is_valid, task, texts

from inference_forge.adapters.http.client import build_client
from inference_forge.app.event_loop import loop_options
from inference_forge.settings import HttpStack


async def ask_all(asked: Task) -> None:
    """Ask about every ticket of a file, with one task for each request in flight."""
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    client = build_client(
        asked.address, headers, max_connections=asked.in_flight, stack=HttpStack(asked.http)
    )
    template = client.build_request("POST", "chat/completions")
    del template.headers["content-length"]
    tickets = texts(asked.tickets)

    async def work() -> None:
        for _, text in tickets:
            content = orjson.dumps(body_of(text))
            request = httpx.Request("POST", template.url, headers=template.headers, content=content)
            response = await client.send(request)
            label = orjson.loads(orjson.loads(response.content)["choices"][0]["message"]["content"])
            if not is_valid(label):
                raise ValueError("no label of the taxonomy")

    async with client, anyio.create_task_group() as tasks:
        for _ in range(asked.in_flight):
            tasks.start_soon(work)


def main() -> None:
    """Ask about every ticket of a file."""
    asked = task()
    anyio.run(ask_all, asked, backend_options=loop_options(HttpStack(asked.http)))
    asked.out.touch()


if __name__ == "__main__":
    main()
